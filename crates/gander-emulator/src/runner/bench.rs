//! Where one job is done: its directories, its variables, and how it goes.
//!
//! Invariants: the variables of a process are put together here and nowhere else, from the file,
//! the job's own state and GitHub's defaults; the defaults cannot be overwritten.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::files::StepFiles;
use super::journal::Journal;
use super::plan::Plan;
use super::{Setup, StepReport};
use crate::state::WorkflowRun;
use crate::workflow::{Permissions, Sight, Standing};
use crate::{Emulator, Trouble};

/// One job at work.
pub(crate) struct Bench<'a> {
    pub(crate) emulator: &'a Emulator,
    pub(crate) setup: &'a Setup,
    pub(crate) plan: &'a Plan,
    pub(crate) run: &'a WorkflowRun,
    pub(crate) repository: u64,
    pub(crate) token: String,
    /// What the token may do.
    pub(crate) granted: Permissions,
    pub(crate) folders: Folders,
    /// `github`, `needs`, `inputs`, `secrets` and `runner`.
    pub(crate) sight: Sight,
    /// Of the workflow, the job, and what steps added.
    pub(crate) env: BTreeMap<String, String>,
    /// What steps put before the search path, newest first.
    pub(crate) paths: Vec<String>,
    pub(crate) journal: Journal,
    pub(crate) summary: String,
    pub(crate) standing: Standing,
    pub(crate) deadline: Instant,
    /// What the runner could not do.
    pub(crate) fault: Option<String>,
    pub(crate) reports: Vec<StepReport>,
    /// How many steps were begun, those of actions included.
    pub(crate) begun: usize,
}

/// The directories of one job.
pub(crate) struct Folders {
    pub(crate) workspace: PathBuf,
    pub(crate) temp: PathBuf,
    pub(crate) home: PathBuf,
    pub(crate) actions: PathBuf,
    pub(crate) tools: PathBuf,
}

impl Folders {
    /// Makes fresh ones below `root`, which must not exist.
    pub(crate) fn create(root: &Path, repository: &str) -> Result<Self, Trouble> {
        let name = repository.rsplit('/').next().unwrap_or(repository);
        let folders = Self {
            workspace: root.join("work").join(name).join(name),
            temp: root.join("work/_temp"),
            home: root.join("home"),
            actions: root.join("work/_actions"),
            tools: root.join("tools"),
        };
        let disk = |source| Trouble::Disk { doing: "make the directories of a job", source };
        if let Some(parent) = root.parent() {
            std::fs::create_dir_all(parent).map_err(disk)?;
        }
        std::fs::create_dir(root).map_err(disk)?;
        for folder in
            [&folders.workspace, &folders.temp, &folders.home, &folders.actions, &folders.tools]
        {
            std::fs::create_dir_all(folder).map_err(disk)?;
        }
        Ok(folders)
    }
}

/// What the steps of one list share: those of the job, or those of one action.
pub(crate) struct Frame {
    /// By id.
    pub(crate) steps: Map<String, Value>,
    /// What the action was given; `None` in a job.
    pub(crate) inputs: Option<BTreeMap<String, String>>,
    /// From the step that uses the action.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) action: Option<PathBuf>,
    pub(crate) failed: bool,
    pub(crate) deadline: Option<Instant>,
}

/// The fields of `github` that are also variables.
const GITHUB: [&str; 24] = [
    "actor",
    "actor_id",
    "api_url",
    "base_ref",
    "event_name",
    "graphql_url",
    "head_ref",
    "job",
    "ref",
    "ref_name",
    "ref_protected",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "retention_days",
    "run_attempt",
    "run_id",
    "run_number",
    "server_url",
    "sha",
    "triggering_actor",
    "workflow",
];

impl Bench<'_> {
    /// What an expression in a step sees.
    pub(crate) fn sight(&self, frame: &Frame, env: &BTreeMap<String, String>) -> Sight {
        let mut sight = self.sight.clone();
        let standing = if frame.inputs.is_some() {
            // In an action, only its own steps count.
            Standing { failed: frame.failed, ..self.standing }
        } else {
            self.standing
        };
        let word = match self.standing {
            Standing { cancelled: true, .. } => "cancelled",
            Standing { failed: true, .. } => "failure",
            Standing { .. } => "success",
        };
        let contexts = &mut sight.contexts;
        contexts.insert("job".to_owned(), json!({ "status": word }));
        contexts.insert("env".to_owned(), json!(env));
        contexts.insert("steps".to_owned(), Value::Object(frame.steps.clone()));
        if let Some(inputs) = &frame.inputs {
            contexts.insert("inputs".to_owned(), json!(inputs));
        }
        if let (Some(action), Some(github)) = (&frame.action, contexts.get_mut("github")) {
            github["action_path"] = json!(action);
            github["action_status"] = json!(if frame.failed { "failure" } else { "success" });
        }
        sight.standing = standing;
        sight
    }

    /// All variables of a process.
    pub(crate) fn variables(
        &self,
        frame: &Frame,
        env: &BTreeMap<String, String>,
        files: &StepFiles,
        step: &str,
    ) -> BTreeMap<String, OsString> {
        let mut all = self.plain_variables();
        let ours: Vec<(String, OsString)> = self.defaults(frame, files, step);
        for (name, value) in env {
            all.insert(name.clone(), value.into());
        }
        all.insert("PATH".to_owned(), self.search_path(env.get("PATH")));
        all.extend(ours);
        all
    }

    /// What every process on the machine has.
    pub(crate) fn plain_variables(&self) -> BTreeMap<String, OsString> {
        BTreeMap::from([
            ("PATH".to_owned(), self.setup.path.clone()),
            ("HOME".to_owned(), self.folders.home.clone().into()),
            ("LANG".to_owned(), "C.UTF-8".into()),
            ("CI".to_owned(), "true".into()),
        ])
    }

    fn search_path(&self, given: Option<&String>) -> OsString {
        let mut path = OsString::new();
        for entry in &self.paths {
            path.push(entry);
            path.push(":");
        }
        path.push(given.map_or(self.setup.path.as_os_str(), std::ffi::OsStr::new));
        path
    }

    fn defaults(&self, frame: &Frame, files: &StepFiles, step: &str) -> Vec<(String, OsString)> {
        let github = self.sight.contexts.get("github").cloned().unwrap_or_default();
        let mut all: Vec<(String, OsString)> = Vec::new();
        for name in GITHUB.into_iter().chain(["workflow_ref", "workflow_sha"]) {
            let value = match &github[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            all.push((format!("GITHUB_{}", name.to_uppercase()), value.into()));
        }
        all.extend(files.variables().map(|(name, path)| (name.to_owned(), path.into())));
        for (name, path) in [
            ("GITHUB_WORKSPACE", &self.folders.workspace),
            ("GITHUB_EVENT_PATH", &self.event_path()),
            ("RUNNER_TEMP", &self.folders.temp),
            ("RUNNER_TOOL_CACHE", &self.folders.tools),
        ] {
            all.push((name.to_owned(), path.clone().into()));
        }
        for (name, value) in [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_ACTION", step),
            ("RUNNER_ARCH", ARCHITECTURE),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("RUNNER_NAME", "GitHub Actions 1"),
            ("RUNNER_OS", "Linux"),
        ] {
            all.push((name.to_owned(), value.into()));
        }
        if let Some(action) = &frame.action {
            all.push(("GITHUB_ACTION_PATH".to_owned(), action.clone().into()));
        }
        all
    }

    /// Where the event lies as JSON.
    pub(crate) fn event_path(&self) -> PathBuf {
        self.folders.temp.join("_github_workflow/event.json")
    }

    /// The last moment for a step of this list.
    pub(crate) fn deadline(&self, frame: &Frame) -> Instant {
        frame.deadline.map_or(self.deadline, |deadline| deadline.min(self.deadline))
    }
}

/// As GitHub calls the machine's architecture.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" };

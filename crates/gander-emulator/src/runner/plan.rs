//! What a workflow will use, looked at before anything runs.
//!
//! Invariants: an action that nobody handed in, one at another commit, and an input that an action
//! does not have are refused with their line, whether or not their step would ever run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Foreign, Setup};
use crate::workflow::{Act, Composite, Fault, Sight, Step, Template, Uses, Workflow};

/// A workflow, and all composite actions it may use.
pub(crate) struct Plan {
    pub(crate) workflow: Workflow,
    composites: BTreeMap<String, Arc<Ours>>,
}

/// A composite action and where it lies.
pub(crate) struct Ours {
    pub(crate) composite: Composite,
    pub(crate) folder: PathBuf,
}

/// What a `uses` means.
pub(crate) enum Meaning {
    Ours(Arc<Ours>),
    Foreign(Foreign),
}

/// GitHub allows composite actions ten deep.
const DEEPEST: usize = 10;

impl Plan {
    /// Reads the file at `path` with this text.
    pub(crate) fn new(setup: &Setup, path: &str, text: &str) -> Result<Self, String> {
        let here = |fault: Fault| format!("{path} {fault}");
        let workflow = Workflow::read(text).map_err(here)?;
        let mut plan = Self { workflow, composites: BTreeMap::new() };
        let steps: Vec<Step> =
            plan.workflow.jobs.iter().flat_map(|job| job.steps.iter().cloned()).collect();
        plan.check(setup, path, &steps, 0)?;
        Ok(plan)
    }

    fn check(
        &mut self,
        setup: &Setup,
        path: &str,
        steps: &[Step],
        depth: usize,
    ) -> Result<(), String> {
        for step in steps {
            let Act::Uses { action, with } = &step.act else { continue };
            let refused = |says: String| Err(format!("{path} {}", Fault::new(step.line, says)));
            let known: Vec<String> = if let Some(foreign) = Foreign::meant(setup, action) {
                foreign.inputs().iter().map(|input| (*input).to_owned()).collect()
            } else if let Some(folder) = setup.actions.get(&action.to_string()) {
                if depth >= DEEPEST {
                    return refused("actions are nested too deeply".to_owned());
                }
                let composite = self.load(setup, action, folder, depth)?;
                composite.composite.inputs.iter().map(|input| input.name.clone()).collect()
            } else {
                return refused(format!("`{action}` is not known to the runner"));
            };
            if let Some((unknown, _)) = with.iter().find(|(name, _)| !known.contains(name)) {
                return refused(format!("`{action}` has no input `{unknown}` here"));
            }
        }
        Ok(())
    }

    fn load(
        &mut self,
        setup: &Setup,
        action: &Uses,
        folder: &Path,
        depth: usize,
    ) -> Result<Arc<Ours>, String> {
        let name = action.to_string();
        if let Some(known) = self.composites.get(&name) {
            return Ok(Arc::clone(known));
        }
        let path = format!("{name}/action.yml");
        let text = std::fs::read_to_string(folder.join("action.yml"));
        let text = text.map_err(|error| format!("{path} cannot be read: {error}"))?;
        let composite = Composite::read(&text).map_err(|fault| format!("{path} {fault}"))?;
        let steps = composite.steps.clone();
        let ours = Arc::new(Ours { composite, folder: folder.to_owned() });
        self.check(setup, &path, &steps, depth + 1)?;
        self.composites.insert(name, Arc::clone(&ours));
        Ok(ours)
    }

    /// What a `uses` that was looked at means.
    pub(crate) fn meaning(&self, setup: &Setup, action: &Uses) -> Option<Meaning> {
        if let Some(foreign) = Foreign::meant(setup, action) {
            return Some(Meaning::Foreign(foreign));
        }
        self.composites.get(&action.to_string()).cloned().map(Meaning::Ours)
    }
}

impl Foreign {
    /// The name of its repository.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkout => "actions/checkout",
            Self::UploadArtifact => "actions/upload-artifact",
            Self::DownloadArtifact => "actions/download-artifact",
            Self::Attest => "actions/attest",
        }
    }

    fn meant(setup: &Setup, action: &Uses) -> Option<Self> {
        let Uses::Pinned(name, hash) = action else { return None };
        let known = setup.foreign.iter();
        let found = known.into_iter().find(|(one, known)| one.name() == name && known == hash);
        found.map(|(foreign, _)| *foreign)
    }

    /// The inputs that are obeyed; the others would be ignored, so they are refused.
    fn inputs(self) -> &'static [&'static str] {
        match self {
            Self::Checkout => &["ref", "fetch-depth", "path", "persist-credentials"],
            Self::UploadArtifact => {
                &["name", "path", "if-no-files-found", "include-hidden-files", "retention-days"]
            }
            Self::DownloadArtifact => &["name", "path"],
            Self::Attest => &["subject-checksums", "predicate-type", "predicate-path"],
        }
    }
}

/// The inputs of a step, filled in.
pub(crate) fn filled(
    with: &[(String, Template)],
    sight: &Sight,
) -> Result<BTreeMap<String, String>, String> {
    with.iter().map(|(name, value)| Ok((name.clone(), value.fill(sight)?))).collect()
}

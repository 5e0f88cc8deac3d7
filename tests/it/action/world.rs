//! A repository with an approved release, and the Action's jobs as processes of their own.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use gander_emulator::{
    AppCredentials, AppSpec, CheckOutcome, Emulator, JobEnd, MergeMethod, Options, ReleaseView,
    RepositorySpec, Verdict, WorkflowSpec,
};
use tempfile::TempDir;

pub(crate) const REPO: &str = "acme/widgets";
pub(crate) const HOUR: i64 = 3_600_000;
/// The program.
const OWN: &str = env!("CARGO_BIN_EXE_gander");

pub(crate) const RULES: &str = "[verify]\ncommands = [\"sh check.sh\"]\n\n[release]\n\
                     build = [\"sh build.sh\"]\nartifacts = [\"dist/*\"]\n";

/// What a run of a mode left.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
    pub(crate) summary: String,
    pub(crate) outputs: BTreeMap<String, String>,
}

pub(crate) struct World {
    pub(crate) emulator: Emulator,
    pub(crate) app: AppCredentials,
    pub(crate) ci: AppCredentials,
    pub(crate) installation: u64,
    pub(crate) repository: u64,
    /// The first commit of the default branch.
    pub(crate) first: String,
    /// Added to the real time.
    pub(crate) ahead: Arc<AtomicI64>,
    pub(crate) folder: TempDir,
    pub(crate) pull: u64,
    pub(crate) head: String,
    pub(crate) commit: String,
    pub(crate) inputs: BTreeMap<String, String>,
    /// The digest that the last build handed over.
    handed_over: Mutex<String>,
    runs: AtomicI64,
}

impl World {
    /// A repository with a release pull request that nobody has looked at yet.
    pub(crate) async fn with_release() -> Self {
        let build = "mkdir dist && printf tool > dist/tool && printf doc > dist/tool.1\n";
        Self::with_release_of(tempfile::tempdir().unwrap(), RULES, build).await
    }

    /// A release that is made so, by these rules.
    pub(crate) async fn with_release_of(folder: TempDir, rules: &str, build: &str) -> Self {
        let ahead = Arc::new(AtomicI64::new(0));
        let offset = Arc::clone(&ahead);
        let root = folder.path().join("github");
        std::fs::create_dir(&root).unwrap();
        let now = move || chrono::Utc::now().timestamp_millis() + offset.load(Ordering::SeqCst);
        let options = Options { root, clock: Arc::new(now) };
        let emulator = Emulator::start(options).await.unwrap();
        emulator.create_organization("acme");
        let mut repository = 0;
        for (login, role) in [("mona", "maintain"), ("hubot", "write")] {
            emulator.create_user(login);
            if role == "maintain" {
                let files = [
                    ("CHANGELOG.md", "# Changelog\n\n## 1.1.0\n\n- old\n"),
                    (".github/gander.toml", rules),
                    ("check.sh", "test -f build.sh\n"),
                    ("build.sh", build),
                ];
                let spec = RepositorySpec::new("acme", "widgets", &files);
                repository = emulator.create_repository(spec).unwrap();
            }
            emulator.set_permission(REPO, login, role).unwrap();
        }
        let rights = ["contents", "issues", "pull_requests", "checks"];
        let app = |slug: &str| {
            let permissions = rights.iter().map(|name| ((*name).into(), "write".into())).collect();
            let spec = AppSpec { slug: slug.into(), permissions, ..AppSpec::default() };
            emulator.create_app(spec).unwrap()
        };
        let (app, ci) = (app("gander"), app("ci"));
        let installation = emulator.install(app.app_id, &[REPO]).unwrap();
        emulator.install(ci.app_id, &[REPO]).unwrap();
        let first = emulator.branches(REPO)["main"].clone();
        let mut world = Self {
            emulator,
            app,
            ci,
            installation,
            repository,
            first,
            ahead,
            folder,
            pull: 0,
            head: String::new(),
            commit: String::new(),
            inputs: BTreeMap::new(),
            handed_over: Mutex::default(),
            runs: AtomicI64::new(0),
        };
        world.opens_release("gander/release", "main");
        world
    }

    /// The same, approved by a maintainer, green, merged and built.
    pub(crate) async fn with_approved_release() -> Self {
        Self::with_release().await.approved_and_built().await
    }

    pub(crate) async fn approved_and_built(mut self) -> Self {
        self.ci_says("success");
        self.reviews("mona", Verdict::Approves);
        self.merges();
        self.builds().await;
        self
    }

    pub(crate) fn opens_release(&mut self, branch: &str, base: &str) {
        let bot = self.emulator.person("gander[bot]");
        let hubot = self.emulator.create_user("hubot");
        let message = format!(
            "chore: release 1.2.0\n\nRequested-by: hubot <{hubot}+hubot@users.noreply.github.com>"
        );
        let changelog = "# Changelog\n\n## 1.2.0 (2026-01-31)\n\n### Fixed\n\n- the bounds (#7)\n\n\
                         ## 1.1.0\n\n- old\n";
        let files = [("CHANGELOG.md", Some(changelog))];
        self.head = bot.pushes(REPO, branch, &message, &files).unwrap();
        self.pull = bot.opens_pull(REPO, "Release 1.2.0", "The plan", branch, base).unwrap();
    }

    pub(crate) fn ci_says(&self, conclusion: &str) {
        let outcome = CheckOutcome::Completed(conclusion);
        self.emulator.person("ci[bot]").check_run(REPO, &self.head, "Test", outcome).unwrap();
    }

    /// A workflow begins on the head, with the one job `Test`; says its run.
    pub(crate) fn starts_workflow(&self, name: &str) -> u64 {
        let path = format!(".github/workflows/{name}.yml");
        let (sha, jobs) = (self.head.as_str(), &["Test"]);
        let spec = WorkflowSpec { name, path: &path, event: "push", branch: None, sha, jobs };
        self.emulator.person("mona").starts_workflow(REPO, &spec).unwrap()
    }

    pub(crate) fn reruns(&self, run: u64) {
        self.emulator.person("mona").reruns_jobs(REPO, run, &["Test"]).unwrap();
    }

    pub(crate) fn job_ends(&self, run: u64, conclusion: &str) {
        let end = JobEnd { name: "Test", conclusion, log: "", annotations: &[] };
        self.emulator.job_ends(REPO, run, &end).unwrap();
    }

    pub(crate) fn reviews(&self, login: &str, verdict: Verdict) -> u64 {
        self.emulator.person(login).reviews(REPO, self.pull, verdict, "").unwrap()
    }

    pub(crate) fn merges(&mut self) {
        let mona = self.emulator.person("mona");
        self.commit = mona.merges(REPO, self.pull, MergeMethod::Squash).unwrap();
        self.given();
    }

    /// What the workflow file hands in.
    pub(crate) fn given(&mut self) {
        let inputs = [
            ("PULL", self.pull.to_string()),
            ("COMMIT", self.commit.clone()),
            ("RELEASE", format!("{}.1", self.pull)),
            ("REQUIRED_CHECKS", format!("Test@{}", self.ci.app_id)),
            ("GANDER_APP_ID", self.app.app_id.to_string()),
            ("DIRECTORY", self.release_directory().display().to_string()),
        ];
        self.inputs = inputs.map(|(name, value)| (name.to_owned(), value)).into();
    }

    pub(crate) fn release_directory(&self) -> PathBuf {
        self.folder.path().join("release")
    }

    /// The job's checkout of the released commit.
    pub(crate) fn checkout(&self) -> PathBuf {
        let tree = self.folder.path().join("checkout");
        let _ = std::fs::remove_dir_all(&tree);
        for path in self.emulator.files(REPO, &self.commit) {
            let target = tree.join(&path);
            std::fs::create_dir_all(target.parent().unwrap()).unwrap();
            let content = self.emulator.file(REPO, &self.commit, &path).unwrap();
            std::fs::write(target, content).unwrap();
        }
        std::fs::create_dir_all(tree.join(".git")).unwrap();
        std::fs::write(tree.join(".git/HEAD"), format!("{}\n", self.commit)).unwrap();
        tree
    }

    pub(crate) async fn builds(&self) {
        self.builds_with(&[]).await;
    }

    pub(crate) async fn builds_with(&self, changed: &[(&str, &str)]) {
        let _ = std::fs::remove_dir_all(self.release_directory());
        let tree = self.checkout();
        let ran = self.runs("build", &tree, changed).await;
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
        let digest = ran.outputs.get("manifest").cloned().unwrap_or_default();
        *self.handed_over.lock().unwrap() = digest;
    }

    pub(crate) async fn publishes(&self) -> Ran {
        self.publishes_with(&[]).await
    }

    pub(crate) async fn publishes_with(&self, changed: &[(&str, &str)]) -> Ran {
        let mut child = self.starts_publishing(changed);
        let ran = self.ends(&mut child).await;
        self.emulator.end_job(&child.token);
        ran
    }

    /// Begins to publish; whoever asked may kill it.
    pub(crate) fn starts_publishing(&self, changed: &[(&str, &str)]) -> Child {
        let rights = [
            ("contents", "write"),
            ("pull-requests", "read"),
            ("issues", "read"),
            ("checks", "read"),
            ("actions", "read"),
            ("attestations", "read"),
        ];
        let rights = rights.map(|(name, level)| (name.to_owned(), level.to_owned())).into();
        let token = self.emulator.job_token(REPO, &rights).unwrap();
        let digest = self.handed_over.lock().unwrap().clone();
        let mut all = vec![("GANDER_INPUT_TOKEN", &*token), ("GANDER_INPUT_MANIFEST", &digest)];
        all.extend(changed);
        self.starts(OWN, &["action", "publish"], self.folder.path(), &all, &token)
    }

    pub(crate) async fn runs(&self, mode: &str, tree: &Path, changed: &[(&str, &str)]) -> Ran {
        let mut child = self.starts(OWN, &["action", mode], tree, changed, "");
        self.ends(&mut child).await
    }

    /// Runs a script as GitHub's runner runs one of a step.
    pub(crate) async fn runs_by_a_shell(
        &self,
        script: &Path,
        tree: &Path,
        given: &[(&str, &str)],
    ) -> Ran {
        let arguments = ["--noprofile", "--norc", "-eo", "pipefail", script.to_str().unwrap()];
        let mut child = self.starts("bash", &arguments, tree, given, "");
        self.ends(&mut child).await
    }

    fn starts(
        &self,
        program: &str,
        arguments: &[&str],
        tree: &Path,
        changed: &[(&str, &str)],
        token: &str,
    ) -> Child {
        let number = self.runs.fetch_add(1, Ordering::SeqCst);
        let files = self.folder.path().join(format!("job-{number}"));
        std::fs::create_dir(&files).unwrap();
        let api = self.emulator.api_url().to_string();
        let mut variables: BTreeMap<String, String> = [
            ("GITHUB_API_URL", api.as_str()),
            ("GITHUB_SERVER_URL", self.emulator.web_url().as_str()),
            ("GITHUB_WORKSPACE", tree.to_str().unwrap()),
            ("GITHUB_REPOSITORY", REPO),
            ("GITHUB_REPOSITORY_ID", &self.repository.to_string()),
            ("GITHUB_RUN_ID", "9001"),
            ("GITHUB_RUN_ATTEMPT", "1"),
            ("GITHUB_OUTPUT", files.join("output").to_str().unwrap()),
            ("GITHUB_STEP_SUMMARY", files.join("summary").to_str().unwrap()),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("RUNNER_TEMP", files.to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR"] {
            variables.extend(std::env::var(name).map(|value| (name.to_owned(), value)));
        }
        let cargo = Path::new(env!("CARGO")).parent().unwrap().display();
        let path = format!("{cargo}:{}", variables["PATH"]);
        variables.insert("PATH".to_owned(), path);
        let inputs = self.inputs.iter();
        variables.extend(inputs.map(|(key, value)| (format!("GANDER_INPUT_{key}"), value.clone())));
        variables.extend(changed.iter().map(|(key, value)| ((*key).into(), (*value).into())));
        let process = tokio::process::Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Child { process: Some(process), files, token: token.to_owned() }
    }

    async fn ends(&self, child: &mut Child) -> Ran {
        let output = child.process.take().unwrap().wait_with_output().await.unwrap();
        let read = |name: &str| std::fs::read_to_string(child.files.join(name)).unwrap_or_default();
        let outputs = read("output");
        let outputs = outputs.lines().filter_map(|line| line.split_once('='));
        let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        assert!(output.status.signal().is_none(), "{log}");
        if !child.token.is_empty() {
            assert!(!log.contains(&child.token), "the token is in the log");
            assert!(!read("summary").contains(&child.token), "the token is in the summary");
        }
        Ran {
            code: output.status.code(),
            log,
            summary: read("summary"),
            outputs: outputs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        }
    }

    /// The one release there is, and that there is nothing else.
    pub(crate) fn the_release(&self) -> ReleaseView {
        let mut releases = self.emulator.releases(REPO);
        assert_eq!(releases.len(), 1, "{releases:?}");
        let tags = self.emulator.tags(REPO);
        assert_eq!(Vec::from_iter(tags), [("v1.2.0".to_owned(), self.commit.clone())]);
        let release = releases.remove(0);
        assert!(!release.draft);
        let mut files = release.assets.clone();
        files.retain(|(name, _)| name != "gander-release.intoto.json");
        assert_eq!(files.len() + 1, release.assets.len(), "nothing says how it came about");
        files.sort();
        let sums = String::from_utf8(files.remove(0).1).unwrap();
        assert_eq!(sums.lines().count(), 2, "{sums}");
        assert_eq!(files, [("tool".into(), b"tool".into()), ("tool.1".into(), b"doc".into())]);
        release
    }

    pub(crate) fn nothing_is_published(&self) {
        assert_eq!(self.emulator.releases(REPO), []);
        assert!(self.emulator.tags(REPO).is_empty());
    }
}

impl Drop for World {
    /// What was sent is kept, to be held against GitHub's description.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        assert!(self.emulator.unknown_routes().is_empty(), "{:?}", self.emulator.unknown_routes());
        let Some(folder) = std::env::var_os("GANDER_EXCHANGES") else { return };
        let name = format!("action-{}.json", self.repository_name());
        let record = serde_json::to_vec(&self.emulator.record()).unwrap();
        std::fs::write(PathBuf::from(folder).join(name), record).unwrap();
    }
}

impl World {
    /// Names this world among all that run.
    fn repository_name(&self) -> String {
        let folder = self.folder.path().file_name().unwrap().to_string_lossy().into_owned();
        folder.trim_start_matches('.').to_owned()
    }
}

/// A job under way.
pub(crate) struct Child {
    process: Option<tokio::process::Child>,
    files: PathBuf,
    pub(crate) token: String,
}

impl Child {
    pub(crate) async fn dies(&mut self) {
        let mut process = self.process.take().unwrap();
        process.start_kill().unwrap();
        process.wait().await.unwrap();
    }
}

//! Checks: a change is checked where the agent never was.
//!
//! Invariants: every verifier gets the base commit and the patch, and the commands run in a fresh
//! export of exactly that; a command whose predecessor left the tree otherwise, but for what
//! `.gitignore` leaves out or builds leave behind, gets another one; the result is the exit status.
//! What is read from the output of a test runner makes no red result green.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::core::evidence::{Check, CheckKind, CheckOutcome, Evidence};
use crate::core::fault::ErrorKind;
use crate::core::id::{Sha, Timestamp};
use crate::core::patch::Patch;
use crate::core::path::RepoPath;
use crate::core::path_rules::PathRules;
use crate::core::test_results::TestResults;
use crate::sandbox::{Sandbox, SandboxError};
use crate::workspace::READING;
use crate::workspace::builds::{BuildDirectory, Builds};
use crate::workspace::mirror::Mirror;
use crate::workspace::patch::{Caps, PatchError};
use crate::workspace::patience::Patience;
use crate::workspace::scratch::{Scratch, ScratchError};
use crate::workspace::tree::{ExportError, Workspace};

mod base_settings;
mod called;
pub mod cheat;
mod command;
mod deciding;
pub mod detect;
pub mod distill;
mod ended;
mod missing;
mod new_values;
mod old_tests;
mod packages;
pub mod python;
mod reproduce;
mod rerun;
pub mod results;
mod rules;
mod rust_code;
pub mod scope;
mod second_look;
mod shadowing;
mod split;
mod subject;
mod syntax;
mod test_files;
mod test_ids;
mod test_map;
mod weak_tests;

pub use base_settings::UnderBaseSettings;
pub use called::called_files;
pub use command::CommandVerifier;
pub use deciding::deciding_files;
pub use reproduce::{ProofDepth, Reproduce};
pub use rules::PatchRules;
pub use second_look::SecondLook;
pub use test_files::{edits_tests, is_code, is_of_tests};

/// Something that produces a check.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// As people read it.
    fn name(&self) -> &str;

    /// Whether it looks at the patch or runs the project's code.
    fn kind(&self) -> CheckKind;

    /// The command that builds the same, if it builds anything.
    fn builds_as(&self) -> Option<&str>;

    /// Checks the candidate.
    ///
    /// # Errors
    /// Only when it could not be tried; "could not be decided" is [`CheckOutcome::Inconclusive`].
    async fn check(&self, candidate: &Candidate<'_>) -> Result<Finding, VerifyError>;
}

/// What a verifier found.
pub struct Finding {
    /// What came out.
    pub outcome: CheckOutcome,
    /// How many tests ran. `None`: that cannot be counted.
    pub tests: Option<u64>,
    /// The tests that failed. `None`: not all of them are known.
    pub failed_tests: Option<BTreeSet<String>>,
    /// What each test came to. `None`: that is not known.
    pub results: Option<TestResults>,
}

impl From<CheckOutcome> for Finding {
    fn from(outcome: CheckOutcome) -> Self {
        Self { outcome, tests: None, failed_tests: None, results: None }
    }
}

/// A base commit with a patch laid on it, in a tree of its own.
#[allow(missing_docs)]
pub struct Candidate<'a> {
    pub workspace: &'a Arc<Workspace>,
    /// The patch that was laid on it.
    pub patch: &'a Patch,
    /// Where its commands may build.
    pub build: Option<&'a Path>,
    /// An empty directory for what test runners report.
    pub reports: &'a Path,
    /// Ends it early.
    pub stop: &'a CancellationToken,
}

/// The Python packages of a tree with these changed files, if it is a Python project.
fn python_in<'p>(
    tree: &'p Workspace,
    changed: impl Iterator<Item = &'p RepoPath> + Clone,
) -> Option<python::Layout> {
    let base = tree.entries().iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok());
    python::Layout::of(base.chain(changed.map(RepoPath::as_str)))
}

/// What is read out of a tree or of output, on a thread that serves nobody else: hostile text may
/// take its time.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, VerifyError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| VerifyError::Stopped)
}

/// What is needed to check patches on one base.
#[derive(Clone)]
pub struct Checker {
    /// Where the base comes from.
    pub mirror: Mirror,
    /// The base.
    pub base: Sha,
    /// A directory for fresh trees; each is removed again.
    pub scratch: Scratch,
    /// Rules first, commands after.
    pub verifiers: Arc<[Box<dyn Verifier>]>,
    /// What earlier checks built. `None`: each command builds from nothing, in its own `/tmp`.
    pub builds: Option<Builds>,
    /// The present time, where what this check builds is to be kept. `None`: it is not.
    pub keeps: Option<Timestamp>,
}

/// What the commands need.
#[derive(Clone)]
pub struct VerifyContext {
    /// Where commands run.
    pub sandbox: Arc<dyn Sandbox>,
    /// Path rules of the repository.
    pub paths: PathRules,
    /// Its caps.
    pub caps: Caps,
    /// Time one command may take.
    pub time: Duration,
    /// Where full logs are kept.
    pub logs: PathBuf,
}

/// Why a patch could not be checked.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum VerifyError {
    /// No fresh tree.
    #[error("a fresh copy of the base commit could not be made")]
    Export(#[from] ExportError),
    /// No place for it.
    #[error(transparent)]
    Scratch(#[from] ScratchError),
    /// The patch does not fit its base.
    #[error("the change could not be laid on a fresh copy of the base commit")]
    Apply(#[from] PatchError),
    /// The sandbox broke.
    #[error("the check {check} could not be run in the sandbox")]
    Sandbox {
        check: String,
        #[source]
        source: SandboxError,
    },
    /// The disk.
    #[error("the log or scratch directory {} cannot be used", path.display())]
    Disk {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Stopped from outside.
    #[error("the checks were stopped")]
    Stopped,
}

impl VerifyError {
    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Export(_) | Self::Scratch(_) | Self::Disk { .. } | Self::Stopped => {
                ErrorKind::Retry { after_seconds: None }
            }
            Self::Apply(_) | Self::Sandbox { .. } => ErrorKind::Permanent,
        }
    }
}

impl Checker {
    /// All results for a patch. Rules come first; where one fails, no code is run.
    pub async fn check(
        &self,
        patch: &Patch,
        stop: &CancellationToken,
    ) -> Result<Evidence, VerifyError> {
        let fresh = self.scratch.make("verify-").await?;
        let evidence = self.check_in(fresh.path(), patch, stop).await;
        fresh.throw_away().await;
        evidence
    }

    async fn check_in(
        &self,
        directory: &Path,
        patch: &Patch,
        stop: &CancellationToken,
    ) -> Result<Evidence, VerifyError> {
        let mut workspace = self.lay(&directory.join("tree"), patch).await?;
        let mut checks = Vec::new();
        for (number, verifier) in self.verifiers.iter().enumerate() {
            let ran_before = number.checked_sub(1).and_then(|before| self.verifiers.get(before));
            if ran_before.is_some_and(|before| before.kind() == CheckKind::Command)
                && !is_as_laid(&workspace, patch).await
            {
                // One command must not decide what the next one comes to.
                workspace = self.lay(&directory.join(format!("tree-{number}")), patch).await?;
            }
            let place = directory.join(format!("build-{number}"));
            let build = self.build_directory(&workspace, verifier.as_ref(), place).await?;
            let place = build.as_ref().map(|build| &*build.path);
            let reports = directory.join(format!("reports-{number}"));
            let broken = |source| VerifyError::Disk { path: reports.clone(), source };
            std::fs::create_dir(&reports).map_err(broken)?;
            let (workspace, reports) = (&workspace, &*reports);
            let candidate = Candidate { workspace, patch, build: place, reports, stop };
            let started = Instant::now();
            let found = verifier.check(&candidate).await?;
            let Finding { outcome, tests, failed_tests, results } = found;
            let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            if let (Some(builds), Some(at), Some(build)) = (&self.builds, self.keeps, &build)
                && !outcome.is_inconclusive()
            {
                builds.keep(workspace, verifier.name(), build, at).await;
            }
            let broke_a_rule =
                verifier.kind() == CheckKind::Rule && !matches!(outcome, CheckOutcome::Passed);
            checks.push(Check {
                name: verifier.name().to_owned(),
                kind: verifier.kind(),
                outcome,
                tests,
                tests_before: None,
                failed_tests,
                results,
                millis,
            });
            if broke_a_rule {
                break;
            }
        }
        let (base, patch) = (self.base.clone(), patch.digest());
        let (packages, tools) = (Vec::new(), Vec::new());
        let (blocked_by, oversize) = (Vec::new(), Vec::new());
        let proof = None;
        Ok(Evidence { base, patch, checks, packages, tools, proof, blocked_by, oversize })
    }

    /// A directory in which a command builds, with what earlier checks built.
    async fn build_directory(
        &self,
        workspace: &Arc<Workspace>,
        verifier: &dyn Verifier,
        place: PathBuf,
    ) -> Result<Option<BuildDirectory>, VerifyError> {
        let (Some(builds), Some(command)) = (&self.builds, verifier.builds_as()) else {
            return Ok(None);
        };
        let laid = builds.lay(workspace, command, place.clone()).await;
        laid.map(Some).map_err(|source| VerifyError::Disk { path: place, source })
    }

    /// A fresh tree with the patch on it.
    async fn lay(&self, tree: &Path, patch: &Patch) -> Result<Arc<Workspace>, VerifyError> {
        let workspace = Workspace::export(&self.mirror, &self.base, tree).await?;
        let laid = patch.clone();
        let laying = blocking(move || {
            workspace.apply(&laid)?;
            Ok::<_, PatchError>(Arc::new(workspace))
        });
        Ok(laying.await??)
    }
}

/// Whether a tree is what was laid, but for what `.gitignore` leaves out or builds leave behind.
async fn is_as_laid(workspace: &Arc<Workspace>, patch: &Patch) -> bool {
    let (workspace, patch) = (Arc::clone(workspace), patch.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let changes = workspace.changes_within(&Patience::of(READING));
        changes.is_ok_and(|changes| changes.patch == patch)
    });
    looking.await.unwrap_or(false)
}

/// The verifiers of a project: its rules, then its commands as configured or found out.
pub fn verifiers(commands: &[String], means: &VerifyContext) -> Arc<[Box<dyn Verifier>]> {
    let rules = PatchRules { paths: means.paths.clone(), caps: means.caps };
    let mut all: Vec<Box<dyn Verifier>> = vec![Box::new(rules)];
    for (number, line) in commands.iter().enumerate() {
        all.push(Box::new(means.command(line, &format!("check-{}.log", number + 1))));
    }
    all.into()
}

impl VerifyContext {
    /// The verifier that runs this line.
    fn command(&self, line: &str, log: &str) -> CommandVerifier {
        CommandVerifier {
            line: line.to_owned(),
            sandbox: Arc::clone(&self.sandbox),
            builds_as: line.to_owned(),
            time: self.time,
            log: self.logs.join(log),
            asks_by_arguments: false,
        }
    }
}

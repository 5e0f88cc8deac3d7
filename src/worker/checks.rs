//! The checks of a change, and what they come to without it.
//!
//! Invariants: both run the same commands in the same way; what is kept of a run without the change
//! is kept under everything that decided it, never if it came to no result, and a day at most if it
//! was red: whatever was missing on this machine may have been installed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::WorkError;
use super::job_context::{AttemptInput, JobContext};
use crate::core::evidence::{Check, CheckOutcome, Evidence};
use crate::core::id::{Sha, Timestamp};
use crate::core::patch::Patch;
use crate::core::path::RepoPath;
use crate::core::path_rules::PathRules;
use crate::environment::Environment;
use crate::verify::detect::{self, FoundCommand};
use crate::verify::{self, Checker, SecondLook, VerifyContext, called_files};
use crate::workspace::diff;
use crate::workspace::mirror::{EntryMode, Mirror, MirrorError};
use crate::workspace::patch::Caps;
use crate::workspace::texts::TextReader;
use crate::workspace::tree::Workspace;

/// A red result without a change is asked for again after this many seconds.
const RED_KEPT: i64 = 24 * 60 * 60;
/// So many results are kept for a repository.
const MOST_KEPT: usize = 200;

/// What the commands came to on a commit, as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    at: Timestamp,
    checks: Vec<Check>,
}

/// A change that is to be checked.
pub(super) struct CheckedChange<'a> {
    pub(super) job: &'a AttemptInput<'a>,
    pub(super) ctx: &'a JobContext,
    /// Nothing: the commit is checked as it stands.
    pub(super) patch: &'a Patch,
    /// Where full logs are kept.
    pub(super) logs: &'a Path,
    /// Ends it early.
    pub(super) stop: &'a CancellationToken,
}

impl CheckedChange<'_> {
    /// What the rules and the commands say of it, in a fresh tree.
    ///
    /// # Errors
    /// Only when it could not be checked.
    pub(super) async fn check(&self) -> Result<Evidence, WorkError> {
        let commands = commands_at_base(self.job, self.ctx).await?;
        let checker = checker(self.job, self.ctx, &commands, self.logs)?;
        let evidence = checker.check(self.patch, self.stop).await?;
        let Environment { found, tools, .. } = self.ctx.packages.clone();
        Ok(Evidence { packages: found, tools, ..evidence })
    }

    /// The same evidence, held against what the commands come to without the change: that may be
    /// at fault, or the base may be no better.
    ///
    /// # Errors
    /// When a command could not be run again.
    pub(super) async fn held_against(
        &self,
        evidence: Evidence,
        base: &[Check],
    ) -> Result<Evidence, WorkError> {
        let (patch, stop) = (self.patch, self.stop);
        let in_tests = edits_tests(&self.ctx.mirror, self.job.base, patch).await?;
        let evidence = evidence.held_against(base, in_tests);
        let means = means(self.job, self.ctx, self.logs)?;
        let checker = checker(self.job, self.ctx, &[], self.logs)?;
        let look = SecondLook { checker: &checker, means: &means, base, patch, stop };
        Ok(look.at(evidence).await?)
    }
}

/// Whether a change on a commit edits tests. A commit that is checked as it stands may have.
///
/// # Errors
/// When the mirror cannot be read.
pub(super) async fn edits_tests(
    mirror: &Mirror,
    base: &Sha,
    patch: &Patch,
) -> Result<bool, WorkError> {
    if patch.is_empty() {
        return Ok(true);
    }
    let entries = mirror.list(base).await?;
    let (mirror, patch) = (mirror.clone(), patch.clone());
    let found = blocking(move || {
        let base = diff::base_files(&mirror, &entries, &patch)?;
        Ok::<_, MirrorError>(verify::edits_tests(&patch, &base))
    });
    Ok(found.await??)
}

/// Work that blocks, on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WorkError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| WorkError::passing(&error))
}

/// What the commands come to on the base, without any change: as it is known, or by running them.
///
/// # Errors
/// Only when they could not be run.
pub(super) async fn without_change(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    logs: &Path,
    stop: &CancellationToken,
) -> Result<Vec<Check>, WorkError> {
    let commands = commands_at_base(job, ctx).await?;
    if commands.is_empty() {
        return Ok(Vec::new());
    }
    let kept = kept_at(job, ctx, &commands);
    if let Some(checks) = known(&kept, ctx.clock.now()) {
        return Ok(checks);
    }
    let nothing = Patch::default();
    let checker = Checker { keeps: Some(ctx.clock.now()), ..checker(job, ctx, &commands, logs)? };
    let checks = checker.check(&nothing, stop).await?.checks;
    if checks.iter().all(|check| !check.outcome.is_inconclusive()) {
        keep(&kept, &Kept { at: ctx.clock.now(), checks: checks.clone() });
    }
    Ok(checks)
}

/// Where the result is kept: under all that decides it.
fn kept_at(job: &AttemptInput<'_>, ctx: &JobContext, commands: &[String]) -> PathBuf {
    let all = json!({
        "gander": env!("CARGO_PKG_VERSION"),
        "with": "results of single tests",
        "base": job.base,
        "sandbox": ctx.sandbox.name(),
        "minutes": job.rules.verify.minutes,
        "commands": commands,
        "packages": ctx.environments.fetch(),
        "tools": ctx.packages.tools,
    });
    let digest = Sha256::digest(all.to_string().as_bytes());
    ctx.base_checks.join(format!("{}.json", hex::encode(digest)))
}

/// A kept result that still counts. One that cannot be read is none.
fn known(path: &Path, now: Timestamp) -> Option<Vec<Check>> {
    let Kept { at, checks } = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let is_red = checks.iter().any(|check| matches!(check.outcome, CheckOutcome::Failed(_)));
    (!is_red || now < at.plus_seconds(RED_KEPT)).then_some(checks)
}

/// Keeps a result. That it cannot be kept costs time and nothing else.
fn keep(path: &Path, kept: &Kept) {
    if let Err(error) = try_to_keep(path, kept) {
        tracing::warn!(%error, path = %path.display(), "a result of the base cannot be kept");
    }
}

fn try_to_keep(path: &Path, kept: &Kept) -> std::io::Result<()> {
    let Some(directory) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer(&mut file, kept)?;
    file.persist(path)?;
    let mut all: Vec<_> = std::fs::read_dir(directory)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.metadata().ok()?.modified().ok()?, entry.path()))
        })
        .collect();
    all.sort();
    let old = all.len().saturating_sub(MOST_KEPT);
    all.iter().take(old).try_for_each(|(_, path)| std::fs::remove_file(path))
}

async fn commands_at_base(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
) -> Result<Vec<String>, WorkError> {
    // The files only matter where the rules leave open what to run.
    let entries = match job.rules.verify.commands.is_empty() {
        true => ctx.mirror.list(job.base).await?,
        false => Vec::new(),
    };
    let paths = entries.into_iter().filter_map(|entry| String::from_utf8(entry.path).ok());
    commands_for(job, ctx, paths.collect()).await
}

/// The commands, from a tree of the base.
///
/// # Errors
/// When the mirror cannot be read.
pub(super) async fn commands(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    workspace: &Workspace,
) -> Result<Vec<String>, WorkError> {
    let paths: Vec<String> = workspace
        .entries()
        .iter()
        .filter(|entry| matches!(entry.mode, EntryMode::File | EntryMode::Executable))
        .filter_map(|entry| String::from_utf8(entry.path.clone()).ok())
        .collect();
    commands_for(job, ctx, paths).await
}

/// What the rules say, else what the base commit's files tell.
async fn commands_for(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    paths: Vec<String>,
) -> Result<Vec<String>, WorkError> {
    if !job.rules.verify.commands.is_empty() {
        return Ok(job.rules.verify.commands.clone());
    }
    let found = found_commands(job, ctx, paths).await?;
    Ok(found.into_iter().map(|found| found.line).collect())
}

/// What the base commit's files tell.
///
/// # Errors
/// When the mirror cannot be read.
pub(super) async fn found_commands(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    paths: Vec<String>,
) -> Result<Vec<FoundCommand>, WorkError> {
    let mut texts = texts_of(&ctx.mirror, job.base);
    let finding = move || {
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        detect::commands(&paths, |path| Ok(texts.read(path)?))
    };
    blocking(finding).await?
}

/// Changed files that decide what the check commands do, each with the reason: such a check may
/// test nothing any more.
///
/// # Errors
/// When the mirror cannot be read.
pub(super) async fn checks_changed(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    patch: &Patch,
    commands: &[String],
) -> Result<Vec<String>, WorkError> {
    let called = called_by(job, ctx, patch, commands).await?;
    Ok(called.iter().map(|path| format!("{path}: changes what the test command does")).collect())
}

/// Changed files that the check commands run or are told by.
///
/// # Errors
/// When the mirror cannot be read.
pub(super) async fn called_by(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    patch: &Patch,
    commands: &[String],
) -> Result<BTreeSet<String>, WorkError> {
    let mut texts = texts_of(&ctx.mirror, job.base);
    let (changed, commands): (Vec<RepoPath>, _) =
        (patch.changes.keys().cloned().collect(), commands.to_owned());
    let looking = move || {
        let changed: Vec<&str> = changed.iter().map(RepoPath::as_str).collect();
        called_files(&commands, &changed, |path| Ok(texts.read(path)?))
    };
    blocking(looking).await?
}

/// Reads the manifests, scripts and settings of a commit.
pub(super) fn texts_of(mirror: &Mirror, commit: &Sha) -> TextReader {
    const LARGEST: u64 = 1024 * 1024;
    TextReader::new(mirror, commit, LARGEST)
}

/// The checks of patches on the base.
///
/// # Errors
/// When the repository's path rules cannot be used.
pub(super) fn checker(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    commands: &[String],
    logs: &Path,
) -> Result<Checker, WorkError> {
    Ok(Checker {
        mirror: ctx.mirror.clone(),
        base: job.base.clone(),
        scratch: ctx.scratch.clone(),
        verifiers: verify::verifiers(commands, &means(job, ctx, logs)?),
        builds: ctx.sandbox.is_closed().then(|| ctx.builds.clone()),
        keeps: None,
    })
}

/// What commands need.
///
/// # Errors
/// When the repository's path rules cannot be used.
pub(super) fn means(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    logs: &Path,
) -> Result<VerifyContext, WorkError> {
    let (paths, caps) = limits(job)?;
    Ok(VerifyContext {
        sandbox: ctx.sandbox_with_packages(),
        paths,
        caps,
        time: minutes(job.rules.verify.minutes),
        logs: logs.to_owned(),
    })
}

/// The repository's path rules, and the size that a change may have.
///
/// # Errors
/// When the rules cannot be used.
pub(super) fn limits(job: &AttemptInput<'_>) -> Result<(PathRules, Caps), WorkError> {
    let paths = PathRules::new(&job.rules.paths.protected, &job.rules.paths.flagged)
        .map_err(|error| WorkError::permanent(&error))?;
    let caps = Caps {
        files: job.rules.limits.files as usize,
        bytes: u64::from(job.rules.limits.patch_kib) * 1024,
    };
    Ok((paths, caps))
}

/// A number of minutes, as the rules have it.
pub(super) fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

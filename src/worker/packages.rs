//! The packages of a commit, or of a change on it, at hand for its commands.
//!
//! Invariants: a change that leaves every manifest alone has the packages of its base; one that
//! touches a manifest has those that it names itself, and a change whose packages cannot be had is
//! a failed one, never one that could not be checked.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::WorkError;
use super::checks::{blocking, texts_of};
use super::job_context::{AttemptInput, JobContext};
use crate::core::evidence::{Check, CheckOutcome, Evidence};
use crate::core::patch::{Change, Patch};
use crate::core::path::RepoPath;
use crate::environment::{CommitFiles, EnvironmentError, is_manifest};
use crate::workspace::tree::Workspace;

/// As people read the check that fails where packages cannot be had.
const CHECK: &str = "packages";
/// Files larger than this are no manifests.
const LARGEST: usize = 1024 * 1024;

/// The same context, with the packages of the base at hand, as a change leaves them. The text: why
/// they are not, in words for people.
///
/// # Errors
/// When the mirror cannot be read, or the sandbox or the disk fails.
pub(super) async fn with_packages(
    job: &AttemptInput<'_>,
    ctx: &JobContext,
    patch: &Patch,
    stop: &CancellationToken,
) -> Result<Result<JobContext, String>, WorkError> {
    if !ctx.sandbox.is_closed() {
        return Ok(Ok(ctx.clone()));
    }
    ctx.environments.make_room().await;
    let touches = patch.changes.keys().any(|path| is_manifest(path.as_str()));
    let patch = if touches { patch.clone() } else { Patch::default() };
    let entries = ctx.mirror.list(job.base).await?;
    let changed = Arc::new(patch.clone());
    let laid = Arc::clone(&changed);
    let paths = blocking(move || {
        let listed = entries.into_iter().filter_map(|entry| String::from_utf8(entry.path).ok());
        let mut paths: BTreeSet<String> = listed.collect();
        for (path, change) in &laid.changes {
            match change {
                Change::Write { .. } => paths.insert(path.as_str().to_owned()),
                Change::Delete { .. } => paths.remove(path.as_str()),
            };
        }
        paths.into_iter().collect()
    });
    let paths: Arc<[String]> = paths.await?;
    let texts = Mutex::new(texts_of(&ctx.mirror, job.base));
    let read = Arc::new(move |path: &str| match written(&changed, path) {
        Some(text) => text,
        None => texts.lock().ok()?.read(path).ok()?,
    });
    let (mirror, base, laid) = (ctx.mirror.clone(), job.base.clone(), patch.clone());
    let export = move |tree: PathBuf| -> BoxFuture<'static, std::io::Result<()>> {
        let (mirror, base, laid) = (mirror.clone(), base.clone(), laid.clone());
        Box::pin(async move {
            let tree = Workspace::export(&mirror, &base, &tree).await;
            let tree = tree.map_err(std::io::Error::other)?;
            let done = tokio::task::spawn_blocking(move || tree.apply(&laid)).await;
            done.map_err(std::io::Error::other)?.map(drop).map_err(std::io::Error::other)
        })
    };
    let name = match touches {
        true => format!("{} {}", job.base, patch.digest()),
        false => job.base.to_string(),
    };
    let commit = CommitFiles { name: &name, paths, read, export: &export };
    match ctx.environments.of_commit(&commit, ctx.sandbox.as_ref(), stop).await {
        Ok(packages) => Ok(Ok(JobContext { packages, ..ctx.clone() })),
        Err(EnvironmentError::Failed(why)) => Ok(Err(why)),
        Err(error) => Err(WorkError::passing(&error)),
    }
}

/// What a change whose packages cannot be had comes to.
pub(super) fn cannot_be_had(job: &AttemptInput<'_>, patch: &Patch, why: String) -> Evidence {
    let check = Check::of_rule(CHECK, CheckOutcome::Failed(why));
    Evidence {
        base: job.base.clone(),
        patch: patch.digest(),
        checks: vec![check],
        packages: Vec::new(),
        tools: Vec::new(),
        proof: None,
        blocked_by: Vec::new(),
        oversize: Vec::new(),
    }
}

/// What a patch writes at a path: `None`: it leaves it alone. The text is `None` where it is none.
fn written(patch: &Patch, path: &str) -> Option<Option<String>> {
    let change = patch.changes.get(&path.parse::<RepoPath>().ok()?)?;
    let Change::Write { content, .. } = change else { return Some(None) };
    let text = String::from_utf8_lossy(content).into_owned();
    Some((content.len() <= LARGEST).then_some(text))
}

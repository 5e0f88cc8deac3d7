//! What a merged pull request brought, and the reverse patch.
//!
//! Invariants: the reverse patch is git's own three-way merge in the mirror; what Gander may not write it
//! does not take back either.

use crate::core::id::Sha;
use crate::core::job::{Base, Declined, Job, NoRevert, Reverted};
use crate::core::policy::Rules;
use crate::forge::payload::PullDetail;
use crate::worker::checks::{blocking, limits};
use crate::worker::job_context::AttemptInput;
use crate::worker::steps::job::about;
use crate::worker::steps::job::update::against_paths;
use crate::worker::{Context, WorkError};
use crate::workspace::between::between;
use crate::workspace::merge::MergeResult;
use crate::workspace::mirror::Mirror;

/// So many paths in conflict are named.
const MOST_NAMED: usize = 10;

/// The merged pull request that a job takes back, where it was merged.
pub(in crate::worker) async fn merged_pull(
    ctx: &Context,
    job: &Job,
) -> Result<Result<(PullDetail, Sha), Declined>, WorkError> {
    let detail = ctx.forge.pull(&job.repo, job.subject).await?;
    let Some(detail) = detail.filter(|it| it.merged) else {
        return Ok(Err(Declined::Revert(NoRevert::NotMerged)));
    };
    Ok(match detail.merge_commit_sha.clone() {
        Some(commit) => Ok((detail, commit)),
        None => Err(Declined::Revert(NoRevert::NotMerged)),
    })
}

/// The reverse patch of a merged pull request, on the base as it is, with its bytes.
pub(in crate::worker) async fn reverse_patch(
    ctx: &Context,
    job: &Job,
    (rules, base): (&Rules, &Base),
    (pull, commit): (&PullDetail, &Sha),
) -> Result<Result<(Reverted, Vec<u8>), Declined>, WorkError> {
    let declined = |why| Ok(Err(Declined::Revert(why)));
    let mirror = ctx.mirror_with_history(job, [commit, &base.sha]).await?;
    if !mirror.is_ancestor(commit, &base.sha).await? {
        return declined(NoRevert::NotOnBranch { branch: base.branch.clone() });
    }
    let Some(before) = before(ctx, job, &mirror, (pull, commit)).await? else {
        return declined(NoRevert::Unclear);
    };
    let merged = match mirror.merge_reverse(&base.sha, commit, &before).await? {
        MergeResult::Tree(merged) => merged,
        MergeResult::UpToDate => return declined(NoRevert::NothingLeft),
        MergeResult::Directories | MergeResult::Unrelated => {
            return declined(NoRevert::Conflicts { paths: Vec::new() });
        }
    };
    if !merged.conflicts.is_empty() {
        let paths = merged.conflicts.iter().take(MOST_NAMED);
        let paths = paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect();
        return declined(NoRevert::Conflicts { paths });
    }
    let (from, to) = (mirror.list(&base.sha).await?, mirror.list(&merged.tree).await?);
    let input = AttemptInput { rules, ..about(job, rules, base) };
    let (paths, caps) = limits(&input)?;
    let reader = mirror.clone();
    let change = blocking(move || {
        let change = between(&reader, &from, &to)?;
        let against = against_paths(&change, &paths, caps);
        Ok::<_, WorkError>((change, against))
    });
    let (change, against) = change.await??;
    if let Some(why) = against {
        return declined(NoRevert::ByPeople(why));
    }
    if change.left_out > 0 {
        return declined(NoRevert::Links(change.left_out));
    }
    if change.patch.is_empty() {
        return declined(NoRevert::NothingLeft);
    }
    let kept = serde_json::to_vec(&change.patch).map_err(|error| WorkError::permanent(&error))?;
    let (commit, patch) = (commit.clone(), change.patch.digest());
    Ok(Ok((Reverted { commit, patch }, kept)))
}

/// The commit that stood on the branch before the pull request was merged. `None`: it cannot be told
/// which commits it became.
async fn before(
    ctx: &Context,
    job: &Job,
    mirror: &Mirror,
    (pull, commit): (&PullDetail, &Sha),
) -> Result<Option<Sha>, WorkError> {
    // "Rebase and merge" writes each commit anew, with its message and without merges; "Squash and
    // merge" makes one of all.
    let own = match pull.commits {
        0 | 1 => Vec::new(),
        _ => ctx.forge.messages_of(&job.repo, job.subject).await?,
    };
    let line = mirror.first_parents(commit, own.len().max(1)).await?;
    let Some(last) = line.first() else { return Ok(None) };
    let is_last = |message: &String| message.trim_end() == last.message;
    if last.parents.len() > 1 || !own.last().is_some_and(is_last) {
        return Ok(last.parents.first().cloned());
    }
    let there = line.iter().map(|it| it.message.as_str());
    let rebased = there.eq(own.iter().rev().map(|message| message.trim_end()));
    Ok(line.last().filter(|_| rebased).and_then(|it| it.parents.first().cloned()))
}

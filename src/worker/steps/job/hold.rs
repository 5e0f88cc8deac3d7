//! Whether pushing has to wait for a person's word, and why.

use std::collections::BTreeSet;

use crate::core::evidence::NOT_PROVEN;
use crate::core::examples::Example;
use crate::core::id::Sha;
use crate::core::job::{Base, Job, JobFact};
use crate::core::patch::Patch;
use crate::core::path::RepoPath;
use crate::core::policy::{Ack, PublishMode, Rules};
use crate::core::report;
use crate::forge::BranchHead;
use crate::publish;
use crate::worker::{Context, WorkError, checks, workflow_risks_of};
use crate::workspace::diff::{self, BaseFiles};
use crate::workspace::mirror::MirrorError;

/// Whether pushing has to wait for a person's word, and why.
pub(in crate::worker) async fn held_back(
    ctx: &Context,
    job: &Job,
    rules: &Rules,
    base: &Base,
    patch: &Patch,
) -> Result<Option<JobFact>, WorkError> {
    let this_one = job.review.go.as_ref() == Some(&patch.digest());
    let touches = match this_one {
        true => Vec::new(),
        false => waits_for_a_person(job, rules, patch),
    };
    let let_out = match rules.publish.ack {
        Ack::Each => this_one,
        Ack::Once => job.review.go.is_some(),
    };
    let risks = match rules.publish.mode {
        _ if let_out => Vec::new(),
        Some(PublishMode::Branch | PublishMode::Hold) => Vec::new(),
        None => risks(ctx, job, base, patch).await?,
    };
    let by_mode = rules.publish.mode == Some(PublishMode::Hold) && !let_out;
    if !by_mode && risks.is_empty() && touches.is_empty() {
        return Ok(None);
    }
    let mirror = ctx.mirror(job, &base.sha).await?;
    let entries = mirror.list(&base.sha).await?;
    let patch_shown = patch.clone();
    let (files, diff) = checks::blocking(move || {
        Ok::<_, MirrorError>(held(
            &patch_shown,
            &diff::base_files(&mirror, &entries, &patch_shown)?,
        ))
    })
    .await??;
    Ok(Some(JobFact::Held { patch: patch.digest(), risks, touches, files, diff }))
}

/// What of the evidence a person has to say yes to, and has not. A file that this round changes is
/// asked for again, and so is each change that is not proven where proof is required.
fn waits_for_a_person(job: &Job, rules: &Rules, patch: &Patch) -> Vec<String> {
    let Some(evidence) = job.evidence() else { return Vec::new() };
    let changed = |what: &str| {
        patch
            .changes
            .keys()
            .any(|path| what.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with(':')))
    };
    let mut waits = evidence.needs_a_person(rules.proof.mode);
    waits.retain(|what| what == NOT_PROVEN || changed(what) || !job.review.allowed.contains(what));
    waits
}

/// What CI would do with a push of ours. Another CI system's file may come with the patch.
async fn risks(
    ctx: &Context,
    job: &Job,
    base: &Base,
    patch: &Patch,
) -> Result<Vec<String>, WorkError> {
    let entries = ctx.mirror(job, &base.sha).await?.list(&base.sha).await?;
    let changed: Vec<RepoPath> = patch.changes.keys().cloned().collect();
    let looking = checks::blocking(move || -> Vec<String> {
        let there = entries.iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok());
        let paths = there.chain(changed.iter().map(RepoPath::as_str));
        publish::scan::other_ci(paths).iter().map(ToString::to_string).collect()
    });
    let mut found = looking.await?;
    found.extend(workflow_risks(ctx, job, base).await?);
    Ok(found)
}

/// What workflows would do with a push of ours: those on our branch, and those on the base and the
/// default branch as they stand now, from where GitHub takes some.
async fn workflow_risks(ctx: &Context, job: &Job, base: &Base) -> Result<Vec<String>, WorkError> {
    let (forge, repo) = (&ctx.forge, &job.repo);
    let default = ctx.repository(repo).await?.default_branch;
    let default = default.parse().map_err(|bad| WorkError::permanent(&bad))?;
    let mut commits = vec![base.sha.clone()];
    for branch in BTreeSet::from([&base.branch, &default]) {
        if let BranchHead::At(tip) = forge.branch_head(repo, branch).await?
            && !commits.contains(&tip)
        {
            commits.push(tip);
        }
    }
    let mut risks = BTreeSet::new();
    for commit in &commits {
        risks.extend(workflow_risks_at(ctx, commit, job, base).await?);
    }
    Ok(risks.into_iter().collect())
}

async fn workflow_risks_at(
    ctx: &Context,
    commit: &Sha,
    job: &Job,
    base: &Base,
) -> Result<Vec<String>, WorkError> {
    let mirror = ctx.mirror(job, commit).await?;
    let entries = mirror.list(commit).await?;
    let (commit, branch, base) = (commit.clone(), job.branch(), base.branch.clone());
    // This is a run of it: it checks nothing out, so nothing of a change runs beside its secret.
    let own = ctx.forge.is_of_workflow().then(|| Example::Fix.path());
    let looking = move || workflow_risks_of(&mirror, (&commit, &entries), (&branch, &base), own);
    checks::blocking(looking).await?
}

/// What people are shown of a change that is held back: its files, and its beginning.
pub(super) fn held(patch: &Patch, base: &BaseFiles) -> (Vec<String>, String) {
    let text = String::from_utf8_lossy(&diff::unified(patch, base)).into_owned();
    // One more than is shown, so that the box says where it was cut.
    let diff = text.chars().take(report::HELD_CAP + 1).collect();
    let files = patch.changes.iter().map(|(path, change)| {
        let changes = [(path.clone(), change.clone())].into();
        let (added, removed) = diff::lines(&Patch { changes }, base);
        format!("+{added} -{removed} {path}")
    });
    (files.collect(), diff)
}

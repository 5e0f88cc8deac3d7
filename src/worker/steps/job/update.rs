//! Merges the base into the pull request, in our mirror: the beginning of a round.

use std::fmt::Write as _;

use crate::core::github::Actor;
use crate::core::id::Sha;
use crate::core::job::{Base, Declined, Job, JobFact, NoUpdate, Update};
use crate::core::path::RepoPath;
use crate::core::path_rules::{PathClass, PathRules, classify};
use crate::core::policy::Rules;
use crate::core::text::first_of;
use crate::forge::BranchHead;
use crate::verify::cheat::{Severity, find_cheats};
use crate::worker::budget::{cannot_pay, round_budget};
use crate::worker::checks::{blocking, limits};
use crate::worker::commit::{Learnt, TaskOutcome};
use crate::worker::steps::job::start::round_of;
use crate::worker::steps::job::{about, permission_lost, rules_and_base};
use crate::worker::{Context, WorkError};
use crate::workspace::between::{Between, between};
use crate::workspace::diff;
use crate::workspace::merge::{MergeResult, MergedTree};
use crate::workspace::mirror::Mirror;
use crate::workspace::patch::Caps;

/// Of so many files in conflict the agent is told what each side did.
const MOST_TOLD: usize = 20;

pub(in crate::worker) async fn run(
    ctx: &Context,
    job: &Job,
    round: u32,
) -> Result<TaskOutcome, WorkError> {
    let (rules, base) = rules_and_base(job)?;
    let now = round_of(job)?;
    let pull = job.pull.as_ref().ok_or_else(|| WorkError::bug("a round without a pull request"))?;
    let asker = Actor { id: now.by_id, login: now.login.clone(), person: true };
    let has = ctx.forge.permission(&job.repo, &asker).await?;
    let refused = |why| Ok(TaskOutcome::of_job(job, JobFact::RoundRefused { round, why }));
    if let Some(lost) = permission_lost(&asker, rules, has) {
        return refused(lost);
    }
    let Some(detail) = ctx.forge.pull(&job.repo, pull.number).await? else {
        return Ok(TaskOutcome::of_job(job, JobFact::Closed { by: None, merged: false }));
    };
    if detail.state != "open" {
        let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
        return Ok(TaskOutcome::of_job(job, JobFact::Closed { by, merged: detail.merged }));
    }
    let branch = detail.base.branch.parse().unwrap_or_else(|_| base.branch.clone());
    let BranchHead::At(tip) = ctx.forge.branch_head(&job.repo, &branch).await? else {
        return refused(Declined::NoSuchBranch { branch });
    };
    let head = detail.head.sha;
    let mirror = ctx.mirror_with_history(job, [&head, &tip]).await?;
    let merged = match mirror.merge(&head, &tip).await? {
        MergeResult::Tree(merged) => merged,
        MergeResult::UpToDate => return refused(Declined::Update(NoUpdate::UpToDate)),
        MergeResult::Directories => {
            return refused(Declined::Update(NoUpdate::Directories));
        }
        MergeResult::Unrelated => return refused(Declined::Update(NoUpdate::Unrelated)),
    };
    // A merge without a conflict costs nothing, until its checks are red.
    if let Some(why) = cannot_pay(ctx, job, rules).await? {
        return refused(why);
    }
    let (before, after) = (mirror.list(&tip).await?, mirror.list(&merged.tree).await?);
    let (reader, may) = (mirror.clone(), rules_of(job, rules)?);
    let change = blocking(move || {
        let change = between(&reader, &before, &after)?;
        let against = against_rules(&change, &may);
        Ok::<_, WorkError>((change, against))
    });
    let (change, against) = change.await??;
    if let Some(why) = against {
        return refused(Declined::Update(NoUpdate::ByPeople(why)));
    }
    if change.left_out > 0 {
        return refused(Declined::Update(NoUpdate::Links(change.left_out)));
    }
    if change.patch.is_empty() {
        return refused(Declined::Update(NoUpdate::NothingLeft));
    }
    let task = task(&mirror, &merged, (&head, &tip), branch.as_str()).await?;
    let paths = merged.conflicts.iter().map(|path| String::from_utf8_lossy(path).into_owned());
    let update = Update {
        head,
        origin: merged.origin,
        merged: change.patch.digest(),
        conflicts: paths.collect(),
        task,
    };
    let kept = serde_json::to_vec(&change.patch).map_err(|error| WorkError::permanent(&error))?;
    let patch = Some((update.merged.clone(), kept));
    let budget = job.spent + round_budget(ctx, job, rules);
    let (base, update) = (Base { branch, sha: tip }, Box::new(update));
    let fact = JobFact::UpdateReady { round, base, update, budget };
    let fact = Box::new(fact);
    Ok(TaskOutcome::Learnt(Box::new(Learnt::OfJob { id: job.id.clone(), fact, patch })))
}

/// What a change may do.
struct Allowed {
    paths: PathRules,
    caps: Caps,
    /// Rules that people let it through in spite of.
    overridden: Vec<String>,
}

fn rules_of(job: &Job, rules: &Rules) -> Result<Allowed, WorkError> {
    let base = job.base().ok_or_else(|| WorkError::bug("the job was not prepared"))?;
    let (paths, caps) = limits(&about(job, rules, base))?;
    let overridden = job.order.overrides.iter().map(|it| it.rule.clone()).collect();
    Ok(Allowed { paths, caps, overridden })
}

/// What the rules have against the whole pull request as a change of Gander's: people may have
/// pushed what it may not write, and nobody is to take that back.
fn against_rules(change: &Between, may: &Allowed) -> Option<String> {
    if let Some(why) = against_paths(change, &may.paths, may.caps) {
        return Some(why);
    }
    let found = find_cheats(&change.patch, &change.base).into_iter();
    let mut blocking = found.filter(|it| {
        it.severity == Severity::Block && !may.overridden.iter().any(|rule| rule == it.rule)
    });
    blocking.next().map(|it| format!("{}: {}", it.path, it.reason))
}

/// What the rules of paths and sizes have against a change.
pub(in crate::worker) fn against_paths(
    change: &Between,
    paths: &PathRules,
    caps: Caps,
) -> Option<String> {
    for path in change.patch.changes.keys() {
        if let PathClass::Never(rule) = classify(path, paths) {
            return Some(format!("{path}: {rule}"));
        }
    }
    let sizes = diff::sizes(&change.patch, &change.base);
    let (files, bytes) = (sizes.len(), sizes.values().sum::<u64>());
    (files > caps.files || bytes > caps.bytes).then(|| {
        let (most, kib) = (caps.files, caps.bytes / 1024);
        format!("{files} files of {} KiB; {most} and {kib} are allowed", bytes / 1024)
    })
}

/// What is in conflict, and what each side did to it since they parted.
async fn task(
    mirror: &Mirror,
    merged: &MergedTree,
    (head, tip): (&Sha, &Sha),
    branch: &str,
) -> Result<String, WorkError> {
    let mut text = String::new();
    for message in first_of(&merged.messages, MOST_TOLD) {
        let message = message.replace(head.as_str(), "the pull request");
        let _ = writeln!(text, "{}", message.replace(tip.as_str(), branch));
    }
    for path in merged.conflicts.iter().take(MOST_TOLD) {
        let Ok(path) = RepoPath::from_bytes(path) else { continue };
        let _ = writeln!(text, "\n{path}");
        for (name, side) in [("the pull request", head), (branch, tip)] {
            for commit in mirror.commits_since(&merged.origin, side, &path).await? {
                let _ = writeln!(text, "  {name}: {commit}");
            }
        }
    }
    Ok(text)
}

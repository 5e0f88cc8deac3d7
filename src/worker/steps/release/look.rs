//! The release pull request as it is now: looked at, brought up to date, merged.
//!
//! Invariants: whether to merge is judged again in the step that merges; GitHub is told which
//! commit; the base must be the one the head was made on, so that what is merged is what was
//! approved.

use crate::core::approval::{Approval, ApprovalCriteria, MergeAttempt, NotApproved, Stance, Vote};
use crate::core::event::SKIP_LABEL;
use crate::core::fault::ErrorKind;
use crate::core::flagged::flagged;
use crate::core::id::{Number, Sha, Timestamp};
use crate::core::job::MergeTerms;
use crate::core::policy::{MergeOn, RULES_PATH, Rules};
use crate::core::release::{Blocked, Merged, Release, ReleaseFact, ReleaseStep};
use crate::core::release_gate::is_the_runs_own;
use crate::core::task::Task;
use crate::forge::payload::PullDetail;
use crate::forge::{Ballot, BranchHead, BranchRules, Roles};
use crate::worker::ci::{Head, HeadChecks, checks};
use crate::worker::consent::{consent, contributors};
use crate::worker::steps::job::look::{is_clean, is_skipped};
use crate::worker::steps::release::plan::version_at;
use crate::worker::steps::release::{path_rules, planned, release_rules};
use crate::worker::{Context, WorkError};

/// How the release pull request stands.
pub(in crate::worker) struct Standing {
    pub(in crate::worker) rules: Box<Rules>,
    /// What the base asks for.
    pub(in crate::worker) asks: BranchRules,
    pub(in crate::worker) consent: Result<Approval, NotApproved>,
    /// Whether GitHub says that nothing is in the way.
    clean: bool,
    pub(in crate::worker) terms: MergeTerms,
}

/// What a look shows.
pub(in crate::worker) enum ReleaseSnapshot {
    /// Something else than what the release believes.
    Changed(ReleaseFact),
    /// What it believes.
    Same(Standing),
}

/// `None`: nothing that the release does not know.
pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
) -> Result<Option<ReleaseFact>, WorkError> {
    Ok(match snapshot_of(ctx, release).await? {
        ReleaseSnapshot::Changed(fact) => Some(fact),
        ReleaseSnapshot::Same(standing) => Some(decided(ctx, release, standing).await?),
    })
}

/// What follows for a release that stands as we believe.
async fn decided(
    ctx: &Context,
    release: &Release,
    standing: Standing,
) -> Result<ReleaseFact, WorkError> {
    let approval = match standing.consent.clone() {
        Ok(approval) => approval,
        Err(NotApproved::Nobody) => {
            let head = head_of(release)?.clone();
            // What an approval would not mend is said before somebody gives one.
            return Ok(match obstacle(&standing) {
                Some(why) => ReleaseFact::NotMerged { head, why },
                None => ReleaseFact::Free { head },
            });
        }
        Err(why) => {
            let head = head_of(release)?.clone();
            return Ok(ReleaseFact::NotMerged { head, why: Blocked::NotApproved(why) });
        }
    };
    let not_by_us = match standing.rules.merge.on {
        MergeOn::Never => Some(Blocked::Button),
        MergeOn::Command if !approval.by_command() => Some(Blocked::Command),
        MergeOn::Command | MergeOn::Review => None,
    };
    let why = match not_by_us {
        Some(why) => Some(why),
        None => in_the_way(ctx, release, &standing, &approval).await?,
    };
    let head = approval.head().clone();
    let rules = standing.rules.binding();
    let on = MergeAttempt { source: approval.source(), rules, clean: standing.clean };
    Ok(match why {
        None => ReleaseFact::Approved(approval, on),
        Some(why) => ReleaseFact::NotMerged { head, why },
    })
}

/// A setting on GitHub that keeps us from merging it, approved or not.
fn obstacle(standing: &Standing) -> Option<Blocked> {
    let merge = &standing.rules.merge;
    let obstacle = standing.terms.obstacle(merge.method).filter(|_| merge.on != MergeOn::Never);
    obstacle.map(Blocked::Setting)
}

pub(in crate::worker) async fn snapshot_of(
    ctx: &Context,
    release: &Release,
) -> Result<ReleaseSnapshot, WorkError> {
    let (forge, repo) = (&ctx.forge, &release.repo);
    let pull = release.pull.as_ref().ok_or_else(|| WorkError::bug("there is no pull request"))?;
    let Some(detail) = forge.pull(repo, pull.number).await? else {
        // It is gone, unless the name is another repository's by now.
        ctx.repository(repo).await?;
        return Ok(ReleaseSnapshot::Changed(ReleaseFact::Closed { by: None }));
    };
    let head = detail.head.sha.clone();
    let moved = |head, version| ReleaseFact::HeadMoved { pull: pull.number, head, version };
    let version = match head == pull.head {
        true => None,
        false => version_at(ctx, release, &head).await?,
    };
    if detail.state != "open" {
        // Edited and merged before we looked: what it is comes first, the merge with the next look.
        if detail.merged && version.is_some() {
            return Ok(ReleaseSnapshot::Changed(moved(head, version)));
        }
        let fact = ended(detail).unwrap_or(ReleaseFact::Closed { by: None });
        return Ok(ReleaseSnapshot::Changed(fact));
    }
    if head != pull.head {
        return Ok(ReleaseSnapshot::Changed(moved(head, version)));
    }
    let blocked = |why: String| {
        let why = Blocked::InTheWay { why };
        Ok(ReleaseSnapshot::Changed(ReleaseFact::NotMerged { head: head.clone(), why }))
    };
    if is_skipped(&detail) {
        return blocked(format!("the label {SKIP_LABEL} stands on it"));
    }
    if detail.base.branch != release.base.as_str() {
        return blocked(format!(
            "the pull request goes into another branch by now, and releases are made from {}",
            release.base
        ));
    }
    match forge.branch_head(repo, &release.base).await? {
        BranchHead::At(base) if base == planned(release)?.base => {}
        BranchHead::At(base) => {
            return Ok(ReleaseSnapshot::Changed(ReleaseFact::BaseMoved { base }));
        }
        BranchHead::Missing | BranchHead::EmptyRepository => {
            return blocked(format!("the branch {} is gone", release.base));
        }
    }
    let (_, rules) = release_rules(ctx, repo).await?;
    let Ok(rules) = rules else {
        return blocked("the rules of this repository cannot be read".to_owned());
    };
    let consent = release_consent(ctx, release, &rules, &detail).await?;
    let (asks, settings) = tokio::try_join!(
        forge.branch_rules(repo, &release.base),
        forge.merge_settings(repo, pull.number)
    )?;
    let terms = asks.merge_terms(&detail, settings.as_ref());
    let clean = is_clean(&detail);
    let rules = Box::new(rules);
    Ok(ReleaseSnapshot::Same(Standing { rules, asks, consent, clean, terms }))
}

async fn release_consent(
    ctx: &Context,
    release: &Release,
    rules: &Rules,
    detail: &PullDetail,
) -> Result<Result<Approval, NotApproved>, WorkError> {
    let (forge, repo) = (&ctx.forge, &release.repo);
    let (number, head) = (detail.number, &detail.head.sha);
    let (reviews, comments) =
        tokio::try_join!(forge.reviews(repo, number), forge.comments(repo, number))?;
    let least = rules.approval.role.into();
    // As the Action hears it, so that what merges is also what releases.
    let address = ctx.settings.address.without_mention();
    let ballot = Ballot { head, address: &address, least };
    let votes = forge.votes(repo, &ballot, &reviews, &comments, &mut Roles::new()).await?;
    let flagged = flagged_at(ctx, release, rules, head, &votes).await?;
    let digest = rules.binding();
    // By the same criteria as the Action's.
    let contributors = contributors(ctx, repo, detail, &votes).await?;
    // Whoever ordered it first has asked for it too, whoever did so last.
    let asked_by = [&[release.order.by_id], &*contributors.ordered_by].concat();
    let criteria = ApprovalCriteria {
        repo_id: repo.repo_id,
        pull: number,
        head,
        base: &release.base,
        rules: &digest,
        role: least,
        requester: rules.approval.requester,
        asked_by: &asked_by,
        pushed_by: &contributors.people,
        pushers_known: contributors.all_known,
        holders: None,
        since: Timestamp(0),
        flagged: &flagged,
    };
    consent(ctx, repo, criteria, &votes).await
}

/// The paths at this head that take more than one approval, which nobody needs to know while nobody
/// approves it.
async fn flagged_at(
    ctx: &Context,
    release: &Release,
    rules: &Rules,
    head: &Sha,
    votes: &[Vote],
) -> Result<Vec<String>, WorkError> {
    if votes.iter().all(|vote| vote.stance != Stance::Approves) {
        return Ok(Vec::new());
    }
    let (forge, repo) = (&ctx.forge, &release.repo);
    let scoped = rules.release.of_package(release.order.package.as_deref());
    let scoped = scoped.map_err(|_| WorkError {
        kind: ErrorKind::Permanent,
        text: format!("`[[release.packages]]` in `{RULES_PATH}` has no such package any more"),
    })?;
    let tags = forge.tags(repo).await?;
    let history = forge.release_history(repo, &scoped, &tags, head, None).await?;
    Ok(flagged(&history.since, &planned(release)?.version, &path_rules(rules)?))
}

/// What keeps the approved head from being merged: settings, what it touches, or its checks.
pub(in crate::worker) async fn in_the_way(
    ctx: &Context,
    release: &Release,
    standing: &Standing,
    approval: &Approval,
) -> Result<Option<Blocked>, WorkError> {
    if let Some(why) = obstacle(standing) {
        return Ok(Some(why));
    }
    let (asks, rules) = (&standing.asks, &standing.rules);
    let head = Head { repo: &release.repo, sha: approval.head(), asks, rules };
    let files = ctx.forge.files_of(&release.repo, approval.pull()).await?;
    if let Some(path) = files.iter().find(|path| is_the_runs_own(path)) {
        let why = format!(
            "it changes {path}, and a release leaves everything in .github alone: take that \
             out of the branch"
        );
        return Ok(Some(Blocked::InTheWay { why }));
    }
    let changes = rules.release.of_change(&files).map(|it| it.scope.package);
    if changes.as_ref() != Ok(&release.order.package) {
        let why = "a release changes the changelog of its own package and of no other: take the \
                   others' out of the branch"
            .to_owned();
        return Ok(Some(Blocked::InTheWay { why }));
    }
    let wake = Task::Release { release_id: release.id.clone(), step: ReleaseStep::Look };
    let why = match checks(ctx, &head, approval.at(), &wake).await? {
        HeadChecks::Green => return Ok(None),
        HeadChecks::Red(reds) => {
            let first = reds.first().map_or("", |red| &red.name);
            format!("the check {first} is red on it")
        }
        HeadChecks::Pending { names } => format!("it waits for {}", names.join(", ")),
        HeadChecks::Missing(checks) => return Ok(Some(Blocked::MissingChecks(checks))),
    };
    Ok(Some(Blocked::InTheWay { why }))
}

fn head_of(release: &Release) -> Result<&Sha, WorkError> {
    let pull = release.pull.as_ref().ok_or_else(|| WorkError::bug("there is no pull request"))?;
    Ok(&pull.head)
}

fn ended(detail: PullDetail) -> Option<ReleaseFact> {
    let by = detail.merged_by.as_ref().and_then(|user| user.login.parse().ok());
    let commit = detail.merge_commit_sha.filter(|_| detail.merged)?;
    Some(ReleaseFact::Merged(Merged { commit, by }))
}

/// What became of a pull request that is not open any more.
pub(in crate::worker) async fn ended_release(
    ctx: &Context,
    release: &Release,
    number: Number,
) -> Result<ReleaseFact, WorkError> {
    if release.pull.as_ref().is_some_and(|pull| pull.number == number)
        && let ReleaseSnapshot::Changed(fact) = snapshot_of(ctx, release).await?
    {
        return Ok(fact);
    }
    let closed = ReleaseFact::Closed { by: None };
    let Some(detail) = ctx.forge.pull(&release.repo, number).await? else {
        return Ok(closed);
    };
    // Merged before we knew of it: what it is comes first, the merge with the next look.
    if release.pull.is_none() && detail.merged {
        let head = detail.head.sha;
        let version = version_at(ctx, release, &head).await?;
        return Ok(ReleaseFact::HeadMoved { pull: number, head, version });
    }
    Ok(ended(detail).unwrap_or(closed))
}

/// A failed one whose pull request people merged all the same.
pub(in crate::worker) async fn merged_by_hand(
    ctx: &Context,
    release: &Release,
) -> Result<Option<ReleaseFact>, WorkError> {
    let Some(pull) = release.pull.as_ref().filter(|_| release.merged.is_none()) else {
        return Ok(None);
    };
    Ok(ctx.forge.pull(&release.repo, pull.number).await?.and_then(ended))
}

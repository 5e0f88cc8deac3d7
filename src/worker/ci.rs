//! How the checks on a head stand, for jobs and releases alike.
//!
//! Invariants: anything red stops; every run of a name that a rule asks for must be green, and
//! having been skipped is not being green; where no rule asks for anything, all that began must
//! have ended, and some time must have passed for it to begin.

use std::collections::BTreeSet;

use super::{Context, WorkError};
use crate::core::checks::CheckState;
use crate::core::github::RepoRef;
use crate::core::id::{Sha, Timestamp};
use crate::core::job::MissingChecks;
use crate::core::policy::Rules;
use crate::core::task::Task;
use crate::forge::{BranchRules, ReportedCheck, RequiredCheck};

/// A required check that nobody has reported for so long may never come.
const LONG_SILENCE_SECONDS: i64 = 60 * 60;

/// A head, and what it goes into.
pub(in crate::worker) struct Head<'a> {
    pub(in crate::worker) repo: &'a RepoRef,
    pub(in crate::worker) sha: &'a Sha,
    /// What its base asks for.
    pub(in crate::worker) asks: &'a BranchRules,
    pub(in crate::worker) rules: &'a Rules,
}

/// How its checks stand.
pub(in crate::worker) enum HeadChecks {
    Green,
    Pending {
        names: Vec<String>,
    },
    Missing(MissingChecks),
    /// At least one; those first that say something about the change.
    Red(Vec<ReportedCheck>),
}

/// How the checks that must be green stand. `since`: when the head stood already; `wake` is
/// queued where time has to pass.
pub(in crate::worker) async fn checks(
    ctx: &Context,
    head: &Head<'_>,
    since: Timestamp,
    wake: &Task,
) -> Result<HeadChecks, WorkError> {
    let states = ctx.forge.checks(head.repo, head.sha).await?;
    let mut required = head.asks.required.clone();
    for name in &head.rules.checks.required {
        let check = RequiredCheck { name: name.clone(), app: None };
        if !required.contains(&check) {
            required.push(check);
        }
    }
    let concerns =
        |it: &ReportedCheck| required.is_empty() || required.iter().any(|check| may_be(check, it));
    let bad = |it: &&ReportedCheck| matches!(it.state, CheckState::Red | CheckState::CutOff);
    let bad = states.iter().filter(|it| concerns(it)).filter(bad);
    let mut bad: Vec<ReportedCheck> = bad.cloned().collect();
    if !bad.is_empty() {
        bad.sort_by_key(|it| (it.state != CheckState::Red, it.wavered));
        return Ok(HeadChecks::Red(bad));
    }
    let waits = |it: &&ReportedCheck| concerns(it) && it.state == CheckState::Pending;
    let waiting = states.iter().filter(waits).map(|it| &it.name);
    let mut names: BTreeSet<String> = waiting.cloned().collect();
    let unmet = || required.iter().filter(|check| !is_met(check, &states));
    let missing = missing(unmet(), &states);
    let late = ctx.clock.now() >= since.plus_seconds(LONG_SILENCE_SECONDS);
    if names.is_empty() && !missing.not_run.is_empty() && missing.silent.is_empty()
        || names.is_empty() && !missing.silent.is_empty() && late
    {
        return Ok(HeadChecks::Missing(missing));
    }
    names.extend(unmet().map(|it| it.name.clone()));
    let mut pending: Vec<String> = names.into_iter().collect();
    if pending.is_empty() && required.is_empty() {
        pending.extend(unsettled(ctx, since, wake).await?);
    }
    Ok(if pending.is_empty() { HeadChecks::Green } else { HeadChecks::Pending { names: pending } })
}

/// Of required checks that are not green those that did not run, and those nobody has reported.
fn missing<'a>(
    unmet: impl Iterator<Item = &'a RequiredCheck>,
    states: &[ReportedCheck],
) -> MissingChecks {
    let mut missing = MissingChecks::default();
    for check in unmet {
        let ran = states.iter().any(|it| may_be(check, it) && it.state == CheckState::Skipped);
        let list = if ran { &mut missing.not_run } else { &mut missing.silent };
        if !list.contains(&check.name) {
            list.push(check.name.clone());
        }
    }
    missing
}

/// Without required checks nobody says when all have begun: some time has to pass.
async fn unsettled(
    ctx: &Context,
    since: Timestamp,
    wake: &Task,
) -> Result<Option<String>, WorkError> {
    let settle = i64::try_from(ctx.settings.settle.as_secs()).unwrap_or(i64::MAX);
    let settled = since.plus_seconds(settle);
    if ctx.clock.now() >= settled {
        return Ok(None);
    }
    ctx.store.enqueue(wake, settled).await?;
    Ok(Some("checks to appear".to_owned()))
}

/// Whether some App's runs of a required check are green. One that was skipped beside a green one
/// of the same App, and still counts, may be of another workflow, so that workflow has not spoken.
fn is_met(required: &RequiredCheck, states: &[ReportedCheck]) -> bool {
    let is_it = |it: &&ReportedCheck| {
        it.name == required.name && required.app.is_none_or(|app| it.app == Some(app))
    };
    let of = |state| states.iter().filter(is_it).filter(move |it| it.state == state);
    let beside_green =
        |skipped: &ReportedCheck| of(CheckState::Green).any(|green| green.app == skipped.app);
    of(CheckState::Green).next().is_some() && !of(CheckState::Skipped).any(beside_green)
}

/// Whether a check may be what is required. Of a status, GitHub does not say which App posted it.
fn may_be(required: &RequiredCheck, state: &ReportedCheck) -> bool {
    let app = required.app.is_none() || state.app.is_none() || required.app == state.app;
    required.name == state.name && app
}

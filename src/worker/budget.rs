//! What a job and a round may cost, whether the day's money reaches, and what is booked.
//!
//! Invariants: over a whole job the entries come to what it has spent, however many rounds it took.

use crate::core::budget::{Accounts, Money, Payer};
use crate::core::job::{Declined, Job, JobEnding, JobStage};
use crate::core::policy::Rules;
use crate::store::{LedgerEntry, Stored};
use crate::worker::{Context, WorkError};

/// What was asked for, else what the repository says; never more than the operator allows.
pub(in crate::worker) fn job_budget(ctx: &Context, job: &Job, rules: &Rules) -> Money {
    job.order.budget.unwrap_or(rules.budget.run).min(ctx.settings.most_per_job)
}

/// A round may cost what a run may, as long as the job stays below the operator's limit.
pub(in crate::worker) fn round_budget(ctx: &Context, job: &Job, rules: &Rules) -> Money {
    job_budget(ctx, job, rules).min(ctx.settings.most_per_job.saturating_sub(job.spent))
}

/// Why a round cannot be paid for.
pub(in crate::worker) async fn cannot_pay(
    ctx: &Context,
    job: &Job,
    rules: &Rules,
) -> Result<Option<Declined>, WorkError> {
    let budget = round_budget(ctx, job, rules);
    if budget <= Money::ZERO {
        let limit = ctx.settings.most_per_job;
        return Ok(Some(Declined::JobBudget { limit }));
    }
    day_budget(ctx, job, rules, budget).await
}

/// Whether the day's money of anybody concerned does not reach.
pub(in crate::worker) async fn day_budget(
    ctx: &Context,
    job: &Job,
    rules: &Rules,
    budget: Money,
) -> Result<Option<Declined>, WorkError> {
    let days = [
        (Payer::Repository, rules.budget.repository_day),
        (Payer::Person, rules.budget.person_day),
        (Payer::Installation, ctx.settings.installation_day),
    ];
    let (accounts, since) = (job.accounts(), ctx.clock.midnight());
    for (of, limit) in days {
        if ctx.store.spent(of, &accounts, since).await? + budget > limit {
            return Ok(Some(Declined::DayBudget { of, limit }));
        }
    }
    Ok(None)
}

/// Whether the day's money would reach if these jobs gave back all that they hold of it.
pub(in crate::worker) async fn may_come_back(
    ctx: &Context,
    job: &Job,
    under_way: &[Stored<Job>],
    (of, limit): (Payer, Money),
    budget: Money,
) -> Result<bool, WorkError> {
    let own = job.accounts();
    let shared = |other: Accounts| match of {
        Payer::Repository => other.repo_id == own.repo_id,
        Payer::Person => other.person_id == own.person_id,
        Payer::Installation => other.installation_id == own.installation_id,
    };
    let theirs = under_way.iter().map(|stored| &stored.machine);
    let holding = theirs.filter(|it| holds_its_budget(it) && shared(it.accounts()));
    let held: i64 = holding.map(|it| it.budget().micros() - it.spent.micros()).sum();
    let spent = ctx.store.spent(of, &own, ctx.clock.midnight()).await?;
    Ok(held > 0 && spent.saturating_sub(Money::from_micros(held)) + budget <= limit)
}

/// Whether it is being worked on, so that it may still cost all that it may.
pub(in crate::worker) fn holds_its_budget(job: &Job) -> bool {
    match job.stage {
        JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. } => true,
        JobStage::Queued
        | JobStage::Preparing
        | JobStage::PlanReady { .. }
        | JobStage::Holding { .. }
        | JobStage::InReview { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. }
        | JobStage::Done(_) => false,
    }
}

/// What is left of the budget is reserved when work begins; what was not needed goes back when it
/// ends. Both count for whom this round is made.
pub(in crate::worker) fn ledger_entry(before: &Job, after: &Job) -> Option<LedgerEntry> {
    let (micros, what) = match (holds_its_budget(before), holds_its_budget(after)) {
        (false, true) => (after.budget().micros() - after.spent.micros(), "reserved"),
        // What the stopped attempt cost is not known here: its whole reservation counts as spent.
        (true, false) if was_cut_off(before, after) => return None,
        (true, false) => (after.spent.micros() - after.budget().micros(), "settled"),
        _ => return None,
    };
    Some(LedgerEntry {
        job_id: after.id.clone(),
        accounts: before.accounts(),
        micros,
        what: what.to_owned(),
    })
}

/// Whether the job ended while the model was at work, so that its last words were not heard.
fn was_cut_off(before: &Job, after: &Job) -> bool {
    let stopped = |ending: &JobEnding| {
        matches!(
            ending,
            JobEnding::Cancelled { .. }
                | JobEnding::Closed { .. }
                | JobEnding::Withheld { .. }
                | JobEnding::Failed { .. }
        )
    };
    matches!(
        before.stage,
        JobStage::Planning { .. } | JobStage::Fixing { .. } | JobStage::Judging { .. }
    ) && matches!(&after.stage, JobStage::Done(ending) if stopped(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::github::RepoRef;
    use crate::core::id::{InstallationId, JobId, Number, RepoId, Timestamp, UserId};
    use crate::core::job::{Base, JobOrder, Kind, Prepared};

    fn job() -> Job {
        let name = "acme/widgets".parse().unwrap();
        let repo = RepoRef { installation_id: InstallationId(3), repo_id: RepoId(1), name };
        let order = JobOrder::new(Kind::Fix, (UserId(2), "mona".parse().unwrap()), Timestamp(0));
        Job::new(JobId::of_trigger("x"), repo, Number(7), order)
    }

    #[test]
    fn rounds_and_waits_for_a_word_cost_what_was_spent_and_no_more() {
        let working = |round| JobStage::Fixing { round, attempt: 1 };
        let publishing = |round| JobStage::Publishing { round };
        let steps = [
            (working(1), 0, 3),
            (publishing(1), 1, 3),
            (JobStage::Holding { round: 1 }, 1, 3),
            (publishing(1), 1, 3),
            (JobStage::InReview { round: 1 }, 1, 3),
            (working(2), 1, 4),
            (JobStage::InReview { round: 2 }, 3, 4),
        ];
        let mut before = job();
        let mut booked = Vec::new();
        for (stage, spent, budget) in steps {
            let mut after = before.clone();
            (after.stage, after.spent) = (stage, Money::from_micros(spent));
            let base =
                Base { branch: "main".parse().unwrap(), sha: "a".repeat(40).parse().unwrap() };
            let rules = Rules::parse("").unwrap();
            after.prepared = Some(Prepared {
                base,
                rules,
                budget: Money::from_micros(budget),
                estimate: None,
                others_pull: None,
                reverts: None,
                conventions: Box::default(),
            });
            booked.extend(ledger_entry(&before, &after).map(|entry| entry.micros));
            before = after;
        }
        assert_eq!(booked, [3, -2, 2, -2, 3, -1]);
        assert_eq!(booked.iter().sum::<i64>(), 3, "what it has spent");
    }
}

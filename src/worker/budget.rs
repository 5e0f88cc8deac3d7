//! What a job or a round may cost, and whether the day's money reaches.

use crate::core::budget::Money;
use crate::core::id::UserId;
use crate::core::job::{Declined, Job, Purse, Round};
use crate::core::policy::Rules;
use crate::store::Scope;
use crate::worker::{Context, Fault};

/// A round may cost what a run may, as long as the job stays below the operator's limit.
pub(in crate::worker) fn round_budget(ctx: &Context, job: &Job, rules: &Rules) -> Money {
    let left = ctx.settings.most_per_job.saturating_sub(job.spent);
    job.order.budget.unwrap_or(rules.budget.run).min(left)
}

pub(in crate::worker) async fn cannot_pay(
    ctx: &Context,
    job: &Job,
    round: &Round,
    rules: &Rules,
) -> Result<Option<Declined>, Fault> {
    let budget = round_budget(ctx, job, rules);
    if budget <= Money::ZERO {
        let limit = ctx.settings.most_per_job;
        return Ok(Some(Declined::JobBudget { limit }));
    }
    day_budget(ctx, job, round.by, rules, budget).await
}

/// Whether the day's money of anybody concerned does not reach.
pub(in crate::worker) async fn day_budget(
    ctx: &Context,
    job: &Job,
    person: UserId,
    rules: &Rules,
    budget: Money,
) -> Result<Option<Declined>, Fault> {
    let days = [
        (Scope::Repo(job.place.repo), rules.budget.repository_day, Purse::Repository),
        (Scope::Person(person), rules.budget.person_day, Purse::Person),
        (
            Scope::Installation(job.place.installation),
            ctx.settings.installation_day,
            Purse::Installation,
        ),
    ];
    for (scope, limit, of) in days {
        let spent = ctx.store.spent(scope, ctx.clock.midnight()).await?;
        if spent + budget > limit {
            return Ok(Some(Declined::DayBudget { of, limit }));
        }
    }
    Ok(None)
}

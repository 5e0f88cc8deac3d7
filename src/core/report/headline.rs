//! Where a job stands, in a line.

use super::review::merged;
use crate::core::job::{Job, JobEnding, JobStage, Kind};

/// One line: where the job stands.
pub fn headline(job: &Job) -> String {
    let work = match job.order.kind {
        Kind::Fix => "fix",
        Kind::Build => "build",
        Kind::Revert => "revert",
    };
    match &job.stage {
        JobStage::Queued => "**Waiting** for its turn on this issue".to_owned(),
        JobStage::Planning { version: 1 } => "**Making** a plan".to_owned(),
        JobStage::Planning { version } => format!("**Making** plan {version}"),
        JobStage::PlanReady { .. } => "**Waiting for your word** on the plan".to_owned(),
        JobStage::Holding { .. } => "**Waiting for your word** before it is pushed".to_owned(),
        JobStage::Starting { round } => format!("**Reading** what round {round} is about"),
        JobStage::Answering { .. } => "**Answering** the review".to_owned(),
        JobStage::Merging { head, .. } => format!("**Merging** `{}`", head.short()),
        JobStage::Publishing { .. } if job.order.on_pull => "**Pushing** the change".to_owned(),
        JobStage::Publishing { round: 2.. } => "**Pushing** the change".to_owned(),
        JobStage::Fixing { round: round @ 2.., attempt } => {
            format!("**Working** on round {round}, attempt {attempt} of {}", job.attempts_allowed())
        }
        JobStage::Preparing => "**Reading** the rules and the code".to_owned(),
        JobStage::Fixing { attempt, .. } => {
            format!("**Working** on the {work}, attempt {attempt} of {}", job.attempts_allowed())
        }
        JobStage::Verifying { .. } => "**Checking** the change".to_owned(),
        JobStage::Judging { .. } => "**Asking** for a second opinion".to_owned(),
        JobStage::Publishing { .. } => "**Opening** the pull request".to_owned(),
        JobStage::InReview { .. } => match &job.pull {
            Some(pull) => format!("**Ready for review**: #{}", pull.number),
            None => "**Ready for review**".to_owned(),
        },
        JobStage::Done(ending) => match ending {
            JobEnding::Merged { .. } => merged(job, ending),
            JobEnding::Closed { by } => match by {
                Some(by) => format!("**Closed** by {by}"),
                None => "**Closed**".to_owned(),
            },
            JobEnding::Pushed { head } => format!("**Pushed** `{}`", head.short()),
            JobEnding::Suggested => "**A change is ready** to be taken".to_owned(),
            JobEnding::Declined(_) => "**Not started**".to_owned(),
            JobEnding::NothingToFix { .. } => "**Nothing to change**".to_owned(),
            JobEnding::NotReproducible { .. } => match job.base() {
                Some(base) => format!("**Not reproducible** on `{}`", base.sha.short()),
                None => "**Not reproducible**".to_owned(),
            },
            JobEnding::GaveUp { .. } => "**Gave up**".to_owned(),
            JobEnding::OutOfBudget { .. } => "**Out of budget**".to_owned(),
            JobEnding::CannotCheck { .. } => "**Checks cannot be run here**".to_owned(),
            JobEnding::Cancelled { by: Some(by) } => format!("**Cancelled** by {by}"),
            JobEnding::Cancelled { by: None } => {
                "**Cancelled** by whoever runs this server".to_owned()
            }
            JobEnding::Withheld { .. } => "**Stopped: a secret was about to leave**".to_owned(),
            JobEnding::Failed { .. } => "**Stopped by a failure**".to_owned(),
        },
    }
}

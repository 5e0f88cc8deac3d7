//! What a job waits for, in a few words.

use crate::clock::day_and_time;
use crate::core::id::Timestamp;
use crate::core::job::{Job, JobStage, WaitingFor};
use crate::core::machine::WorkerSlot;
use crate::core::task::Task;
use crate::store::WaitingTask;

/// `None`: it is at work, or over.
pub(super) fn waits_for(
    job: &Job,
    tasks: &[WaitingTask],
    paused: bool,
    now: Timestamp,
) -> Option<String> {
    match &job.stage {
        JobStage::Done(_) => None,
        JobStage::PlanReady { .. } => Some("a person's `go` for its plan".to_owned()),
        JobStage::Holding { .. } => Some("a person's `go` before it is pushed".to_owned()),
        JobStage::InReview { .. } => {
            Some(job.review.waiting.as_ref().map_or("a review", in_review).to_owned())
        }
        JobStage::Queued if paused => Some("the end of the pause".to_owned()),
        JobStage::Queued => Some("its turn on the issue".to_owned()),
        JobStage::Preparing
        | JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. } => {
            let next = tasks.iter().find(|it| match &it.task {
                Task::Step { job_id, step } => *job_id == job.id && job.stage.awaits(step),
                _ => false,
            })?;
            step(next, paused, now)
        }
    }
}

fn step(next: &WaitingTask, paused: bool, now: Timestamp) -> Option<String> {
    if next.taken {
        return None;
    }
    if paused {
        return Some("the end of the pause".to_owned());
    }
    if next.due > now {
        let fault = next.fault.as_deref().unwrap_or("it was put off");
        return Some(format!("another try, not before {}: {fault}", day_and_time(next.due)));
    }
    let slot = next.task.spec().is_some_and(|spec| spec.slot == WorkerSlot::Taken);
    Some(if slot { "a free worker" } else { "a worker" }.to_owned())
}

fn in_review(waiting: &WaitingFor) -> &'static str {
    match waiting {
        WaitingFor::Review => "a review",
        WaitingFor::HeadCheck => "Gander's own checks of a person's commit",
        WaitingFor::Checks { .. } => "checks",
        WaitingFor::MissingChecks(_) => "checks that nobody reports",
        WaitingFor::Setting(_) => "a setting on GitHub that keeps it from being merged",
        WaitingFor::Consent(_) => "an approval that counts",
        WaitingFor::Red { .. } => "a red check to be mended by people",
        WaitingFor::HeadRed { .. } => "a person's commit to be mended",
        WaitingFor::RoundsUsed { .. } => "people: all rounds were made",
        WaitingFor::RoundFailed { .. } => "people: a round ended without a commit",
        WaitingFor::Conflict => "a conflict with the base to be resolved",
        WaitingFor::Blocked { .. } => "GitHub, which does not merge it",
        WaitingFor::Button => "a person to merge it",
        WaitingFor::Command => "the command `approve`",
        WaitingFor::BadRules { .. } => "rules that can be read",
        WaitingFor::Github { .. } => "GitHub to show the pull request",
        WaitingFor::Skipped => "a label to be taken off",
    }
}

/// `prepare`, or what else a task is.
pub(super) fn task_name(task: &Task) -> String {
    match task {
        Task::Step { step, .. } => format!("{step:?}"),
        Task::Release { step, .. } => format!("{step:?}"),
        Task::Delivery { event, .. } => format!("what GitHub sent ({event})"),
        Task::ReleaseOf { .. } => "the release of a package".to_owned(),
        Task::NextRelease { .. } => "the next release's turn".to_owned(),
        Task::Reply(_) => "an answer".to_owned(),
        Task::NextOn { .. } => "the next job's turn".to_owned(),
        Task::Sweep(sweep) => format!("{sweep:?}"),
        Task::Operator(_) => "what you asked for".to_owned(),
        Task::Slack(_) => "what Slack sent or is to show".to_owned(),
    }
}

pub(super) fn task_line(task: &WaitingTask) -> String {
    let mut line = task_name(&task.task);
    match task.taken {
        true => line.push_str(", at work"),
        false => line.push_str(&format!(", due {}", day_and_time(task.due))),
    }
    if task.tries > 0 {
        line.push_str(&format!(", tried {} times", task.tries));
    }
    if let Some(fault) = &task.fault {
        line.push_str(&format!(", the last time: {fault}"));
    }
    line
}

//! Which task is done in which part of a run, and what a job waits for meanwhile.
//!
//! Invariants: who decides writes no code, and who pushes begins nothing; nobody merges.

use crate::core::job::{JobStage, JobStep};
use crate::core::task::Task;

/// Where a task of a run is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaskPlace {
    Here,
    /// In a later part.
    Later,
    /// Only a server does it.
    Nowhere,
}

/// Whether it is done where the agent is.
pub(super) fn is_work(step: &JobStep) -> bool {
    matches!(
        step,
        JobStep::Plan { .. } | JobStep::Fix { .. } | JobStep::Verify { .. } | JobStep::Judge { .. }
    )
}

/// Where a task is done for whoever decides, and for whoever pushes.
pub(super) fn places(task: &Task) -> (TaskPlace, TaskPlace) {
    use TaskPlace::{Here, Later, Nowhere};
    match task {
        Task::Step { step, .. } => match step {
            JobStep::Prepare | JobStep::Start { .. } => (Here, Later),
            JobStep::Look => (Here, Nowhere),
            JobStep::Plan { .. }
            | JobStep::Fix { .. }
            | JobStep::Verify { .. }
            | JobStep::Judge { .. } => (Later, Nowhere),
            JobStep::Publish { .. } | JobStep::Undo | JobStep::CleanUp => (Later, Here),
            JobStep::Acknowledge
            | JobStep::React { .. }
            | JobStep::ReactInThread { .. }
            | JobStep::Show
            | JobStep::Announce
            | JobStep::Answer { .. }
            | JobStep::Explain
            | JobStep::RefuseRound { .. }
            | JobStep::StartNext => (Here, Here),
            JobStep::Wake
            | JobStep::CheckHead { .. }
            | JobStep::Rerun { .. }
            | JobStep::Merge { .. } => (Nowhere, Nowhere),
        },
        Task::Delivery { .. } | Task::NextOn { .. } | Task::Reply(_) => (Here, Here),
        Task::Release { .. }
        | Task::ReleaseOf { .. }
        | Task::NextRelease { .. }
        | Task::Sweep(_)
        | Task::Operator(_)
        | Task::Slack(_) => (Nowhere, Nowhere),
    }
}

/// The step that a stage waits for.
pub(super) fn present_step(stage: &JobStage) -> Option<JobStep> {
    Some(match *stage {
        JobStage::Preparing => JobStep::Prepare,
        JobStage::Planning { version } => JobStep::Plan { version },
        JobStage::Fixing { round, attempt } => JobStep::Fix { round, attempt },
        JobStage::Verifying { round, attempt } => JobStep::Verify { round, attempt },
        JobStage::Judging { round } => JobStep::Judge { round },
        JobStage::Publishing { round } => JobStep::Publish { round },
        JobStage::Starting { round } => JobStep::Start { round },
        JobStage::Answering { round } => JobStep::Answer { round },
        JobStage::Queued
        | JobStage::PlanReady { .. }
        | JobStage::Holding { .. }
        | JobStage::InReview { .. }
        | JobStage::Merging { .. }
        | JobStage::Done(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::JobId;

    #[test]
    fn who_decides_pushes_nothing_and_who_pushes_begins_nothing() {
        let task = |step| Task::Step { job_id: JobId::of_trigger("one"), step };
        let head: crate::core::id::Sha = "a".repeat(40).parse().unwrap();
        let (fix, publish) = (JobStep::Fix { round: 1, attempt: 1 }, JobStep::Publish { round: 1 });
        let merge = JobStep::Merge { head: head.clone() };
        for (step, deciding, pushing) in [
            (JobStep::Prepare, TaskPlace::Here, TaskPlace::Later),
            (JobStep::Look, TaskPlace::Here, TaskPlace::Nowhere),
            (JobStep::Plan { version: 1 }, TaskPlace::Later, TaskPlace::Nowhere),
            (fix, TaskPlace::Later, TaskPlace::Nowhere),
            (JobStep::Verify { round: 1, attempt: 1 }, TaskPlace::Later, TaskPlace::Nowhere),
            (JobStep::Judge { round: 1 }, TaskPlace::Later, TaskPlace::Nowhere),
            (publish, TaskPlace::Later, TaskPlace::Here),
            (JobStep::Undo, TaskPlace::Later, TaskPlace::Here),
            (JobStep::CleanUp, TaskPlace::Later, TaskPlace::Here),
            (JobStep::Show, TaskPlace::Here, TaskPlace::Here),
            (JobStep::Announce, TaskPlace::Here, TaskPlace::Here),
            (merge, TaskPlace::Nowhere, TaskPlace::Nowhere),
            (JobStep::CheckHead { head }, TaskPlace::Nowhere, TaskPlace::Nowhere),
            (JobStep::Wake, TaskPlace::Nowhere, TaskPlace::Nowhere),
        ] {
            let task = task(step);
            assert_eq!(places(&task), (deciding, pushing), "{task:?}");
        }
    }
}

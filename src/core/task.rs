//! What stands in the queue. There is one queue, and everything Gander does comes out of it.

#![warn(clippy::wildcard_enum_match_arm)]

use serde::{Deserialize, Serialize};

use super::delivery::{Content, Delivery, Payload};
use super::github::RepoRef;
use super::id::{Branch, CommentId, DeliveryId, JobId, Number, ReleaseId, RepoId, Timestamp};
use super::job::{Job, JobStep};
use super::machine::{Lane, Repeats, StepSpec, WorkerSlot};
use super::release;
use super::slack::SlackTask;

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Task {
    /// Decide what a delivery means.
    Delivery {
        /// GitHub's GUID, for the log.
        id: DeliveryId,
        /// The event header.
        event: String,
        /// What was kept of the body.
        payload: Box<Payload>,
    },
    /// Do what a job asked for. Stored as `effect`, its former name.
    #[serde(rename = "effect")]
    Step {
        #[serde(rename = "job")]
        job_id: JobId,
        #[serde(rename = "effect")]
        step: JobStep,
    },
    /// Do what a release asked for.
    Release {
        #[serde(rename = "release")]
        release_id: ReleaseId,
        #[serde(rename = "effect")]
        step: release::ReleaseStep,
    },
    /// Order the release of one package that a merged pull request changed.
    ReleaseOf { repo: RepoRef, number: Number, package: String },
    /// Let the release that waits on this branch begin, if none is under way.
    NextRelease {
        #[serde(rename = "repo")]
        repo_id: RepoId,
        base: Branch,
    },
    /// Answer a command that started no job.
    Reply(Box<CommandReply>),
    /// Let the next queued job on this subject begin, if none is live.
    NextOn {
        #[serde(rename = "repo")]
        repo_id: RepoId,
        number: Number,
    },
    /// Look after what was missed.
    Sweep(Sweep),
    /// Do what whoever runs the server asked for by command.
    Operator(OperatorOrder),
    /// What was done on Slack, or is to be shown there.
    Slack(Box<SlackTask>),
}

/// What whoever runs the server asks for about one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum OperatorOrder {
    /// Stop it, as a `cancel` on GitHub would.
    Cancel {
        #[serde(rename = "job")]
        job_id: JobId,
    },
    /// Take it up again, for whoever asked for it.
    Retry {
        #[serde(rename = "job")]
        job_id: JobId,
        /// Names the act, so that it is done once; the new job's id is made of it.
        key: String,
    },
}

/// A short answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CommandReply {
    pub repo: RepoRef,
    /// On which issue or pull request.
    pub number: Number,
    /// The comment answered, which gets a reaction.
    #[serde(rename = "comment")]
    pub comment_id: Option<CommentId>,
    /// The comment on lines of a pull request that is answered, in its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_comment_id: Option<CommentId>,
    /// Names the act answered, so that it is answered once.
    pub key: String,
    /// The answer, Gander's own words.
    pub text: String,
}

/// Regular care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sweep {
    /// Fetch what GitHub failed to deliver.
    MissedDeliveries,
    /// Look at every open pull request and release of Gander's.
    OpenPulls,
    /// Forget what is too old to matter.
    OldRows,
}

/// GitHub keeps its log of deliveries for about three days. Whoever has not compared with it for a
/// third of that has to look.
const LATE_HOURS: i64 = 24;

/// What is said then.
pub const SWEEP_IS_LATE: &str = "what GitHub delivered has not been compared with what arrived for \
                                 more than a day, and GitHub keeps its log for about three";

/// How late the sweep of missed deliveries is, if it is late.
pub fn hours_late(last: Timestamp, now: Timestamp) -> Option<i64> {
    let hours = (now.0 - last.0) / 3_600_000;
    (hours >= LATE_HOURS).then_some(hours)
}

impl Task {
    /// What is to be done about a delivery.
    pub fn of(delivery: &Delivery) -> Option<Self> {
        match &delivery.content {
            Content::Kept(payload) => Some(Self::Delivery {
                id: delivery.id.clone(),
                event: delivery.event.clone(),
                payload: payload.clone(),
            }),
            Content::Slack(act) => Some(Self::Slack(Box::new(SlackTask::Act(*act.clone())))),
            Content::Quarantined(_) => None,
        }
    }

    /// Tasks of one lane are done one after the other, in order; lanes go side by side.
    pub fn lane(&self) -> String {
        match self {
            Self::Delivery { payload, .. } => {
                let repo = payload.repository.as_ref().map_or(0, |repo| repo.id);
                let number = payload.issue.as_ref().map(|issue| issue.number);
                let number = number.or(payload.pull_request.as_ref().map(|pull| pull.number));
                subject_lane(RepoId(repo), Number(number.unwrap_or(0)))
            }
            Self::Step { job_id: job, step } => step.spec().lane.name("job", job.as_str()),
            Self::Release { release_id: release, step } => {
                step.spec().lane.name("release", &release.to_string())
            }
            Self::ReleaseOf { repo, number, .. } => subject_lane(repo.repo_id, *number),
            Self::NextRelease { repo_id: repo, base } => format!("releases:{repo}/{base}"),
            Self::Reply(reply) => format!("reply:{}", reply.key),
            Self::NextOn { repo_id: repo, number } => subject_lane(*repo, *number),
            Self::Sweep(sweep) => format!("sweep:{sweep:?}"),
            Self::Operator(
                OperatorOrder::Cancel { job_id: job } | OperatorOrder::Retry { job_id: job, .. },
            ) => format!("operator:{job}"),
            Self::Slack(task) => task.lane(),
        }
    }

    /// The lanes in which tasks of a job may stand, those of its subject included.
    pub fn lanes_of(job: &Job) -> Vec<String> {
        let id = job.id.as_str();
        let own = [Lane::Main, Lane::Messages, Lane::Wake, Lane::Follow];
        let mut lanes: Vec<String> = own.iter().map(|lane| lane.name("job", id)).collect();
        lanes.push(subject_lane(job.repo.repo_id, job.subject));
        lanes.push(format!("operator:{id}"));
        lanes
    }

    /// The job or release that it is a step of.
    pub fn about(&self) -> Option<String> {
        match self {
            Self::Step { job_id: job, .. } => Some(job.to_string()),
            Self::Release { release_id: release, .. } => Some(release.to_string()),
            Self::Delivery { .. }
            | Self::ReleaseOf { .. }
            | Self::NextRelease { .. }
            | Self::Reply(_)
            | Self::NextOn { .. }
            | Self::Sweep(_)
            | Self::Operator(_)
            | Self::Slack(_) => None,
        }
    }

    /// What the queue has to know of a step. `None`: it is no step of a job or release.
    pub fn spec(&self) -> Option<StepSpec> {
        match self {
            Self::Step { step, .. } => Some(step.spec()),
            Self::Release { step, .. } => Some(step.spec()),
            Self::Delivery { .. }
            | Self::ReleaseOf { .. }
            | Self::NextRelease { .. }
            | Self::Reply(_)
            | Self::NextOn { .. }
            | Self::Sweep(_)
            | Self::Operator(_)
            | Self::Slack(_) => None,
        }
    }

    /// Whether people wait for what it changes on GitHub.
    pub fn is_urgent(&self) -> bool {
        matches!(self, Self::Reply(_) | Self::Slack(_))
            || self.spec().is_some_and(|spec| spec.urgent)
    }

    /// Whether it takes one of the worker's slots.
    pub fn takes_slot(&self) -> bool {
        self.spec().is_some_and(|spec| spec.slot == WorkerSlot::Taken)
    }

    /// Whether it is the first of a job or release that takes a slot.
    pub fn begins(&self) -> bool {
        self.spec().is_some_and(|spec| spec.begins)
    }

    /// Whether a waiting task of the same lane and content makes this one superfluous.
    pub fn is_level_triggered(&self) -> bool {
        match self {
            Self::Step { step, .. } => step.spec().repeats == Repeats::Coalesce,
            Self::Release { step, .. } => step.spec().repeats == Repeats::Coalesce,
            Self::NextOn { .. } | Self::NextRelease { .. } | Self::Sweep(_) => true,
            Self::Slack(task) => matches!(**task, SlackTask::Card { .. }),
            Self::Delivery { .. } | Self::ReleaseOf { .. } | Self::Reply(_) | Self::Operator(_) => {
                false
            }
        }
    }
}

fn subject_lane(repo: RepoId, number: Number) -> String {
    format!("subject:{repo}/{number}")
}

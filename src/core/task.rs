//! What stands in the queue. There is one queue, and everything Gander does comes out of it.

use serde::{Deserialize, Serialize};

use super::delivery::Payload;
use super::event::Place;
use super::id::{Branch, CommentId, DeliveryId, JobId, Number, ReleaseId, RepoId};
use super::job::Effect;
use super::release;

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Do what a job asked for.
    Effect {
        /// Whose.
        job: JobId,
        /// What.
        effect: Effect,
    },
    /// Do what a release asked for.
    Release {
        /// Whose.
        release: ReleaseId,
        /// What.
        effect: release::Effect,
    },
    /// Let the release that waits on this branch begin, if none is under way.
    NextRelease {
        /// Where.
        repo: RepoId,
        /// The branch.
        base: Branch,
    },
    /// Answer a command that started no job.
    Reply(Box<Reply>),
    /// Let the next queued job on this subject begin, if none is live.
    NextOn {
        /// Where.
        repo: RepoId,
        /// Which issue.
        number: Number,
    },
    /// Look after what was missed.
    Sweep(Sweep),
}

/// A short answer to one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Where.
    pub place: Place,
    /// On which issue or pull request.
    pub number: Number,
    /// The comment answered, which gets a reaction.
    pub comment: Option<CommentId>,
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

impl Task {
    /// Tasks of one lane are done one after the other, in order; lanes go side by side.
    pub fn lane(&self) -> String {
        match self {
            Self::Delivery { payload, .. } => {
                let repo = payload.repository.as_ref().map_or(0, |repo| repo.id);
                let number = payload.issue.as_ref().map(|issue| issue.number);
                let number = number.or(payload.pull_request.as_ref().map(|pull| pull.number));
                subject_lane(RepoId(repo), Number(number.unwrap_or(0)))
            }
            Self::Effect { job, effect } => match effect {
                Effect::React { comment } => format!("react:{comment}"),
                Effect::Acknowledge | Effect::Show | Effect::Announce | Effect::Explain => {
                    format!("show:{job}")
                }
                Effect::Wake => format!("wake:{job}"),
                _ => format!("job:{job}"),
            },
            Self::Release { release, effect } => match effect {
                release::Effect::Acknowledge
                | release::Effect::Show
                | release::Effect::Announce
                | release::Effect::TellIssues => format!("show:{release}"),
                // It waits for the run, and must hold nothing else up.
                release::Effect::Follow { .. } => format!("follow:{release}"),
                _ => format!("release:{release}"),
            },
            Self::NextRelease { repo, base } => format!("releases:{repo}/{base}"),
            Self::Reply(reply) => format!("reply:{}", reply.key),
            Self::NextOn { repo, number } => subject_lane(*repo, *number),
            Self::Sweep(sweep) => format!("sweep:{sweep:?}"),
        }
    }

    /// Whether a waiting task of the same lane and content makes this one superfluous.
    pub fn is_level_triggered(&self) -> bool {
        matches!(
            self,
            Self::Effect { effect: Effect::Show | Effect::Look | Effect::Wake, .. }
                | Self::Release { effect: release::Effect::Show | release::Effect::Look, .. }
                | Self::NextOn { .. }
                | Self::NextRelease { .. }
                | Self::Sweep(_)
        )
    }
}

fn subject_lane(repo: RepoId, number: Number) -> String {
    format!("subject:{repo}/{number}")
}

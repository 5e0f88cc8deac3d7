//! Places where people read us. Each is found again by a marker, so showing twice shows once.

use async_trait::async_trait;

use super::talk::keep_current;
use crate::core::job::{Ending, Job, Stage};
use crate::core::report::{self, Setting};
use crate::forge::{CheckRunText, Forge, ForgeError};

/// A place where people read us.
#[async_trait]
pub trait Surface: Send + Sync {
    /// Brings it up to date with the job.
    async fn show(&self, job: &Job, setting: &Setting) -> Result<(), ForgeError>;
}

/// The one status comment on the issue, and the label beside it.
pub struct IssueComment<'a>(pub &'a Forge);

/// The comment of the present round, on the pull request.
pub struct RoundComment<'a>(pub &'a Forge);

/// The check run on the pull request's commit.
pub struct CheckRun<'a>(pub &'a Forge);

#[async_trait]
impl Surface for IssueComment<'_> {
    async fn show(&self, job: &Job, setting: &Setting) -> Result<(), ForgeError> {
        let Self(forge) = self;
        let body = report::status_comment(job, setting);
        let marker = report::marker(job.id.as_str(), "status");
        keep_current(forge, &job.place, job.subject, (&body, &marker)).await?;
        self.show_label(job).await
    }
}

impl IssueComment<'_> {
    /// Only a label that changes costs a write: GitHub counts those.
    async fn show_label(&self, job: &Job) -> Result<(), ForgeError> {
        let Self(forge) = self;
        let (place, number) = (&job.place, job.subject);
        let Some(issue) = forge.issue(place, number).await? else { return Ok(()) };
        let wanted = report::state_label(job);
        for label in [report::WORKING_LABEL, report::NEEDS_HUMAN_LABEL] {
            let there = issue.labels.iter().any(|it| it.name.eq_ignore_ascii_case(label));
            match (there, wanted == Some(label)) {
                (true, false) => forge.remove_label(place, number, label).await?,
                (false, true) => forge.add_label(place, number, label).await?,
                _ => {}
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Surface for RoundComment<'_> {
    async fn show(&self, job: &Job, setting: &Setting) -> Result<(), ForgeError> {
        let Self(forge) = self;
        let (Some(pull), Some(body)) = (&job.pull, report::round_comment(job, setting)) else {
            return Ok(());
        };
        let marker = report::round_marker(job, job.stage.round().unwrap_or(1));
        keep_current(forge, &job.place, pull.number, (&body, &marker)).await
    }
}

#[async_trait]
impl Surface for CheckRun<'_> {
    async fn show(&self, job: &Job, _setting: &Setting) -> Result<(), ForgeError> {
        let Some(pull) = &job.pull else { return Ok(()) };
        // While a round is made, the last head keeps what was said of it.
        let settled = matches!(
            job.stage,
            Stage::InReview { .. }
                | Stage::Answering { .. }
                | Stage::Merging { .. }
                | Stage::Done(_)
        );
        let ours = job.review.proof.as_ref().is_some_and(|it| it.ours && it.head == pull.head);
        if !(settled && ours) {
            return Ok(());
        }
        let (title, summary) = report::check_run(job);
        let conclusion = match &job.stage {
            Stage::Done(Ending::Cancelled { .. } | Ending::Closed { .. }) => "neutral",
            _ => "success",
        };
        let text = CheckRunText {
            name: "Gander",
            external_id: report::check_external_id(&job.id),
            title,
            summary,
            conclusion,
        };
        self.0.show_check_run(&job.place, &pull.head, &text).await
    }
}

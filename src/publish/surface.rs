//! Where people read us on GitHub: the status comment, the comment of the present round, the check
//! run. Each is found again by a marker, so showing twice shows once.

use super::talk::keep_current;
use crate::core::job::{Job, JobEnding, JobStage};
use crate::core::report::{self, ReportContext};
use crate::forge::{CheckRunText, Forge, ForgeError};

/// Brings everything up to date with the job.
///
/// # Errors
/// When GitHub does not do as asked.
pub async fn show(forge: &Forge, job: &Job, setting: &ReportContext) -> Result<(), ForgeError> {
    let body = report::status_comment(job, setting);
    let marker = report::marker(job.id.as_str(), "status");
    keep_current(forge, &job.repo, job.subject, &body, &marker).await?;
    show_label(forge, job).await?;
    // What else is told of it may hold what must not leave.
    if matches!(job.stage, JobStage::Done(JobEnding::Withheld { .. })) {
        return Ok(());
    }
    show_round(forge, job, setting).await?;
    // One of a workflow's own would be by the App whose checks people require.
    match forge.is_of_workflow() {
        true => Ok(()),
        false => show_check_run(forge, job).await,
    }
}

/// The label beside the status comment. Only one that changes costs a write: GitHub counts those.
async fn show_label(forge: &Forge, job: &Job) -> Result<(), ForgeError> {
    let (repo, number) = (&job.repo, job.subject);
    let Some(issue) = forge.issue(repo, number).await? else { return Ok(()) };
    let wanted = report::state_label(job);
    for label in [report::WORKING_LABEL, report::NEEDS_HUMAN_LABEL] {
        let there = issue.labels.iter().any(|it| it.name.eq_ignore_ascii_case(label));
        match (there, wanted == Some(label)) {
            (true, false) => forge.remove_label(repo, number, label).await?,
            (false, true) => forge.add_labels(repo, number, &[label]).await?,
            _ => {}
        }
    }
    Ok(())
}

/// The comment of the present round, on the pull request.
async fn show_round(forge: &Forge, job: &Job, setting: &ReportContext) -> Result<(), ForgeError> {
    let (Some(pull), Some(body)) = (&job.pull, report::round_comment(job, setting)) else {
        return Ok(());
    };
    let marker = report::round_marker(job, job.stage.round().unwrap_or(1));
    keep_current(forge, &job.repo, pull.number, &body, &marker).await
}

/// The check run on the pull request's commit.
async fn show_check_run(forge: &Forge, job: &Job) -> Result<(), ForgeError> {
    let Some(pull) = &job.pull else { return Ok(()) };
    // While a round is made, the last head keeps what was said of it.
    let settled = matches!(
        job.stage,
        JobStage::InReview { .. }
            | JobStage::Answering { .. }
            | JobStage::Merging { .. }
            | JobStage::Done(_)
    );
    let ours = job.review.proof.as_ref().is_some_and(|it| it.ours && it.head == pull.head);
    if !(settled && ours) {
        return Ok(());
    }
    let (title, summary) = report::check_run(job);
    let conclusion = match &job.stage {
        JobStage::Done(JobEnding::Cancelled { .. } | JobEnding::Closed { .. }) => "neutral",
        _ => "success",
    };
    let text = CheckRunText {
        name: report::CHECK_NAME,
        external_id: report::check_external_id(&job.id),
        title,
        summary,
        conclusion,
    };
    forge.show_check_run(&job.repo, &pull.head, &text).await
}

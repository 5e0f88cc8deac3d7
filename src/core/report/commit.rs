//! The words of commits, and of the pull request's title.
//!
//! Invariants: no word of the model is in them; what people wrote is inert, also in a commit.

use std::fmt::Write as _;

use super::ReportContext;
use crate::core::conventions::{TitleForm, TitleStyle};
use crate::core::job::{Cause, Job, Kind};
use crate::core::text::{inline, without_numbers};

/// Title of the pull request and first line of the commit.
pub fn title(job: &Job) -> String {
    // Plain text, not Markdown, and the first line of a commit: `[skip ci]` would act there.
    let title = match job.order.kind {
        Kind::Revert => without_numbers(&job.order.issue.title).0,
        Kind::Fix | Kind::Build => &job.order.issue.title,
    };
    let words = inline(title, 60).replace('\\', "");
    let words = words.replace('[', "(").replace(']', ")");
    let said = job.rules().and_then(|rules| rules.commit.title.clone());
    let found = job.conventions();
    let area = job.proposal().and_then(|proposal| proposal.area.as_deref());
    let (kind, number) = (job.order.kind, job.subject.0);
    match said {
        Some(said) => {
            let form = TitleForm::Said(said);
            TitleStyle { form, ..TitleStyle::default() }.write(kind, &words, number, area)
        }
        None => found.titles.write(kind, &words, number, area),
    }
}

/// GitHub closes the issue by this word when the change is merged; a pull request that is taken
/// back stays as it is.
pub(super) fn closing_keyword(job: &Job) -> &'static str {
    match job.order.kind {
        Kind::Fix => "Fixes",
        Kind::Build => "Closes",
        Kind::Revert => "Reverts",
    }
}

/// The whole commit message. Holds no word of the model.
pub fn commit_message(job: &Job, setting: &ReportContext, trailers: bool) -> String {
    let mut message = title(job);
    if let Some(reverted) = job.reverts() {
        // The words by which git and release tools know one.
        let _ = write!(message, "\n\nThis reverts commit {}.", reverted.commit);
    }
    if trailers {
        // What git made no model wrote.
        let model = match setting.show.model && !job.is_as_git_made_it() {
            true => format!(" ({})", setting.model),
            false => String::new(),
        };
        let _ = write!(
            message,
            "\n\nRequested-by: {login} <{id}+{login}@users.noreply.github.com>\n\
             Assisted-by: Gander {version}{model}\n",
            login = job.order.login,
            id = job.order.by_id,
            version = setting.version,
        );
    }
    if let Some(signature) = &job.conventions().signature {
        let gap = if trailers { "" } else { "\n\n" };
        let _ = writeln!(message, "{gap}Signed-off-by: {signature}");
    }
    message
}

/// The message of a commit on a pull request that others opened.
pub fn others_commit_message(job: &Job, setting: &ReportContext, trailers: bool) -> String {
    let conventional = job.conventions().titles.is_conventional();
    let what = if conventional { "fix: mend" } else { "Mend" };
    let message = commit_message(job, setting, trailers);
    let rest = message.split_once('\n').map_or("", |(_, rest)| rest);
    format!("{what} #{}\n{rest}", job.subject)
}

/// The message of a later commit on the branch.
pub fn round_commit_message(job: &Job, setting: &ReportContext, trailers: bool) -> String {
    let what = match job.review.round.as_ref().map(|round| &round.cause) {
        Some(Cause::Ci { check, .. }) => {
            let check = inline(check, 40).replace('\\', "").replace('[', "(").replace(']', ")");
            format!("repair {check}")
        }
        Some(Cause::Update { .. }) => {
            let base = job.base().map_or("base", |base| base.branch.as_str());
            let rest = commit_message(job, setting, trailers);
            let rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
            return format!("Merge branch '{base}' into {}\n{rest}", job.branch());
        }
        Some(Cause::People) | None => "answer the review".to_owned(),
    };
    let conventional = job.conventions().titles.is_conventional();
    let what = if conventional { format!("fix: {what}") } else { what };
    let message = commit_message(job, setting, trailers);
    let rest = message.split_once('\n').map_or("", |(_, rest)| rest);
    format!("{what} (#{})\n{rest}", job.subject)
}

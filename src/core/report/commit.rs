//! The words of commits, and of the pull request's title.
//!
//! Invariants: no word of the model is in them; what people wrote is inert, also in a commit.

use std::fmt::Write as _;

use super::ReportContext;
use crate::core::job::{Cause, Job, Kind};
use crate::core::text::inline;

/// Title of the pull request and first line of the commit.
pub fn title(job: &Job) -> String {
    let verb = match job.order.kind {
        Kind::Fix => "fix",
        Kind::Build => "feat",
    };
    // Plain text, not Markdown, and the first line of a commit: `[skip ci]` would act there.
    let words = inline(&job.order.issue.title, 60).replace('\\', "");
    let words = words.replace('[', "(").replace(']', ")");
    format!("{verb}: {words} (#{})", job.subject)
}

/// GitHub closes the issue by this word when the change is merged.
pub(super) fn closing_keyword(job: &Job) -> &'static str {
    match job.order.kind {
        Kind::Fix => "Fixes",
        Kind::Build => "Closes",
    }
}

/// The whole commit message. Holds no word of the model.
pub fn commit_message(job: &Job, setting: &ReportContext, trailers: bool) -> String {
    let mut message = title(job);
    if trailers {
        let model =
            if setting.show.model { format!(" ({})", setting.model) } else { String::new() };
        let _ = write!(
            message,
            "\n\nRequested-by: {login} <{id}+{login}@users.noreply.github.com>\n\
             Assisted-by: Gander {version}{model}\n",
            login = job.order.login,
            id = job.order.by_id,
            version = setting.version,
        );
    }
    message
}

/// The message of a later commit on the branch.
pub fn round_commit_message(job: &Job, setting: &ReportContext, trailers: bool) -> String {
    let what = match job.review.round.as_ref().map(|round| &round.cause) {
        Some(Cause::Ci { check, .. }) => {
            let check = inline(check, 40).replace('\\', "").replace('[', "(").replace(']', ")");
            format!("fix: repair {check}")
        }
        _ => "fix: answer the review".to_owned(),
    };
    let message = commit_message(job, setting, trailers);
    let rest = message.split_once('\n').map_or("", |(_, rest)| rest);
    format!("{what} (#{})\n{rest}", job.subject)
}

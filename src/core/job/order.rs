//! What is asked for, and how a job can end.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

use super::{NoRevert, NoUpdate};
use crate::core::budget::{Money, Payer};
use crate::core::event::IssueText;
use crate::core::id::{Branch, CommentId, Login, Sha, Timestamp, UserId};
use crate::core::kind::Kind;
use crate::core::other_work::OtherWork;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct JobOrder {
    /// Another prompt and commit type; the same gate.
    pub kind: Kind,
    /// Whose permission counts.
    #[serde(rename = "by")]
    pub by_id: UserId,
    /// Whom to mention.
    pub login: Login,
    pub at: Timestamp,
    /// The comment that asked, if it was one; gets the reaction.
    #[serde(rename = "comment")]
    pub comment_id: Option<CommentId>,
    /// The words of the request.
    pub request: String,
    /// The issue, as it was then.
    #[serde(default)]
    pub issue: IssueText,
    /// The asked-for cost limit.
    pub budget: Option<Money>,
    /// The asked-for base branch.
    pub base: Option<Branch>,
    /// The asked-for model.
    pub model: Option<String>,
    /// Whether it is about a pull request that others opened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_pull: bool,
    /// Whether a plan is made first, and agreed to by a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plan_first: bool,
    /// Whether to work though others are at it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub despite_others: bool,
    /// Rules whose findings stop nothing here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<RuleOverride>,
}

impl JobOrder {
    /// One without wishes.
    pub fn new(kind: Kind, (by_id, login): (UserId, Login), at: Timestamp) -> Self {
        Self {
            kind,
            by_id,
            login,
            at,
            comment_id: None,
            request: String::new(),
            issue: IssueText::default(),
            budget: None,
            base: None,
            model: None,
            on_pull: false,
            plan_first: false,
            despite_others: false,
            overrides: Vec::new(),
        }
    }
}

/// A rule that a person lets a change through in spite of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOverride {
    /// Its name.
    pub rule: String,
    /// Why, in that person's words.
    pub reason: String,
    /// Who.
    pub by: Login,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[allow(missing_docs)]
pub enum JobEnding {
    /// People merged the pull request.
    Merged { by: Option<Login> },
    /// People closed the pull request, or the issue before there was one.
    Closed { by: Option<Login> },
    /// One commit was pushed to the pull request of others.
    Pushed { head: Sha },
    /// The change is shown, for the author of a fork to take.
    Suggested,
    /// The rules do not allow it.
    Declined(Declined),
    /// The agent found nothing to change, and says why.
    NothingToFix { why: String },
    /// A test for the issue passes without any change: what was run, and whether the model was
    /// asked for another.
    NotReproducible {
        /// Rows of before call it why.
        #[serde(alias = "why")]
        commands: String,
        asked_again: bool,
    },
    /// All attempts ended red.
    GaveUp { why: String },
    /// The money is gone.
    OutOfBudget { why: String },
    /// The checks cannot be run here, with or without a change.
    CannotCheck { why: String },
    /// A person said stop; `None`: whoever runs the server.
    Cancelled { by: Option<Login> },
    /// What was to leave held a secret.
    Withheld { why: String },
    /// Something is broken that another attempt would not mend.
    Failed { why: String },
}

/// Why the rules do not allow it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Declined {
    /// The repository's file cannot be read as rules.
    BadConfig { problem: String },
    /// Nothing to work on.
    EmptyRepository,
    /// The asked-for branch is not there.
    NoSuchBranch { branch: Branch },
    /// The asked-for model is not on the operator's list.
    ModelNotAllowed { model: String, allowed: Vec<String> },
    /// Others are at it already.
    OtherWork(OtherWork),
    /// The base is not merged into the pull request.
    Update(NoUpdate),
    /// The pull request is not taken back.
    Revert(NoRevert),
    /// Too many of Gander's pull requests are open.
    TooManyOpenPulls { open: u32, limit: u32 },
    /// Too many of them wait for one person.
    TooManyForReviewer { open: u32, limit: u32, login: Login },
    /// Whoever asked may not any more.
    PermissionLost { login: Login, why: String },
    /// The label that keeps Gander away is set.
    Skipped,
    /// The issue is not open.
    SubjectClosed,
    /// The operator's limit for one job is reached.
    JobBudget { limit: Money },
    /// The day's money is spent.
    DayBudget { of: Payer, limit: Money },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_that_was_kept_before_is_read() {
        let kept = r#"{"not_reproducible": {"why": "pytest -q", "asked_again": true}}"#;
        let ending: JobEnding = serde_json::from_str(kept).unwrap();
        let commands = "pytest -q".to_owned();
        assert_eq!(ending, JobEnding::NotReproducible { commands, asked_again: true });
    }
}

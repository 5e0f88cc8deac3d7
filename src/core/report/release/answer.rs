//! Answers to commands that lead to no new release.
//!
//! Invariants: each says what is there instead, and the next step.

use crate::core::github::Role;
use crate::core::id::Number;
use crate::core::policy::RULES_PATH;
use crate::core::text::{inline, listed};

/// Answers to commands that lead to no new release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ReleaseReply {
    /// The open one takes the order up.
    Updates { pull: Option<Number> },
    /// People have edited it, so that its diff counts.
    Edited { pull: Option<Number> },
    /// It is too far on.
    UnderWay { tag: String },
    /// The next one waits behind it.
    Waits,
    /// None has failed.
    NothingToRetry,
    /// Another one is under way.
    RetryLater,
    /// More than one was asked for there.
    Several { pulls: Vec<Number> },
    /// It cannot be cancelled any more.
    TooLate { tag: String },
    /// It is being merged, so that nobody can say yet whether it can be cancelled.
    AboutToMerge { tag: String },
    /// Whoever asked may not.
    NeedsRole { needed: Role, has: Role },
    /// What is to be withdrawn is no release that is out.
    NotReleased { said: String },
    /// The words after `release` are none of those it knows.
    BadWord { said: String },
}

/// The answer in words.
pub fn answer(answer: &ReleaseReply, prefix: &str) -> String {
    let shown = |pull: &Option<Number>| {
        pull.map_or("The release under way".to_owned(), |pull| format!("#{pull}"))
    };
    match answer {
        ReleaseReply::Updates { pull } => {
            format!(
                "{} is brought up to date with that; there is one release at a time.",
                shown(pull)
            )
        }
        ReleaseReply::Edited { pull } => format!(
            "{} holds edits of people, and nothing of theirs is overwritten. Change the version in \
             its changelog and manifests by hand, or close it and comment \
             `{prefix} release` again.",
            shown(pull)
        ),
        ReleaseReply::UnderWay { tag } => format!(
            "{tag} is being merged or published. The next release waits behind it and begins when \
             it is over."
        ),
        ReleaseReply::Waits => {
            "A release waits already behind the one under way. It takes this order up.".to_owned()
        }
        ReleaseReply::NothingToRetry => format!(
            "There is nothing to retry: the last release here did not fail. `{prefix} release` \
             begins one."
        ),
        ReleaseReply::RetryLater => format!(
            "Another release is under way from this branch. When it is over, comment \
             `{prefix} release retry` again."
        ),
        ReleaseReply::Several { pulls } => format!(
            "Several releases were asked for here. Comment `{prefix} cancel` on the pull request of \
             the one that is meant: {}.",
            listed(pulls.iter().map(|pull| format!("#{pull}")))
        ),
        ReleaseReply::TooLate { tag } => format!(
            "{tag} is merged already, and what is merged cannot be cancelled. `{prefix} release \
             status` says how far it is; what is wrong with it, the next release puts right."
        ),
        ReleaseReply::AboutToMerge { tag } => format!(
            "{tag} is approved and being merged at this moment. If that fails, comment \
             `{prefix} cancel` again."
        ),
        ReleaseReply::NeedsRole { needed, has } => format!(
            "`release` needs {needed} access to this repository, and you have {has} access. The rule \
             is `[approval]` in `{RULES_PATH}` (default: maintain). Someone with {needed} access can \
             give the command."
        ),
        ReleaseReply::NotReleased { said } if said.is_empty() => {
            format!("Which version? `{prefix} release yank 1.2.0`.")
        }
        ReleaseReply::NotReleased { said } => format!(
            "There is no release {} here. `{prefix} release status` shows the last ones.",
            inline(said, 60)
        ),
        ReleaseReply::BadWord { said } => format!(
            "`release` takes major, minor, patch, a version such as 1.2.0, `status`, `retry` or \
             `yank`, not {}. Nothing was changed.",
            inline(said, 40)
        ),
    }
}

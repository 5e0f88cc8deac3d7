//! Words on what a pull request waits for.
//!
//! Invariants: every refusal says what is missing and the next step.

use super::flagged::{approve_flagged, flag_names};
use super::s;
use crate::core::approval::{NotApproved, WhyTwo};
use crate::core::event::SKIP_LABEL;
use crate::core::job::{Job, MOST_RERUNS, MissingChecks, NoRepair, Obstacle, RunAgain, WaitingFor};
use crate::core::policy::RULES_PATH;
use crate::core::text::{boxed, inline, listed};

/// What it waits for, and what people can do; empty where they need not be told.
pub(super) fn explained(job: &Job, waiting: &WaitingFor, prefix: &str) -> String {
    let head = job.pull.as_ref().map_or("", |pull| pull.head.short());
    match waiting {
        WaitingFor::Consent(why) => not_approved(why, head, prefix),
        WaitingFor::MissingChecks(checks) => missing(checks, head),
        WaitingFor::Setting(obstacle) => {
            let base = job.base().map_or("the base", |base| base.branch.as_str());
            let mut words = obstacle_words(obstacle, base);
            if *obstacle == Obstacle::Behind {
                words.push_str(&format!(" `{prefix} update` merges it in as well."));
            }
            format!("**Not merged as it stands**: {words}")
        }
        WaitingFor::Red { check, why } => red(&code(check), why, prefix),
        WaitingFor::HeadRed { head, why } => format!(
            "**Gander's own checks fail on `{}`**, a commit that a person made, so it is not \
             merged:\n\n{}\n\nPush a correction, or comment `{prefix} revise` and say what to do.",
            head.short(),
            boxed(why, 2000)
        ),
        WaitingFor::RoundsUsed { limit } => format!(
            "**All {limit} rounds of this pull request are used** (`[limits] rounds` in \
             `{RULES_PATH}`). Push to the branch yourself, or close this and comment \
             `{prefix} retry` on #{} with what matters.",
            job.subject
        ),
        WaitingFor::Conflict => format!(
            "**It conflicts with its base.** `{prefix} update` merges the base in, or merge it into \
             the branch yourself. Either way the new commit is checked, and needs an approval of \
             its own."
        ),
        WaitingFor::Blocked { head, why } => format!(
            "**GitHub does not merge `{}`**: {}\n\nGander tries again when GitHub says that the \
             way is free, or when somebody approves it anew.",
            head.short(),
            inline(why, 600)
        ),
        WaitingFor::Button => format!(
            "**Approved and green.** Merging is left to you, by `[merge] on = \"never\"` in \
             `{RULES_PATH}`, or because Gander works without a server here."
        ),
        WaitingFor::Command => format!(
            "**Approved and green.** `[merge] on = \"command\"` in `{RULES_PATH}` wants the command \
             to merge it:\n\n```text\n{prefix} approve {head}\n```"
        ),
        WaitingFor::BadRules { problem } => format!(
            "**The rules of this repository cannot be read**, so nothing is merged:\n\n{}\n\nMend \
             the file on the default branch.",
            boxed(problem, 500)
        ),
        WaitingFor::Github { why } => format!(
            "**GitHub does not show this pull request to Gander**: {}\n\nGander looks again every \
             five minutes. If it stays so, check that the App is installed on this repository and \
             has its permissions.",
            inline(why, 300)
        ),
        WaitingFor::Skipped => format!(
            "**The label `{SKIP_LABEL}` stands here**, so nothing is merged and no round begins. \
             Take it off, and Gander goes on."
        ),
        WaitingFor::Review
        | WaitingFor::HeadCheck
        | WaitingFor::Checks { .. }
        | WaitingFor::RoundFailed { .. } => String::new(),
    }
}

/// What keeps a pull request from being merged, and the way out, as sentences after a colon.
pub(super) fn obstacle_words(obstacle: &Obstacle, base: &str) -> String {
    let base = code(base);
    match obstacle {
        Obstacle::Draft => "it is a draft. Mark it as ready for review, and it goes on.".to_owned(),
        Obstacle::MergeQueue => format!(
            "`{base}` has a merge queue, and Gander puts nothing into one, because it merges \
             exactly what was approved. Approve it and use GitHub's button, which puts it into the \
             queue."
        ),
        Obstacle::Method { method, allowed } => {
            let method = method.as_str();
            let allowed = match allowed.as_slice() {
                [] => "none of GitHub's ways to merge".to_owned(),
                some => {
                    format!("only {}", listed(some.iter().map(|it| format!("`{}`", it.as_str()))))
                }
            };
            format!(
                "the settings of this repository or the rules of `{base}` allow {allowed}, and \
                 `[merge] method` in `{RULES_PATH}` is `{method}`. Change either, and it goes on."
            )
        }
        Obstacle::Behind => format!(
            "`{base}` has moved, and its rules want its newest commit in every pull request. Press \
             GitHub's button *Update branch*: the new commit is checked, and needs an approval of \
             its own."
        ),
    }
}

/// Required checks that may never come, and what to do.
pub(super) fn missing(checks: &MissingChecks, head: &str) -> String {
    let names = |names: &[String]| listed(names.iter().map(|name| format!("`{}`", code(name))));
    let mut parts = Vec::new();
    if !checks.not_run.is_empty() {
        parts.push(format!(
            "**Approved, but {} did not run on `{head}`** (skipped or neutral). GitHub counts that \
             as passed; for Gander it is no evidence. Let it run on this commit, and it goes on, or \
             merge with GitHub's button.",
            names(&checks.not_run)
        ));
    }
    if !checks.silent.is_empty() {
        parts.push(format!(
            "**Approved, but nobody has reported {} on `{head}`** for more than an hour, and GitHub \
             waits for it, too. Start what reports it, and it goes on, or take it off the required \
             checks of the branch and of `{RULES_PATH}`.",
            names(&checks.silent)
        ));
    }
    parts.join("\n\n")
}

fn not_approved(why: &NotApproved, head: &str, prefix: &str) -> String {
    match why {
        NotApproved::Nobody => String::new(),
        NotApproved::OtherCommit { login, approved } => format!(
            "**Not merged**: {login} approved `{}`, and the branch stands at `{head}` now. \
             Look at what changed and approve again, or comment `{prefix} approve {head}`.",
            approved.short()
        ),
        NotApproved::Before { login } => format!(
            "**Not merged**: {login} approved before the base branch or the rules for merging \
             changed. Approve again, or comment `{prefix} approve {head}`."
        ),
        NotApproved::NotAPerson { login } => {
            format!("**Not merged**: {login} is a program, and only a person's approval counts.")
        }
        NotApproved::NeedsRole { login, has, needed } => format!(
            "**Not merged**: {login} approved with {has} access, and {needed} access is needed \
             (`[approval] role` in `{RULES_PATH}`). Someone with {needed} access can approve `{head}`."
        ),
        NotApproved::Requester { login } => format!(
            "**Not merged**: {login} asked for this change, and somebody else has to approve it \
             (`[approval] requester` in `{RULES_PATH}`)."
        ),
        NotApproved::Pusher { login } => format!(
            "**Not merged**: {login} pushed to this branch or wrote some of it, and somebody else \
             has to approve it (`[approval] requester` in `{RULES_PATH}`)."
        ),
        NotApproved::SecondNeeded { login, because } => format!(
            "**Not merged**: {login} approved `{head}`, and a second person has to. {} \
             (`[approval] requester` in `{RULES_PATH}`).",
            why_two(*because)
        ),
        NotApproved::Flagged { login, paths } => format!(
            "**Not merged**: {login} approved `{head}`, which changes {}. Comment {}, or let a \
             second person approve.",
            flag_names(paths),
            approve_flagged(head, prefix)
        ),
        NotApproved::NobodyLeft { login, role } => format!(
            "**Not merged**: {login} approved `{head}`, and nobody is left whose approval would \
             count: who has {role} access asked for it, pushed some of it or may have. Give \
             somebody else {role} access, or change `[approval] requester` in `{RULES_PATH}`."
        ),
        NotApproved::Edited { login } => format!(
            "**Not merged**: the comment by {login} was edited after it was written. A new comment \
             counts: `{prefix} approve {head}`."
        ),
        NotApproved::Objection { login } => format!(
            "**Not merged**: {login}'s review still asks for changes. They can approve, or the \
             review can be dismissed."
        ),
    }
}

/// Why one approval is not enough, as the beginning of a sentence.
pub(super) fn why_two(because: WhyTwo) -> &'static str {
    match because {
        WhyTwo::AllHadAHand => "Everybody whose approval counts asked for it or pushed some of it",
        WhyTwo::PusherUnknown => {
            "GitHub does not say of every commit who pushed it, so one approval may be the pusher's"
        }
    }
}

fn red(check: &str, why: &NoRepair, prefix: &str) -> String {
    match why {
        NoRepair::RedOnBase => format!(
            "**`{check}` is red, and it is red on the base too**, so this change did not cause it. \
             It has to be mended there first."
        ),
        NoRepair::NeverOnBase => format!(
            "**`{check}` is red, and it never ran on the base**, so nobody knows whether this \
             change caused it. If it did, comment `{prefix} revise` and say what to do."
        ),
        NoRepair::ForEverybody { pulls } => {
            let count = pulls.len();
            format!(
                "**`{check}` is red on {count} other pull requests too** ({}), all within a day, and \
                 green on none since, so it seems to be broken for everybody. Nothing is changed \
                 for it here: it has to be mended where it is broken, and then run again.",
                listed(pulls.iter().map(|pull| format!("#{pull}")))
            )
        }
        NoRepair::Flaky { why, again, page } => {
            format!(
                "**`{check}` is red, and looks flaky**: {}. {}",
                inline(why, 200),
                run_again(again, page.as_deref())
            )
        }
        NoRepair::NotOurs => format!(
            "**`{check}` is red on a commit that a person made.** Push a correction, or comment \
             `{prefix} revise` and say what to do."
        ),
        NoRepair::RepairsUsed { limit } => format!(
            "**`{check}` is still red after {limit} repair{s}** (`[limits] ci_repairs` in \
             `{RULES_PATH}`). `{prefix} revise` with a hint tries again.",
            s = s(*limit)
        ),
    }
}

/// What becomes of a flaky check.
fn run_again(again: &RunAgain, page: Option<&str>) -> String {
    match again {
        RunAgain::ByUs { attempt, .. } => {
            format!("Gander runs it again ({attempt} of {MOST_RERUNS}).")
        }
        RunAgain::Later => "Gander runs it again once its run is over.".to_owned(),
        RunAgain::Spent => format!(
            "Its run was repeated {MOST_RERUNS} times, which is as often as Gander does that. Please \
             {}; Gander changes nothing for it.",
            linked("look at it", page)
        ),
        RunAgain::ByPerson => {
            format!("Please {}; Gander changes nothing for it.", linked("run it again", page))
        }
    }
}

/// Words as a link, where there is a page.
fn linked(words: &str, page: Option<&str>) -> String {
    let plain = |page: &&str| {
        let is_web = page.starts_with("https://") || page.starts_with("http://");
        is_web && page.chars().all(|c| c.is_ascii_graphic() && !"()<>[]\\`\"".contains(c))
    };
    match page.filter(plain) {
        Some(page) => format!("[{words}]({page})"),
        None => words.to_owned(),
    }
}

pub(super) fn code(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() && *c != '`').take(80).collect()
}

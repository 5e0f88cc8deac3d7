//! Why a job ended, and what to do then.
//!
//! Invariants: each names the rule, where it is set, and the next step.

use std::fmt::Write as _;

use crate::core::budget::Payer;
use crate::core::job::{Declined, Job, JobEnding, NoRevert, NoUpdate};
use crate::core::other_work::OtherWork;
use crate::core::policy::RULES_PATH;
use crate::core::text::{boxed, first_of, inline, listed};

use super::flagged::flag_lines;
use super::judgement::flags_of;
use super::overrides::how_to_override;
use super::proof::not_reproducible;
use super::suggestions::where_suggested;
use super::{ReportContext, outcome_words, s};

/// So many characters of an unverified change are shown.
pub const UNVERIFIED_CAP: usize = 20_000;

/// Why it ended, and what to do.
pub(super) fn why_it_ended(job: &Job, ending: &JobEnding, setting: &ReportContext) -> String {
    let prefix = &setting.prefix;
    match ending {
        JobEnding::Merged { .. } => String::new(),
        JobEnding::Closed { .. } => format!("`{prefix} retry` takes it up again."),
        JobEnding::Pushed { .. } | JobEnding::Suggested => others_pull(job, prefix),
        JobEnding::Declined(why) => declined(why, prefix),
        JobEnding::NothingToFix { why } => format!(
            "The model found nothing to change. In its words:\n\n{}\n\n\
             If that is wrong, say what is missing: `{prefix} retry` and your words.",
            boxed(why, 2000)
        ),
        JobEnding::NotReproducible { commands, asked_again } => {
            let again = format!("`{prefix} retry` with that in your words tries again.");
            not_reproducible(job, (commands, *asked_again), &again)
        }
        JobEnding::GaveUp { why } => format!(
            "No attempt passed the checks. The last one ended with:\n\n{}\n\n\
             No pull request was opened. `{prefix} retry` with a hint tries again from there.{}",
            boxed(why, 3000),
            how_to_override(job, prefix)
        ),
        JobEnding::OutOfBudget { why } => format!(
            "{why} No pull request was opened. `{prefix} fix budget=$N` starts again with more; \
             the ceiling is `[budget]` in `{RULES_PATH}`."
        ),
        JobEnding::Cancelled { .. } if job.review.foreign => {
            "Its pull request is closed. Its branch stays, for it holds commits of others."
                .to_owned()
        }
        JobEnding::Cancelled { .. } => {
            "Nothing of it is left in the repository. The issue is as it was.".to_owned()
        }
        JobEnding::CannotCheck { why } => format!(
            "The checks of this repository cannot be run here, with or without a change:\n\n{}\n\n\
             No pull request was opened. When that is mended, `{prefix} retry` goes on from the \
             last good point.",
            boxed(why, 2000)
        ),
        JobEnding::Withheld { why } => format!(
            "Something that must not leave was about to, so the job was stopped:\n\n{}\n\n{} If it \
             is a secret of the server, whoever runs the server has to change it. If it is one of \
             others, or only looks like one, say to do without it: `{prefix} retry` and your words.",
            boxed(why, 500),
            match job.pull {
                Some(_) => "The pull request is left as it is.",
                None => "Nothing was published.",
            }
        ),
        JobEnding::Failed { why } => format!(
            "Something outside the change went wrong:\n\n{}\n\n\
             When it is mended, `{prefix} retry` goes on from the last good point.",
            boxed(why, 2000)
        ),
    }
}

/// The change of a job that ended without a verdict for it.
pub(super) fn unverified(setting: &ReportContext) -> Option<String> {
    (!setting.unverified.is_empty()).then(|| {
        format!(
            "<details><summary>The change as it stood: not verified, and in no branch</summary>\n\n\
             {}\n\n</details>",
            boxed(&setting.unverified, UNVERIFIED_CAP)
        )
    })
}

/// Who else is at it, and how to go on.
fn other_work(others: &OtherWork, prefix: &str) -> String {
    let pulls = others
        .pulls
        .iter()
        .map(|(number, by)| format!("#{number} by `{by}` is open and closes it"));
    let branches = others
        .branches
        .iter()
        .map(|name| format!("the branch {} is named after it", inline(name, 80)));
    let all: Vec<String> = pulls.chain(branches).collect();
    format!(
        "Somebody is at this issue already, as it seems: {}. Nothing was done, and nothing was \
         spent. `{prefix} go` works on it all the same.",
        listed(first_of(&all, MOST_NAMED))
    )
}

/// So many of others' works are named.
const MOST_NAMED: usize = 5;

/// Why a pull request is not taken back.
fn no_revert(why: &NoRevert, prefix: &str) -> String {
    let by_hand = "Take it back by hand.";
    match why {
        NoRevert::NotMerged => format!(
            "This pull request is not merged, so there is nothing to take back. Close it if it is \
             not wanted; `{prefix} revert` is for merged ones."
        ),
        NoRevert::NotOnBranch { branch } => format!(
            "What this pull request was merged as is not on `{branch}`. Name the branch that holds \
             it: `{prefix} revert base=BRANCH`."
        ),
        NoRevert::Conflicts { paths } if paths.is_empty() => {
            format!("Directories that were renamed since are in the way. {by_hand}")
        }
        NoRevert::Conflicts { paths } => {
            let paths: Vec<String> = paths.iter().map(|path| inline(path, 120)).collect();
            format!(
                "What it brought was changed since, so it does not come off by itself: {}. Nothing \
                 was done, and nothing was spent. {by_hand} Or open an issue that says what is to \
                 be undone, and comment `{prefix} fix` there.",
                listed(first_of(&paths, MOST_NAMED))
            )
        }
        NoRevert::Unclear => format!(
            "It has several commits, and it cannot be told which on the branch they became, so \
             nothing was done. {by_hand}"
        ),
        NoRevert::NothingLeft => {
            "Nothing of what it brought is left on the branch: it was taken back already."
                .to_owned()
        }
        NoRevert::ByPeople(why) => format!(
            "It brought what people may change and Gander may not:\n\n{}\n\n{by_hand}",
            boxed(why, 1000)
        ),
        NoRevert::Links(1) => {
            format!("It brought a link or a submodule, which Gander does not write. {by_hand}")
        }
        NoRevert::Links(count) => {
            format!(
                "It brought {count} links or submodules, which Gander does not write. {by_hand}"
            )
        }
    }
}

/// Why the base is not merged in.
fn no_update(why: &NoUpdate) -> String {
    match why {
        NoUpdate::UpToDate => {
            "The pull request holds everything that is on its base already.".to_owned()
        }
        NoUpdate::Unrelated => "The pull request and its base share no commit, so neither can be \
                                merged into the other. Open a new issue and begin afresh."
            .to_owned(),
        NoUpdate::Directories => {
            "Directories that were renamed are in conflict with the base. Merge \
                                  the base into the branch by hand."
                .to_owned()
        }
        NoUpdate::NothingLeft => "The base holds the whole change of this pull request already. \
                                  Close it, or ask for something more."
            .to_owned(),
        NoUpdate::ByPeople(why) => format!(
            "The branch holds what people may change and Gander may not, so it does not commit \
             that anew:\n\n{}\n\nMerge the base into the branch by hand.",
            boxed(why, 1000)
        ),
        NoUpdate::Links(1) => "The pull request changes a link or a submodule, which Gander does \
                               not write. Merge the base into the branch by hand."
            .to_owned(),
        NoUpdate::Links(count) => format!(
            "The pull request changes {count} links or submodules, which Gander does not write. \
             Merge the base into the branch by hand."
        ),
    }
}

/// What became of a pull request that others opened: it is theirs.
fn others_pull(job: &Job, prefix: &str) -> String {
    let outcome = job.evidence().map_or("", |evidence| outcome_words(evidence.outcome()));
    let done = match job.others_pull().map(|pull| (&pull.branch, &pull.fork)) {
        Some((_, Some(fork))) => format!(
            "It is not pushed, because this pull request comes from {}, where Gander may not write. \
             Whoever may can apply it: save the change below as `gander.patch`, then \
             `git apply gander.patch`.{}",
            inline(fork, 100),
            where_suggested(job.review.on_lines)
        ),
        Some((branch, None)) => format!("One commit is on `{branch}`."),
        None => String::new(),
    };
    let mut text = format!("{outcome}. {done}\n\n");
    let flags = flags_of(job);
    if !flags.is_empty() {
        let _ = writeln!(text, "Look at these first:\n\n{}", flag_lines("- ", &flags));
    }
    if let Some(proposal) = job.proposal() {
        let (files, added, removed) = proposal.size;
        let _ = write!(
            text,
            "{files} file{}, +{added} −{removed}. In the model's words:\n\n{}\n\n",
            s(files),
            boxed(&proposal.summary, 4000)
        );
    }
    let _ = write!(
        text,
        "The pull request stays yours: Gander neither follows nor merges it. `{prefix} fix` and \
         your words work on it again."
    );
    text
}

fn pulls(count: u32) -> String {
    format!("{count} pull request{}", s(count))
}

pub(super) fn declined(why: &Declined, prefix: &str) -> String {
    match why {
        Declined::BadConfig { problem } => format!(
            "The rules of this repository cannot be read, so nothing was done:\n\n{}\n\n\
             Mend the file on the default branch, then comment `{prefix} retry`. \
             `gander config check` shows the same on your machine.",
            boxed(problem, 500)
        ),
        Declined::EmptyRepository => format!(
            "This repository has no commit yet, so there is nothing to work on. \
             Push a first commit, then comment `{prefix} retry`."
        ),
        Declined::NoSuchBranch { branch } => {
            format!("There is no branch `{branch}` here. Name another: `{prefix} fix base=BRANCH`.")
        }
        Declined::ModelNotAllowed { model, allowed } => format!(
            "The model `{model}` is not on this server's list ({}). \
             Leave `model=` out, or name one of these.",
            allowed.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        ),
        Declined::Update(why) => no_update(why),
        Declined::Revert(why) => no_revert(why, prefix),
        Declined::OtherWork(others) => other_work(others, prefix),
        Declined::TooManyOpenPulls { open, limit } => format!(
            "{} of Gander are open here, and `[limits] open_pulls` in `{RULES_PATH}` allows \
             {limit}. Merge or close one, then comment `{prefix} retry`.",
            pulls(*open)
        ),
        Declined::TooManyForReviewer { open, limit, login } => format!(
            "{} that {login} asked for wait here for a review, and `[limits] open_per_reviewer` in \
             `{RULES_PATH}` allows {limit}. Merge or close one, then comment `{prefix} retry`.",
            pulls(*open)
        ),
        Declined::PermissionLost { login, why } => format!(
            "{login} asked for this, and may no longer: {why} Nothing was published. \
             Someone with the permission can comment `{prefix} retry`."
        ),
        Declined::Skipped => format!(
            "The label `gander:skip` is set here. Remove it, then comment `{prefix} retry`."
        ),
        Declined::SubjectClosed => {
            format!("The issue was closed meanwhile. Reopen it, then comment `{prefix} retry`.")
        }
        Declined::JobBudget { limit } => format!(
            "This job has cost what the operator allows for one ({limit}). Nothing was pushed."
        ),
        Declined::DayBudget { of, limit } => {
            let (whose, set_by) = match of {
                Payer::Repository => ("this repository", format!("`[budget]` in `{RULES_PATH}`")),
                Payer::Person => ("whoever asked", format!("`[budget]` in `{RULES_PATH}`")),
                Payer::Installation => ("this installation", "the operator's".to_owned()),
            };
            format!(
                "Today's budget of {whose} ({limit}) is spent. It is full again at midnight UTC; \
                 the limit is {set_by}."
            )
        }
    }
}

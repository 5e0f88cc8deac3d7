//! Words on and about the pull request: what it waits for, what a round did, why it is not merged.
//!
//! Invariants: each is a function of the job alone; every refusal says what is missing and the next
//! step; nobody is mentioned but by an announcement (report.rs).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::flagged::flag_lines;
use super::judgement::{flags_of, opinion_section};
use super::overrides::how_to_override;
use super::waiting::{code, explained};
use super::{ReportContext, declined, first_words, marker, outcome_words, s, signed};
use crate::core::approval::NotApproved;
use crate::core::evidence::{Evidence, GreenOutcome};
use crate::core::id::{Login, Sha};
use crate::core::job::{
    Cause, Job, JobEnding, JobStage, MOST_NOTES, Round, RoundOutcome, ThreadAnswer, WaitingFor,
};
use crate::core::policy::{MergeOn, RULES_PATH};
use crate::core::text::{boxed, first_of, inline, listed};

/// Characters of a held change that people are shown in the comment, and of the list of its files.
/// Together with the rest they stay below what GitHub takes.
pub const HELD_CAP: usize = 20_000;
const FILES_CAP: usize = 20_000;
/// The same of reasons to hold a change back.
const MOST_RISKS: usize = 20;

/// What the first line of the pull request says of approving it.
pub fn consequence(job: &Job, head: &Sha, prefix: &str) -> String {
    let base = job.base().map_or("its base", |base| base.branch.as_str());
    let head = head.short();
    match job.rules().map_or(MergeOn::Review, |rules| rules.merge.on) {
        MergeOn::Review => {
            format!("Approving `{head}` merges it into `{base}`. It does not release.")
        }
        MergeOn::Command => format!(
            "Commenting `{prefix} approve {head}` merges it into `{base}`. It does not release."
        ),
        MergeOn::Never => {
            format!("Merging `{head}` into `{base}` is left to you. It does not release.")
        }
    }
}

/// One line for the status comment: what the job waits for.
pub fn waits_for(job: &Job, prefix: &str) -> Option<String> {
    if let JobStage::Holding { .. } = &job.stage {
        return Some(held(job, "the change below", prefix));
    }
    let JobStage::InReview { .. } = &job.stage else { return None };
    let waiting = match job.review.waiting.as_ref()? {
        WaitingFor::Review => return None,
        WaitingFor::HeadCheck => "A person's commit on the branch is being checked.".to_owned(),
        WaitingFor::Checks { names } => {
            format!("Approved. It waits for {}.", listed(names.iter().map(String::as_str)))
        }
        WaitingFor::Consent(NotApproved::Nobody) => "It waits for an approval.".to_owned(),
        WaitingFor::RoundFailed { .. } => outcome(job, prefix)?,
        other @ (WaitingFor::HeadRed { .. }
        | WaitingFor::MissingChecks(_)
        | WaitingFor::Setting(_)
        | WaitingFor::Red { .. }
        | WaitingFor::Consent(_)
        | WaitingFor::Button
        | WaitingFor::Command
        | WaitingFor::Conflict
        | WaitingFor::Blocked { .. }
        | WaitingFor::RoundsUsed { .. }
        | WaitingFor::Skipped
        | WaitingFor::Github { .. }
        | WaitingFor::BadRules { .. }) => first_words(&explained(job, other, prefix)),
    };
    Some(waiting)
}

/// Why a verified change is not pushed yet; `change` says where it is shown.
pub(super) fn held(job: &Job, change: &str, prefix: &str) -> String {
    let mut text = "The change is verified, but not pushed yet.".to_owned();
    if !job.review.touches.is_empty() {
        text.push_str(" What it was verified by has to be looked at by a person:\n");
        for what in first_of(&job.review.touches, MOST_RISKS) {
            let _ = write!(text, "\n- {}", inline(&what.replace('`', ""), 300));
        }
        text.push('\n');
    }
    if job.review.risks.is_empty() && !job.review.touches.is_empty() {
        text.push('\n');
    } else if job.review.risks.is_empty() {
        let _ = write!(text, " `[publish] mode = \"hold\"` in `{RULES_PATH}` asks for that.");
    } else {
        text.push_str(" Pushing it would let CI of this repository run on it with rights:\n");
        for risk in first_of(&job.review.risks, MOST_RISKS) {
            let _ = write!(text, "\n- {}", inline(&risk.replace('`', ""), 300));
        }
        text.push('\n');
    }
    let _ = write!(
        text,
        "\nLook at {change}, then comment `{prefix} go` to push it, or `{prefix} cancel`."
    );
    text
}

/// A held change: what to look at first, every file of it, and the change itself.
pub(super) fn held_change(job: &Job) -> String {
    let mut text = String::new();
    let flags = flags_of(job);
    if !flags.is_empty() {
        text.push_str("Look at these first:\n\n");
        let _ = writeln!(text, "{}", flag_lines("- ", &flags));
    }
    text.push_str(&opinion_section(job));
    let files = job.review.held_files.join("\n");
    let (files, change) = (boxed(&files, FILES_CAP), boxed(&job.review.held, HELD_CAP));
    let _ = write!(text, "{files}\n\n{change}");
    text
}

/// The comment of a round on the pull request: what was taken up, and what came of it.
pub fn round_comment(job: &Job, setting: &ReportContext) -> Option<String> {
    let round = job.review.round.as_ref()?;
    let number = job.stage.round().filter(|number| *number > 1)?;
    let mut text = match &round.outcome {
        None => format!("**On it**: {}", taken_up(round)),
        Some(_) => {
            format!("**Round {number}**: {}\n\n{}", taken_up(round), outcome(job, &setting.prefix)?)
        }
    };
    if let (Some(RoundOutcome::Pushed { head }), Some(from)) = (&round.outcome, &round.from) {
        let name = &job.repo.name;
        let range = format!("{}...{}", from.short(), head.short());
        let _ = write!(text, " [Changes since]({}/{name}/compare/{range})", setting.web);
    }
    Some(signed(&text, &round_marker(job, number)))
}

/// The marker of a round's comment.
pub fn round_marker(job: &Job, round: u32) -> String {
    marker(job.id.as_str(), &format!("round-{round}"))
}

fn taken_up(round: &Round) -> String {
    match &round.cause {
        Cause::Ci { check, green_on_base: true } => {
            format!("`{}` is red here and green on the base.", code(check))
        }
        Cause::Ci { check, green_on_base: false } => format!(
            "`{}` is red here and points at what changed. It never ran on the base.",
            code(check)
        ),
        Cause::Update { asked } => {
            let by = if *asked { format!(", as {} asked", round.login) } else { String::new() };
            let conflicts = round.update.as_ref().map_or(0, |update| update.conflicts.len());
            let conflicts = match conflicts {
                0 => String::new(),
                1 => " One file was in conflict.".to_owned(),
                _ => format!(" {conflicts} files were in conflict."),
            };
            format!("bringing it up to date with its base{by}.{conflicts}")
        }
        Cause::People => {
            let mut what = Vec::new();
            let threads = round.threads.len();
            if !round.reviewers.is_empty() {
                let names = listed(round.reviewers.iter().map(|login| login.as_str()));
                what.push(format!("the review by {names}"));
            }
            if !round.words.is_empty() {
                what.push(format!("the request by {}", round.login));
            }
            let points = match threads {
                0 => String::new(),
                1 => " (1 thread)".to_owned(),
                _ => format!(" ({threads} threads)"),
            };
            format!("{}{points}.", what.join(" and "))
        }
    }
}

/// What came of the last round, in one or two sentences.
fn outcome(job: &Job, prefix: &str) -> Option<String> {
    Some(match job.review.round.as_ref()?.outcome.as_ref()? {
        RoundOutcome::Pushed { head } => match job.evidence().map(Evidence::outcome) {
            Some(none @ GreenOutcome::NothingRan) => {
                format!("Done in `{}`. {}.", head.short(), outcome_words(none))
            }
            Some(GreenOutcome::Proven | GreenOutcome::ChecksPassed) | None => {
                format!("Done in `{}`, and checked.", head.short())
            }
        },
        RoundOutcome::NoChange { why } => {
            format!("The model found nothing to change. In its words:\n\n{}", boxed(why, 2000))
        }
        RoundOutcome::GaveUp { why } => format!(
            "No attempt passed the checks, so nothing was pushed. The last one ended with:\n\n{}{}",
            boxed(why, 2000),
            how_to_override(job, prefix)
        ),
        RoundOutcome::OutOfBudget { why } => format!("{why} Nothing was pushed."),
        RoundOutcome::Refused(why) => declined(why, prefix),
        RoundOutcome::Failed { why } => format!(
            "Something outside the change went wrong, and nothing was pushed:\n\n{}",
            boxed(why, 1000)
        ),
    })
}

/// The one comment that notifies whoever asked for a round. `None`: they are asked to review again.
pub fn round_announcement(job: &Job, setting: &ReportContext) -> Option<String> {
    let round = job.review.round.as_ref()?;
    let by_command = !round.words.is_empty() || round.cause == Cause::Update { asked: true };
    let pushed = matches!(round.outcome.as_ref()?, RoundOutcome::Pushed { .. });
    if pushed && !by_command {
        return None;
    }
    let words = outcome(job, &setting.prefix)?;
    let is_update = matches!(round.cause, Cause::Update { .. });
    let refused = matches!(round.outcome, Some(RoundOutcome::Refused(_)));
    let next = match pushed || (is_update && refused) {
        true => String::new(),
        false if is_update => {
            format!("\n\n`{} update` tries again; the pull request is as it was.", setting.prefix)
        }
        false => format!(
            "\n\n`{prefix} revise` with a hint tries again; the pull request is as it was.",
            prefix = setting.prefix
        ),
    };
    Some(format!("{words}{next}"))
}

/// To whoever asked for changes that were not taken up before people ended it.
pub(super) fn too_late(job: &Job, prefix: &str) -> Option<String> {
    let (JobStage::Done(ending), Some(pull)) = (&job.stage, &job.pull) else { return None };
    let (ended, next) = match ending {
        JobEnding::Merged { .. } => {
            ("merged", format!("open an issue and comment `{prefix} fix` there"))
        }
        JobEnding::Closed { .. } => {
            ("closed", format!("comment `{prefix} retry` and your words on #{}", job.subject))
        }
        JobEnding::Pushed { .. }
        | JobEnding::Suggested
        | JobEnding::Declined(_)
        | JobEnding::NothingToFix { .. }
        | JobEnding::NotReproducible { .. }
        | JobEnding::GaveUp { .. }
        | JobEnding::OutOfBudget { .. }
        | JobEnding::CannotCheck { .. }
        | JobEnding::Cancelled { .. }
        | JobEnding::Withheld { .. }
        | JobEnding::Failed { .. } => return None,
    };
    let whom: BTreeSet<String> =
        job.review.asks.iter().map(|ask| format!("@{}", ask.login)).collect();
    let number = pull.number;
    let text = format!(
        "{} #{number} was {ended} before what you asked for was taken up. If it is still wanted, {next}.",
        listed(whom.iter())
    );
    (!whom.is_empty()).then_some(text)
}

/// The answer in one thread.
pub fn thread_reply(
    answer: Option<&ThreadAnswer>,
    outcome: &RoundOutcome,
    resolved: bool,
) -> String {
    let machine = |words: &str| format!("In the model's words:\n\n{}", boxed(words, 1500));
    match (outcome, answer) {
        (RoundOutcome::Pushed { head }, Some(answer)) if resolved => {
            format!("Done in `{}`. {}", head.short(), machine(&answer.words))
        }
        (RoundOutcome::Pushed { head }, Some(answer)) => format!(
            "Not settled by `{}`, so this stays open. {}",
            head.short(),
            machine(&answer.words)
        ),
        (RoundOutcome::Pushed { head }, None) => format!(
            "`{}` was made with this in mind, but says nothing about it by itself. Please look.",
            head.short()
        ),
        (_, Some(answer)) => format!("Nothing was changed. {}", machine(&answer.words)),
        (_, None) => "Nothing was changed; why stands in the comment of this round.".to_owned(),
    }
}

/// Why the pull request does not go on, if a person has to be told. One text for one situation.
pub fn explanation(job: &Job, setting: &ReportContext) -> Option<String> {
    let mut text = String::new();
    if let Some(waiting) = job.review.waiting.as_ref().filter(|waiting| waiting.needs_words()) {
        text = explained(job, waiting, &setting.prefix);
    }
    for outsider in &job.review.outsiders {
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        let points = outsider.points;
        let _ = write!(
            text,
            "Thank you for the review, {login}. Its {points} point{s} wait{z} until someone with \
             write access comments `{prefix} take @{login}`.",
            login = outsider.login,
            s = s(points),
            z = if points == 1 { "s" } else { "" },
            prefix = setting.prefix
        )
        .map(drop);
        // A mention in a code span notifies nobody.
    }
    (!text.is_empty()).then_some(text)
}

/// Why what was asked for is not taken up.
pub fn no_round_left(job: &Job, limit: u32, setting: &ReportContext) -> String {
    explained(job, &WaitingFor::RoundsUsed { limit }, &setting.prefix)
}

/// Names a situation: the same explanation of the same head is given once.
pub fn situation(job: &Job, text: &str) -> String {
    use sha2::{Digest, Sha256};
    let head = job.pull.as_ref().map_or("", |pull| pull.head.as_str());
    let digest = Sha256::new().chain_update(head).chain_update(text).finalize();
    let name: String = digest.iter().take(6).map(|b| format!("{b:02x}")).collect();
    format!("explain-{name}")
}

/// The answer to `approve` without a commit, or with one that is not the head.
pub fn approve_how(head: Option<&Sha>, said: Option<&str>, prefix: &str) -> String {
    let Some(head) = head else {
        return format!(
            "There is no pull request of Gander's here to approve. `{prefix} status` shows more."
        );
    };
    let why = match said {
        None => "An approval names the commit it is for.".to_owned(),
        Some(said) => format!("`{}` is not the head of this branch.", code(said)),
    };
    format!(
        "{why} To approve what stands here now:\n\n```text\n{prefix} approve {}\n```",
        head.short()
    )
}

/// The answer to `approve` said where nobody looks for it.
pub fn approve_where(head: &Sha, prefix: &str) -> String {
    format!(
        "Said like this it does not count. Approve with GitHub's own review, or with a comment that \
         begins so (on a release pull request the App's name does not do instead):\n\n\
         ```text\n{prefix} approve {}\n```",
        head.short()
    )
}

/// The answer to a command that needs a pull request of Gander's that is open.
pub fn no_pull_here(verb: &str, prefix: &str) -> String {
    format!(
        "`{verb}` works on an open pull request of Gander's, and this is none. \
         `{prefix} status` shows what there is."
    )
}

/// The answer to `note` where nothing is at work.
pub fn nothing_at_work(prefix: &str) -> String {
    format!(
        "No job is at work here, so nobody would read that. `{prefix} fix` or `{prefix} retry` \
         takes your words with it."
    )
}

/// The answer to `note` without words.
pub fn empty_note(prefix: &str) -> String {
    format!("What should the agent be told? `{prefix} note`, and your words behind it.")
}

/// The answer to one note too many.
pub fn too_many_notes(prefix: &str) -> String {
    format!(
        "This round has {MOST_NOTES} notes already, and takes no more. When it is over, \
         `{prefix} revise` takes your words; `{prefix} cancel` stops it."
    )
}

/// The answer to `go` where nothing waits for it.
pub fn nothing_held(prefix: &str) -> String {
    format!("Nothing here waits for `{prefix} go`.")
}

/// The answer to `go` by somebody who cannot have seen what waits.
pub fn go_too_early(prefix: &str) -> String {
    format!(
        "What waits here was shown only after that. Look at it, then comment \
         `{prefix} go` again."
    )
}

/// The answer to `cancel` while GitHub is being asked to merge.
pub fn being_merged(job: &Job) -> String {
    let pull = job.pull.as_ref().map_or_else(String::new, |pull| format!("#{} ", pull.number));
    format!("Too late to stop: {pull}is being merged at this moment.")
}

/// The answer to a command that is another by now.
pub fn edited_since(prefix: &str) -> String {
    format!(
        "That comment was edited before it was read, so nothing was done. Say it in a new comment: \
         `{prefix} help` shows how."
    )
}

/// The answer to `take` of somebody who said nothing.
pub fn nothing_to_take(login: &str, waiting: &[String], prefix: &str) -> String {
    if waiting.is_empty() {
        return format!("No review by {} waits here.", code(login));
    }
    format!(
        "No review by {} waits here. Waiting: {}.",
        code(login),
        listed(waiting.iter().map(|it| format!("`{prefix} take @{it}`")))
    )
}

/// Title and text of the commit that merges.
pub fn merge_message(job: &Job, setting: &ReportContext) -> (String, String) {
    let pull = job.pull.as_ref().map_or(0, |pull| pull.number.0);
    let trailers = job.rules().is_none_or(|rules| rules.commit.trailers);
    let message = super::commit_message(job, setting, trailers);
    let (title, trailers) = message.split_once("\n\n").unwrap_or((&message, ""));
    let consent = consent_trailers(&job.review.approved_by, &job.review.pushed_by);
    let fixes = format!("{} #{}", super::closing_keyword(job), job.subject);
    (format!("{title} (#{pull})"), format!("{fixes}\n\n{trailers}{consent}"))
}

/// Who consented to a merge, and whose pushes are in it.
pub(super) fn consent_trailers(approved_by: &[Login], pushed_by: &[Login]) -> String {
    let approved = approved_by.iter().map(|login| format!("Approved-by: {login}\n"));
    let pushed = pushed_by.iter().map(|login| format!("Pushed-by: {login}\n"));
    approved.chain(pushed).collect()
}

/// How a merged job reads in one line.
pub fn merged(job: &Job, ending: &JobEnding) -> String {
    match (job.review.approved_by.as_slice(), ending) {
        (by @ [_, ..], _) => format!("**Merged**, approved by {}", listed(by)),
        ([], JobEnding::Merged { by: Some(by) }) => format!("**Merged** by {by}"),
        _ => "**Merged**".to_owned(),
    }
}

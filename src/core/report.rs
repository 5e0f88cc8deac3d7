//! All words for people.
//!
//! Invariants: what Gander says of a job is a function of the job alone, so the status comment is
//! right whenever it is written; others' words appear only boxed or inert (core/text.rs); each
//! refusal names the rule, where it is set, and the next step. Only an announcement mentions a
//! person, and only the one who asked.

#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt::Write as _;

mod card;
mod changed;
mod check_history;
mod checks;
mod commands;
mod comments;
mod commit;
mod endings;
mod expected_review;
mod explain;
mod flagged;
mod headline;
mod hidden;
mod judgement;
mod overrides;
mod plan;
mod proof;
mod review;
mod suggestions;
mod template;
mod waiting;

pub use card::{SlackCard, plain_words, slack_card, slack_issue, slack_state};
pub use check_history::check_history;
pub use checks::{check_run, why_no_test};
pub use commands::{bad_command, ended_early, help, not_known, not_without_server, under_way};
pub use comments::{end_of_markers, marker, most_comments};
pub use commit::{commit_message, others_commit_message, round_commit_message, title};
pub use endings::UNVERIFIED_CAP;
use expected_review::expected_review;
pub use explain::rules_and_facts;
pub use flagged::first_flags;
pub use headline::headline;
pub use judgement::{left_words, opinion_words};
pub use overrides::{not_blocked_by, overridden, override_denied, override_what, override_why};
pub use plan::too_many_plans;
pub use proof::{not_reproducible, outcome_words, why_not_proven};
pub use review::*;
pub use suggestions::{about_suggestions, suggestion};

use changed::changed_section;
use checks::{checked_step, checks_table};
use commit::closing_keyword;
use endings::{declined, why_it_ended};
use flagged::flag_lines;
use hidden::hidden_from_the_model;
use judgement::{flags_of, opinion_section};
use overrides::overrides;
use plan::{plan_announced, plan_section, plan_shown};
use proof::proof_section;
use review::{held, held_change};

use super::budget::{MergedCosts, Money};
use super::command::Verb;
use super::evidence::{GreenOutcome, VerifiedPatch};
use super::id::{CommentId, JobId, Number, Sha};
use super::job::{Job, JobEnding, JobStage, WaitingFor};
use super::policy::{Denied, RULES_PATH, Show};
use super::text::{boxed, inline, within};

pub mod publication;
pub mod registries;
pub mod release;
pub mod release_notes;

/// The label every pull request of Gander carries.
pub const AI_LABEL: &str = "gander:ai-generated";
/// The label of a pull request that no test shows to be needed.
pub const UNPROVEN_LABEL: &str = "gander:unproven";
/// The label of an issue Gander works on.
pub const WORKING_LABEL: &str = "gander:working";
/// The label of an issue at which Gander cannot go on without a person.
pub const NEEDS_HUMAN_LABEL: &str = "gander:needs-human";

/// What stands around a job and is told with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportContext {
    /// How people address Gander, `/gander` unless configured.
    pub prefix: String,
    /// The model's name.
    pub model: String,
    /// Gander's version.
    pub version: String,
    /// What the repository wants shown.
    pub show: Show,
    /// `12:03 UTC`: when this was written.
    pub now: String,
    /// What stands of a change that no pull request holds, as a diff: empty where there is none.
    pub unverified: String,
    /// The line that keeps the job where no server remembers it; else empty.
    pub kept: String,
    /// `https://github.com`, or an Enterprise Server's address: for links.
    pub web: String,
}

/// The one status comment of a job.
pub fn status_comment(job: &Job, setting: &ReportContext) -> String {
    let mut text = format!("{}\n\n", headline(job));
    // Where a secret was about to leave, nothing but our own words may.
    if !matches!(job.stage, JobStage::Done(JobEnding::Withheld { .. })) {
        text.push_str(&checklist(job));
        if let Some(hidden) = hidden_from_the_model(job) {
            let _ = write!(text, "\n{hidden}\n");
        }
    }
    if let JobStage::Done(ending) = &job.stage
        && !matches!(ending, JobEnding::Merged { .. })
    {
        let _ = write!(text, "\n{}\n", why_it_ended(job, ending, setting));
        if let Some(change) = endings::unverified(setting) {
            let _ = write!(text, "\n{change}\n");
        }
    }
    if let Some(waits_for) = waits_for(job, &setting.prefix) {
        let _ = write!(text, "\n{waits_for}\n");
    }
    if let JobStage::Holding { .. } | JobStage::Done(JobEnding::Suggested) = &job.stage {
        let _ = write!(text, "\n{}\n", held_change(job));
    }
    if let Some(plan) = plan_shown(job, &setting.prefix) {
        let _ = write!(text, "\n{plan}\n");
    }
    let _ = write!(text, "\n<sub>{}</sub>\n", footer(job, setting));
    let end = marker(job.id.as_str(), "status");
    match setting.kept.is_empty() {
        true => signed(&text, &end),
        false => signed(&text, &format!("{}\n{end}", setting.kept)),
    }
}

/// The one comment that notifies whoever asked. `None`: there is nothing they need to do or know.
/// `status` is the status comment, where what is held stands.
pub fn announcement(
    job: &Job,
    setting: &ReportContext,
    status: Option<CommentId>,
) -> Option<String> {
    if let Some(late) = too_late(job, &setting.prefix) {
        return Some(signed(&late, &announcement_marker(job)));
    }
    let words = match &job.stage {
        JobStage::InReview { round: 1 } => {
            let pull = job.pull.as_ref()?;
            format!("#{} is ready for your review.", pull.number)
        }
        JobStage::InReview { .. } => round_announcement(job, setting)?,
        JobStage::Holding { .. } => {
            held(job, &shown_in_status(job, "the change", setting, status), &setting.prefix)
        }
        JobStage::PlanReady { version } => {
            let plan = shown_in_status(job, "The plan", setting, status);
            plan_announced(*version, &plan, &setting.prefix)
        }
        JobStage::Done(JobEnding::Merged { .. } | JobEnding::Closed { .. }) => return None,
        JobStage::Done(ending) => {
            format!("{}\n\n{}", strip_marks(&headline(job)), why_it_ended(job, ending, setting))
        }
        JobStage::Queued
        | JobStage::Preparing
        | JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. } => return None,
    };
    let whom = match (&job.stage, &job.review.round) {
        (JobStage::InReview { round: 2.. }, Some(round)) => &round.login,
        _ => &job.order.login,
    };
    Some(signed(&format!("@{whom} {words}"), &announcement_marker(job)))
}

/// What stands in the status comment, with a link to that.
fn shown_in_status(
    job: &Job,
    what: &str,
    setting: &ReportContext,
    status: Option<CommentId>,
) -> String {
    let (web, name, issue) = (&setting.web, &job.repo.name, job.subject);
    status.map_or_else(
        || format!("{what} in the status comment on #{issue}"),
        |id| format!("[{what}]({web}/{name}/issues/{issue}#issuecomment-{id})"),
    )
}

/// What is about a round is said where the round is.
pub fn announced_on(job: &Job) -> Number {
    match (&job.stage, &job.pull) {
        (
            JobStage::InReview { round: 2.. }
            | JobStage::Holding { round: 2.. }
            | JobStage::Done(JobEnding::Merged { .. } | JobEnding::Closed { .. }),
            Some(pull),
        ) => pull.number,
        _ => job.subject,
    }
}

/// Each stop is told once: the end, each round, each change that is held.
pub fn announcement_marker(job: &Job) -> String {
    let held = job.proposal().map_or(String::new(), |it| it.patch.to_string());
    let part = match &job.stage {
        JobStage::InReview { round: round @ 2.. } => format!("announce-round-{round}"),
        JobStage::Holding { .. } => format!("announce-held-{}", held.get(..12).unwrap_or_default()),
        JobStage::PlanReady { version } => format!("announce-plan-{version}"),
        JobStage::Done(JobEnding::Merged { .. } | JobEnding::Closed { .. }) => {
            "announce-late".to_owned()
        }
        JobStage::Queued
        | JobStage::Preparing
        | JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::InReview { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. }
        | JobStage::Done(_) => "announce".to_owned(),
    };
    marker(job.id.as_str(), &part)
}

/// A text with its marker, which stands last so that previews begin with words. Whatever is said
/// on GitHub goes through here, and is never more than GitHub takes.
pub fn signed(text: &str, marker: &str) -> String {
    let text = within(text.trim_end(), LONGEST_BODY - marker.chars().count() - 2);
    format!("{text}\n\n{marker}")
}

/// So many characters GitHub takes as a comment, or as the text of a pull request.
const LONGEST_BODY: usize = 65_536;
/// So many as a title.
pub(super) const LONGEST_TITLE: usize = 256;
/// So many bytes as the summary of a check run.
const LONGEST_SUMMARY: usize = 65_535;

/// The label that shows the job's state on its issue, if any.
pub fn state_label(job: &Job) -> Option<&'static str> {
    match &job.stage {
        JobStage::Holding { .. } | JobStage::PlanReady { .. } => Some(NEEDS_HUMAN_LABEL),
        JobStage::InReview { .. } => {
            let waiting = job.review.waiting.as_ref();
            let stuck = waiting.is_some_and(|waiting| {
                waiting.needs_words() || matches!(waiting, WaitingFor::RoundFailed { .. })
            });
            stuck.then_some(NEEDS_HUMAN_LABEL)
        }
        // Preparing takes seconds: a label for that would cost two changes.
        JobStage::Queued | JobStage::Preparing | JobStage::Merging { .. } => None,
        JobStage::Done(
            JobEnding::GaveUp { .. }
            | JobEnding::OutOfBudget { .. }
            | JobEnding::CannotCheck { .. }
            | JobEnding::Withheld { .. }
            | JobEnding::Failed { .. },
        ) => Some(NEEDS_HUMAN_LABEL),
        JobStage::Done(_) => None,
        JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. } => Some(WORKING_LABEL),
    }
}

/// The pull request's text. `head` is the commit it proposes.
pub fn pull_body(job: &Job, head: &Sha, patch: &VerifiedPatch, setting: &ReportContext) -> String {
    let mut text = format!("{}\n\n", consequence(job, head, &setting.prefix));
    let _ = write!(text, "{}\n\n", expected_review(job, patch));
    text.push_str(&template::section(job, patch));
    let outcome = outcome_words(patch.outcome());
    if let Some(why) = checks::why_no_test(patch.tests()) {
        let _ = write!(text, "> [!WARNING]\n> **{outcome}.** {why}\n\n");
    }
    let overridden = overrides(job);
    let flags = flags_of(job);
    if !flags.is_empty() || !overridden.is_empty() {
        text.push_str("> [!IMPORTANT]\n> **Please look closely at:**\n");
        let _ = writeln!(text, "{overridden}{}", flag_lines("> - ", &flags));
    }
    text.push_str(&changed_section(job));
    text.push_str(&plan_section(job));
    text.push_str(&proof_section(job));
    text.push_str(&opinion_section(job));
    let checked = match patch.outcome() {
        GreenOutcome::Proven => outcome_words(GreenOutcome::ChecksPassed),
        GreenOutcome::ChecksPassed | GreenOutcome::NothingRan => outcome,
    };
    let _ = write!(
        text,
        "### {checked}\nRun by Gander in a fresh copy of the base commit with this change:\n\n"
    );
    text.push_str(&checks_table(job));
    let unchecked = match patch.outcome() {
        GreenOutcome::Proven => "What the tests and checks above do not cover",
        GreenOutcome::ChecksPassed | GreenOutcome::NothingRan => {
            "That the tests fail without the change, and whatever the checks above do not cover"
        }
    };
    let _ = write!(text, "\n### Not checked\n{unchecked}.\n\n");
    if let Some(hidden) = hidden_from_the_model(job) {
        let _ = write!(text, "{hidden}\n\n");
    }
    let _ = write!(text, "{} #{}\n\n", closing_keyword(job), job.subject);
    let _ = write!(
        text,
        "---\n<sub>Asked for by {}. Want it otherwise? Request changes in a review, comment \
         `{} revise` with what to do, or push to this branch. {}</sub>\n",
        job.order.login,
        setting.prefix,
        footer(job, setting)
    );
    signed(&text, &marker(job.id.as_str(), "pull"))
}

/// The answer to someone who may not.
pub fn denied(verb: Verb, denied: &Denied) -> String {
    match denied {
        Denied::NotAPerson => format!("`{verb}` is for people; programs command nothing here."),
        Denied::NeedsRole { needed, has } => format!(
            "`{verb}` needs {needed} access to this repository, and you have {has} access. \
             The rule stands in `{RULES_PATH}` under `[trigger]` (default: write). \
             Someone with {needed} access can give the command."
        ),
    }
}

/// The answer to `status`.
pub fn status_reply(jobs: &[Job], merged: Option<MergedCosts>, prefix: &str) -> String {
    if jobs.is_empty() {
        return format!("Gander is doing nothing here. `{prefix} fix` would start it.");
    }
    let mut text = String::new();
    for job in jobs {
        let _ =
            writeln!(text, "- {} · {} of {}", strip_marks(&headline(job)), job.spent, job.budget());
    }
    let shown = jobs.iter().all(|job| job.rules().is_none_or(|rules| rules.show.cost));
    if let Some(costs) = merged.filter(|costs| shown && costs.pulls > 0) {
        let count = costs.pulls;
        let each = Money::from_micros(costs.spent.micros() / i64::from(count));
        let _ = writeln!(
            text,
            "\nOf Gander's pull requests in this repository {count} {} merged in the last {} days. Each \
             cost {each}, counting the jobs that came to nothing.",
            if count == 1 { "was" } else { "were" },
            costs.days
        );
    }
    text
}

/// The answer to a command that fits nothing that is going on.
pub fn nothing_to(verb: Verb, prefix: &str) -> String {
    match verb {
        Verb::Cancel => "There is nothing to cancel: no job is under way here.".to_owned(),
        Verb::Explain => {
            format!(
                "There is nothing to explain: no job of Gander was here. `{prefix} fix` starts one."
            )
        }
        Verb::Retry => format!(
            "There is nothing to retry: no job of Gander ended here. `{prefix} fix` starts one."
        ),
        Verb::Fix
        | Verb::Build
        | Verb::Revise
        | Verb::Note
        | Verb::Take
        | Verb::Approve
        | Verb::Go
        | Verb::Override
        | Verb::Release
        | Verb::Update
        | Verb::Revert
        | Verb::Status
        | Verb::Help => format!("`{verb}` does nothing here."),
    }
}

/// The answer to `fix` or `build` where it cannot start.
pub fn cannot_start(verb: Verb, why: CannotStart, prefix: &str) -> String {
    match why {
        CannotStart::OnPull => format!(
            "This is Gander's own pull request. `{prefix} revise` and your words ask for one more \
             round; `{prefix} {verb}` works on issues and on the pull requests of others."
        ),
        CannotStart::Closed => {
            format!("This issue is closed. Reopen it, then comment `{prefix} {verb}` again.")
        }
        CannotStart::PullClosed => {
            format!("This pull request is closed. Reopen it, then comment `{prefix} {verb}` again.")
        }
        CannotStart::JobUnderWay => format!(
            "A job is still under way here, or its pull request is open: `{prefix} status` shows it, \
             `{prefix} cancel` stops it. Then comment `{prefix} {verb}` again."
        ),
        CannotStart::Released => format!(
            "This pull request made a release, and what is out stays out: `{prefix} release yank \
             VERSION` says how it is withdrawn. Take back what brought the fault, by `{prefix} \
             {verb}` on that pull request, and release anew."
        ),
        CannotStart::NotMerged => format!(
            "`{prefix} {verb}` takes back a merged pull request, and this is none. Comment it there."
        ),
    }
}

/// Why a job cannot start where it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CannotStart {
    OnPull,
    Closed,
    PullClosed,
    JobUnderWay,
    NotMerged,
    Released,
}

/// What is done of a job, and what comes.
fn checklist(job: &Job) -> String {
    let reached = match &job.stage {
        JobStage::Queued | JobStage::Preparing => 0,
        _ if job.pull.is_some() => 4,
        JobStage::Planning { .. } | JobStage::PlanReady { .. } | JobStage::Fixing { .. } => 1,
        JobStage::Verifying { .. } => 2,
        JobStage::Judging { .. } | JobStage::Publishing { .. } | JobStage::Holding { .. } => 3,
        JobStage::InReview { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. } => 4,
        JobStage::Done(_) if job.proposal().is_some() => 2,
        JobStage::Done(_) if job.base().is_some() => 1,
        JobStage::Done(_) => 0,
    };
    let base = job
        .base()
        .map_or(String::new(), |base| format!(" (`{}` at `{}`)", base.branch, base.sha.short()));
    let steps = [
        format!("read the rules and the code{base}"),
        "write the change".to_owned(),
        checked_step(job),
        match job.order.on_pull {
            true => "push it to the pull request".to_owned(),
            false => "open the pull request".to_owned(),
        },
    ];
    let mut text = String::new();
    for (i, step) in steps.iter().enumerate() {
        let mark = if i < reached { 'x' } else { ' ' };
        let _ = writeln!(text, "- [{mark}] {step}");
    }
    if matches!(job.stage, JobStage::Fixing { attempt, .. } if attempt > 1)
        && let Some((name, why)) = job.evidence().and_then(|e| e.failures().next())
    {
        let (name, why) = (inline(name, 100), boxed(why, 1500));
        let _ = write!(text, "\nThe attempt before failed at {name}:\n{why}\n");
    }
    text
}

/// What a job costs and is made by.
fn footer(job: &Job, setting: &ReportContext) -> String {
    let mut parts = Vec::new();
    if setting.show.cost && job.budget() > Money::ZERO {
        let estimate = job.prepared.as_ref().and_then(|prepared| prepared.estimate);
        let usual = estimate.map_or_else(String::new, |it| {
            format!(
                " (of {} jobs here half cost {} or less, nine of ten {})",
                it.of, it.median, it.most
            )
        });
        parts.push(format!("{} of {}{usual}", job.spent, job.budget()));
    }
    if setting.show.model {
        parts.push(setting.model.clone());
    }
    parts.push(format!("Gander {}", setting.version));
    parts.push(format!("job {}", job.id));
    parts.push(setting.now.clone());
    parts.join(" · ")
}

/// The first paragraph.
pub(super) fn first_words(text: &str) -> String {
    text.split("\n\n").next().unwrap_or_default().to_owned()
}

/// The ending of a plural.
pub(super) fn s(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn strip_marks(text: &str) -> String {
    text.replace("**", "")
}

/// How Gander calls its check.
pub const CHECK_NAME: &str = "Gander";

/// The external id of the job's check run.
pub fn check_external_id(job: &JobId) -> String {
    format!("gander-{job}")
}

#[cfg(test)]
#[path = "report/longest_tests.rs"]
mod tests;

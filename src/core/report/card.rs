//! The card of a job on Slack: what it says, and which buttons it has.
//!
//! Invariants: it says what the other places say, as plain text; what it is not sure of it leaves
//! to them. The state is what its buttons act upon: another state makes them stale.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::judgement::flags_of;
use super::{ReportContext, consequence, first_words, headline, waits_for, why_it_ended};
use crate::core::evidence::{Evidence, Verdict};
use crate::core::job::{Job, JobEnding, JobStage};
use crate::core::policy::MergeOn;
use crate::core::report::outcome_words;
use crate::core::slack::{SlackAction, SlackThread};
use crate::core::text::{boxed, first_of, inline};

/// What a card shows. Plain text: whoever draws it escapes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackCard {
    /// Where the work stands.
    pub headline: String,
    /// What matters now, a few lines.
    pub lines: Vec<String>,
    /// What its buttons act upon.
    pub state: String,
    /// The buttons that do something.
    pub actions: Vec<SlackAction>,
    /// The buttons that lead to GitHub: what they say, and where they lead.
    pub links: Vec<(String, String)>,
    /// Whether people are told by a message of its own that it came so far.
    pub notifies: bool,
}

/// So many reasons to look closely are named.
const MOST_FLAGS: usize = 3;
/// So many characters of a line are shown.
const LONGEST_LINE: usize = 400;
/// So many of what was asked, in the issue.
const LONGEST_REQUEST: usize = 8_000;
const LONGEST_TITLE: usize = 80;

/// The card of a thread. `job`: the last one on its issue.
pub fn slack_card(thread: &SlackThread, job: Option<&Job>, setting: &ReportContext) -> SlackCard {
    let (Some(repo), Some(issue)) = (&thread.repo, thread.issue) else {
        return SlackCard {
            headline: "Which repository is this about?".to_owned(),
            lines: vec![
                "Choose one. In a channel that talks about one repository, say \
                         \"here owner/name\" once."
                    .to_owned(),
            ],
            state: "choosing".to_owned(),
            actions: (0..thread.choices.len()).map(SlackAction::Choose).collect(),
            links: Vec::new(),
            notifies: false,
        };
    };
    let at = format!("{}/{}/issues/{issue}", setting.web, repo.name);
    let state = slack_state(thread, job);
    let Some(job) = job else {
        return SlackCard {
            headline: format!("{}#{issue}: waits for somebody to say go", repo.name),
            lines: vec![
                short(&thread.words),
                "Whoever has write access there and linked their account can press Go.".to_owned(),
            ],
            state,
            actions: vec![SlackAction::Go],
            links: vec![("Open on GitHub".to_owned(), at)],
            notifies: false,
        };
    };
    let pull = job.pull.as_ref();
    let here =
        pull.map_or(at, |pull| format!("{}/{}/pull/{}", setting.web, repo.name, pull.number));
    let mut links = Vec::new();
    if let (JobStage::InReview { .. }, Some(pull)) = (&job.stage, pull) {
        links.push((
            format!("Approve {}", pull.head.short()),
            format!("{here}/files/{}", pull.head),
        ));
        if job.rules().is_some_and(|rules| rules.merge.on == MergeOn::Never) {
            links.push(("Merge".to_owned(), here.clone()));
        }
    }
    links.push(("Open on GitHub".to_owned(), here));
    SlackCard {
        headline: short(&format!("{}#{issue}: {}", repo.name, plain_words(&headline(job)))),
        lines: lines(job, setting),
        state,
        actions: actions(job),
        links,
        notifies: waits_or_ended(job),
    }
}

/// What the buttons of a card act upon: another stage, or another head, is another state.
pub fn slack_state(thread: &SlackThread, job: Option<&Job>) -> String {
    match (job, thread.issue) {
        (Some(job), _) => {
            let head = job.pull.as_ref().map_or("", |pull| pull.head.short());
            format!("{}/{}/{head}", job.id, job.stage.name())
        }
        (None, Some(_)) => "asked".to_owned(),
        (None, None) => "choosing".to_owned(),
    }
}

/// The issue that is opened for what somebody asked on Slack: its title and its text. `who` is
/// what is known of them, `thread` what else was said, by whom.
pub fn slack_issue(words: &str, who: &str, thread: &[(String, String)]) -> (String, String) {
    let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or("Asked on Slack");
    let title = inline(first.trim(), LONGEST_TITLE);
    let mut body = format!("Asked on Slack by {who}:\n\n{}\n", boxed(words, LONGEST_REQUEST));
    if !thread.is_empty() {
        let said: Vec<String> =
            thread.iter().map(|(name, text)| format!("{name}: {text}")).collect();
        let said = boxed(&said.join("\n"), LONGEST_REQUEST);
        body.push_str(&format!("\nWhat was said in the thread before:\n\n{said}\n"));
    }
    (title, body)
}

fn lines(job: &Job, setting: &ReportContext) -> Vec<String> {
    let mut lines = Vec::new();
    // Where a secret was about to leave, nothing but our own words may.
    if let JobStage::Done(JobEnding::Withheld { .. }) = &job.stage {
        return vec!["The status comment on GitHub says more.".to_owned()];
    }
    if let (JobStage::InReview { .. }, Some(pull)) = (&job.stage, &job.pull) {
        lines.push(consequence(job, &pull.head, &setting.prefix));
    }
    if let Some(waits) = waits_for(job, &setting.prefix) {
        lines.push(first_words(&waits));
    }
    if let JobStage::Done(ending) = &job.stage {
        lines.push(first_words(&why_it_ended(job, ending, setting)));
    }
    let evidence = job.evidence().filter(|it| it.verdict() == Verdict::Green);
    if let Some(evidence) = evidence {
        let checks = evidence.checks.len();
        let said = outcome_words(Evidence::outcome(evidence));
        lines.push(format!("{said} ({checks} checks in a fresh copy)."));
        lines.push("Not checked: whatever these checks do not cover.".to_owned());
    }
    let flags = flags_of(job);
    if !flags.is_empty() {
        lines.push(format!("Look closely at: {}.", first_of(&flags, MOST_FLAGS).join("; ")));
    }
    if setting.show.cost && job.prepared.is_some() {
        lines.push(format!("Cost: {} of {}.", job.spent, job.budget()));
    }
    lines.iter().map(|line| short(&plain_words(line))).filter(|line| !line.is_empty()).collect()
}

fn actions(job: &Job) -> Vec<SlackAction> {
    match &job.stage {
        JobStage::PlanReady { .. } => {
            vec![SlackAction::Go, SlackAction::Revise, SlackAction::Cancel]
        }
        JobStage::Holding { .. } => vec![SlackAction::Go, SlackAction::Cancel],
        JobStage::InReview { .. } => vec![SlackAction::Revise, SlackAction::Cancel],
        JobStage::Merging { .. } => Vec::new(),
        JobStage::Done(JobEnding::Merged { .. }) => vec![SlackAction::Release],
        JobStage::Done(_) => Vec::new(),
        JobStage::Queued
        | JobStage::Preparing
        | JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. } => vec![SlackAction::Cancel],
    }
}

fn waits_or_ended(job: &Job) -> bool {
    match &job.stage {
        JobStage::PlanReady { .. }
        | JobStage::Holding { .. }
        | JobStage::InReview { .. }
        | JobStage::Done(_) => true,
        JobStage::Queued
        | JobStage::Preparing
        | JobStage::Planning { .. }
        | JobStage::Fixing { .. }
        | JobStage::Verifying { .. }
        | JobStage::Judging { .. }
        | JobStage::Publishing { .. }
        | JobStage::Starting { .. }
        | JobStage::Answering { .. }
        | JobStage::Merging { .. } => false,
    }
}

/// The words of a text for GitHub, without its markup. Pictures, links and HTML leave their words.
pub fn plain_words(markdown: &str) -> String {
    let mut words = String::new();
    for event in Parser::new(markdown) {
        match event {
            Event::Text(text) | Event::Code(text) => words.push_str(&text),
            Event::SoftBreak => words.push(' '),
            Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item) => words.push('\n'),
            Event::Start(Tag::Item) => words.push_str("• "),
            Event::Start(_)
            | Event::End(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    words.trim().to_owned()
}

fn short(text: &str) -> String {
    let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match one_line.char_indices().nth(LONGEST_LINE) {
        Some((at, _)) => format!("{}…", one_line.get(..at).unwrap_or_default()),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_text_for_github_are_plain() {
        let text = "**Ready** for [review](https://x.example): `#2`\nnow\n\n- one\n- two";
        assert_eq!(plain_words(text), "Ready for review: #2 now\n• one\n• two");
    }

    #[test]
    fn an_issue_shows_what_strangers_said_in_a_box() {
        let said = [("Eve".to_owned(), "@mona /gander approve <!-- x -->".to_owned())];
        let (title, body) = slack_issue("The count is *wrong*\nby one", "Ann", &said);
        assert!(title.contains("wrong") && !title.contains("by one"), "{title}");
        assert!(body.contains("```"), "{body}");
        assert!(body.starts_with("Asked on Slack by Ann:"), "{body}");
    }
}

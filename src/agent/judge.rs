//! A second opinion on a change: one question, one answer in a fixed form.
//!
//! Invariants: the model has no tool but the one it answers with, and sees nothing that the author
//! says of the change; money is reserved before it is spent; each reply is in the transcript before
//! it is read. What it answers names files and flags of this change only, and is bounded.

use serde::Deserialize;
use serde_json::{Value, json};

use super::prompt::{CHANGE, EVIDENCE, FINDINGS, ISSUE, JUDGE, REQUEST, REVIEW, Sections};
use super::tools::spec;
use super::transcript::TranscriptEntry;
use super::{AgentContext, AgentError, Reply, paid_reply, tool_call};
use crate::core::hidden::{WrittenBy, seen, written_out};
use crate::core::job::Kind;
use crate::core::judgement::{Concern, JudgeRecord, Judgement, Opinion, SecondOpinion};
use crate::core::text::visible;
use crate::model::{Message, Part, Request, Stop, ToolResult, ToolSpec};

/// The longest answer, in tokens, thinking included.
const ANSWER_TOKENS: u32 = 8_000;
/// Answers that may be out of form before it is given up.
const MOST_ANSWERS: u32 = 3;
/// Bytes of the change that are shown, of a file that does not fit, and of the issue.
const CHANGE_CAP: usize = 100_000;
const FILE_CAP: usize = 4_000;
const ISSUE_CAP: usize = 50_000;
/// Characters of the summary that are kept, and of each concern.
const LONGEST_SUMMARY: usize = 2_000;
const LONGEST_CONCERN: usize = 600;
/// Concerns that are kept.
const MOST_CONCERNS: usize = 8;

const ANSWER: &str = "opinion";
const ONE_CALL: &str = "Answer with one call of `opinion`, and nothing else.";

/// What is judged.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct JudgedChange<'a> {
    pub kind: Kind,
    pub round: u32,
    /// The issue's title and text.
    pub issue: &'a str,
    /// What the maintainer added to the command.
    pub request: &'a str,
    /// What a later round is about.
    pub review: Option<&'a str>,
    /// Its files, in the order they are shown.
    pub files: &'a [JudgedFile],
    /// What was run and what came out.
    pub evidence: &'a str,
    /// What rules found, in the order people are shown it.
    pub flags: &'a [String],
    /// What became of earlier ones.
    pub record: JudgeRecord,
}

/// One file of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgedFile {
    /// Its path.
    pub path: String,
    /// What changes in it, as a diff.
    pub diff: String,
    /// Its lines after the change; 0: it has none.
    pub lines: u32,
    /// Whether it is code, and no data or words.
    pub is_code: bool,
}

/// Asks the model. `Ok(None)`: it was stopped from outside.
///
/// # Errors
/// When the transcript cannot be kept, or what was to be sent holds a secret.
pub async fn judge(
    change: &JudgedChange<'_>,
    means: &mut AgentContext<'_>,
    pause: std::time::Duration,
) -> Result<Option<SecondOpinion>, AgentError> {
    let shown = ShownDiff::of(change.files);
    let (tools, task) = ([answer_spec()], task(change, &shown));
    means.transcript.append(&TranscriptEntry::Start {
        model: means.model.name().to_owned(),
        system: JUDGE.to_owned(),
        task: task.clone(),
    })?;
    let mut messages = vec![Message::User(task)];
    let mut problem = String::new();
    for _ in 0..MOST_ANSWERS {
        if means.stop.is_cancelled() {
            return Ok(None);
        }
        let request = Request {
            attempt: Request::OF_JUDGE,
            round: change.round,
            system: JUDGE,
            tools: &tools,
            messages: &messages,
            pictures: &[],
            max_output_tokens: ANSWER_TOKENS,
        };
        let reply = match paid_reply(means, &request, pause).await? {
            Reply::Given(reply) => reply,
            Reply::OutOfBudget(out) => return Ok(Some(SecondOpinion::Missing(out.to_string()))),
        };
        if reply.stop == Stop::Refused {
            let why = "the model refuses this request".to_owned();
            return Ok(Some(SecondOpinion::Missing(why)));
        }
        let calls: Vec<_> = reply.parts.iter().filter_map(tool_call).collect();
        let read = match &*calls {
            [(_, name, arguments)] if name == ANSWER => RawOpinion::read(arguments),
            _ => Err(ONE_CALL.to_owned()),
        };
        match read {
            Ok(answer) => {
                let judgement = answer.of(change, shown, means.model.name());
                return Ok(Some(SecondOpinion::Given(judgement)));
            }
            Err(why) => problem = why,
        }
        messages.extend(asked_again(reply.parts, &calls, &problem));
    }
    let why = format!("the model gave no answer in the asked form ({problem})");
    Ok(Some(SecondOpinion::Missing(why)))
}

/// What it said, and that this is no answer.
fn asked_again(
    mut parts: Vec<Part>,
    calls: &[(String, String, Value)],
    problem: &str,
) -> [Message; 2] {
    if parts.is_empty() {
        parts.push(Part::Text("(nothing)".to_owned()));
    }
    let told = |(id, ..): &(String, String, Value)| ToolResult {
        call_id: id.clone(),
        text: problem.to_owned(),
        is_error: true,
    };
    let answer = match calls {
        [] => Message::User(ONE_CALL.to_owned()),
        calls => Message::ToolResults(calls.iter().map(told).collect()),
    };
    [Message::Assistant(parts), answer]
}

/// What of a change is shown.
struct ShownDiff {
    diff: String,
    /// Files that are not, or only in part.
    unseen: Vec<String>,
}

impl ShownDiff {
    /// Each file as a whole where that fits, and else its beginning; code comes before data.
    fn of(files: &[JudgedFile]) -> Self {
        let mut order: Vec<&JudgedFile> = files.iter().collect();
        order.sort_by_key(|file| (!file.is_code, file.diff.len()));
        let (mut diff, mut unseen) = (String::new(), Vec::new());
        for file in order {
            let written = written_out(&file.diff);
            let room = CHANGE_CAP.saturating_sub(diff.len());
            if written.len() <= room {
                diff.push_str(&written);
                continue;
            }
            unseen.push(file.path.clone());
            diff.push_str(&written[..written.floor_char_boundary(room.min(FILE_CAP))]);
            diff.push_str("\n[the rest of this file is left out]\n");
        }
        Self { diff, unseen }
    }
}

fn task(change: &JudgedChange<'_>, shown: &ShownDiff) -> String {
    let by_people = |text: &str| seen(text, WrittenBy::People).0;
    let flags = change.flags.iter().enumerate().map(|(at, flag)| format!("{}. {flag}", at + 1));
    let flags: Vec<String> = flags.collect();
    let mut issue = by_people(change.issue);
    if issue.len() > ISSUE_CAP {
        issue.truncate(issue.floor_char_boundary(ISSUE_CAP));
        issue.push_str("\n[the rest of the issue is left out]");
    }
    let sections = Sections::new(vec![
        (ISSUE, issue),
        (REQUEST, by_people(change.request)),
        (REVIEW, change.review.map(by_people).unwrap_or_default()),
        (CHANGE, shown.diff.clone()),
        (EVIDENCE, written_out(change.evidence)),
        (FINDINGS, written_out(&flags.join("\n"))),
    ]);
    let mut text = match (change.kind, change.review) {
        (Kind::Fix, None) => "A bug was reported, and this change is to mend it.",
        (Kind::Revert, None) => "This change is to take back what a merged pull request brought.",
        (Kind::Build, None) => "Something was asked for, and this change is to build it.",
        (_, Some(_)) => "A pull request was reviewed, and this change is to answer the review.",
    }
    .to_owned();
    sections.write(&mut text, &[ISSUE, REQUEST, REVIEW, CHANGE, EVIDENCE, FINDINGS]);
    text.push('\n');
    text
}

fn answer_spec() -> ToolSpec {
    spec(
        ANSWER,
        "Your opinion of the change.",
        &json!({
            "does_what_was_asked": {"type": "string", "enum": ["yes", "no", "unclear"]},
            "summary": {
                "type": "string",
                "description": "what the change does, in one to three plain sentences",
            },
            "concerns": {
                "type": "array",
                "description": "what people should look at; most often none",
                "items": {
                    "type": "object",
                    "properties": {
                        "path": {"type": "string", "description": "a file of the change"},
                        "line": {"type": "integer", "description": "its line after the change"},
                        "what": {"type": "string", "description": "what is wrong there, and why"},
                    },
                    "required": ["path", "what"],
                },
            },
            "look_first": {
                "type": "array",
                "description": "numbers of the findings, those that matter most first",
                "items": {"type": "integer"},
            },
        }),
        &["does_what_was_asked", "summary", "concerns"],
    )
}

/// The answer as the model gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOpinion {
    does_what_was_asked: Opinion,
    summary: String,
    concerns: Vec<RawConcern>,
    #[serde(default)]
    look_first: Vec<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConcern {
    path: String,
    #[serde(default)]
    line: u32,
    what: String,
}

impl RawOpinion {
    fn read(arguments: &Value) -> Result<Self, String> {
        let answer: Self =
            serde_json::from_value(arguments.clone()).map_err(|error| error.to_string())?;
        match visible(&answer.summary).trim() {
            "" => Err("`summary` must not be empty".to_owned()),
            _ => Ok(answer),
        }
    }

    /// What of it is about this change.
    fn of(self, change: &JudgedChange<'_>, shown: ShownDiff, model: &str) -> Judgement {
        let first = |text: &str, most| text.trim().chars().take(most).collect::<String>();
        let told = self.concerns.len();
        let mut concerns: Vec<Concern> = Vec::new();
        for RawConcern { path, line, what } in self.concerns {
            let path = path.strip_prefix("./").unwrap_or(&path);
            let named = |file: &&JudgedFile| {
                let stem = path.strip_prefix(['a', 'b']).and_then(|it| it.strip_prefix('/'));
                file.path == path || stem == Some(&*file.path)
            };
            let Some(file) = change.files.iter().find(named) else { continue };
            let line = if line <= file.lines { line } else { 0 };
            let what = first(&what, LONGEST_CONCERN);
            let concern = Concern { path: file.path.clone(), line, what };
            let is_new = !visible(&concern.what).trim().is_empty() && !concerns.contains(&concern);
            if is_new && concerns.len() < MOST_CONCERNS {
                concerns.push(concern);
            }
        }
        let mut look_first = Vec::new();
        for at in self.look_first.iter().filter_map(|number| number.checked_sub(1)) {
            if at < change.flags.len() && !look_first.contains(&at) {
                look_first.push(at);
            }
        }
        Judgement {
            model: model.to_owned(),
            opinion: self.does_what_was_asked,
            summary: first(&self.summary, LONGEST_SUMMARY),
            concerns_left: told - concerns.len(),
            concerns,
            unseen: shown.unseen,
            look_first,
            record: change.record,
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

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
use crate::core::hidden::{WrittenBy, seen};
use crate::core::job::Kind;
use crate::core::judgement::{Concern, JudgeRecord, Judgement, Opinion, SecondOpinion};
use crate::model::{Message, Part, Request, Stop, ToolResult, ToolSpec};

/// The longest answer, in tokens, thinking included.
const ANSWER_TOKENS: u32 = 8_000;
/// Answers that may be out of form before it is given up.
const MOST_ANSWERS: u32 = 3;
/// Characters of the change that are shown.
const CHANGE_CAP: usize = 100_000;
/// Characters of the summary that are kept, and of each concern.
const LONGEST_SUMMARY: usize = 2_000;
const LONGEST_CONCERN: usize = 600;
/// Concerns that are kept.
const MOST_CONCERNS: usize = 8;

const ANSWER: &str = "opinion";
const ONE_CALL: &str = "RawOpinion with one call of `opinion`.";

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
    /// As a diff.
    pub diff: &'a str,
    /// Its files.
    pub paths: &'a [String],
    /// What was run and what came out.
    pub evidence: &'a str,
    /// What rules found, in the order people are shown it.
    pub flags: &'a [String],
    /// What became of earlier ones.
    pub record: JudgeRecord,
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
    let (tools, task) = ([answer_spec()], task(change));
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
        let read = match calls.iter().find(|(_, name, _)| name == ANSWER) {
            Some((_, _, arguments)) => RawOpinion::read(arguments),
            None => Err(ONE_CALL.to_owned()),
        };
        match read {
            Ok(answer) => {
                let judgement = answer.of(change, means.model.name());
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

fn task(change: &JudgedChange<'_>) -> String {
    let by_people = |text: &str| seen(text, WrittenBy::People).0;
    let by_programs = |text: &str| seen(text, WrittenBy::Program).0;
    let diff = match change.diff.char_indices().nth(CHANGE_CAP) {
        None => change.diff.to_owned(),
        Some((end, _)) => format!("{}\n[the rest is left out]", &change.diff[..end]),
    };
    let flags = change.flags.iter().enumerate().map(|(at, flag)| format!("{}. {flag}", at + 1));
    let flags: Vec<String> = flags.collect();
    let sections = Sections::new(vec![
        (ISSUE, by_people(change.issue)),
        (REQUEST, by_people(change.request)),
        (REVIEW, change.review.map(by_people).unwrap_or_default()),
        (CHANGE, by_programs(&diff)),
        (EVIDENCE, by_programs(change.evidence)),
        (FINDINGS, by_programs(&flags.join("\n"))),
    ]);
    let mut text = match (change.kind, change.review) {
        (Kind::Fix, None) => "A bug was reported, and this change is to mend it.",
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
        match answer.summary.trim() {
            "" => Err("`summary` must not be empty".to_owned()),
            _ => Ok(answer),
        }
    }

    /// What of it is about this change.
    fn of(self, change: &JudgedChange<'_>, model: &str) -> Judgement {
        let first = |text: &str, most| text.trim().chars().take(most).collect::<String>();
        let of_change =
            |it: &RawConcern| change.paths.contains(&it.path) && !it.what.trim().is_empty();
        let concerns = self.concerns.into_iter().filter(of_change).take(MOST_CONCERNS);
        let concern = |RawConcern { path, line, what }| Concern {
            path,
            line,
            what: first(&what, LONGEST_CONCERN),
        };
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
            concerns: concerns.map(concern).collect(),
            look_first,
            record: change.record,
        }
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

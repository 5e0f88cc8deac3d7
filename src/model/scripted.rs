//! A model that plays a file: for tests, demos and trying out an installation without a key.
//!
//! Invariants: which turn is played follows from the request alone, so a restart changes nothing:
//! round and attempt (or that an opinion is asked for) pick the list, the number of answers already
//! in the conversation picks the turn. Every request is checked against [`protocol`] first. Only
//! faults with `times` are counted, per process.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Model, ModelError, ModelReply, Part, Price, Request, Stop, Usage, protocol};

/// A model whose every word is known beforehand.
#[derive(Debug)]
pub struct Scripted {
    origin: String,
    script: Script,
    /// How often each fault with `times` was played: (round, attempt, turn) from 1.
    faults_played: Mutex<BTreeMap<(usize, usize, usize), u32>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default = "default_name")]
    model: String,
    #[serde(default)]
    price: Price,
    attempts: Vec<Vec<ScriptedTurn>>,
    /// The attempts of each later round.
    #[serde(default)]
    rounds: Vec<Vec<Vec<ScriptedTurn>>>,
    /// The answers when a second opinion is asked for, by round.
    #[serde(default)]
    opinions: Vec<Vec<ScriptedTurn>>,
    /// The answers when a plan is asked for, by version.
    #[serde(default)]
    plans: Vec<Vec<ScriptedTurn>>,
}

fn default_name() -> String {
    "scripted".to_owned()
}

/// One answer. Without calls it ends the model's turn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedTurn {
    /// Words, before the calls.
    pub say: String,
    /// Tools it wants used.
    pub calls: Vec<ScriptedCall>,
    /// Tokens the answer is said to have taken.
    pub usage: Usage,
    /// Why it stops; by default `tool_use` with calls and `end_turn` without.
    pub stop: Option<Stop>,
    /// A failure instead of the answer.
    pub fail: Option<ScriptedFailure>,
}

/// One tool call: the tool's name; every other key is an argument.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)]
pub struct ScriptedCall {
    pub tool: String,
    /// Its arguments.
    #[serde(flatten)]
    pub arguments: Map<String, Value>,
}

/// How a turn fails: by an HTTP status or on the way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedFailure {
    /// The provider answers with this status.
    pub status: Option<u16>,
    /// Seconds the provider asks us to wait.
    pub retry_after: Option<u64>,
    /// The answer breaks on the way.
    pub stream: Option<StreamFault>,
    /// After how many failures the turn is played; by default it always fails.
    pub times: Option<u32>,
}

/// How an answer breaks on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamFault {
    /// It ends in the middle.
    Cut,
    /// It never comes.
    Timeout,
    /// It is not JSON.
    Malformed,
}

/// Why a script cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// No file.
    #[error("the model script {origin} cannot be read: {cause}")]
    Unreadable {
        /// Where the script is from.
        origin: String,
        /// What the system said.
        cause: String,
    },
    /// The file is no script. The cause names line and column.
    #[error("the model script {origin} is not well formed: {cause}")]
    Malformed {
        /// Where the script is from.
        origin: String,
        /// What is wrong, and where.
        cause: String,
    },
    /// The conversation went on after the last turn.
    #[error(
        "the model script {origin} has no turn {turn} in attempt {attempt} of round {round} \
         (there are {attempts} attempts, this one has {turns} turns): add the turn, or finish earlier"
    )]
    Ended {
        /// Where the script is from.
        origin: String,
        /// The round that was asked for, from 1.
        round: usize,
        /// The attempt that was asked for, from 1.
        attempt: usize,
        /// The turn that was asked for, from 1.
        turn: usize,
        /// How many attempts there are.
        attempts: usize,
        /// How many turns the attempt has.
        turns: usize,
    },
    /// A plan was asked for, and there is none.
    #[error("the model script {origin} has no turn {turn} in `plans` of version {version}: add it")]
    NoPlan {
        /// Where the script is from.
        origin: String,
        /// From 1.
        version: usize,
        /// From 1.
        turn: usize,
    },
    /// An opinion was asked for, and there is none.
    #[error("the model script {origin} has no turn {turn} in `opinions` of round {round}: add it")]
    NoOpinion {
        /// Where the script is from.
        origin: String,
        /// From 1.
        round: usize,
        /// From 1.
        turn: usize,
    },
}

impl ScriptedTurn {
    /// Says something and ends the turn.
    pub fn say(words: impl Into<String>) -> Self {
        Self { say: words.into(), ..Self::default() }
    }

    /// Calls one tool. Arguments that are no object are left out.
    pub fn call(tool: impl Into<String>, arguments: Value) -> Self {
        Self::default().and_call(tool, arguments)
    }

    /// The same turn with one more call.
    #[must_use]
    pub fn and_call(mut self, tool: impl Into<String>, arguments: Value) -> Self {
        let arguments = match arguments {
            Value::Object(arguments) => arguments,
            _ => Map::new(),
        };
        self.calls.push(ScriptedCall { tool: tool.into(), arguments });
        self
    }

    /// Fails with an HTTP status, every time.
    pub fn fail(status: u16) -> Self {
        let fault = ScriptedFailure { status: Some(status), ..ScriptedFailure::default() };
        Self { fail: Some(fault), ..Self::default() }
    }
}

impl FromStr for Scripted {
    type Err = ScriptError;
    fn from_str(text: &str) -> Result<Self, ScriptError> {
        Self::parse("(given as text)", text)
    }
}

impl Scripted {
    /// Reads a script.
    ///
    /// # Errors
    /// When there is no such file, or it is no script.
    pub fn from_file(path: &Path) -> Result<Self, ScriptError> {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ScriptError::Unreadable {
            origin: origin.clone(),
            cause: error.to_string(),
        })?;
        Self::parse(&origin, &text)
    }

    /// A script of one attempt.
    pub fn from_turns(turns: Vec<ScriptedTurn>) -> Self {
        Self::from_attempts(vec![turns])
    }

    /// A script of several attempts.
    pub fn from_attempts(attempts: Vec<Vec<ScriptedTurn>>) -> Self {
        Self::from_rounds(vec![attempts])
    }

    /// A script of several rounds, each of several attempts.
    pub fn from_rounds(mut rounds: Vec<Vec<Vec<ScriptedTurn>>>) -> Self {
        let attempts = if rounds.is_empty() { Vec::new() } else { rounds.remove(0) };
        let (opinions, plans) = (Vec::new(), Vec::new());
        let (model, price) = (default_name(), Price::default());
        let script = Script { model, price, attempts, rounds, opinions, plans };
        Self::new("(made in code)".to_owned(), script)
    }

    /// The same script, and what it answers when a second opinion is asked for, by round.
    #[must_use]
    pub fn with_opinions(mut self, opinions: Vec<Vec<ScriptedTurn>>) -> Self {
        self.script.opinions = opinions;
        self
    }

    /// The same script, and what it answers when a plan is asked for, by version.
    #[must_use]
    pub fn with_plans(mut self, plans: Vec<Vec<ScriptedTurn>>) -> Self {
        self.script.plans = plans;
        self
    }

    fn parse(origin: &str, text: &str) -> Result<Self, ScriptError> {
        let malformed = |cause| ScriptError::Malformed { origin: origin.to_owned(), cause };
        let script: Script =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        let all =
            [&script.attempts, &script.opinions, &script.plans].into_iter().chain(&script.rounds);
        for (attempt, turns) in all.flat_map(|attempts| attempts.iter().enumerate()) {
            for (turn, played) in turns.iter().enumerate() {
                let Some(fault) = &played.fail else { continue };
                if fault.status.is_some() == fault.stream.is_some() {
                    return Err(malformed(format!(
                        "the fault in attempt {}, turn {} needs either a status or a stream",
                        attempt + 1,
                        turn + 1
                    )));
                }
            }
        }
        Ok(Self::new(origin.to_owned(), script))
    }

    fn new(origin: String, script: Script) -> Self {
        Self { origin, script, faults_played: Mutex::default() }
    }

    fn turn(
        &self,
        (round, attempt, turn): (usize, usize, usize),
    ) -> Result<&ScriptedTurn, ScriptError> {
        if attempt == Request::OF_JUDGE as usize {
            return self.opinion(round.max(1), turn);
        }
        if attempt == Request::OF_PLAN as usize {
            let turns = self.script.plans.get(round.max(1) - 1).map_or(&[][..], Vec::as_slice);
            return turns.get(turn - 1).ok_or_else(|| ScriptError::NoPlan {
                origin: self.origin.clone(),
                version: round,
                turn,
            });
        }
        // `gander run` knows no rounds and asks for none.
        let attempts = match round.checked_sub(2) {
            None => &self.script.attempts[..],
            Some(later) => self.script.rounds.get(later).map_or(&[][..], Vec::as_slice),
        };
        let turns = attempt.checked_sub(1).and_then(|at| attempts.get(at));
        let turns = turns.map_or(&[][..], Vec::as_slice);
        turns.get(turn - 1).ok_or_else(|| ScriptError::Ended {
            origin: self.origin.clone(),
            round: round.max(1),
            attempt,
            turn,
            attempts: attempts.len(),
            turns: turns.len(),
        })
    }

    fn opinion(&self, round: usize, turn: usize) -> Result<&ScriptedTurn, ScriptError> {
        let turns = self.script.opinions.get(round - 1).map_or(&[][..], Vec::as_slice);
        turns.get(turn - 1).ok_or_else(|| ScriptError::NoOpinion {
            origin: self.origin.clone(),
            round,
            turn,
        })
    }

    fn still_fails(&self, fault: &ScriptedFailure, at: (usize, usize, usize)) -> bool {
        let Some(times) = fault.times else { return true };
        let mut played = self.faults_played.lock().unwrap_or_else(PoisonError::into_inner);
        let count = played.entry(at).or_default();
        *count = count.saturating_add(1);
        *count <= times
    }
}

#[async_trait]
impl Model for Scripted {
    fn name(&self) -> &str {
        &self.script.model
    }

    fn price(&self) -> Price {
        self.script.price
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        protocol::check(request).map_err(ModelError::Protocol)?;
        let answers = request
            .messages
            .iter()
            .filter(|message| matches!(message, super::Message::Assistant(_)));
        let turn = answers.count() + 1;
        let at = (request.round as usize, request.attempt as usize, turn);
        let played = self.turn(at).map_err(ModelError::Script)?;
        match &played.fail {
            Some(fault) if self.still_fails(fault, at) => Err(fault.error(self.name())),
            _ => Ok(played.reply(turn)),
        }
    }
}

impl ScriptedTurn {
    /// Call ids name the turn and place, so they are unique in a conversation and never change.
    fn reply(&self, turn: usize) -> ModelReply {
        let words = (!self.say.is_empty()).then(|| Part::Text(self.say.clone()));
        let calls = self.calls.iter().enumerate().map(|(at, call)| Part::ToolCall {
            id: format!("call_{turn}_{}", at + 1),
            name: call.tool.clone(),
            arguments: Value::Object(call.arguments.clone()),
        });
        let stop = self.stop.clone().unwrap_or(match self.calls.is_empty() {
            true => Stop::EndTurn,
            false => Stop::ToolUse,
        });
        ModelReply { parts: words.into_iter().chain(calls).collect(), usage: self.usage, stop }
    }
}

impl ScriptedFailure {
    fn error(&self, model: &str) -> ModelError {
        match (self.status, self.stream) {
            (_, Some(StreamFault::Cut)) => ModelError::StreamCut,
            (_, Some(StreamFault::Timeout)) => ModelError::TimedOut,
            (_, Some(StreamFault::Malformed)) => {
                ModelError::Malformed { detail: "the script says so".to_owned() }
            }
            (status, None) => {
                let after = self.retry_after.map(Duration::from_secs);
                let detail = "the script says so".to_owned();
                ModelError::of_status(status.unwrap_or(500), after, model, detail)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Message, ToolResult};
    use super::*;
    use crate::core::fault::ErrorKind;

    const SCRIPT: &str = r#"{
      "model": "rehearsal",
      "price": {"input": "3", "output": "$15", "cache_read": "0.30", "cache_write": "3.75"},
      "attempts": [
        [
          {"say": "let me look", "calls": [{"tool": "read", "path": "src/lib.rs"}, {"tool": "list"}],
           "usage": {"input_tokens": 10, "output_tokens": 2}},
          {"fail": {"status": 529, "retry_after": 7, "times": 1}, "say": "done"}
        ],
        [{"say": "second try"}]
      ]
    }"#;

    async fn ask(
        model: &Scripted,
        attempt: u32,
        messages: &[Message],
    ) -> Result<ModelReply, ModelError> {
        let request = Request {
            attempt,
            round: 0,
            system: "",
            tools: &[],
            messages,
            pictures: &[],
            max_output_tokens: 1000,
        };
        model.respond(&request).await
    }

    fn opening() -> Vec<Message> {
        vec![Message::User("fix the bounds".to_owned())]
    }

    fn after(reply: &ModelReply) -> Vec<Message> {
        let results = reply.parts.iter().filter_map(|part| match part {
            Part::ToolCall { id, .. } => {
                Some(ToolResult { call_id: id.clone(), text: "ok".to_owned(), is_error: false })
            }
            _ => None,
        });
        let mut messages = opening();
        messages.push(Message::Assistant(reply.parts.clone()));
        messages.push(Message::ToolResults(results.collect()));
        messages
    }

    #[tokio::test]
    async fn the_script_is_played_turn_by_turn_also_by_a_process_that_just_started() {
        let first = ask(&SCRIPT.parse().unwrap(), 1, &opening()).await.unwrap();
        assert_eq!(first.stop, Stop::ToolUse);
        assert_eq!(first.usage.input_tokens, 10);
        assert_eq!(first.parts[0], Part::Text("let me look".to_owned()));
        assert_eq!(
            first.parts[1],
            Part::ToolCall {
                id: "call_1_1".to_owned(),
                name: "read".to_owned(),
                arguments: json!({"path": "src/lib.rs"}),
            }
        );
        let restarted: Scripted = SCRIPT.parse().unwrap();
        assert_eq!(restarted.name(), "rehearsal");
        let overloaded = ask(&restarted, 1, &after(&first)).await.unwrap_err();
        assert_eq!(overloaded.kind(), ErrorKind::Retry { after_seconds: Some(7) });
        let second = ask(&restarted, 1, &after(&first)).await.unwrap();
        assert_eq!(second.parts, [Part::Text("done".to_owned())]);
        assert_eq!(second.stop, Stop::EndTurn);
        let retried = ask(&restarted, 2, &opening()).await.unwrap();
        assert_eq!(retried.parts, [Part::Text("second try".to_owned())]);
    }

    #[tokio::test]
    async fn running_past_the_end_names_the_script_the_attempt_and_the_turn() {
        let model = Scripted::from_turns(vec![ScriptedTurn::call("read", json!({"path": "a"}))]);
        let first = ask(&model, 1, &opening()).await.unwrap();
        for (attempt, messages, expected) in [
            (
                1,
                after(&first),
                "has no turn 2 in attempt 1 of round 1 (there are 1 attempts, this one has 1 turns)",
            ),
            (
                3,
                opening(),
                "has no turn 1 in attempt 3 of round 1 (there are 1 attempts, this one has 0 turns)",
            ),
        ] {
            let error = ask(&model, attempt, &messages).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.kind(), ErrorKind::Permanent);
        }
    }

    #[tokio::test]
    async fn a_call_without_its_result_is_our_bug() {
        let model: Scripted = SCRIPT.parse().unwrap();
        let mut messages = after(&ask(&model, 1, &opening()).await.unwrap());
        let Some(Message::ToolResults(results)) = messages.last_mut() else { unreachable!() };
        results.pop();
        let error = ask(&model, 1, &messages).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bug);
        assert!(error.to_string().ends_with("the call \"call_1_2\" has no result"), "{error}");
    }

    #[tokio::test]
    async fn every_scripted_fault_is_the_error_it_stands_for() {
        let retry = ErrorKind::Retry { after_seconds: None };
        for (fault, kind) in [
            (r#"{"status": 401}"#, ErrorKind::Permanent),
            (r#"{"status": 400}"#, ErrorKind::Permanent),
            (r#"{"status": 429}"#, retry),
            (r#"{"status": 500}"#, retry),
            (r#"{"stream": "cut"}"#, retry),
            (r#"{"stream": "timeout"}"#, retry),
            (r#"{"stream": "malformed"}"#, retry),
        ] {
            let model: Scripted =
                format!(r#"{{"attempts": [[{{"fail": {fault}}}]]}}"#).parse().unwrap();
            for _ in 0..2 {
                assert_eq!(ask(&model, 1, &opening()).await.unwrap_err().kind(), kind, "{fault}");
            }
        }
    }

    #[test]
    fn a_script_with_a_mistake_says_where_it_is() {
        for (script, expected) in [
            ("{\"attempts\": [[\n  {\"says\": \"x\"}\n]]}", "unknown field `says`"),
            ("{\"attempts\": [[\n  {\"calls\": [{\"path\": \"x\"}]}\n]]}", "missing field `tool`"),
            ("{\"attempts\": [[\n  {\"say\": \"x\",}\n]]}", "trailing comma"),
        ] {
            let error = script.parse::<Scripted>().unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("at line 2 column "), "{error}");
        }
        let both = r#"{"attempts": [[{"fail": {"status": 529, "stream": "cut"}}]]}"#;
        assert_eq!(
            both.parse::<Scripted>().unwrap_err().to_string(),
            "the model script (given as text) is not well formed: \
             the fault in attempt 1, turn 1 needs either a status or a stream"
        );
    }

    #[test]
    fn a_script_that_is_not_there_is_named() {
        let error = Scripted::from_file(Path::new("/nowhere/script.json")).unwrap_err();
        assert!(error.to_string().starts_with("the model script /nowhere/script.json cannot"));
    }
}

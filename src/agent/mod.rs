//! The agent: a model that reads, edits, runs and finishes.
//!
//! Invariants: one loop with one exit; every reply and every result is in the transcript before the
//! next step; money is reserved before it is spent; the agent sees a directory, a sandbox and a
//! model, and no token, key, database or repository of ours.

use std::error::Error as StdError;
use std::pin::pin;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, Either, select};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

pub use slot::HeldSlot;

use crate::core::budget::{Budget, Money, OutOfBudgetError};
use crate::core::fault::ErrorKind;
use crate::core::job::{Plan, ThreadAnswer};
use crate::core::picture::Picture;
use crate::model::{
    Message, Model, ModelError, ModelReply, Part, Request, Stop, ToolResult, ToolSpec,
};

mod arguments;
mod aside;
mod ask;
pub mod edit;
pub mod files;
pub mod judge;
pub mod nearest;
mod plan;
pub mod prompt;
mod search;
mod slot;
pub mod tools;
pub mod transcript;

use ask::ask;
use plan::{plan_spec, read_plan};
use tools::{Finish, finish_spec};
use transcript::{Transcript, TranscriptEntry, TranscriptError};

/// Something the model can use.
#[async_trait]
pub trait Tool: Send + Sync {
    /// Name, purpose and arguments, for the model.
    fn spec(&self) -> ToolSpec;

    /// Uses it.
    ///
    /// # Errors
    /// [`ToolFault::ForModel`] is an answer; the others end the attempt.
    async fn call(&self, arguments: Value) -> Result<String, ToolFault>;
}

/// Why a tool did not do as asked.
#[derive(Debug)]
pub enum ToolFault {
    /// The model can do something about it: told to it, and the loop goes on.
    ForModel(String),
    /// It did what ends this attempt without a result, such as filling the disk: why.
    EndsAttempt(String),
    /// It cannot: the sandbox is gone, the disk is full.
    Fatal(Box<dyn StdError + Send + Sync>),
}

impl ToolFault {
    fn fatal(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::Fatal(Box::new(error))
    }
}

/// What the agent is to do, and how much it may take.
pub struct Assignment<'a> {
    /// Round and attempt of the job.
    pub round: u32,
    /// From 1.
    pub attempt: u32,
    /// Who it is and how it works.
    pub system: &'a str,
    /// The request, with what is known about it.
    pub task: String,
    /// What it is shown with that.
    pub pictures: &'a [Picture],
    /// Replies it may give.
    pub turns: u32,
    /// Time it may take.
    pub time: Duration,
    /// What it hands in.
    pub hands_in: HandsIn,
    /// First pause before asking an overloaded provider again; doubles each time.
    pub retry_pause: Duration,
}

/// What the agent is to hand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandsIn {
    /// A change.
    Change,
    /// A plan.
    Plan,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It says it is done.
    Changed {
        /// In its words.
        summary: String,
        /// What it says to each review thread.
        answers: Vec<ThreadAnswer>,
        /// Why it brings no test.
        no_test: Option<String>,
    },
    /// It says what it would do.
    Planned(Plan),
    /// It says there is nothing to do.
    NothingToFix {
        /// In its words.
        why: String,
    },
    /// It went on and on, gave no usable answer or refused.
    WithoutAnswer {
        /// In ours.
        why: String,
    },
    /// The next reply may cost more than is left.
    OutOfBudget(OutOfBudgetError),
    /// The job was stopped from outside.
    Stopped,
}

/// Why an attempt could not be carried out.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum AgentError {
    /// No reply, also after asking again.
    #[error("the model gave no reply")]
    Model(#[from] ModelError),
    /// The transcript could not be written.
    #[error("the transcript could not be kept")]
    Transcript(#[from] TranscriptError),
    /// A tool broke.
    #[error("the tool {tool} broke")]
    Tool {
        tool: String,
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl AgentError {
    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Model(error) => error.kind(),
            Self::Transcript(_) => ErrorKind::Retry { after_seconds: None },
            Self::Tool { .. } => ErrorKind::Permanent,
        }
    }
}

/// The longest reply asked for, in tokens, thinking included.
const REPLY_TOKENS: u32 = 16_000;
/// Calls of one reply that are carried out.
const MOST_CALLS: usize = 32;
/// How often the model may answer without using a tool.
const IDLE_TURNS: u32 = 2;

/// What has to be left of an attempt that is handed in, so that a late wish is still taken up.
const TURNS_FOR_A_WISH: u32 = 4;
const TIME_FOR_A_WISH: Duration = Duration::from_secs(120);

const GO_ON: &str = "Use a tool. When the change is made and verified, call `finish`.";
const GO_ON_PLANNING: &str = "Use a tool. When you know what you would do, call `plan`.";
const TIME_IS_UP: &str = "The time of this attempt is up.";
const WRAP_UP: &str =
    "Most of the budget is used. Finish what is needed, verify, and call `finish`.";
const WRAP_UP_PLANNING: &str = "Most of the budget is used. Call `plan` with what you know.";

/// What people said since it was last asked for, oldest first.
pub type NewNotes<'a> = dyn Fn() -> BoxFuture<'a, Vec<String>> + Send + Sync + 'a;

/// What the agent works with.
#[allow(missing_docs)]
pub struct AgentContext<'a> {
    /// Whom to ask.
    pub model: &'a dyn Model,
    /// Lent to others while it is asked.
    pub slot: &'a HeldSlot,
    /// What it may call beside `finish`.
    pub tools: &'a [&'a dyn Tool],
    /// What it may cost.
    pub budget: &'a mut Budget,
    pub transcript: &'a mut Transcript,
    /// What people say while it works.
    pub notes: Option<&'a NewNotes<'a>>,
    /// How long it waited until work could go on here; none of its own time.
    pub waited: Duration,
    /// Ends it from outside.
    pub stop: &'a CancellationToken,
    /// Ends what a tool does. It is cancelled with `stop`, and when the time is up.
    pub end_of_tools: &'a CancellationToken,
}

/// Lets the model work until it finishes or something runs out.
///
/// # Errors
/// Only when the attempt could not be carried out; how it ended otherwise is [`Finished`].
pub async fn run(
    assignment: &Assignment<'_>,
    means: &mut AgentContext<'_>,
) -> Result<Finished, AgentError> {
    let mut specs: Vec<ToolSpec> = means.tools.iter().map(|tool| tool.spec()).collect();
    specs.push(match assignment.hands_in {
        HandsIn::Change => finish_spec(),
        HandsIn::Plan => plan_spec(),
    });
    means.transcript.append(&TranscriptEntry::Start {
        model: means.model.name().to_owned(),
        system: assignment.system.to_owned(),
        task: assignment.task.clone(),
    })?;
    let messages = vec![Message::User(assignment.task.clone())];
    let begun = Instant::now();
    let pictures = assignment.pictures;
    let mut talk = Talk { assignment, specs, messages, pictures, begun, turn: 0, idle: 0 };
    let end = loop {
        if let Some(end) = talk.turn(means).await? {
            break end;
        }
    };
    means
        .transcript
        .append(&TranscriptEntry::End { how: format!("{end:?}"), spent: means.budget.spent() })?;
    Ok(end)
}

/// The conversation so far.
struct Talk<'a> {
    assignment: &'a Assignment<'a>,
    specs: Vec<ToolSpec>,
    messages: Vec<Message>,
    pictures: &'a [Picture],
    begun: Instant,
    turn: u32,
    idle: u32,
}

impl Talk<'_> {
    fn deadline(&self, means: &AgentContext<'_>) -> Instant {
        self.begun + self.assignment.time + means.waited
    }

    /// One reply and what it asks for. `Some`: the attempt is over.
    async fn turn(&mut self, means: &mut AgentContext<'_>) -> Result<Option<Finished>, AgentError> {
        self.turn += 1;
        if means.stop.is_cancelled() {
            return Ok(Some(Finished::Stopped));
        }
        if self.turn > self.assignment.turns || Instant::now() >= self.deadline(means) {
            return Ok(Some(self.ran_out()));
        }
        self.hear(means).await?;
        let request = self.request();
        let reply = match paid_reply(means, &request, self.assignment.retry_pause).await {
            // A picture that the provider does not take stops nothing.
            Err(AgentError::Model(error)) if error.is_refusal() && !self.pictures.is_empty() => {
                tracing::warn!(%error, "asking the model again, without pictures");
                self.pictures = &[];
                self.say(&prompt::no_pictures());
                return Ok(None);
            }
            other => other?,
        };
        let reply = match reply {
            Reply::Given(reply) => reply,
            Reply::OutOfBudget(out) => return Ok(Some(Finished::OutOfBudget(out))),
        };
        let calls: Vec<(String, String, Value)> =
            reply.parts.iter().filter_map(tool_call).collect();
        if calls.is_empty() {
            return Ok(self.without_tools(reply));
        }
        self.idle = 0;
        self.messages.push(Message::Assistant(reply.parts));
        self.use_tools(calls, means).await
    }

    /// What people said meanwhile is the model's to read before its next reply. Whether there was
    /// anything.
    async fn hear(&mut self, means: &mut AgentContext<'_>) -> Result<bool, AgentError> {
        let Some(new) = means.notes else { return Ok(false) };
        let words = new().await;
        if words.is_empty() {
            return Ok(false);
        }
        means.transcript.append(&TranscriptEntry::Notes(words.clone()))?;
        self.say(&prompt::note(&words));
        Ok(true)
    }

    /// Says something in our turn.
    fn say(&mut self, words: &str) {
        match self.messages.last_mut() {
            Some(Message::User(text)) => *text = format!("{text}\n\n{words}"),
            _ => self.messages.push(Message::User(words.to_owned())),
        }
    }

    fn request(&self) -> Request<'_> {
        Request {
            attempt: self.assignment.attempt,
            round: self.assignment.round,
            system: self.assignment.system,
            tools: &self.specs,
            messages: &self.messages,
            pictures: self.pictures,
            max_output_tokens: REPLY_TOKENS,
        }
    }

    fn ran_out(&self) -> Finished {
        let minutes = self.assignment.time.as_secs() / 60;
        let turns = self.turn - 1;
        without_answer(&format!("no result after {turns} replies within {minutes} minutes"))
    }

    fn without_tools(&mut self, reply: ModelReply) -> Option<Finished> {
        self.idle += 1;
        let said = reply.parts.iter().any(|part| !matches!(part, Part::Text(t) if t.is_empty()));
        if reply.stop == Stop::Refused {
            return Some(without_answer("the model refuses this request"));
        }
        if !said || self.idle > IDLE_TURNS {
            return Some(without_answer("the model stopped using its tools"));
        }
        self.messages.push(Message::Assistant(reply.parts));
        let go_on = match self.assignment.hands_in {
            HandsIn::Change => GO_ON,
            HandsIn::Plan => GO_ON_PLANNING,
        };
        self.messages.push(Message::User(go_on.to_owned()));
        None
    }

    async fn use_tools(
        &mut self,
        calls: Vec<(String, String, Value)>,
        means: &mut AgentContext<'_>,
    ) -> Result<Option<Finished>, AgentError> {
        let mut end = None;
        let mut results = Vec::with_capacity(calls.len());
        for (id, name, arguments) in calls {
            let handed_in = match self.assignment.hands_in {
                HandsIn::Change => Finish::read(&name, &arguments).map(|it| it.map(Finished::from)),
                HandsIn::Plan => read_plan(&name, &arguments),
            };
            let answer = match handed_in {
                Some(Ok(finished)) => {
                    end = Some(finished);
                    Ok("Noted.".to_owned())
                }
                Some(Err(problem)) => Err(ToolFault::ForModel(problem)),
                None => self.use_tool(results.len(), &name, arguments, means).await,
            };
            if let Err(ToolFault::EndsAttempt(why)) = &answer {
                end = Some(without_answer(why));
            }
            let is_over = matches!(answer, Err(ToolFault::EndsAttempt(_)));
            results.push(result(id, &name, answer)?);
            if is_over {
                break;
            }
        }
        if let Some(last) = results.last_mut().filter(|_| means.budget.nearly_spent()) {
            let wrap_up = match self.assignment.hands_in {
                HandsIn::Change => WRAP_UP,
                HandsIn::Plan => WRAP_UP_PLANNING,
            };
            last.text = format!("{}\n\n{wrap_up}", last.text);
        }
        means.transcript.append(&TranscriptEntry::Results(results.clone()))?;
        self.messages.push(Message::ToolResults(results));
        let finishes = matches!(
            end,
            Some(Finished::Changed { .. } | Finished::Planned(_) | Finished::NothingToFix { .. })
        );
        // What comes too late to be worked on is what the next round is about.
        if finishes && self.may_go_on(means) && self.hear(means).await? {
            return Ok(None);
        }
        Ok(end)
    }

    /// Whether there is enough of everything for one more wish.
    fn may_go_on(&self, means: &AgentContext<'_>) -> bool {
        self.turn + TURNS_FOR_A_WISH <= self.assignment.turns
            && Instant::now() + TIME_FOR_A_WISH < self.deadline(means)
            && !means.budget.nearly_spent()
    }

    /// One call, within the time of the attempt.
    async fn use_tool(
        &self,
        number: usize,
        name: &str,
        arguments: Value,
        means: &AgentContext<'_>,
    ) -> Result<String, ToolFault> {
        if number >= MOST_CALLS {
            let words = format!("Not done: one reply may hold {MOST_CALLS} calls.");
            return Err(ToolFault::ForModel(words));
        }
        let deadline = self.deadline(means);
        if Instant::now() >= deadline {
            return Err(ToolFault::ForModel(TIME_IS_UP.to_owned()));
        }
        let time_is_up = pin!(tokio::time::sleep_until(deadline.into()));
        match select(pin!(call(means.tools, &self.specs, name, arguments)), time_is_up).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), calling)) => {
                // It is waited for, so that nothing works on the tree any more.
                means.end_of_tools.cancel();
                cut_short(calling.await)
            }
        }
    }
}

/// Says that the time was not enough, whatever came of the call.
fn cut_short(answer: Result<String, ToolFault>) -> Result<String, ToolFault> {
    Err(ToolFault::ForModel(match answer {
        Ok(text) => format!("{text}\n{TIME_IS_UP}"),
        Err(_) => TIME_IS_UP.to_owned(),
    }))
}

async fn call(
    tools: &[&dyn Tool],
    offered: &[ToolSpec],
    name: &str,
    arguments: Value,
) -> Result<String, ToolFault> {
    match tools.iter().find(|tool| tool.spec().name == name) {
        Some(tool) => tool.call(arguments).await,
        None => {
            let names: Vec<&str> = offered.iter().map(|tool| tool.name.as_str()).collect();
            let names = names.join(", ");
            Err(ToolFault::ForModel(format!("There is no tool of that name. Use: {names}.")))
        }
    }
}

fn result(
    call_id: String,
    tool: &str,
    answer: Result<String, ToolFault>,
) -> Result<ToolResult, AgentError> {
    match answer {
        Ok(text) => Ok(ToolResult { call_id, text: tools::capped(text), is_error: false }),
        Err(ToolFault::ForModel(text) | ToolFault::EndsAttempt(text)) => {
            Ok(ToolResult { call_id, text: tools::capped(text), is_error: true })
        }
        Err(ToolFault::Fatal(source)) => Err(AgentError::Tool { tool: tool.to_owned(), source }),
    }
}

fn tool_call(part: &Part) -> Option<(String, String, Value)> {
    match part {
        Part::ToolCall { id, name, arguments } => {
            Some((id.clone(), name.clone(), arguments.clone()))
        }
        _ => None,
    }
}

/// What became of a question to the model.
enum Reply {
    Given(ModelReply),
    /// It was not asked: the answer may cost more than is left.
    OutOfBudget(OutOfBudgetError),
}

/// Asks within the budget. What it answers is paid for and in the transcript.
async fn paid_reply(
    means: &mut AgentContext<'_>,
    request: &Request<'_>,
    first_pause: Duration,
) -> Result<Reply, AgentError> {
    let price = means.model.price();
    let reservation = match means.budget.reserve(request.cost_ceiling(&price)) {
        Ok(reservation) => reservation,
        Err(out) => return Ok(Reply::OutOfBudget(out)),
    };
    let asked = ask(means.model, request, first_pause, means.stop);
    let (reply, waited) = means.slot.lent(asked).await;
    means.waited += waited;
    let reply = match reply {
        Ok(reply) => reply,
        Err(error) => {
            // What may be on the bill stays set aside.
            if !error.may_be_billed() {
                means.budget.settle(reservation, Money::ZERO);
            }
            return Err(error.into());
        }
    };
    means.budget.settle(reservation, price.cost(&reply.usage));
    means.transcript.append(&TranscriptEntry::Reply(reply.clone()))?;
    Ok(Reply::Given(reply))
}

fn without_answer(why: &str) -> Finished {
    Finished::WithoutAnswer { why: why.to_owned() }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;

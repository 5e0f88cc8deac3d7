//! What a job and a release have in common: each learns facts, and answers each with its next
//! steps.
//!
//! Invariants: what the queue has to know of a step is said once, beside the step, by an exhaustive
//! match; a fact that comes late, twice or out of order changes nothing; what is done stays done.

use super::id::CommentId;

/// A job or a release.
pub trait Machine: Sized {
    /// Names it for ever.
    type Id;
    /// What can be learnt about it.
    type Fact;
    /// What can be done for it.
    type Step;

    /// Its name.
    fn id(&self) -> &Self::Id;

    /// What it is after learning `fact`, and what to do then. `None`: the fact changes nothing.
    fn advance(&self, fact: &Self::Fact) -> Option<(Self, Vec<Self::Step>)>;

    /// The fact that its turn came.
    fn turn() -> Self::Fact;

    /// Whether it waits for its turn.
    fn is_queued(&self) -> bool;

    /// Whether it is over.
    fn is_done(&self) -> bool;

    /// Whether it is under way: neither waiting for its turn nor over.
    fn is_live(&self) -> bool {
        !self.is_queued() && !self.is_done()
    }
}

/// What the queue has to know of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSpec {
    /// After which steps it comes.
    pub lane: Lane,
    /// What two of it are that both wait.
    pub repeats: Repeats,
    /// What it means that it failed for good.
    pub failure: OnFailure,
    /// Whether it takes one of the worker's few slots.
    pub slot: WorkerSlot,
    /// Whether people wait for what it changes on GitHub: that goes before what only shows.
    pub urgent: bool,
    /// Whether it is the first that takes a slot: what has begun goes before it.
    pub begins: bool,
}

/// Steps of one lane are done one after the other, in order; lanes go side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// The lane of the machine itself.
    Main,
    /// What people read: it keeps its own order, and holds up no work.
    Messages,
    /// A reaction to one comment.
    Reaction(CommentId),
    /// A look put off to a later moment, which must hold nothing else up.
    Wake,
    /// A look at something that goes on elsewhere, which must hold nothing else up.
    Follow,
}

/// What two equal steps are that both wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeats {
    /// Both are done.
    KeepBoth,
    /// One is done: it brings something up to date, and once is enough.
    Coalesce,
}

/// What it means that a step failed for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// A fact: the machine goes on with what this step learns, and waits for it.
    Awaited,
    /// A fact, so that people learn of it; the machine does not wait for the step.
    Told,
    /// Nothing but a line in the log.
    Dropped,
}

/// Whether a step takes one of the worker's few slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerSlot {
    /// It does, for it may take minutes.
    Taken,
    /// It does not.
    None,
}

impl StepSpec {
    /// A step of the machine's own, whose failure is a fact.
    pub const fn awaited(slot: WorkerSlot) -> Self {
        let (lane, repeats) = (Lane::Main, Repeats::KeepBoth);
        Self { lane, repeats, failure: OnFailure::Awaited, slot, urgent: false, begins: false }
    }

    /// A step of which nothing is learnt.
    pub const fn unawaited(lane: Lane, repeats: Repeats) -> Self {
        let slot = WorkerSlot::None;
        Self { lane, repeats, failure: OnFailure::Dropped, slot, urgent: false, begins: false }
    }
}

impl StepSpec {
    /// The same, where people are told that it failed.
    pub const fn told(self) -> Self {
        Self { failure: OnFailure::Told, ..self }
    }

    /// The same, where it is the first that takes a slot.
    pub const fn beginning(self) -> Self {
        Self { begins: true, ..self }
    }

    /// The same, where people wait for what it changes on GitHub.
    pub const fn urgent(self) -> Self {
        Self { urgent: true, ..self }
    }
}

impl Lane {
    /// The lane's name among all lanes. `kind` and `id` name the machine.
    pub fn name(self, kind: &str, id: &str) -> String {
        match self {
            Self::Main => format!("{kind}:{id}"),
            Self::Messages => format!("show:{id}"),
            Self::Reaction(comment) => format!("react:{comment}"),
            Self::Wake => format!("wake:{id}"),
            Self::Follow => format!("follow:{id}"),
        }
    }
}

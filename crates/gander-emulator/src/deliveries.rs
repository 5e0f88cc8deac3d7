//! Webhooks as the emulator remembers them: those that wait, those that were sent, and what goes
//! wrong next.

use std::collections::VecDeque;

use serde_json::Value;

#[derive(Clone)]
pub(crate) struct Hooks {
    /// Positions in the log that wait to be sent.
    pub(crate) queue: VecDeque<usize>,
    pub(crate) log: Vec<Delivery>,
    pub(crate) plans: VecDeque<DeliveryFault>,
}

/// What goes wrong with the next delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryFault {
    /// It does not arrive; GitHub's log says so.
    Drop,
    /// It does not arrive, and GitHub's log never heard of it.
    Lose,
    /// It arrives twice.
    Duplicate,
    /// The one behind it arrives first.
    Reorder,
}

#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) id: u64,
    pub(crate) guid: String,
    pub(crate) app: u64,
    pub(crate) event: String,
    pub(crate) action: Option<String>,
    pub(crate) installation: Option<u64>,
    pub(crate) repository: Option<u64>,
    pub(crate) payload: Value,
    pub(crate) redelivery: bool,
    pub(crate) request_headers: Vec<(String, String)>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) lost: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) at: i64,
    pub(crate) status_code: u16,
    pub(crate) status: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// A delivery, as the emulator sent it.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct DeliveryView {
    /// GitHub's number of this attempt.
    pub id: u64,
    /// The GUID, which redeliveries share.
    pub guid: String,
    /// The event, as `issue_comment`.
    pub event: String,
    /// The action, as `created`.
    pub action: Option<String>,
    /// The headers it was sent with; none while it waits.
    pub request_headers: Vec<(String, String)>,
    /// What is sent.
    pub payload: Value,
    /// Whether somebody asked for it again.
    pub redelivery: bool,
    /// The status that came back; `None` while it waits. 502 when nobody answered.
    pub status: Option<u16>,
}

//! Whether a model answers: with a word.

use std::time::Duration;

use super::causes::in_full;
use crate::core::checklist::ChecklistItem;
use crate::core::fault::ErrorKind;
use crate::model::{Message, Model, ModelError, Request};

const NAME: &str = "model";
/// How long a word may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Some models refuse to be given less room.
const ROOM: u32 = 16;

/// Asks it for a word, unless it is a script.
pub(super) async fn ask(model: &dyn Model, scripted: bool) -> ChecklistItem {
    if scripted {
        let next = "name a provider and its key under [model] for work that counts";
        return ChecklistItem::warning(NAME, "replies come from a file, not from a model", next);
    }
    let messages = [Message::User("Answer with the one word: yes".to_owned())];
    let request = Request {
        attempt: 1,
        round: 0,
        system: "You answer with one word.",
        tools: &[],
        messages: &messages,
        pictures: &[],
        max_output_tokens: ROOM,
    };
    let item = match tokio::time::timeout(PATIENCE, model.respond(&request)).await {
        Ok(Ok(reply)) => ChecklistItem::ok(
            NAME,
            format!("it answers, with {} tokens", reply.usage.output_tokens),
        ),
        Ok(Err(error)) => refused(&error),
        Err(_) => ChecklistItem::warning(
            NAME,
            format!("it did not answer within {} s", PATIENCE.as_secs()),
            "look again later, and at the status page of its provider",
        ),
    };
    item.about(model.name())
}

fn refused(error: &ModelError) -> ChecklistItem {
    let seen = in_full(error);
    match error {
        ModelError::BadKey { .. } => ChecklistItem::failed(
            NAME,
            seen,
            "put a key of this provider into [model] key_file, or into ANTHROPIC_API_KEY or \
             OPENAI_API_KEY",
        ),
        ModelError::UnknownModel { .. } => {
            ChecklistItem::failed(NAME, seen, "correct [model] names, or base_url")
        }
        ModelError::Unreachable { .. } => ChecklistItem::failed(
            NAME,
            seen,
            "see that this machine reaches the provider, and that [model] base_url is right",
        ),
        other => match other.kind() {
            ErrorKind::Retry { .. } => {
                ChecklistItem::warning(NAME, seen, "look again later: that may pass")
            }
            ErrorKind::Permanent | ErrorKind::Withheld | ErrorKind::Bug => {
                ChecklistItem::failed(NAME, seen, "see what the provider says, and correct [model]")
            }
        },
    }
}

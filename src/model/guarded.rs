//! A model that is not sent our secrets.
//!
//! Invariants: what is new in a conversation is looked through before anything of it is sent; what
//! the model said itself its provider knows already.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Message, Model, ModelError, ModelReply, Price, Request};
use crate::core::leak::KnownSecrets;

/// A model, and what it must not be sent.
pub struct Guarded {
    model: Arc<dyn Model>,
    known: Arc<KnownSecrets>,
}

impl Guarded {
    /// The same model, guarded.
    pub fn new(model: Arc<dyn Model>, known: Arc<KnownSecrets>) -> Self {
        Self { model, known }
    }

    fn secret_in(&self, message: &Message) -> Option<&str> {
        match message {
            Message::User(text) => self.known.found_in(text.as_bytes()),
            Message::ToolResults(results) => {
                results.iter().find_map(|result| self.known.found_in(result.text.as_bytes()))
            }
            Message::Assistant(_) => None,
        }
    }
}

#[async_trait]
impl Model for Guarded {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn price(&self) -> Price {
        self.model.price()
    }

    fn sees(&self) -> bool {
        self.model.sees()
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        // All before the last turn was sent, and so looked through, before.
        match request.messages.last().and_then(|message| self.secret_in(message)) {
            Some(secret) => Err(ModelError::Withheld { secret: secret.to_owned() }),
            None => self.model.respond(request).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::fault::ErrorKind;
    use crate::model::{Scripted, ScriptedTurn, ToolResult};

    #[tokio::test]
    async fn a_model_is_not_sent_a_secret_of_ours_in_anything() {
        let secret = ["made", " up", " for", " this"].concat();
        let known = KnownSecrets::new([("the webhook secret", secret.as_str())]).unwrap();
        let turn = ScriptedTurn::call("finish", serde_json::json!({"summary": "done"}));
        let model = Arc::new(Scripted::from_turns(vec![turn]));
        let guarded = Guarded::new(model, Arc::new(known));
        let text = hex::encode(&secret);
        let results = vec![ToolResult { call_id: "a".into(), text: text.clone(), is_error: false }];
        let ask = async |message: Message| {
            let request = Request {
                attempt: 1,
                round: 1,
                system: "",
                tools: &[],
                messages: &[message],
                pictures: &[],
                max_output_tokens: 100,
            };
            guarded.respond(&request).await
        };
        for message in [Message::User(format!("see {text}")), Message::ToolResults(results)] {
            let refused = ask(message).await.unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Withheld);
            assert!(refused.to_string().contains("holds the webhook secret"), "{refused}");
            assert!(!refused.to_string().contains(&text));
        }
        assert!(ask(Message::User("see nothing".into())).await.is_ok());
    }
}

//! A model whose replies are counted.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Model, ModelError, ModelReply, Price, Request};
use crate::metrics::{Metrics, ModelTokens};

/// The model, and where it is counted.
pub struct Metered {
    model: Arc<dyn Model>,
    metrics: Arc<Metrics>,
}

impl Metered {
    /// The same model, counted.
    pub fn new(model: Arc<dyn Model>, metrics: Arc<Metrics>) -> Self {
        Self { model, metrics }
    }
}

#[async_trait]
impl Model for Metered {
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
        let reply = self.model.respond(request).await;
        match &reply {
            Ok(reply) => {
                let usage = &reply.usage;
                let tokens = ModelTokens {
                    input: usage.input_tokens,
                    output: usage.output_tokens,
                    cache_read: usage.cache_read_tokens,
                    cache_write: usage.cache_write_tokens,
                };
                self.metrics.replied(self.name(), tokens, self.price().cost(usage));
            }
            Err(_) => self.metrics.no_reply(self.name()),
        }
        reply
    }
}

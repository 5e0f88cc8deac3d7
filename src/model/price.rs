//! What models cost.

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::core::budget::Money;

/// Dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Tokens the model reads.
    pub input: Money,
    /// Tokens the model writes.
    pub output: Money,
    /// Tokens read from the provider's cache.
    pub cache_read: Money,
    /// Tokens read and stored in the provider's cache.
    pub cache_write: Money,
}

impl Price {
    /// What a reply costs, rounded up to a millionth of a dollar.
    pub fn cost(&self, usage: &Usage) -> Money {
        let micros: i128 = [
            (self.input, usage.input_tokens),
            (self.output, usage.output_tokens),
            (self.cache_read, usage.cache_read_tokens),
            (self.cache_write, usage.cache_write_tokens),
        ]
        .into_iter()
        .map(|(price, tokens)| i128::from(price.micros()) * i128::from(tokens))
        .sum();
        let rounded_up = (micros + 999_999) / 1_000_000;
        Money::from_micros(i64::try_from(rounded_up).unwrap_or(i64::MAX))
    }
}

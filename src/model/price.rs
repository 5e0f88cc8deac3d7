//! What models cost, so that a budget can be kept before the provider's bill comes.

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
    /// Tokens read and stored in the provider's cache (for five minutes).
    pub cache_write: Money,
}

impl Price {
    /// For a model that is not in the list and that the operator gave no price for: the dearest
    /// one we know. A budget then ends too early rather than too late.
    pub const CAUTIOUS: Self = OPUS_4;

    /// The list price of a model, by its name with or without a date.
    pub fn listed(model: &str) -> Option<Self> {
        let name = without_date(model.strip_suffix("-latest").unwrap_or(model));
        LISTED.iter().find(|(names, _)| names.contains(&name)).map(|(_, price)| *price)
    }

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

/// Anthropic's list prices as published at platform.claude.com/docs/en/about-claude/pricing in
/// October 2026. Where a price has two bands (Haiku 5.5, prompts above 100,000 tokens) the upper.
const LISTED: &[(&[&str], Price)] = &[
    (&["claude-fable-5-1", "claude-mythos-5-1"], cents(1000, 5000, 25, 1250)),
    (&["claude-fable-5", "claude-mythos-5"], cents(1000, 5000, 100, 1250)),
    (&["claude-opus-5-5"], cents(400, 2000, 20, 500)),
    (
        &[
            "claude-opus-5",
            "claude-opus-4-8",
            "claude-opus-4-7",
            "claude-opus-4-6",
            "claude-opus-4-5",
        ],
        cents(500, 2500, 50, 625),
    ),
    (&["claude-opus-4-1", "claude-opus-4-0", "claude-opus-4"], OPUS_4),
    (&["claude-sonnet-5-5"], cents(200, 1000, 10, 250)),
    (&["claude-sonnet-5"], cents(200, 1000, 20, 250)),
    (
        &["claude-sonnet-4-6", "claude-sonnet-4-5", "claude-sonnet-4-0", "claude-sonnet-4"],
        cents(300, 1500, 30, 375),
    ),
    (&["claude-haiku-5-5"], cents(50, 250, 5, 63)),
    (&["claude-haiku-4-5"], cents(100, 500, 10, 125)),
];

const OPUS_4: Price = cents(1500, 7500, 150, 1875);

const fn cents(input: i64, output: i64, cache_read: i64, cache_write: i64) -> Price {
    const MICROS_PER_CENT: i64 = 10_000;
    Price {
        input: Money::from_micros(input * MICROS_PER_CENT),
        output: Money::from_micros(output * MICROS_PER_CENT),
        cache_read: Money::from_micros(cache_read * MICROS_PER_CENT),
        cache_write: Money::from_micros(cache_write * MICROS_PER_CENT),
    }
}

/// `claude-opus-4-5` of `claude-opus-4-5-20251101`.
fn without_date(model: &str) -> &str {
    match model.rsplit_once('-') {
        Some((name, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_the_same_price_with_and_without_its_date() {
        let price = Price::listed("claude-sonnet-4-5").unwrap();
        assert_eq!(price.output.to_string(), "$15.00");
        assert_eq!(Price::listed("claude-sonnet-4-5-20250929"), Some(price));
        assert_eq!(Price::listed("claude-sonnet-4-5-latest"), Some(price));
        assert_eq!(Price::listed("claude-opus-4-20250514"), Some(Price::CAUTIOUS));
    }

    #[test]
    fn a_model_that_is_only_similar_has_no_price() {
        for unknown in ["claude-opus-4-9", "claude-opus-45", "claude-opus", "gpt-5", ""] {
            assert_eq!(Price::listed(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn no_listed_price_is_above_the_cautious_one() {
        for (names, price) in LISTED {
            let of = |p: &Price| [p.input, p.output, p.cache_read, p.cache_write];
            let pairs = of(price).into_iter().zip(of(&Price::CAUTIOUS));
            assert!(pairs.into_iter().all(|(listed, cautious)| listed <= cautious), "{names:?}");
        }
    }

    #[test]
    fn every_kind_of_token_is_billed_at_its_own_price_and_never_for_less() {
        let price = Price::listed("claude-sonnet-4-5").unwrap();
        let usage = Usage {
            input_tokens: 1000,
            output_tokens: 100,
            cache_read_tokens: 10_000,
            cache_write_tokens: 2000,
        };
        // 0.003 + 0.0015 + 0.003 + 0.0075
        assert_eq!(price.cost(&usage).micros(), 15_000);
        let one_cached = Usage { cache_read_tokens: 1, ..Usage::default() };
        assert_eq!(price.cost(&one_cached).micros(), 1, "0.3 of a millionth, rounded up");
        assert_eq!(price.cost(&Usage::default()), Money::ZERO);
        let absurd = Usage { output_tokens: u64::MAX, ..usage };
        assert_eq!(Price::CAUTIOUS.cost(&absurd).micros(), i64::MAX);
    }
}

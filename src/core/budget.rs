//! Money, and a budget that is asked before it is spent.
//!
//! Invariants: a reservation is only given when it fits in the limit beside everything spent and
//! reserved so far. An amount is never negative, and arithmetic saturates instead of wrapping.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{InstallationId, RepoId, UserId};

/// An amount of US dollars, exact to a millionth. Never negative.
///
/// Shown to people in whole cents, rounded up; stored as exact text (`$0.000125`).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Money(i64);

const MICROS_PER_DOLLAR: i64 = 1_000_000;
const MICROS_PER_CENT: i64 = 10_000;

/// Whose money is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Accounts {
    pub repo_id: RepoId,
    pub installation_id: InstallationId,
    pub person_id: UserId,
}

/// One of them: each has a limit of its own for a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Payer {
    Repository,
    Person,
    Installation,
}

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From millionths of a dollar. Less than nothing is nothing.
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 { 0 } else { micros })
    }

    /// In millionths of a dollar.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// What is left after taking `other` away; nothing, when `other` is more.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self::from_micros(self.0.saturating_sub(other.0))
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0 / MICROS_PER_CENT + i64::from(self.0 % MICROS_PER_CENT != 0);
        write!(f, "${}.{:02}", cents / 100, cents % 100)
    }
}

impl From<Money> for String {
    fn from(money: Money) -> String {
        let fraction = format!("{:06}", money.0 % MICROS_PER_DOLLAR);
        let digits = fraction.trim_end_matches('0').len().max(2);
        format!("${}.{}", money.0 / MICROS_PER_DOLLAR, &fraction[..digits])
    }
}

/// Text that is not an amount of dollars.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an amount of dollars such as 3 or $3.50, got {got:?}")]
pub struct MoneyError {
    got: String,
}

impl FromStr for Money {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let refused = || MoneyError { got: text.chars().take(40).collect() };
        let amount = text.trim();
        let amount = amount.strip_prefix('$').unwrap_or(amount);
        let (dollars, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(dollars) || !digits(fraction) || fraction.len() > 6 {
            return Err(refused());
        }
        let dollars: i64 = dollars.parse().map_err(|_| refused())?;
        let fraction: i64 = format!("{fraction:0<6}").parse().map_err(|_| refused())?;
        dollars
            .checked_mul(MICROS_PER_DOLLAR)
            .and_then(|micros| micros.checked_add(fraction))
            .map(Self)
            .ok_or_else(refused)
    }
}

impl TryFrom<String> for Money {
    type Error = MoneyError;
    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

/// What jobs of a repository usually come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostEstimate {
    /// Half of them cost no more.
    pub median: Money,
    /// Nine of ten cost no more.
    pub most: Money,
    /// Of so many jobs.
    pub of: usize,
}

impl CostEstimate {
    /// Fewer jobs say nothing.
    const FEWEST: usize = 3;

    /// By what past jobs came to.
    pub fn of(mut costs: Vec<Money>) -> Option<Self> {
        costs.sort_unstable();
        let of = costs.len();
        let at = |tenths: usize| costs.get((of * tenths).div_ceil(10).max(1) - 1).copied();
        (of >= Self::FEWEST).then(|| Some(Self { median: at(5)?, most: at(9)?, of })).flatten()
    }
}

/// What a job may spend on the model: every call reserves first and settles after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    limit: Money,
    spent: Money,
    reserved: Money,
}

/// A part of a budget that is set aside. Hand it back to [`Budget::settle`]; one that is lost
/// stays set aside, since a call whose answer never came may still be billed.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "settle it, or the amount stays reserved"]
pub struct Reservation {
    amount: Money,
}

/// The next call may cost more than is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{left} of the {limit} budget is left and the next model call may cost {needed}")]
pub struct OutOfBudgetError {
    /// What the whole job may spend.
    pub limit: Money,
    /// What is neither spent nor reserved.
    pub left: Money,
    /// What was asked for.
    pub needed: Money,
}

impl Budget {
    /// A budget of which nothing is spent.
    pub const fn new(limit: Money) -> Self {
        Self { limit, spent: Money::ZERO, reserved: Money::ZERO }
    }

    /// Books what was spent before, by a try that died.
    pub fn book(&mut self, spent: Money) {
        self.spent = self.spent + spent;
    }

    /// Sets `amount` aside.
    ///
    /// # Errors
    /// When it does not fit beside what is spent and reserved; nothing is set aside then.
    pub fn reserve(&mut self, amount: Money) -> Result<Reservation, OutOfBudgetError> {
        // A call may have cost more than was reserved for it: then even nothing does not fit.
        let reserved = self.reserved + amount;
        if self.spent + reserved > self.limit {
            return Err(OutOfBudgetError { limit: self.limit, left: self.left(), needed: amount });
        }
        self.reserved = reserved;
        Ok(Reservation { amount })
    }

    /// Ends a reservation and books what the call really cost, even when that is more.
    #[expect(clippy::needless_pass_by_value, reason = "a reservation is settled once")]
    pub fn settle(&mut self, reservation: Reservation, actual: Money) {
        self.reserved = self.reserved.saturating_sub(reservation.amount);
        self.spent = self.spent + actual;
    }

    /// What the whole job may spend.
    pub const fn limit(&self) -> Money {
        self.limit
    }

    /// What was spent so far.
    pub const fn spent(&self) -> Money {
        self.spent
    }

    /// What is neither spent nor reserved.
    pub fn left(&self) -> Money {
        self.limit.saturating_sub(self.spent + self.reserved)
    }

    /// Whether four fifths of the limit are spent: the time to tell the model to finish.
    pub fn nearly_spent(&self) -> bool {
        i128::from(self.spent.0) * 5 >= i128::from(self.limit.0) * 4
    }
}

/// What a repository's merged pull requests cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergedCosts {
    /// The last so many days count.
    pub days: u32,
    /// Pull requests that were merged.
    pub pulls: u32,
    /// What all jobs cost, also those that came to nothing.
    pub spent: Money,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn dollars(text: &str) -> Money {
        text.parse().unwrap()
    }

    #[test]
    fn people_write_amounts_as_they_like_and_read_cents() {
        for (written, shown) in [
            ("3", "$3.00"),
            ("$3.50", "$3.50"),
            (" 0.42 ", "$0.42"),
            ("$0.004", "$0.01"),
            ("1.999999", "$2.00"),
            ("0", "$0.00"),
        ] {
            assert_eq!(dollars(written).to_string(), shown, "{written}");
        }
    }

    #[test]
    fn an_estimate_takes_three_jobs_and_says_what_half_and_nine_of_ten_cost() {
        let of = |cents: &[i64]| {
            let costs = cents.iter().map(|it| Money::from_micros(it * MICROS_PER_CENT));
            CostEstimate::of(costs.collect())
        };
        let shown = |cents| of(cents).map(|it| (it.median.to_string(), it.most.to_string()));
        assert_eq!(of(&[10, 20]), None);
        assert_eq!(shown(&[30, 10, 20]), Some(("$0.20".into(), "$0.30".into())));
        let ten = shown(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 200]);
        assert_eq!(ten, Some(("$0.05".into(), "$0.09".into())));
    }

    #[test]
    fn text_that_is_no_amount_is_refused_and_shown() {
        for bad in ["", "$", "-1", "3,50", "1.", ".5", "1.0000001", "€3", "99999999999999999999"]
        {
            assert!(bad.parse::<Money>().is_err(), "{bad:?} was accepted");
        }
        assert_eq!(
            "three".parse::<Money>().unwrap_err().to_string(),
            "expected an amount of dollars such as 3 or $3.50, got \"three\""
        );
    }

    #[test]
    fn a_call_that_does_not_fit_is_refused_before_it_is_made() {
        let mut budget = Budget::new(dollars("1"));
        let first = budget.reserve(dollars("0.70")).unwrap();
        let refused = budget.reserve(dollars("0.31")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "$0.30 of the $1.00 budget is left and the next model call may cost $0.31"
        );
        budget.settle(first, dollars("0.10"));
        let second = budget.reserve(dollars("0.90")).unwrap();
        budget.settle(second, dollars("0.95"));
        assert_eq!(budget.spent(), dollars("1.05"));
        assert_eq!(budget.left(), Money::ZERO);
        assert!(budget.reserve(Money::ZERO).is_err(), "the limit is passed already");
    }

    #[test]
    fn the_warning_comes_at_four_fifths() {
        let mut budget = Budget::new(dollars("1"));
        let call = budget.reserve(dollars("1")).unwrap();
        assert!(!budget.nearly_spent(), "a reservation is not spending");
        budget.settle(call, dollars("0.799999"));
        assert!(!budget.nearly_spent());
        let call = budget.reserve(dollars("0.1")).unwrap();
        budget.settle(call, dollars("0.000001"));
        assert!(budget.nearly_spent());
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn an_amount_survives_being_written_down(micros in 0..i64::MAX) {
            let money = Money::from_micros(micros);
            let written = String::from(money);
            prop_assert_eq!(written.parse::<Money>(), Ok(money));
        }

        #[test]
        fn reading_an_amount_never_panics(text in "\\PC{0,30}") {
            let _ = text.parse::<Money>();
        }

        #[test]
        fn what_is_spent_and_reserved_fits_the_limit_whenever_a_reservation_is_given(
            limit in 0..10_000i64,
            calls in prop::collection::vec((0..4_000i64, 0..4_000i64, any::<bool>()), 0..40),
        ) {
            let limit = Money::from_micros(limit);
            let mut budget = Budget::new(limit);
            let mut open: Vec<(Reservation, Money)> = Vec::new();
            let (mut spent, mut reserved) = (0, 0);
            for (asked, cost, settles) in calls {
                let asked = Money::from_micros(asked);
                let fits = spent + reserved + asked.micros() <= limit.micros();
                match budget.reserve(asked) {
                    Ok(reservation) => {
                        prop_assert!(fits);
                        reserved += asked.micros();
                        open.push((reservation, Money::from_micros(cost)));
                    }
                    Err(refused) => {
                        prop_assert!(!fits);
                        prop_assert_eq!(refused.left, budget.left());
                    }
                }
                if settles && let Some((reservation, actual)) = open.pop() {
                    reserved -= reservation.amount.micros();
                    spent += actual.micros();
                    budget.settle(reservation, actual);
                }
                prop_assert_eq!(budget.spent().micros(), spent);
                let left = (limit.micros() - spent - reserved).max(0);
                prop_assert_eq!(budget.left().micros(), left);
            }
        }
    }
}

//! How many deliveries one installation may send, so that it cannot crowd out the others.
//!
//! Invariants: only deliveries with a good signature are counted, so a stranger cannot use up
//! somebody's share; what is turned away stands in GitHub's log as failed, and the sweep fetches
//! it.

use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// A steady stream no real installation comes near.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(200).unwrap();
/// What may come at once, such as after an outage.
const BURST: NonZeroU32 = NonZeroU32::new(2_000).unwrap();

/// One bucket per installation.
#[derive(Debug)]
pub struct Fairness(DefaultKeyedRateLimiter<u64>);

impl Default for Fairness {
    fn default() -> Self {
        Self(RateLimiter::keyed(Quota::per_second(PER_SECOND).allow_burst(BURST)))
    }
}

impl Fairness {
    /// Counts a delivery. `false`: this installation has had its share for now.
    pub(super) fn admits(&self, installation: u64) -> bool {
        self.0.check_key(&installation).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_from_one_installation_leaves_the_others_alone() {
        let fairness = Fairness::default();
        let admitted = (0..10_000).filter(|_| fairness.admits(1)).count();
        assert!((2_000..9_000).contains(&admitted), "{admitted}");
        assert!((0..2_000).all(|_| fairness.admits(2)));
    }
}

//! How much a client may ask for: the primary limit and the two secondary ones.

use std::collections::{BTreeMap, VecDeque};

/// GitHub's numbers; a test may make them small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitPlan {
    /// Requests in an hour, for one installation or one App.
    pub requests_per_hour: u32,
    /// Requests that make or change content, in a minute.
    pub content_per_minute: usize,
    /// Requests that make or change content, in an hour.
    pub content_per_hour: usize,
    /// Points in a minute: one for reading, five for writing.
    pub points_per_minute: u32,
}

impl Default for LimitPlan {
    fn default() -> Self {
        Self {
            requests_per_hour: 5_000,
            content_per_minute: 80,
            content_per_hour: 500,
            points_per_minute: 900,
        }
    }
}

#[derive(Default)]
pub(crate) struct Limits {
    plan: LimitPlan,
    meters: BTreeMap<String, Meter>,
}

#[derive(Default)]
struct Meter {
    /// When the running hour ends.
    reset_at: i64,
    used: u32,
    contents: VecDeque<i64>,
    points: VecDeque<(i64, u32)>,
}

/// What the `x-ratelimit-*` headers say.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) limit: u32,
    pub(crate) used: u32,
    pub(crate) reset_at: i64,
}

impl Standing {
    pub(crate) fn remaining(self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    Primary,
    /// Come back after so many seconds.
    Secondary(i64),
}

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

impl Limits {
    pub(crate) fn set(&mut self, plan: LimitPlan) {
        self.plan = plan;
        self.meters.clear();
    }

    /// Whether one more request fits. A request that is turned away by a secondary limit counts
    /// against the primary one all the same.
    pub(crate) fn admit(&mut self, who: &str, cost: Cost, now: i64) -> Result<(), Excess> {
        let plan = self.plan;
        let limit = limit_of(&plan, who);
        let meter = self.meter(who, now);
        if meter.used >= limit {
            return Err(Excess::Primary);
        }
        let wait = |since: i64, span: i64| Excess::Secondary(((since + span - now) / 1000).max(1));
        let spent: u32 = meter.points.iter().map(|(_, points)| points).sum();
        if spent + cost.points() > plan.points_per_minute {
            let oldest = meter.points.front().map_or(now, |(at, _)| *at);
            return Err(wait(oldest, MINUTE));
        }
        if cost == Cost::Content {
            let recent = meter.contents.iter().filter(|at| now - **at < MINUTE).count();
            if recent >= plan.content_per_minute {
                let oldest = meter.contents.iter().find(|at| now - **at < MINUTE);
                return Err(wait(oldest.copied().unwrap_or(now), MINUTE));
            }
            if meter.contents.len() >= plan.content_per_hour {
                return Err(wait(meter.contents.front().copied().unwrap_or(now), HOUR));
            }
            meter.contents.push_back(now);
        }
        meter.points.push_back((now, cost.points()));
        meter.used += 1;
        Ok(())
    }

    /// Takes one request back: an answer of "not modified" is free.
    pub(crate) fn refund(&mut self, who: &str, now: i64) {
        let meter = self.meter(who, now);
        meter.used = meter.used.saturating_sub(1);
    }

    pub(crate) fn standing(&mut self, who: &str, now: i64) -> Standing {
        let limit = limit_of(&self.plan, who);
        let meter = self.meter(who, now);
        Standing { limit, used: meter.used, reset_at: meter.reset_at }
    }

    fn meter(&mut self, who: &str, now: i64) -> &mut Meter {
        let meter = self.meters.entry(who.to_owned()).or_default();
        if now >= meter.reset_at {
            meter.reset_at = now + HOUR;
            meter.used = 0;
        }
        meter.contents.retain(|at| now - at < HOUR);
        meter.points.retain(|(at, _)| now - at < MINUTE);
        meter
    }
}

/// What a request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Read,
    Write,
    Content,
}

impl Cost {
    fn points(self) -> u32 {
        match self {
            Self::Read => 1,
            Self::Write | Self::Content => 5,
        }
    }
}

/// The bucket of requests without any credentials.
pub(crate) const ANONYMOUS: &str = "anonymous";

fn limit_of(plan: &LimitPlan, who: &str) -> u32 {
    if who == ANONYMOUS { plan.requests_per_hour.min(60) } else { plan.requests_per_hour }
}

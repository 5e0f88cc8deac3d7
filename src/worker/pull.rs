//! GitHub's own log of deliveries, read instead of waiting for webhooks: no port is open.
//!
//! Invariants: what is read goes the way of a webhook, and is known by the same name, so that none
//! is done twice; nothing is remembered here that a start does not find anew; a round takes a bounded
//! number, of each installation in turn; what GitHub has no more is told.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::missed::{LOOK_BACK_SECONDS, Reach, TakenIn, take_in, unknown};
use super::{Context, WorkError};
use crate::core::fault::ErrorKind;
use crate::core::task::Sweep;
use crate::forge::payload::DeliverySummary;

/// Between two looks at the log: an answer comes so much later than with webhooks.
pub const PULL_PAUSE: Duration = Duration::from_secs(10);
/// The same where GitHub does not answer, at most.
const LONGEST_PULL_PAUSE: Duration = Duration::from_secs(300);
/// Deliveries that one round fetches, one after the other.
const MOST_OF_A_ROUND: usize = 100;

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// Deliveries that were new.
    pub new: usize,
    /// Deliveries that GitHub listed, and has no more.
    pub gone: usize,
    /// How far back the next round has to look.
    pub next: Reach,
    /// Whether more than one round could take was there.
    pub more: bool,
}

/// Reads the log again and again until `shutdown`.
pub(super) async fn pull(ctx: &Context, shutdown: &CancellationToken) {
    let (mut reach, mut pause) = (Reach::Whole, PULL_PAUSE);
    tell_of_a_gap(ctx).await;
    while !shutdown.is_cancelled() {
        tokio::select! {
            done = round(ctx, reach) => match done {
                Ok(done) => {
                    reach = done.next;
                    pause = if done.more { Duration::ZERO } else { PULL_PAUSE };
                }
                Err(fault) => {
                    reach = Reach::Whole;
                    pause = after(&fault, pause);
                    tracing::warn!(fault = %fault.text, ?pause, "GitHub's log could not be read");
                }
            },
            () = shutdown.cancelled() => break,
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// Longer each time, and as long as GitHub asks for.
fn after(fault: &WorkError, before: Duration) -> Duration {
    let longer = (before * 2).clamp(PULL_PAUSE, LONGEST_PULL_PAUSE);
    match fault.kind {
        ErrorKind::Retry { after_seconds: Some(asked) } => longer.max(Duration::from_secs(asked)),
        ErrorKind::Retry { after_seconds: None }
        | ErrorKind::Permanent
        | ErrorKind::Withheld
        | ErrorKind::Bug => longer,
    }
}

/// Takes in what is new in the log, oldest first.
pub(super) async fn round(ctx: &Context, reach: Reach) -> Result<Pulled, WorkError> {
    let mut all = in_turns(unknown(ctx, reach).await?);
    let more = all.len() > MOST_OF_A_ROUND;
    all.truncate(MOST_OF_A_ROUND);
    let mut pulled = Pulled { new: 0, gone: 0, next: Reach::New, more };
    for delivery in &all {
        match take_in(ctx, delivery).await {
            Ok(TakenIn::New) => pulled.new += 1,
            Ok(TakenIn::Known) => {}
            Ok(TakenIn::Gone) => {
                pulled.gone += 1;
                pulled.next = Reach::Whole;
                tracing::warn!(
                    delivery = delivery.guid,
                    event = delivery.event,
                    at = delivery.delivered_at,
                    "GitHub has this delivery no more: open pull requests are looked at anyway, \
                     and a command has to be given again"
                );
            }
            Err(fault) => {
                tracing::warn!(delivery = delivery.guid, fault = %fault.text, "not read yet");
                // What is behind it is known soon: then it would not be found again.
                pulled.next = Reach::Whole;
            }
        }
    }
    if more {
        pulled.next = Reach::Whole;
    }
    if pulled.new > 0 {
        ctx.wake.notify_one();
    }
    Ok(pulled)
}

/// Of each installation in turn, and of each the oldest first.
fn in_turns(all: Vec<DeliverySummary>) -> Vec<DeliverySummary> {
    let mut turns: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, DeliverySummary)> = Vec::with_capacity(all.len());
    for delivery in all {
        let turn = turns.entry(delivery.installation_id).or_default();
        ranked.push((*turn, delivery));
        *turn += 1;
    }
    ranked.sort_by_key(|(turn, _)| *turn);
    ranked.into_iter().map(|(_, delivery)| delivery).collect()
}

/// Where Gander stood still for longer than GitHub keeps its log, something may be lost.
async fn tell_of_a_gap(ctx: &Context) {
    let last = ctx.store.last_swept(Sweep::MissedDeliveries).await;
    let Ok(Some(last)) = last else { return };
    let hours = (ctx.clock.steady().0 - last.0) / 3_600_000;
    if hours * 3600 > LOOK_BACK_SECONDS {
        tracing::warn!(
            hours,
            "Gander stood still for longer than GitHub keeps its log, about three days: what was \
             sent before is gone. Open pull requests are looked at anyway, and commands from that \
             time have to be given again"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sends_little_does_not_wait_for_who_sends_much() {
        let one = |id: u64, installation: u64| DeliverySummary {
            id,
            guid: String::new(),
            delivered_at: String::new(),
            event: String::new(),
            status_code: None,
            installation_id: Some(installation),
        };
        let all = vec![one(1, 7), one(2, 7), one(3, 7), one(4, 8), one(5, 7)];
        let order: Vec<u64> = in_turns(all).iter().map(|delivery| delivery.id).collect();
        assert_eq!(order, [1, 4, 2, 3, 5]);
    }

    #[test]
    fn a_github_that_does_not_answer_is_asked_less_and_less_often() {
        let fault = |after_seconds| WorkError {
            kind: ErrorKind::Retry { after_seconds },
            text: String::new(),
        };
        let seconds = Duration::from_secs;
        assert_eq!(after(&fault(None), seconds(10)), seconds(20));
        assert_eq!(after(&fault(None), seconds(0)), seconds(10));
        assert_eq!(after(&fault(None), seconds(200)), seconds(300));
        assert_eq!(after(&fault(Some(900)), seconds(10)), seconds(900));
    }
}

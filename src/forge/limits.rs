//! How much we may ask of GitHub, per installation.
//!
//! Invariants: at most a burst of 20 changes, then one a second, 60 a minute and 400 an hour
//! (GitHub's own limits are 80 and 500); after GitHub said "wait", nothing is sent for that
//! installation until the time is over; what people wait for has a little room beyond what only
//! shows has used up. Nothing sleeps here: the work goes back to the queue, until
//! there is room for a whole step, so that no step uses up again and again what it waits for.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use http::{HeaderMap, Method, StatusCode};

use super::ForgeError;
use crate::clock::Clock;
use crate::core::id::{InstallationId, Timestamp};

/// How often GitHub may be asked to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// So many at once; each comes back after a second.
    pub burst: usize,
    /// So many a minute.
    pub per_minute: usize,
    /// So many an hour.
    pub per_hour: usize,
}

impl Pace {
    /// Below what GitHub allows.
    pub const GITHUB: Self = Self { burst: 20, per_minute: 60, per_hour: 400 };
    fn for_people(self) -> Self {
        Self {
            burst: self.burst.saturating_add(FOR_PEOPLE),
            per_minute: self.per_minute.saturating_add(FOR_PEOPLE),
            per_hour: self.per_hour.saturating_add(FOR_PEOPLE),
        }
    }

    /// For a GitHub without such limits, as Enterprise Server is unless it was told otherwise.
    pub const FREE: Self = Self { burst: usize::MAX, per_minute: usize::MAX, per_hour: usize::MAX };
}

/// So many changes more in each burst, minute and hour are for what people wait for: with them,
/// too, we stay below what GitHub allows.
const FOR_PEOPLE: usize = 10;
/// After a refusal there must be room for so many changes: more than nearly every step makes. What
/// a longer one has done it does not do again.
const ROOM: usize = 10;
/// When GitHub says that we are limited, but not for how long.
const UNSTATED_WAIT_SECONDS: u64 = 60;
const LONGEST_WAIT_SECONDS: u64 = 60 * 60;

/// What is asked of GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestKind {
    Read,
    /// Something only shows: it can wait.
    Change,
    /// People wait for it.
    UrgentChange,
}

impl RequestKind {
    pub(super) fn of(method: &Method, urgent: bool) -> Self {
        match (*method == Method::GET, urgent) {
            (true, _) => Self::Read,
            (false, true) => Self::UrgentChange,
            (false, false) => Self::Change,
        }
    }
}

#[derive(Debug)]
pub(super) struct RateLimits {
    clock: Clock,
    pace: Pace,
    of: Mutex<HashMap<InstallationId, InstallationLimits>>,
}

#[derive(Debug, Default)]
struct InstallationLimits {
    /// What GitHub last said that it still takes, and until when that holds.
    remaining: Option<(u64, Timestamp)>,
    /// When changes were sent in the last hour, oldest first.
    changes: VecDeque<Timestamp>,
    /// When the bucket is full again: each change takes a second from it.
    full_at: Option<Timestamp>,
    /// Whether the last change was refused.
    refused: bool,
    blocked_until: Option<Timestamp>,
}

impl RateLimits {
    pub(super) fn new(clock: Clock, pace: Pace) -> Self {
        Self { clock, pace, of: Mutex::default() }
    }

    /// Counts a request, or says how long it has to wait.
    pub(super) fn admit(
        &self,
        installation: InstallationId,
        kind: RequestKind,
        doing: &str,
    ) -> Result<(), ForgeError> {
        let now = self.clock.now();
        let mut accounts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let account = accounts.entry(installation).or_default();
        let doing = doing.to_owned();
        if let Some(after_seconds) = account.blocked_for(now) {
            return Err(ForgeError::Limited { doing, after_seconds });
        }
        if let Some(after_seconds) = account.pace_for(now, kind, self.pace) {
            return Err(ForgeError::Paced { doing, after_seconds });
        }
        if kind != RequestKind::Read {
            account.changes.push_back(now);
            let from = account.full_at.filter(|full_at| *full_at > now).unwrap_or(now);
            account.full_at = Some(from.plus_seconds(1));
        }
        Ok(())
    }

    /// Takes note of what GitHub said about limits. Returns how many seconds it wants us to wait,
    /// if this answer is a refusal for that reason.
    pub(super) fn learn(
        &self,
        installation: Option<InstallationId>,
        headers: &HeaderMap,
        status: StatusCode,
        body: &[u8],
    ) -> Option<u64> {
        let now = self.clock.now();
        let refused = asked_to_wait(headers, status, body, now);
        let exhausted = number(headers, "x-ratelimit-remaining") == Some(0);
        self.note_remaining(installation, headers, now);
        let wait = refused.or_else(|| exhausted.then(|| until_reset(headers, now)).flatten());
        if let (Some(wait), Some(installation)) = (wait, installation) {
            let seconds = i64::try_from(wait.min(LONGEST_WAIT_SECONDS)).unwrap_or(i64::MAX);
            let mut accounts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.entry(installation).or_default().blocked_until =
                Some(now.plus_seconds(seconds));
        }
        refused
    }
}

impl RateLimits {
    fn note_remaining(
        &self,
        installation: Option<InstallationId>,
        headers: &HeaderMap,
        now: Timestamp,
    ) {
        // Others than the main one are for searches and the like.
        let is_main = headers.get("x-ratelimit-resource").is_none_or(|it| it == "core");
        let said = number(headers, "x-ratelimit-remaining").filter(|_| is_main);
        if let (Some(said), Some(installation)) = (said, installation) {
            let reset = until_reset(headers, now).unwrap_or(LONGEST_WAIT_SECONDS);
            let until = now.plus_seconds(i64::try_from(reset).unwrap_or(i64::MAX));
            let mut accounts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.entry(installation).or_default().remaining = Some((said, until));
        }
    }

    /// The fewest requests that an installation has left.
    pub(super) fn least_remaining(&self) -> Option<u64> {
        let now = self.clock.now();
        let accounts = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        let said = accounts.values().filter_map(|it| it.remaining);
        said.filter(|(_, until)| *until > now).map(|(remaining, _)| remaining).min()
    }
}

impl InstallationLimits {
    /// Seconds for which GitHub wants nothing sent.
    fn blocked_for(&mut self, now: Timestamp) -> Option<u64> {
        self.blocked_until = self.blocked_until.filter(|until| *until > now);
        self.blocked_until.map(|until| seconds_until(until, now))
    }

    /// Seconds until a change may be sent at this pace.
    fn pace_for(&mut self, now: Timestamp, kind: RequestKind, pace: Pace) -> Option<u64> {
        while self.changes.front().is_some_and(|at| at.plus_seconds(3600) <= now) {
            self.changes.pop_front();
        }
        let wait = match kind {
            RequestKind::Read => 0,
            RequestKind::UrgentChange => self.until_room(1, pace.for_people(), now),
            RequestKind::Change => {
                self.refused = self.until_room(if self.refused { ROOM } else { 1 }, pace, now) > 0;
                if self.refused { self.until_room(ROOM, pace, now) } else { 0 }
            }
        };
        (wait > 0).then_some(wait)
    }

    /// Seconds until so many changes may follow each other.
    fn until_room(&self, room: usize, pace: Pace, now: Timestamp) -> u64 {
        let windows = [(pace.per_minute, 60), (pace.per_hour, 3600)].into_iter();
        let free = windows.filter_map(|(most, seconds)| {
            let oldest = (self.changes.len() + room).checked_sub(most.saturating_add(1))?;
            Some(self.changes.get(oldest)?.plus_seconds(seconds))
        });
        let spare = i64::try_from(pace.burst.saturating_sub(room)).unwrap_or(i64::MAX / 2000);
        let filled = self.full_at.map(|at| at.plus_seconds(-spare));
        free.chain(filled).map(|at| seconds_until(at, now)).max().unwrap_or(0)
    }
}

/// Seconds GitHub wants us to wait, if this refusal is about limits: `retry-after` first, then
/// the reset of the primary limit, else a minute.
fn asked_to_wait(
    headers: &HeaderMap,
    status: StatusCode,
    body: &[u8],
    now: Timestamp,
) -> Option<u64> {
    if !matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    if let Some(wait) = number(headers, "retry-after") {
        return Some(wait.max(1));
    }
    if number(headers, "x-ratelimit-remaining") == Some(0) {
        return Some(until_reset(headers, now).unwrap_or(UNSTATED_WAIT_SECONDS));
    }
    // A secondary limit may come with no header at all; its documentation link is the stable part.
    let about_limits = body.windows(b"rate-limits".len()).any(|window| window == b"rate-limits");
    (status == StatusCode::TOO_MANY_REQUESTS || about_limits).then_some(UNSTATED_WAIT_SECONDS)
}

fn until_reset(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let reset = i64::try_from(number(headers, "x-ratelimit-reset")?).ok()?;
    Some(seconds_until(Timestamp(reset.saturating_mul(1000)), now).max(1))
}

fn seconds_until(then: Timestamp, now: Timestamp) -> u64 {
    u64::try_from((then.0 - now.0).max(0)).unwrap_or(0).div_ceil(1000)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn limits() -> (RateLimits, Arc<AtomicI64>) {
        let now = Arc::new(AtomicI64::new(1_000_000));
        let shown = Arc::clone(&now);
        let clock = Clock::from_fn(move || Timestamp(shown.load(Ordering::SeqCst)));
        (RateLimits::new(clock, Pace::GITHUB), now)
    }

    use super::RequestKind::{Change, Read, UrgentChange};

    fn admit(limits: &RateLimits, kind: RequestKind) -> u64 {
        match limits.admit(InstallationId(1), kind, "testing") {
            Ok(()) => 0,
            Err(
                ForgeError::Limited { after_seconds, .. } | ForgeError::Paced { after_seconds, .. },
            ) => after_seconds,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn changes_come_in_a_burst_and_then_as_it_fills_and_never_more_than_400_an_hour() {
        let (limits, now) = limits();
        let mut sent = Vec::new();
        for second in 0..2 * 3600 {
            now.store(1_000_000 + second * 1000, Ordering::SeqCst);
            while admit(&limits, Change) == 0 {
                sent.push(second);
            }
        }
        let within = |seconds: i64| {
            (0..sent.len())
                .map(|i| sent[i..].iter().take_while(|at| **at < sent[i] + seconds).count())
                .max()
        };
        assert_eq!(sent[..20], [0; 20]);
        assert_eq!(sent[20..40], [[10; 10], [20; 10]].concat(), "then a step at a time");
        assert_eq!((within(60), within(3600)), (Some(60), Some(400)));
    }

    #[test]
    fn what_people_wait_for_finds_room_after_all_that_only_shows() {
        let (limits, now) = limits();
        let mut shown = 0;
        while admit(&limits, Change) == 0 {
            shown += 1;
        }
        assert_eq!(shown, 20);
        assert_eq!([(); 10].map(|()| admit(&limits, UrgentChange)), [0; 10]);
        assert_eq!(admit(&limits, UrgentChange), 1, "there is an end to that, too");
        now.fetch_add(1_000, Ordering::SeqCst);
        assert!(admit(&limits, Change) > 0, "what only shows waits until there is room again");
        assert_eq!(admit(&limits, UrgentChange), 0);
    }

    #[test]
    fn our_own_pace_does_not_say_that_github_asked_for_it() {
        let (limits, _) = limits();
        while admit(&limits, Change) == 0 {}
        let ours = limits.admit(InstallationId(1), Change, "merging").unwrap_err().to_string();
        assert!(ours.starts_with("Gander waits") && !ours.contains("GitHub asks"), "{ours}");
    }

    #[test]
    fn a_step_that_begins_anew_at_each_refusal_comes_to_its_end() {
        let (limits, now) = limits();
        while admit(&limits, Change) == 0 {}
        let step = || (0..5).map(|_| admit(&limits, Change)).find(|wait| *wait > 0);
        let mut waits = 0;
        while let Some(wait) = step() {
            waits += 1;
            now.fetch_add(i64::try_from(wait).unwrap() * 1000, Ordering::SeqCst);
        }
        assert_eq!(waits, 1, "it waits for all it needs, once");
    }

    #[test]
    fn a_github_without_limits_is_not_waited_for() {
        let limits = RateLimits::new(Clock::from_fn(|| Timestamp(0)), Pace::FREE);
        assert!((0..5000).all(|_| admit(&limits, Change) == 0));
    }

    #[test]
    fn after_github_said_wait_nothing_is_sent_until_then() {
        let (limits, now) = limits();
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "30".parse().unwrap());
        limits.learn(Some(InstallationId(1)), &headers, StatusCode::FORBIDDEN, b"");
        assert_eq!(admit(&limits, Read), 30);
        assert!(limits.admit(InstallationId(2), Read, "testing").is_ok());
        now.fetch_add(30_000, Ordering::SeqCst);
        assert_eq!(admit(&limits, Read), 0);
    }

    #[test]
    fn a_plain_403_is_no_limit_and_a_used_up_one_waits_for_its_reset() {
        let wait = |headers: &[(&'static str, &str)], body: &str| {
            let headers = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()));
            let headers: HeaderMap = headers.collect();
            asked_to_wait(&headers, StatusCode::FORBIDDEN, body.as_bytes(), Timestamp(5_000))
        };
        assert_eq!(wait(&[], "Resource not accessible"), None);
        assert_eq!(
            wait(&[], "https://docs.github.com/rest/using-the-rest-api/rate-limits"),
            Some(60)
        );
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "95")];
        assert_eq!(wait(&used_up, ""), Some(90));
    }
}

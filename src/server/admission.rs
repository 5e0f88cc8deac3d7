//! How much strangers may take up: bytes, requests and lines in the log.
//!
//! Invariants: bodies of all requests together stay below [`BODIES`]; those from one address below
//! half of it, and so do those of larger bodies of all who have sent nothing that was signed, so
//! that no number of strangers keeps out whoever has; a peer is the address that a trusted proxy
//! saw, else the other end of the connection, and one that nobody names shares only the total; what
//! is refused is told in the log, and never in more
//! lines than one every ten seconds.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderMap;

use crate::core::id::Timestamp;

/// Bytes of bodies that are in memory at a time.
const BODIES: usize = 64 * 1024 * 1024;
/// Of them, from one address: GitHub's largest body fits.
const BODIES_OF_ONE: usize = BODIES / 2;
/// Of them, from all addresses that have sent nothing signed yet.
const BODIES_OF_STRANGERS: usize = 28 << 20;
/// Beyond that, for bodies of the usual size: whoever is new to us is most often GitHub.
const SMALL_BODIES: usize = 8 << 20;
const SMALL: usize = 256 << 10;
/// So many addresses are known to have sent something signed. GitHub has fewer.
const MOST_KNOWN: usize = 256;
/// Requests from one address that are under way.
const REQUESTS_OF_ONE: usize = 32;
/// Seconds between two lines on what was refused.
const BETWEEN_LINES: i64 = 10;

/// Counts what is under way.
#[derive(Debug, Default)]
pub struct Admission {
    /// Other machines whose `X-Forwarded-For` is believed; this one's always is.
    proxies: Vec<IpAddr>,
    state: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    bytes: usize,
    /// Those of strangers.
    of_strangers: usize,
    peers: HashMap<IpAddr, Share>,
    /// Who has sent something signed, the latest last.
    known: VecDeque<IpAddr>,
    /// What was refused since the last line, and when that was.
    refused: u64,
    told: Option<Timestamp>,
}

/// What one address takes up.
#[derive(Debug, Default)]
struct Share {
    requests: usize,
    bytes: usize,
}

/// One request under way. Gives back what it took when it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    peer: Option<IpAddr>,
    bytes: usize,
    is_stranger: bool,
}

impl Admission {
    /// Believes what these proxies say of who is behind them.
    pub fn behind(proxies: Vec<IpAddr>) -> Self {
        Self { proxies, ..Self::default() }
    }

    /// Whether connections from there are those of many peers.
    pub(super) fn is_proxy(&self, address: IpAddr) -> bool {
        address.to_canonical().is_loopback() || self.proxies.contains(&address.to_canonical())
    }

    /// Who sends a request: the last address in `X-Forwarded-For` that is no proxy of ours.
    /// `None`: a proxy does not say.
    pub(super) fn peer(&self, connected: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        if !self.is_proxy(connected) {
            return Some(network_of(connected));
        }
        let lines = headers.get_all("x-forwarded-for").iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let hops = lines.iter().flat_map(|line| line.split(',')).rev();
        let hops = hops.map_while(|hop| hop.trim().parse::<IpAddr>().ok());
        hops.into_iter().find(|hop| !self.is_proxy(*hop)).map(network_of)
    }

    /// Counts a request. `None`: so many of this peer are under way.
    pub(super) fn begin(self: &Arc<Self>, peer: Option<IpAddr>) -> Option<Admitted> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = peer {
            let share = state.peers.entry(peer).or_default();
            if share.requests >= REQUESTS_OF_ONE {
                return None;
            }
            share.requests += 1;
        }
        let is_stranger = !peer.is_some_and(|peer| state.known.contains(&peer));
        Some(Admitted { admission: Arc::clone(self), peer, bytes: 0, is_stranger })
    }

    /// Counts a refusal. `Some`: it is time for a line, about so many.
    pub(super) fn refused(&self, now: Timestamp) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.refused += 1;
        if state.told.is_some_and(|told| now < told.plus_seconds(BETWEEN_LINES)) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.refused))
    }
}

impl Admitted {
    /// Counts more bytes of its body. `false`: there is no room for them.
    pub(super) fn takes(&mut self, bytes: usize) -> bool {
        let mut state = self.admission.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_small = self.bytes + bytes <= SMALL;
        let room = BODIES_OF_STRANGERS + if is_small { SMALL_BODIES } else { 0 };
        let too_many = self.is_stranger && state.of_strangers + bytes > room;
        if too_many || state.bytes + bytes > BODIES {
            return false;
        }
        if let Some(peer) = self.peer {
            let share = state.peers.entry(peer).or_default();
            if share.bytes + bytes > BODIES_OF_ONE {
                return false;
            }
            share.bytes += bytes;
        }
        state.bytes += bytes;
        state.of_strangers += if self.is_stranger { bytes } else { 0 };
        self.bytes += bytes;
        true
    }

    /// What it sent was signed: its peer is no stranger from now on.
    pub(super) fn was_signed(&self) {
        let Some(peer) = self.peer else { return };
        let mut state = self.admission.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.known.retain(|known| *known != peer);
        state.known.push_back(peer);
        if state.known.len() > MOST_KNOWN {
            state.known.pop_front();
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = self.admission.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bytes -= self.bytes;
        state.of_strangers -= if self.is_stranger { self.bytes } else { 0 };
        let Some(peer) = self.peer else { return };
        let Some(share) = state.peers.get_mut(&peer) else { return };
        share.requests -= 1;
        share.bytes -= self.bytes;
        if share.requests == 0 {
            state.peers.remove(&peer);
        }
    }
}

/// An address as it is counted: whoever has one IPv6 address has a whole /64 of them.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        four => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded: &[&'static str]) -> HeaderMap {
        let name = http::HeaderName::from_static("x-forwarded-for");
        forwarded.iter().map(|it| (name.clone(), it.parse().unwrap())).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_is_who_the_proxy_saw_and_nobody_elses_word_counts() {
        let admission = Admission::behind(vec![ip("10.0.0.9")]);
        for (connected, forwarded, peer) in [
            ("127.0.0.1", &["203.0.113.7"][..], Some("203.0.113.7")),
            ("::ffff:127.0.0.1", &["203.0.113.7"], Some("203.0.113.7")),
            ("127.0.0.1", &["6.6.6.6, 203.0.113.7"], Some("203.0.113.7")),
            ("127.0.0.1", &["6.6.6.6", "203.0.113.7, 10.0.0.9"], Some("203.0.113.7")),
            ("10.0.0.9", &["203.0.113.7"], Some("203.0.113.7")),
            ("127.0.0.1", &[], None),
            ("127.0.0.1", &["unknown"], None),
            ("198.51.100.2", &["203.0.113.7"], Some("198.51.100.2")),
            ("2001:db8:1:2:3:4:5:6", &[], Some("2001:db8:1:2::")),
        ] {
            let found = admission.peer(ip(connected), &headers(forwarded));
            assert_eq!(found, peer.map(ip), "{connected} {forwarded:?}");
        }
    }

    #[test]
    fn one_peer_leaves_room_for_others_and_gives_back_what_it_took() {
        let admission = Arc::new(Admission::default());
        let (greedy, other) = (ip("203.0.113.7"), ip("203.0.113.8"));
        for peer in [greedy, other] {
            admission.begin(Some(peer)).unwrap().was_signed();
        }
        let mut all: Vec<Admitted> =
            (0..REQUESTS_OF_ONE).map(|_| admission.begin(Some(greedy)).unwrap()).collect();
        assert!(admission.begin(Some(greedy)).is_none(), "one request too many");
        assert!(all[0].takes(BODIES_OF_ONE) && !all[1].takes(1), "and one byte");
        let mut good = admission.begin(Some(other)).unwrap();
        assert!(good.takes(BODIES_OF_ONE), "the other half is free");
        let mut third = admission.begin(None).unwrap();
        assert!(!third.takes(1), "all is taken");
        drop((all, good));
        assert!(third.takes(BODIES_OF_STRANGERS) && admission.begin(Some(greedy)).is_some());
    }

    #[test]
    fn however_many_strangers_there_are_whoever_sent_something_signed_has_room() {
        let admission = Arc::new(Admission::default());
        let github = ip("203.0.113.1");
        admission.begin(Some(github)).unwrap().was_signed();
        let strangers = (10..14).map(|n| ip(&format!("203.0.113.{n}")));
        let mut all: Vec<Admitted> =
            strangers.map(|peer| admission.begin(Some(peer)).unwrap()).collect();
        let took: Vec<bool> = all.iter_mut().map(|it| it.takes(BODIES_OF_STRANGERS / 2)).collect();
        assert_eq!(took, [true, true, false, false]);
        let mut new = admission.begin(Some(ip("203.0.113.99"))).unwrap();
        assert!(new.takes(SMALL) && !new.takes(1), "a small body of somebody new");
        assert!(admission.begin(Some(github)).unwrap().takes(25 << 20));
    }

    #[test]
    fn a_flood_of_refusals_is_a_line_every_ten_seconds_with_their_number() {
        let admission = Admission::default();
        let lines: Vec<u64> =
            (0..2_500).filter_map(|n| admission.refused(Timestamp(1_000_000 + n * 10))).collect();
        assert_eq!(lines, [1, 1_000, 1_000], "at once, after 10 and after 20 seconds");
    }
}

//! Who may see the pages of a setup, and which of GitHub's answers is meant for it.
//!
//! Invariants: the link and the state work once and for an hour; every secret is compared in
//! constant time; a form that another site sends for the visitor is not taken.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::core::id::Timestamp;

/// How long link, visit and state are good for.
pub const LIFE_SECONDS: i64 = 3600;

/// A secret nobody guesses.
struct Secret(String);

impl Secret {
    fn new() -> Self {
        let two = || uuid::Uuid::new_v4().simple().to_string();
        Self(format!("{}{}", two(), two()))
    }

    fn is(&self, given: &str) -> bool {
        verify_slices_are_equal(self.0.as_bytes(), given.as_bytes()).is_ok()
    }
}

/// What stands between a setup and strangers.
pub(super) struct Gate {
    until: Timestamp,
    token: Option<Secret>,
    visitor: Option<Secret>,
    form: Secret,
    state: Option<(Secret, Timestamp)>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GateRefusal {
    /// Not the secret, or none.
    Wrong,
    /// The right kind of link, but it was used.
    Used,
    /// An hour has gone by.
    Late,
}

impl Gate {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            until: now.plus_seconds(LIFE_SECONDS),
            token: Some(Secret::new()),
            visitor: None,
            form: Secret::new(),
            state: None,
        }
    }

    /// The token of the link.
    pub(super) fn token(&self) -> &str {
        self.token.as_ref().map_or("", |token| &token.0)
    }

    /// Lets the holder of the link in: the secret that the browser shows from now on.
    pub(super) fn enter(&mut self, token: &str, now: Timestamp) -> Result<String, GateRefusal> {
        if now >= self.until {
            return Err(GateRefusal::Late);
        }
        match &self.token {
            None => return Err(GateRefusal::Used),
            Some(known) if !known.is(token) => return Err(GateRefusal::Wrong),
            Some(_) => {}
        }
        self.token = None;
        let visitor = Secret::new();
        let shown = visitor.0.clone();
        self.visitor = Some(visitor);
        Ok(shown)
    }

    /// Whether this is the browser that was let in.
    pub(super) fn knows(&self, visitor: &str, now: Timestamp) -> Result<(), GateRefusal> {
        if now >= self.until {
            return Err(GateRefusal::Late);
        }
        match &self.visitor {
            Some(known) if known.is(visitor) => Ok(()),
            _ => Err(GateRefusal::Wrong),
        }
    }

    /// What our own forms carry.
    pub(super) fn form(&self) -> &str {
        &self.form.0
    }

    pub(super) fn sent_by_our_form(&self, given: &str) -> bool {
        self.form.is(given)
    }

    /// The state that GitHub is to hand back. The same one until it was used or is too old.
    pub(super) fn state(&mut self, now: Timestamp) -> &str {
        let fresh = self.state.take().filter(|(_, until)| now < *until);
        let state = fresh.unwrap_or_else(|| (Secret::new(), now.plus_seconds(LIFE_SECONDS)));
        &self.state.insert(state).0.0
    }

    /// Takes the state that came back; it is gone then.
    pub(super) fn take_state(&mut self, given: &str, now: Timestamp) -> Result<(), GateRefusal> {
        match &self.state {
            None => Err(GateRefusal::Used),
            Some((known, _)) if !known.is(given) => Err(GateRefusal::Wrong),
            Some((_, until)) if now >= *until => Err(GateRefusal::Late),
            Some(_) => {
                self.state = None;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_767_225_600_000);

    #[test]
    fn the_link_lets_one_browser_in_once_and_for_an_hour() {
        let late = NOW.plus_seconds(LIFE_SECONDS);
        let mut gate = Gate::new(NOW);
        let token = gate.token().to_owned();
        assert_eq!(gate.enter("", NOW), Err(GateRefusal::Wrong));
        assert_eq!(gate.enter(&token[1..], NOW), Err(GateRefusal::Wrong));
        assert_eq!(gate.enter(&token, late), Err(GateRefusal::Late));
        assert_eq!(gate.knows("", NOW), Err(GateRefusal::Wrong));
        let visitor = gate.enter(&token, NOW).unwrap();
        assert_eq!(gate.enter(&token, NOW), Err(GateRefusal::Used));
        assert_eq!(gate.knows(&visitor, NOW), Ok(()));
        assert_eq!(gate.knows(&token, NOW), Err(GateRefusal::Wrong));
        assert_eq!(gate.knows(&visitor, late), Err(GateRefusal::Late));
        assert!(gate.token().is_empty());
    }

    #[test]
    fn a_state_is_kept_until_it_was_used_and_then_another_takes_its_place() {
        let mut gate = Gate::new(NOW);
        assert_eq!(gate.take_state("", NOW), Err(GateRefusal::Used));
        let state = gate.state(NOW).to_owned();
        assert_eq!(gate.state(NOW), state);
        assert_eq!(gate.take_state("x", NOW), Err(GateRefusal::Wrong));
        let late = NOW.plus_seconds(LIFE_SECONDS);
        assert_eq!(gate.take_state(&state, late), Err(GateRefusal::Late));
        assert_eq!(gate.take_state(&state, NOW), Ok(()));
        assert_eq!(gate.take_state(&state, NOW), Err(GateRefusal::Used));
        let next = gate.state(NOW).to_owned();
        assert_ne!(next, state);
        assert_ne!(gate.state(late), next);
    }
}

//! Who signed in with which App: what was granted, codes on their way, and tokens.
//!
//! Invariants: a code is good once and for ten minutes, for the App, the address and the challenge
//! that it was asked with; a token of a person is good for eight hours, and says nothing but who
//! they are.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// How long a code is good for, in milliseconds.
const CODE_LIFE: i64 = 600_000;
/// The same of a token.
const TOKEN_LIFE: i64 = 8 * 3_600_000;

#[derive(Clone, Default)]
pub(crate) struct SignIns {
    /// Apps, and the people who let them know who they are.
    granted: BTreeSet<(u64, u64)>,
    codes: Vec<SignInCode>,
    tokens: Vec<PersonToken>,
}

#[derive(Clone)]
struct SignInCode {
    text: String,
    wish: Wish,
    person: u64,
    made_at: i64,
}

#[derive(Clone)]
struct PersonToken {
    text: String,
    person: u64,
    expires_at: i64,
}

/// What somebody is asked for on behalf of an App.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) app: u64,
    pub(crate) redirect: String,
    /// Of PKCE; empty where the App uses none.
    pub(crate) challenge: String,
}

/// What comes with a code.
pub(crate) struct Proof<'a> {
    pub(crate) app: u64,
    pub(crate) redirect: &'a str,
    pub(crate) verifier: &'a str,
}

impl SignIns {
    pub(crate) fn has_granted(&self, app: u64, person: u64) -> bool {
        self.granted.contains(&(app, person))
    }

    /// A person grants it: the code for the App.
    pub(crate) fn grant(&mut self, wish: Wish, person: u64, now: i64) -> String {
        self.granted.insert((wish.app, person));
        let text = uuid::Uuid::new_v4().simple().to_string()[..20].to_owned();
        self.codes.push(SignInCode { text: text.clone(), wish, person, made_at: now });
        text
    }

    /// A token for a code; `None`: the code is not good for that. It is gone either way.
    pub(crate) fn exchange(&mut self, code: &str, proof: &Proof<'_>, now: i64) -> Option<String> {
        let at = self.codes.iter().position(|known| known.text == code)?;
        let SignInCode { wish, person, made_at, .. } = self.codes.remove(at);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(proof.verifier));
        let fits = wish.app == proof.app
            && wish.redirect == proof.redirect
            && (wish.challenge.is_empty() || wish.challenge == challenge)
            && now < made_at + CODE_LIFE;
        fits.then(|| {
            let text = format!("ghu_{}", uuid::Uuid::new_v4().simple());
            let expires_at = now + TOKEN_LIFE;
            self.tokens.push(PersonToken { text: text.clone(), person, expires_at });
            text
        })
    }

    /// Whose token it is.
    pub(crate) fn whose(&self, token: &str, now: i64) -> Option<u64> {
        let known = self.tokens.iter().find(|known| known.text == token && now < known.expires_at);
        known.map(|known| known.person)
    }

    pub(crate) fn tokens(&self) -> Vec<String> {
        self.tokens.iter().map(|token| token.text.clone()).collect()
    }
}

//! The last look at what is about to be sent to GitHub.
//!
//! Invariants: every request about a repository goes through here before anything of it is sent,
//! files as they are, not as they are encoded; an error names the secret and never shows it.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::{ApiCall, Forge, ForgeError};
use crate::core::github::RepoRef;
use crate::core::leak::SecretsBefore;

impl Forge {
    /// Refuses what holds a secret of ours, or what looks like one of others.
    pub(super) async fn withhold_secrets(
        &self,
        repo: &RepoRef,
        call: &ApiCall<'_>,
    ) -> Result<(), ForgeError> {
        let mut contents = vec![Cow::Borrowed(call.path.as_bytes())];
        call.body.iter().for_each(|body| collect(body, &mut contents));
        self.withhold_known(repo, &contents).await?;
        let none = SecretsBefore::default();
        let before = call.before.unwrap_or(&none);
        match contents.iter().find_map(|content| before.first_new_in(content)) {
            Some(name) => Err(withheld(&format!("what looks like {name}"))),
            None => Ok(()),
        }
    }

    /// Refuses what holds a secret of ours.
    pub(super) async fn withhold_known<C: AsRef<[u8]>>(
        &self,
        repo: &RepoRef,
        contents: &[C],
    ) -> Result<(), ForgeError> {
        let live = self.live_sessions(repo).await;
        let tokens = live.iter().map(|session| &session.known);
        for known in tokens.chain([self.inner.config.known_secrets.as_ref()]) {
            if let Some(name) = contents.iter().find_map(|it| known.found_in(it.as_ref())) {
                return Err(withheld(name));
            }
        }
        Ok(())
    }
}

fn withheld(secret: &str) -> ForgeError {
    ForgeError::Withheld { secret: secret.to_owned() }
}

/// Every text of a body, with files as they are.
fn collect<'a>(value: &'a Value, contents: &mut Vec<Cow<'a, [u8]>>) {
    match value {
        Value::String(text) => contents.push(Cow::Borrowed(text.as_bytes())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, contents)),
        Value::Object(members) => {
            let member = |name: &str| members.get(name).and_then(Value::as_str);
            if let (Some("base64"), Some(content)) = (member("encoding"), member("content"))
                && let Ok(bytes) = BASE64.decode(content)
            {
                contents.push(Cow::Owned(bytes));
            }
            members.values().for_each(|item| collect(item, contents));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

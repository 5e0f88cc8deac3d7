//! What GitHub says of this job to a registry that trusts it: a signed token for one audience.

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::RegistryError;
use super::wire::{Ask, Wire};
use crate::egress::Egress;

/// Where a job with `id-token: write` asks for such tokens.
#[derive(Debug, Clone)]
pub struct IdTokens {
    url: Url,
    token: SecretString,
    wire: Wire,
}

impl IdTokens {
    /// With the runner's `ACTIONS_ID_TOKEN_REQUEST_URL` and its token.
    pub fn new(url: Url, token: SecretString, egress: Egress) -> Self {
        Self { url, token, wire: Wire { registry: "GitHub".to_owned(), egress } }
    }

    /// A token that only this audience takes.
    pub(super) async fn of(&self, audience: &str) -> Result<SecretString, RegistryError> {
        #[derive(Deserialize)]
        struct IdToken {
            value: SecretString,
        }
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("audience", audience);
        let ask = Ask::get("asking who this job is", url).bearer(&self.token);
        let said: IdToken = self.wire.ask(ask).await?.accepted()?.json()?;
        Ok(said.value)
    }
}

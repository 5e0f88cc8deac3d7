//! Slack, as the operator configured it.

use std::sync::Arc;

use super::{StartError, egress_to};
use crate::config::Config;
use crate::core::leak::KnownSecrets;
use crate::core::setup::LINKED;
use crate::core::slack::SlackPins;
use crate::egress::{Egress, PrivateAddresses};
use crate::forge::{SignIn, identify};
use crate::server::SlackDoor;
use crate::slack::{SigningSecret, Slack, SlackConfig};
use crate::worker::SlackVisits;

/// The sides of Slack: what goes there, what comes from there, and who people are.
pub struct SlackWiring {
    /// The client.
    pub client: Slack,
    /// Whose requests are taken.
    pub door: SlackDoor,
    /// How people show who they are.
    pub visits: Option<SlackVisits>,
}

impl SlackWiring {
    /// Connects them.
    pub fn new(
        client: Slack,
        secret: SigningSecret,
        pins: SlackPins,
        visits: Option<SlackVisits>,
    ) -> Self {
        let identify = visits.clone().map(|visits| -> crate::server::Identify {
            Arc::new(move |verifier, code| {
                let visits = visits.clone();
                Box::pin(async move {
                    let SlackVisits { sign_in, redirect } = visits;
                    let person = identify(&sign_in, &redirect, &verifier, &code).await;
                    person.map_err(|error| error.in_words())
                })
            })
        });
        Self { client, door: SlackDoor { secret, pins, identify }, visits }
    }
}

/// All of it, if Slack is configured. It has a way out of its own; GitHub is asked through `github`.
pub(super) fn wired(
    config: &Config,
    github: &Egress,
    known_secrets: &Arc<KnownSecrets>,
) -> Result<Option<SlackWiring>, StartError> {
    let Some(settings) = &config.slack else { return Ok(None) };
    let private = if config.private_addresses {
        PrivateAddresses::AllowLoopback
    } else {
        PrivateAddresses::Refuse
    };
    let egress = egress_to([settings.api_url.clone()], private)?;
    let client = SlackConfig {
        api: settings.api_url.clone(),
        token: settings.bot_token.clone(),
        known_secrets: Arc::clone(known_secrets),
    };
    let visits = config.sign_in.as_ref().map(|sign_in| {
        let mut redirect = sign_in.public_url.clone();
        redirect.set_path(&format!("{}{LINKED}", redirect.path().trim_end_matches('/')));
        let sign_in = SignIn {
            api: config.github.api_url.clone(),
            web: config.github.web_url.clone(),
            egress: github.clone(),
            client_id: sign_in.client_id.clone(),
            client_secret: sign_in.client_secret.clone(),
        };
        SlackVisits { sign_in, redirect }
    });
    let secret = SigningSecret::new(settings.signing_secret.clone())?;
    let pins = SlackPins { app_id: settings.app_id.clone(), team_id: settings.team_id.clone() };
    Ok(Some(SlackWiring::new(Slack::new(client, egress), secret, pins, visits)))
}

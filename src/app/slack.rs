//! Slack, as the operator configured it.

use std::sync::Arc;

use super::{StartError, egress_to};
use crate::config::Config;
use crate::core::leak::KnownSecrets;
use crate::core::slack::SlackPins;
use crate::egress::PrivateAddresses;
use crate::server::SlackDoor;
use crate::slack::{SigningSecret, Slack, SlackConfig};

/// The two sides of Slack: what goes there, and what comes from there.
pub struct SlackWiring {
    /// The client.
    pub client: Slack,
    /// Whose requests are taken.
    pub door: SlackDoor,
}

/// Both, if Slack is configured. It has a way out of its own.
pub(super) fn wired(
    config: &Config,
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
    let door = SlackDoor {
        secret: SigningSecret::new(settings.signing_secret.clone())?,
        pins: SlackPins { app_id: settings.app_id.clone(), team_id: settings.team_id.clone() },
    };
    Ok(Some(SlackWiring { client: Slack::new(client, egress), door }))
}

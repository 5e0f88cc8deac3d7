//! The App on GitHub: its key, what it may do and hears of, and whether GitHub reaches us.

use std::collections::BTreeMap;

use super::causes::in_full;
use crate::app::{egress_to, private_addresses};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::checklist::github::{self, Pinged, SeenHook};
use crate::core::checklist::{ChecklistItem, ItemState};
use crate::core::setup::AppManifest;
use crate::forge::payload::AppInfo;
use crate::forge::{Forge, ForgeError, ping};
use crate::server::{Tell, WebhookSecrets};

/// What is asked with.
pub(super) struct AskedWith<'a> {
    pub(super) config: &'a Config,
    pub(super) forge: &'a Forge,
    /// `None`: they cannot be used.
    pub(super) secrets: Option<&'a WebhookSecrets>,
}

/// Always the same, so that a server remembers one.
const GUID: &str = "9d0c70c7-0000-4000-8000-00000000d0c7";
const BODY: &str =
    r#"{"zen":"gander doctor looks whether this address leads to Gander","hook_id":0}"#;

/// Looks at the App. `false`: GitHub does not know us, so that nothing more can be asked.
pub(super) async fn look(asked: AskedWith<'_>, pull: bool, tell: &Tell) -> bool {
    let forge = asked.forge;
    let clock = clock(forge).await;
    let clock_is_off = clock.state == ItemState::Failed;
    tell(clock);
    let app = match forge.app().await {
        Ok(app) => app,
        Err(error) => {
            tell(not_known(&error, clock_is_off, asked.config.github.app_id));
            return false;
        }
    };
    tell(ChecklistItem::ok("App key", format!("GitHub knows the App {} by it", app.slug())));
    let Ok(ours) = AppManifest::ours() else { return true };
    tell(github::permissions(&ours, &app.permissions));
    tell(github::events(&ours, &app.events));
    let installed = installations(forge, &ours, &app, tell).await;
    let hook = match forge.hook().await {
        Ok(hook) => hook,
        Err(error) => {
            tell(not_asked("webhook", &error));
            return true;
        }
    };
    match github::hook(hook.as_ref()) {
        Err(item) => tell(item),
        Ok(hook) => reached(&asked, hook, installed, pull, tell).await,
    }
    true
}

async fn clock(forge: &Forge) -> ChecklistItem {
    match forge.time_there().await {
        Ok(theirs) => github::clock(Clock::system().now(), theirs),
        Err(error) => not_asked("clock", &error),
    }
}

async fn installations(forge: &Forge, ours: &AppManifest, app: &AppInfo, tell: &Tell) -> usize {
    match forge.installations().await {
        Ok(mut all) => {
            // What the App itself lacks is told once.
            let lacks: BTreeMap<_, _> = ours
                .default_permissions
                .iter()
                .filter(|(name, level)| app.permissions.get(*name) != Some(*level))
                .map(|(name, level)| (name.clone(), level.clone()))
                .collect();
            for one in &mut all {
                one.permissions.extend(lacks.clone());
            }
            github::installations(ours, &all).into_iter().for_each(|item| tell(item));
            all.len()
        }
        Err(error) => {
            tell(not_asked("installation", &error));
            0
        }
    }
}

async fn reached(
    asked: &AskedWith<'_>,
    hook: &SeenHook,
    installed: usize,
    pull: bool,
    tell: &Tell,
) {
    let log = match asked.forge.newest_deliveries().await {
        Ok(log) => log,
        Err(error) => {
            tell(not_asked("deliveries", &error));
            return;
        }
    };
    if pull {
        tell(github::log_is_kept(hook, &log, installed));
        return;
    }
    // Without a secret nothing can be signed, and that is told already.
    let Some(secrets) = asked.secrets else { return };
    let pinged = send_ping(asked.config, hook, secrets).await;
    github::reached(hook, &log, installed, &pinged).into_iter().for_each(|item| tell(item));
}

async fn send_ping(config: &Config, hook: &SeenHook, secrets: &WebhookSecrets) -> Pinged {
    let url = match hook.url.parse::<url::Url>() {
        Ok(url) => url,
        Err(error) => return Pinged::NoAnswer(format!("{} is no address: {error}", hook.url)),
    };
    match egress_to([url.clone()], private_addresses(config)) {
        Ok(egress) => {
            let signature = secrets.signature_of(BODY.as_bytes());
            ping(&url, &egress, (GUID, BODY, &signature)).await
        }
        Err(error) => Pinged::NoAnswer(in_full(&error)),
    }
}

/// GitHub does not take us for the App.
fn not_known(error: &ForgeError, clock_is_off: bool, app_id: u64) -> ChecklistItem {
    const NAME: &str = "App key";
    match error {
        ForgeError::Refused { .. } if clock_is_off => ChecklistItem::unknown(
            NAME,
            format!("GitHub refuses it, as it does while the clock is off: {}", error.in_words()),
            "set the clock first, and look again",
        ),
        ForgeError::Refused { status: 404, .. } => ChecklistItem::failed(
            NAME,
            format!("GitHub knows no App with the number {app_id}"),
            "correct app_id: the App's settings page on GitHub shows it",
        ),
        ForgeError::Refused { .. } => ChecklistItem::failed(
            NAME,
            format!(
                "GitHub does not accept this key for the App with the number {app_id}: {}",
                error.in_words()
            ),
            "make a new key on the App's settings page on GitHub, and name its file as \
             private_key_file; or correct app_id, if the key is another App's",
        ),
        _ => not_asked(NAME, error),
    }
}

pub(super) fn not_asked(name: &'static str, error: &ForgeError) -> ChecklistItem {
    let next = "see that this machine reaches GitHub, and look again";
    ChecklistItem::unknown(name, in_full(error), next)
}

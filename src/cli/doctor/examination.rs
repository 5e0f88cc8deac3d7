//! The checklist from its first line to its last: what needs nothing first.
//!
//! Invariants: each item is told as soon as it is known; what stands in the way of one does not
//! keep others from being looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;

use super::causes::in_full;
use super::{app, machine, model, repository};
use crate::app::{forge_of_operator, models};
use crate::config::{Config, ConfigError, ModelChoice, variable};
use crate::core::checklist::ChecklistItem;
use crate::core::id::RepoName;
use crate::core::leak::KnownSecrets;
use crate::server::{Examine, Tell, WebhookSecrets};

/// What is to be looked at.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Examination {
    /// The operator's configuration.
    pub(in crate::cli) config: Option<PathBuf>,
    pub(in crate::cli) repositories: Vec<RepoName>,
    /// Whether GitHub's log is read instead of waiting for webhooks.
    pub(in crate::cli) pull: bool,
}

/// The same, for a page that shows it whenever somebody asks.
pub(in crate::cli) fn examiner(what: Examination) -> Examine {
    Arc::new(move |tell| examine(what.clone(), tell).boxed())
}

/// Looks at everything.
pub(in crate::cli) async fn examine(what: Examination, tell: Tell) {
    let settings = settings(what.config.as_deref());
    settings.items.into_iter().for_each(|item| tell(item));
    tell(machine::sandbox().await);
    tell(machine::toolchains());
    let Some(config) = settings.config else { return };
    tell(machine::data_directory(&config.data));
    tell(machine::disk(&config.data));
    tell(machine::database(&config).await);
    let known = match config.known_secrets() {
        Ok(known) => Arc::new(known),
        Err(error) => {
            tell(ChecklistItem::failed("secrets", error.to_string(), "shorten them"));
            return;
        }
    };
    let secrets = webhook_secrets(&config, &tell);
    let (forge, egress) = match forge_of_operator(&config, &known) {
        Ok(both) => both,
        Err(error) => {
            let next = "correct these settings, and look again";
            tell(ChecklistItem::failed("App key", error.to_string(), next));
            return;
        }
    };
    if settings.has_model {
        ask_models(&config, &egress, &known, &tell).await;
    }
    let by = app::AskedWith { config: &config, forge: &forge, secrets: secrets.as_ref() };
    if !app::look(by, what.pull, &tell).await {
        return;
    }
    for name in &what.repositories {
        repository::look(&config, &forge, name, &tell).await;
    }
}

async fn ask_models(
    config: &Config,
    egress: &crate::egress::Egress,
    known: &Arc<KnownSecrets>,
    tell: &Tell,
) {
    match models(&config.model, egress, known) {
        Ok(models) => {
            let scripted = matches!(config.model, ModelChoice::Script(_));
            for one in models {
                tell(model::ask(one.as_ref(), scripted).await);
            }
        }
        Err(error) => {
            let next = "correct [model] in the settings";
            tell(ChecklistItem::failed("model", in_full(&error), next));
        }
    }
}

/// The webhook secrets, if they can be used.
fn webhook_secrets(config: &Config, tell: &Tell) -> Option<WebhookSecrets> {
    let github = &config.github;
    let taken =
        WebhookSecrets::new(github.webhook_secret.clone(), github.webhook_secret_previous.clone());
    match taken {
        Ok(secrets) => {
            let words = match github.webhook_secret_previous {
                None => "long enough, and in no file that others can read",
                Some(_) => {
                    "long enough, and in no file that others can read; the former one is still taken"
                }
            };
            tell(ChecklistItem::ok("secrets", words));
            Some(secrets)
        }
        Err(error) => {
            let next = "make one with `openssl rand -hex 32`, and set it in the App's settings on \
                        GitHub and in webhook_secret_file";
            tell(ChecklistItem::failed("secrets", error.to_string(), next));
            None
        }
    }
}

/// What the settings came to.
struct ReadSettings {
    items: Vec<ChecklistItem>,
    config: Option<Config>,
    has_model: bool,
}

/// Reads the settings; where only the model is missing, all else is looked at.
fn settings(path: Option<&Path>) -> ReadSettings {
    let shown = path.map_or("the environment".to_owned(), |path| path.display().to_string());
    let error = match Config::load(path, &|name| variable(name)) {
        Ok(config) => {
            let items = vec![ChecklistItem::ok("settings", format!("complete, from {shown}"))];
            return ReadSettings { items, config: Some(config), has_model: true };
        }
        Err(error) => error,
    };
    let item = match &error {
        ConfigError::OpenToOthers { path, .. } => ChecklistItem::failed(
            "secrets",
            error.to_string(),
            format!(
                "run `chmod 600 {}`: whoever read it has it, so change it as well",
                path.display()
            ),
        ),
        ConfigError::Missing(_) => ChecklistItem::failed(
            "settings",
            error.to_string(),
            "`gander setup` makes an App and writes down all of it but the model's key; name its \
             file with --config",
        ),
        ConfigError::Unreadable(..)
        | ConfigError::Malformed(..)
        | ConfigError::Bad { .. }
        | ConfigError::TooManySecrets => ChecklistItem::failed(
            "settings",
            in_full(&error),
            "correct it; docs/config.md tells all keys",
        ),
    };
    let only_model = matches!(
        &error,
        ConfigError::Missing(all) if all.iter().all(|one| one.key.starts_with("[model]"))
    );
    if !only_model {
        return ReadSettings { items: vec![item], config: None, has_model: false };
    }
    // Whatever stands there is not asked.
    let without = |name: &str| match name {
        "GANDER_MODEL_SCRIPT" => Some("none".to_owned()),
        other => variable(other),
    };
    let item = ChecklistItem {
        name: "model",
        next: Some("set it in the environment of `gander serve`, or as [model] key_file".into()),
        ..item
    };
    let config = Config::load(path, &without).ok();
    ReadSettings { items: vec![item], config, has_model: false }
}

//! The operator's choices: `gander-server.toml`, and variables that come before it.
//!
//! Invariants: this is the one file that reads the environment; secrets come by variable or by file
//! (never one that other users can read) and are wrapped at once; a missing or weak setting is an
//! error that names it, never a default.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::core::budget::Money;
use crate::core::leak::KnownSecrets;
use crate::core::retention::Retention;
use crate::egress::PinnedHost;
use crate::model::Provider;
use crate::sandbox::toolchain::ToolchainPaths;

mod address;
mod database;
mod key_file;
mod network;
mod place;
mod retention;
mod sign_in;
mod slack;

pub use database::database_address;
pub use place::StorePlace;
pub use sign_in::SignInSettings;
use slack::FileSlack;
pub use slack::SlackSettings;

/// Everything `gander serve` needs to know.
#[derive(Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The hosts that packages are fetched from; none: nothing is fetched.
    pub registries: BTreeSet<PinnedHost>,
    /// Reverse proxies on other machines, whose `X-Forwarded-For` is believed.
    pub proxies: Vec<IpAddr>,
    /// Where to keep everything, but for what is in `database`.
    pub data: PathBuf,
    /// The address of a PostgreSQL database. `None`: SQLite, in `data`.
    pub database: Option<SecretString>,
    /// Steps of jobs that work on this machine side by side.
    pub workers: usize,
    /// Those and the steps that wait for a model, together.
    pub models: usize,
    /// GitHub and who we are there.
    pub github: GitHub,
    /// Slack. `None`: Gander is not there.
    pub slack: Option<SlackSettings>,
    /// What people sign in with. `None`: nobody can, and there is no dashboard.
    pub sign_in: Option<SignInSettings>,
    /// The models, the default first.
    pub model: ModelChoice,
    /// No job may cost more.
    pub per_job: Money,
    /// No installation may cost more in a day.
    pub installation_day: Money,
    /// Whether addresses that are not on the internet may be reached.
    pub private_addresses: bool,
    /// Where Prometheus reads. `None`: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How long what is over is kept.
    pub retention: Retention,
}

/// GitHub and who we are there.
#[derive(Debug)]
pub struct GitHub {
    /// The App's number.
    pub app_id: u64,
    /// Its private key, as PEM.
    pub private_key: SecretString,
    /// The webhook's secret.
    pub webhook_secret: SecretString,
    /// The one before, while it is being changed.
    pub webhook_secret_previous: Option<SecretString>,
    /// The REST API.
    pub api_url: Url,
    /// The web and git address.
    pub web_url: Url,
    /// The slash command.
    pub prefix: String,
    /// The mention that means the same.
    pub mention: Option<String>,
}

/// Which models may be used.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum ModelChoice {
    /// A provider's.
    Provider {
        /// `anthropic` or `openai`.
        provider: String,
        /// Their names there.
        names: Vec<String>,
        key: SecretString,
        /// Another address than the provider's own.
        base_url: Option<Url>,
        /// Whether they see pictures; `None`: as is usual with the provider.
        pictures: Option<bool>,
    },
    /// A file of replies, for trying things out.
    Script(PathBuf),
}

/// A setting that is missing or cannot be used.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ConfigError {
    /// No such file, or not readable.
    #[error("the configuration {} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Not what it should be.
    #[error("{}: {}", .0.display(), .1)]
    Malformed(PathBuf, String),
    /// Not given at all; every one that is needed.
    #[error("{}", .0.iter().map(MissingSetting::to_string).collect::<Vec<_>>().join("\n"))]
    Missing(Vec<MissingSetting>),
    /// Given, but not usable.
    #[error("{name} cannot be used: {why}")]
    Bad {
        /// Variable or key.
        name: &'static str,
        why: String,
    },
    /// More than can be looked for in what leaves.
    #[error("the secrets are too long to be looked for in what leaves")]
    TooManySecrets,
    /// A secret that others on the machine can read or change.
    #[error(
        "{path} is open to other users of this machine (mode {mode:04o}); run: chmod 600 {path}",
        path = path.display()
    )]
    OpenToOthers {
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// A setting that is needed and was not given.
#[derive(Debug, thiserror::Error)]
#[error("{name} is not set: give it in the configuration under {key}, or as {name}. {help}")]
#[allow(missing_docs)]
pub struct MissingSetting {
    pub name: &'static str,
    /// The key in the file.
    pub key: &'static str,
    /// How to get one.
    pub help: &'static str,
}

/// `gander-server.toml`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<String>,
    public_url: Option<String>,
    proxies: Vec<IpAddr>,
    data: Option<PathBuf>,
    database: Option<String>,
    database_password_file: Option<PathBuf>,
    workers: Option<usize>,
    models: Option<usize>,
    allow_private_addresses: bool,
    github: FileGitHub,
    slack: FileSlack,
    model: FileModel,
    fetch: FileFetch,
    limits: FileLimits,
    metrics: Option<String>,
    retention: retention::FileRetention,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileGitHub {
    app_id: Option<u64>,
    private_key_file: Option<PathBuf>,
    webhook_secret_file: Option<PathBuf>,
    webhook_secret_previous_file: Option<PathBuf>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
    api_url: Option<String>,
    web_url: Option<String>,
    prefix: Option<String>,
    mention: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileModel {
    provider: Option<String>,
    names: Vec<String>,
    key_file: Option<PathBuf>,
    base_url: Option<String>,
    pictures: Option<bool>,
    script: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileFetch {
    registries: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FileLimits {
    per_job: Option<Money>,
    installation_day: Option<Money>,
}

const DEFAULT_MODEL: &str = "claude-sonnet-4-5";

const APP_ID: MissingSetting = MissingSetting {
    name: "GANDER_APP_ID",
    key: "[github] app_id",
    help: "GitHub shows it on the App's settings page.",
};
const PRIVATE_KEY: MissingSetting = MissingSetting {
    name: "GANDER_PRIVATE_KEY",
    key: "[github] private_key_file",
    help: "Make one on the App's settings page, and keep the file with mode 0600.",
};
const WEBHOOK_SECRET: MissingSetting = MissingSetting {
    name: "GANDER_WEBHOOK_SECRET",
    key: "[github] webhook_secret_file",
    help: "Make one with `openssl rand -hex 32`, and set it in the App's settings too.",
};
const MODEL_NAMES: MissingSetting = MissingSetting {
    name: "GANDER_MODEL",
    key: "[model] names",
    help: "Name the models of this provider that may be used, the default first.",
};

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where toolchains may be found on this machine.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn toolchain_places() -> ToolchainPaths {
    ToolchainPaths::from_variables(|name: &str| -> Option<OsString> { std::env::var_os(name) })
}

/// Where this user's programs keep what they can get again.
pub fn cache_directory() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(variable("HOME")?).join(".cache"));
    variable("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)
}

/// The caller's environment, for whoever names what is kept of it. What is not text is left out.
#[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
pub fn environment() -> Vec<(String, String)> {
    let text = |text: OsString| text.into_string().ok();
    std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

/// Steps under way for each worker where nothing else is said, those that wait for a model included.
const MODELS_OF_A_WORKER: usize = 4;

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Config {
    /// Reads the file, if one is given, and the variables.
    ///
    /// # Errors
    /// The first setting that is unusable, else all that are missing.
    pub fn load(
        path: Option<&Path>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let File {
            listen,
            public_url,
            proxies,
            data,
            database,
            database_password_file,
            workers,
            models,
            allow_private_addresses,
            github,
            slack,
            model,
            fetch,
            limits,
            metrics,
            retention,
        } = match path {
            Some(path) => read_file(path)?,
            None => File::default(),
        };
        let workers = workers.unwrap_or_else(processors).max(1);
        let listen = variable("GANDER_LISTEN").or(listen);
        let listen = listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned());
        let sign_in = sign_in::read(public_url, &github, variable)?;
        let (github, model) = both(read_github(github, variable), read_model(model, variable))?;
        let password_file = variable("GANDER_DATABASE_PASSWORD_FILE").map(PathBuf::from);
        let password =
            secret(variable("GANDER_DATABASE_PASSWORD"), password_file.or(database_password_file))?;
        let in_file = database.map(|text| (text, path));
        Ok(Self {
            listen: network::socket("GANDER_LISTEN", &listen)?,
            metrics: (variable("GANDER_METRICS").or(metrics))
                .map(|text| network::socket("GANDER_METRICS", &text))
                .transpose()?,
            retention: retention::read(&retention)?,
            proxies,
            data: place::data(variable, data),
            database: database::address(variable("GANDER_DATABASE"), in_file, password)?,
            workers,
            models: models.unwrap_or(MODELS_OF_A_WORKER * workers).max(workers),
            github,
            slack: slack::read(slack, variable)?,
            sign_in,
            model,
            registries: network::registries(fetch.registries)?,
            per_job: limits.per_job.unwrap_or(Money::from_micros(10_000_000)),
            installation_day: limits.installation_day.unwrap_or(Money::from_micros(100_000_000)),
            private_addresses: allow_private_addresses
                || variable("GANDER_ALLOW_PRIVATE_ADDRESSES").as_deref() == Some("true"),
        })
    }
}

impl Config {
    /// All secrets, by the names that people are told.
    ///
    /// # Errors
    /// When there are more than can be looked for.
    pub fn known_secrets(&self) -> Result<KnownSecrets, ConfigError> {
        let github = &self.github;
        let mut secrets = vec![
            ("the App's private key", &github.private_key),
            ("the webhook secret", &github.webhook_secret),
        ];
        let previous = github.webhook_secret_previous.iter();
        secrets.extend(previous.map(|secret| ("the previous webhook secret", secret)));
        let client = self.sign_in.iter().map(|it| &it.client_secret);
        secrets.extend(client.map(|secret| ("the App's client secret", secret)));
        let of_database = self.database.as_ref().map(database::passwords).unwrap_or_default();
        secrets.extend(of_database.iter().map(|secret| ("the database's password", secret)));
        secrets.extend(self.slack.iter().flat_map(SlackSettings::secrets));
        if let ModelChoice::Provider { key, .. } = &self.model {
            secrets.push(("the model's key", key));
        }
        let secrets = secrets.into_iter().map(|(name, secret)| (name, secret.expose_secret()));
        KnownSecrets::new(secrets).map_err(|_| ConfigError::TooManySecrets)
    }
}

/// Both, or all that is missing in them; what cannot be used is told first.
fn both<A, B>(
    one: Result<A, ConfigError>,
    other: Result<B, ConfigError>,
) -> Result<(A, B), ConfigError> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(ConfigError::Missing(mut all)), Err(ConfigError::Missing(more))) => {
            all.extend(more);
            Err(ConfigError::Missing(all))
        }
        (Err(ConfigError::Missing(_)) | Ok(_), Err(error)) | (Err(error), _) => Err(error),
    }
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Unreadable(path.to_owned(), source))?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let problem = format!("line {line}, column {column}: {}", error.message());
        ConfigError::Malformed(path.to_owned(), problem)
    })
}

fn read_github(
    file: FileGitHub,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<GitHub, ConfigError> {
    let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
    let app_id = match first(&["GANDER_APP_ID", "APP_ID"]) {
        Some(text) => Some(text.trim().parse().map_err(|_| ConfigError::Bad {
            name: "GANDER_APP_ID",
            why: "it is not a number".to_owned(),
        })?),
        None => file.app_id,
    };
    let key_file = first(&["GANDER_PRIVATE_KEY_FILE", "PRIVATE_KEY_PATH"]).map(PathBuf::from);
    let private_key =
        secret(first(&["GANDER_PRIVATE_KEY", "PRIVATE_KEY"]), key_file.or(file.private_key_file))?;
    let webhook_secret = secret(
        first(&["GANDER_WEBHOOK_SECRET", "WEBHOOK_SECRET"]),
        first(&["GANDER_WEBHOOK_SECRET_FILE"]).map(PathBuf::from).or(file.webhook_secret_file),
    )?;
    let missing = [
        (app_id.is_none(), APP_ID),
        (private_key.is_none(), PRIVATE_KEY),
        (webhook_secret.is_none(), WEBHOOK_SECRET),
    ];
    let (Some(app_id), Some(private_key), Some(webhook_secret)) =
        (app_id, private_key, webhook_secret)
    else {
        let missing = missing.into_iter().filter_map(|(is_missing, it)| is_missing.then_some(it));
        return Err(ConfigError::Missing(missing.collect()));
    };
    Ok(GitHub {
        app_id,
        private_key,
        webhook_secret,
        webhook_secret_previous: secret(
            first(&["GANDER_WEBHOOK_SECRET_PREVIOUS"]),
            file.webhook_secret_previous_file,
        )?,
        api_url: url(
            "GANDER_API_URL",
            first(&["GANDER_API_URL"]).or(file.api_url),
            "https://api.github.com",
        )?,
        web_url: url(
            "GANDER_WEB_URL",
            first(&["GANDER_WEB_URL"]).or(file.web_url),
            "https://github.com",
        )?,
        prefix: address::prefix(file.prefix)?,
        mention: address::mention(file.mention)?,
    })
}

fn read_model(
    file: FileModel,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<ModelChoice, ConfigError> {
    let script = variable("GANDER_MODEL_SCRIPT").map(PathBuf::from).or(file.script);
    if let Some(script) = script {
        return Ok(ModelChoice::Script(script));
    }
    let names = match variable("GANDER_MODEL") {
        Some(names) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        None => file.names,
    };
    if names.iter().any(|name: &String| name.trim().is_empty()) {
        let why = format!("{names:?} holds an empty name: write a model's name, or take it out");
        return Err(ConfigError::Bad { name: "[model] names", why });
    }
    let provider = match file.provider {
        Some(name) => name.parse().map_err(|()| ConfigError::Bad {
            name: "[model] provider",
            why: format!("there is no provider {name:?}; use anthropic or openai"),
        })?,
        None => names.first().and_then(|name| Provider::of(name)).unwrap_or(Provider::Anthropic),
    };
    let names = match provider {
        Provider::Anthropic if names.is_empty() => vec![DEFAULT_MODEL.to_owned()],
        Provider::Anthropic | Provider::OpenAi => names,
    };
    let (usual, help) = usual_key(provider);
    let key_file = variable("GANDER_MODEL_KEY_FILE").map(PathBuf::from).or(file.key_file);
    let key = secret(variable("GANDER_MODEL_KEY").or_else(|| variable(usual)), key_file)?;
    let missing_key = MissingSetting { name: "GANDER_MODEL_KEY", key: "[model] key_file", help };
    let key = match (key, names.is_empty()) {
        (Some(key), false) => key,
        (Some(_), true) => return Err(ConfigError::Missing(vec![MODEL_NAMES])),
        (None, false) => return Err(ConfigError::Missing(vec![missing_key])),
        (None, true) => return Err(ConfigError::Missing(vec![MODEL_NAMES, missing_key])),
    };
    let base_url = match file.base_url {
        Some(text) => Some(url("[model] base_url", Some(text), "")?),
        None => None,
    };
    let provider = provider.name().to_owned();
    Ok(ModelChoice::Provider { provider, names, key, base_url, pictures: file.pictures })
}

/// The variable in which people keep a provider's key anyway, and how to come by one.
pub fn usual_key(provider: Provider) -> (&'static str, &'static str) {
    match provider {
        Provider::Anthropic => {
            ("ANTHROPIC_API_KEY", "The provider's console makes one. ANTHROPIC_API_KEY works too.")
        }
        Provider::OpenAi => {
            ("OPENAI_API_KEY", "The provider's console makes one. OPENAI_API_KEY works too.")
        }
    }
}

/// A secret from a variable, else from a file that is its owner's alone.
fn secret(
    value: Option<String>,
    file: Option<PathBuf>,
) -> Result<Option<SecretString>, ConfigError> {
    if let Some(value) = value {
        return Ok(Some(value.into()));
    }
    let Some(path) = file else { return Ok(None) };
    let unreadable = |source| ConfigError::Unreadable(path.clone(), source);
    if let Some(mode) = key_file::open_to_others(&path).map_err(unreadable)? {
        return Err(ConfigError::OpenToOthers { path, mode });
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into()))
}

fn url(name: &'static str, text: Option<String>, default: &str) -> Result<Url, ConfigError> {
    let text = text.unwrap_or_else(|| default.to_owned());
    let bad = |why: String| ConfigError::Bad { name, why };
    let url = Url::parse(&text).map_err(|error| bad(format!("{text:?}: {error}")))?;
    if url.host_str().is_none() || !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("{text:?} is not an address that begins with https://")));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn load(variables: &[(&str, &str)], file: Option<&str>) -> Result<Config, ConfigError> {
        let directory = tempfile::tempdir().unwrap();
        let path = file.map(|text| {
            let path = directory.path().join("gander-server.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        let find = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Config::load(path.as_deref(), &find)
    }

    const ENOUGH: &[(&str, &str)] = &[
        ("APP_ID", "7"),
        ("PRIVATE_KEY", "pem"),
        ("WEBHOOK_SECRET", "a secret of some length"),
        ("ANTHROPIC_API_KEY", "key"),
    ];

    #[test]
    fn the_names_people_know_from_other_apps_are_enough() {
        let config = load(ENOUGH, None).unwrap();
        assert_eq!(config.github.app_id, 7);
        assert_eq!(config.github.api_url.as_str(), "https://api.github.com/");
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert!(
            matches!(config.model, ModelChoice::Provider { provider, .. } if provider == "anthropic")
        );
    }

    #[test]
    fn nothing_that_matters_has_a_silent_default() {
        for (missing, named) in [
            ("APP_ID", "GANDER_APP_ID"),
            ("PRIVATE_KEY", "GANDER_PRIVATE_KEY"),
            ("WEBHOOK_SECRET", "GANDER_WEBHOOK_SECRET"),
            ("ANTHROPIC_API_KEY", "GANDER_MODEL_KEY"),
        ] {
            let rest: Vec<_> =
                ENOUGH.iter().copied().filter(|(name, _)| *name != missing).collect();
            let error = load(&rest, None).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{named} is not set")), "{error}");
        }
    }

    #[test]
    fn all_that_is_missing_is_told_at_once() {
        let said = load(&[], None).unwrap_err().to_string();
        let named: Vec<&str> = said.lines().filter_map(|line| line.split(' ').next()).collect();
        let all = ["GANDER_APP_ID", "GANDER_PRIVATE_KEY", "GANDER_WEBHOOK_SECRET"];
        assert_eq!(named, [&all[..], &["GANDER_MODEL_KEY"]].concat(), "{said}");
        let said = load(ENOUGH, Some("[model]\nprovider = \"openai\"\n")).unwrap_err().to_string();
        assert!(said.contains("GANDER_MODEL is") && said.contains("OPENAI_API_KEY"), "{said}");
    }

    #[test]
    fn a_provider_that_nobody_knows_is_told_before_a_key_for_it_is_asked_for() {
        let said = load(&[], Some("[model]\nprovider = \"mistral\"\n")).unwrap_err().to_string();
        let words =
            "[model] provider cannot be used: there is no provider \"mistral\"; use anthropic";
        assert!(said.starts_with(words), "{said}");
    }

    #[test]
    fn a_model_that_is_known_by_its_name_brings_its_provider() {
        let rest = ENOUGH.iter().filter(|(name, _)| *name != "ANTHROPIC_API_KEY").copied();
        let variables: Vec<_> =
            rest.chain([("GANDER_MODEL", "gpt-5"), ("OPENAI_API_KEY", "key")]).collect();
        let config = load(&variables, None).unwrap();
        assert!(
            matches!(config.model, ModelChoice::Provider { provider, .. } if provider == "openai")
        );
    }

    #[test]
    fn the_databases_address_is_checked_and_its_password_is_kept_as_a_secret() {
        let load_with = |variables: &[(&str, &str)], file: Option<&str>| {
            load(&[ENOUGH, variables].concat(), file)
        };
        assert!(load(ENOUGH, None).unwrap().database.is_none());
        let password = "a horse/battery@staple";
        let file = Some("database = \"postgres://gander@db.example/gander\"\n");
        let config = load_with(&[("GANDER_DATABASE_PASSWORD", password)], file).unwrap();
        let address = config.database.as_ref().unwrap().expose_secret();
        let encoded = "a%20horse%2Fbattery%40staple";
        assert_eq!(address, format!("postgres://gander:{encoded}@db.example/gander"));
        let known = config.known_secrets().unwrap();
        for told in [password, encoded] {
            let found = known.found_in(format!("it is {told}!").as_bytes());
            assert_eq!(found, Some("the database's password"), "{told}");
        }
        assert!(!format!("{config:?}").contains("horse"));
        for (address, why) in [
            ("gander.db", "it is no address such as postgres://"),
            ("mysql://gander:hunter2@db/gander", "it is no address such as postgres://"),
            ("postgres://db.example/gander", "it names no user"),
            ("postgres://gander:hunter2@db.example/", "it names no database"),
            ("postgres://gander:hunter2@db.example/g?sslmod=disable", "\"sslmod\" is none of"),
            ("postgres://gander:hunter2@db.example/g?sslmode=on", "sslmode is one of disable,"),
        ] {
            let error = load_with(&[("GANDER_DATABASE", address)], None).unwrap_err().to_string();
            assert!(error.starts_with("GANDER_DATABASE cannot be used: "), "{error}");
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_holds_no_password_of_a_database() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gander-server.toml");
        let find = |name: &str| {
            let found = ENOUGH.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        std::fs::write(&path, "database = \"postgres://g:hunter2@db.example/g\"\n").unwrap();
        mode(0o644);
        let refusal = Config::load(Some(&path), &find).unwrap_err();
        assert!(matches!(refusal, ConfigError::OpenToOthers { .. }), "{refusal}");
        mode(0o600);
        assert!(Config::load(Some(&path), &find).unwrap().database.is_some());
        std::fs::write(&path, "database = \"postgres://g@db.example/g\"\n").unwrap();
        mode(0o644);
        assert!(Config::load(Some(&path), &find).unwrap().database.is_some());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let error = load(ENOUGH, Some("listen = \"127.0.0.1:1\"\n[github]\napp_idd = 3\n"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("line 3, column 1") && error.contains("app_idd"), "{error}");
    }

    #[test]
    fn a_name_that_is_empty_is_refused() {
        for (file, words) in [
            ("[model]\nnames = [\"claude-sonnet-4-5\", \"\"]\n", "[model] names cannot be used"),
            ("[model]\nnames = [\" \"]\n", "write a model's name, or take it out"),
            ("[github]\nmention = \"\"\n", "[github] mention cannot be used"),
        ] {
            let error = load(ENOUGH, Some(file)).unwrap_err().to_string();
            assert!(error.contains(words), "{file}: {error}");
        }
        let listed = [ENOUGH, &[("GANDER_MODEL", "a,,b")]].concat();
        let error = load(&listed, None).unwrap_err().to_string();
        assert!(error.contains("holds an empty name"), "{error}");
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused_and_no_secret_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key.pem");
        std::fs::write(&key, "very secret\n").unwrap();
        let path = key.to_str().unwrap();
        let mut variables: Vec<_> =
            ENOUGH.iter().copied().filter(|(name, _)| *name != "PRIVATE_KEY").collect();
        variables.push(("GANDER_PRIVATE_KEY_FILE", path));
        for mode in [0o644, 0o640, 0o604, 0o620, 0o660] {
            std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
            let refusal = load(&variables, None).unwrap_err().to_string();
            assert!(refusal.contains(&format!("(mode {mode:04o})")), "{refusal}");
            assert!(refusal.ends_with(&format!("run: chmod 600 {path}")), "{refusal}");
        }
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o400)).unwrap();
        load(&variables, None).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let config = load(&variables, None).unwrap();
        assert_eq!(config.github.private_key.expose_secret(), "very secret");
        assert!(!format!("{config:?}").contains("very secret"));
    }
}

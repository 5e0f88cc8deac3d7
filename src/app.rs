//! The composition root: the only module that names concrete adapters.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs::File;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::agent::HeldSlot;
use crate::clock::Clock;
use crate::config::{Config, ModelChoice, toolchain_places};
use crate::core::command::Address;
use crate::core::leak::KnownSecrets;
use crate::egress::{Egress, EgressError, EgressPolicy, PinnedHost, PrivateAddresses};
use crate::environment::REGISTRIES;
use crate::forge::{
    AppKey, AppKeyError, Forge, ForgeConfig, ForgeError, PICTURE_HOSTS, Pace, UPLOADS_HOST,
    download_hosts,
};
use crate::metrics::Metrics;
use crate::model::{self, Guarded, Metered, Model, ModelError, Provider, ScriptError, Scripted};
use crate::sandbox::installed::installed;
use crate::sandbox::{
    Bubblewrap, ControlGroups, InstalledToolchain, Sandbox, SandboxError, toolchain,
};
use crate::server::{Admission, AppState, WeakSecretError, WebhookSecrets};
use crate::slack::WeakSigningSecretError;
use crate::store::{Postgres, Sqlite, Store, StoreError};
use crate::worker::{Context, Worker, WorkerSettings};

mod beside;
mod data_directory;
mod job_registries;
mod slack;

pub use beside::store_beside;
pub use data_directory::lock;
use data_directory::prepare_data;
pub use job_registries::registries_of_job;
pub use slack::SlackWiring;

/// Gander, put together and not yet running.
pub struct App {
    /// The HTTP side.
    pub intake: AppState,
    /// The working side.
    pub worker: Worker,
}

/// What an [`App`] is made of.
#[allow(missing_docs)]
pub struct Wiring {
    pub store: Arc<dyn Store>,
    /// The client of GitHub.
    pub forge: Forge,
    /// Where commands of a repository run.
    pub sandbox: Arc<dyn Sandbox>,
    /// The operator's models, the default first.
    pub models: Vec<Arc<dyn Model>>,
    /// The webhook secrets.
    pub secrets: WebhookSecrets,
    /// Reverse proxies on other machines.
    pub proxies: Vec<IpAddr>,
    pub clock: Clock,
    /// The operator's choices.
    /// Slack, where it is configured.
    pub slack: Option<SlackWiring>,
    /// To the registries of packages; without it nothing is fetched from there.
    pub registries: Option<Egress>,
    pub settings: WorkerSettings,
}

/// Why Gander does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The webhook secret.
    #[error(transparent)]
    Secret(#[from] WeakSecretError),
    /// Slack's signing secret.
    #[error(transparent)]
    SlackSecret(#[from] WeakSigningSecretError),
    /// The App's key.
    #[error(transparent)]
    Key(#[from] AppKeyError),
    /// An address to be pinned.
    #[error("the address {0} cannot be used")]
    Address(Url),
    /// The HTTP client.
    #[error("the way out could not be set up")]
    Egress(#[from] EgressError),
    /// The database.
    #[error("the database could not be opened")]
    Store(#[from] StoreError),
    /// The sandbox. No sandbox, no run.
    #[error("there is no working sandbox, so Gander does not start")]
    Sandbox(#[from] SandboxError),
    /// The client of GitHub.
    #[error("GitHub cannot be asked")]
    Forge(#[from] ForgeError),
    /// The model.
    #[error("the model cannot be used")]
    Model(#[from] ModelError),
    /// The script.
    #[error("the script of replies cannot be used")]
    Script(#[from] ScriptError),
    /// The provider.
    #[error("there is no provider {0:?}; use anthropic or openai")]
    Provider(String),
    /// A half alone, with a database for one process.
    #[error(
        "several processes need one PostgreSQL database, and SQLite is for one: name it in `database` \
         or GANDER_DATABASE (docs/scale.md), or run `gander serve` alone"
    )]
    OneProcess,
    /// Another process works there.
    #[error(
        "another Gander works with the data directory {}: stop it, or give this one a directory of \
         its own (`data` or GANDER_DATA)",
        .0.display()
    )]
    DataInUse(std::path::PathBuf),
    /// The data directory.
    #[error("the data directory {0} cannot be used")]
    Data(std::path::PathBuf, #[source] std::io::Error),
    /// Others can look into it, and it is not ours to close.
    #[error("the data directory is open to other users of this machine; run: chmod 700 {}", .0.display())]
    OpenData(std::path::PathBuf),
}

/// What one process does of all that Gander does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halves {
    /// It takes webhooks, and works.
    Both,
    /// It takes webhooks, and keeps nothing on its disk.
    Server,
    /// It works, and listens nowhere.
    Worker,
}

/// How what GitHub sends comes in.
#[derive(Debug)]
pub enum Entrance {
    /// By webhooks, at this port.
    Port(TcpListener),
    /// By GitHub's own log, which is read: no port is open.
    Log,
    /// Elsewhere.
    None,
}

const MODEL_PAUSE: Duration = Duration::from_secs(2);

impl App {
    /// Connects the parts.
    pub fn new(wiring: Wiring) -> Self {
        let Wiring {
            store,
            forge,
            sandbox,
            models,
            secrets,
            proxies,
            clock,
            slack,
            registries,
            settings,
        } = wiring;
        let slack_visits = slack.as_ref().and_then(|it| it.visits.clone());
        let (slack, slack_door) = slack.map(|it| (it.client, Arc::new(it.door))).unzip();
        let wake = Arc::new(Notify::new());
        let metrics = Arc::new(Metrics::default());
        let counted =
            |model| -> Arc<dyn Model> { Arc::new(Metered::new(model, Arc::clone(&metrics))) };
        let models = models.into_iter().map(counted).collect();
        let intake = AppState {
            store: Arc::clone(&store),
            web: Arc::new(forge.web().clone()),
            secrets: Arc::new(secrets),
            address: Arc::new(settings.address.clone()),
            fairness: Arc::default(),
            admission: Arc::new(Admission::behind(proxies)),
            patience: crate::server::PATIENCE,
            slack: slack_door,
            clock: clock.clone(),
            wake: Arc::clone(&wake),
            operator: None,
            metrics: Arc::clone(&metrics),
        };
        let toolchains = installed_toolchains();
        let ctx = Context {
            store,
            forge,
            sandbox,
            slack,
            slack_visits,
            registries,
            toolchains,
            models,
            clock,
            metrics,
            wake,
            slot: HeldSlot::default(),
            settings,
        };
        Self { intake, worker: Worker::new(ctx) }
    }

    /// Serves and works until `shutdown`. Both are tasks of their own, so that neither waits for a
    /// thread that the other holds.
    ///
    /// # Errors
    /// When one of them broke; the other was stopped then.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), JoinError> {
        let tried = async { Ok::<_, Infallible>(()) };
        self.run_once_tried(Halves::Both, Entrance::Port(listener), shutdown, tried).await.0
    }

    /// The same, but works only after `trial`; when that fails, everything stops. Serves from the
    /// beginning, since what GitHub sends can be recorded anyway.
    pub async fn run_once_tried<E>(
        self,
        halves: Halves,
        entrance: Entrance,
        shutdown: CancellationToken,
        trial: impl Future<Output = Result<(), E>>,
    ) -> (Result<(), JoinError>, Result<(), E>) {
        let Self { intake, worker } = self;
        let mut running = JoinSet::new();
        let pulls = matches!(entrance, Entrance::Log);
        if let Entrance::Port(listener) = entrance {
            running.spawn(crate::server::serve(listener, intake, shutdown.clone()));
        }
        let works = trial.await;
        if works.is_ok() && pulls {
            let (worker, until) = (worker.clone(), shutdown.clone());
            running.spawn(async move { worker.pull(until).await });
        }
        if works.is_err() {
            shutdown.cancel();
        } else if halves != Halves::Server {
            let until = shutdown.clone();
            running.spawn(async move {
                if let Err(fault) = worker.begin_sweeps().await {
                    tracing::error!(fault = fault.text, "the sweeps could not be queued");
                }
                worker.run(until).await;
            });
        }
        let mut ended = Ok(());
        while let Some(half) = running.join_next().await {
            if half.is_err() {
                shutdown.cancel();
                ended = half;
            }
        }
        (ended, works)
    }
}

impl Wiring {
    /// Builds all parts as the operator configured them, for these halves of Gander. Nothing that
    /// holds one of `known_secrets` leaves. With it comes the lock on the data directory, where that
    /// is used: to be held as long as anything runs.
    ///
    /// # Errors
    /// The first part that cannot be had.
    pub async fn from_config(
        config: &Config,
        halves: Halves,
        known_secrets: Arc<KnownSecrets>,
    ) -> Result<(Self, Option<File>), StartError> {
        if config.database.is_none() && halves != Halves::Both {
            return Err(StartError::OneProcess);
        }
        let secrets = WebhookSecrets::new(
            config.github.webhook_secret.clone(),
            config.github.webhook_secret_previous.clone(),
        )?;
        let egress = egress(config)?;
        let forge_config = forge_config(config, &known_secrets)?;
        // A server alone leaves the directory to the worker beside it.
        let (data, data_lock) = match halves {
            Halves::Server => (config.data.clone(), None),
            Halves::Both | Halves::Worker => {
                let (data, lock) = prepare_data(&config.data)?;
                (data, Some(lock))
            }
        };
        let (store, clock) = open_store(config, &data).await?;
        let wiring = Self {
            store,
            forge: Forge::new(forge_config, egress.clone(), clock.clone()),
            sandbox: Arc::new(sandbox().within(ControlGroups::delegated())),
            models: models(&config.model, &egress, &known_secrets)?,
            secrets,
            proxies: config.proxies.clone(),
            clock,
            slack: slack::wired(config, &egress, &known_secrets)?,
            registries: registries_of(config)?,
            settings: WorkerSettings {
                settle: Duration::from_secs(60),
                address: Address {
                    prefix: config.github.prefix.clone(),
                    mention: config.github.mention.clone(),
                },
                data,
                most_per_job: config.per_job,
                installation_day: config.installation_day,
                workers: config.workers,
                models: config.models,
                model_pause: MODEL_PAUSE,
                retention: config.retention,
            },
        };
        Ok((wiring, data_lock))
    }
}

/// The store that the operator chose, and the clock that goes with it.
async fn open_store(config: &Config, data: &Path) -> Result<(Arc<dyn Store>, Clock), StartError> {
    let clock = Clock::system();
    let Some(address) = &config.database else {
        let store = Sqlite::open(&data.join("gander.db")).await?;
        return Ok((Arc::new(store), clock));
    };
    let store = Postgres::open(address.expose_secret(), &clock).await?;
    let clock = store.clock();
    Ok((Arc::new(store), clock))
}

fn forge_config(config: &Config, known: &Arc<KnownSecrets>) -> Result<ForgeConfig, AppKeyError> {
    Ok(ForgeConfig {
        api: config.github.api_url.clone(),
        web: config.github.web_url.clone(),
        app_id: config.github.app_id,
        key: AppKey::from_pem(config.github.private_key.expose_secret().as_bytes())?,
        pace: Pace::GITHUB,
        known_secrets: Arc::clone(known),
    })
}

/// GitHub as the operator's App, for whoever only looks, and the way to the models.
///
/// # Errors
/// When the key or an address cannot be used.
pub fn forge_of_operator(
    config: &Config,
    known: &Arc<KnownSecrets>,
) -> Result<(Forge, Egress), StartError> {
    let (forge_config, egress) = (forge_config(config, known)?, egress(config)?);
    Ok((Forge::new(forge_config, egress.clone(), Clock::system()), egress))
}

/// The sandbox of this machine, with the toolchains found on it.
pub fn sandbox() -> Bubblewrap {
    Bubblewrap::new(toolchain::find(&toolchain_places()))
}

/// All compilers and interpreters of this machine that a commit can ask for.
pub fn installed_toolchains() -> Arc<[InstalledToolchain]> {
    let places = toolchain_places();
    installed(&places, &toolchain::find(&places)).into()
}

/// The models of a choice, the default first. They are sent none of the `known` secrets.
///
/// # Errors
/// When the script or the provider cannot be used.
pub fn models(
    choice: &ModelChoice,
    egress: &Egress,
    known: &Arc<KnownSecrets>,
) -> Result<Vec<Arc<dyn Model>>, StartError> {
    if let ModelChoice::Script(path) = choice {
        return Ok(vec![Arc::new(Scripted::from_file(path)?)]);
    }
    let mut models: Vec<Arc<dyn Model>> = Vec::new();
    for settings in model_settings(choice)? {
        let model = model::connect(&settings, egress)?.into();
        models.push(Arc::new(Guarded::new(model, Arc::clone(known))));
    }
    Ok(models)
}

/// Where the models of a choice are.
///
/// # Errors
/// When there is no such provider.
pub fn model_addresses(choice: &ModelChoice) -> Result<Vec<Url>, StartError> {
    let settings = model_settings(choice)?.into_iter();
    settings
        .map(|settings| settings.base_url().map_err(|_| StartError::Provider(settings.model)))
        .collect()
}

fn model_settings(choice: &ModelChoice) -> Result<Vec<model::ModelSettings>, StartError> {
    let ModelChoice::Provider { provider, names, key, base_url, pictures } = choice else {
        return Ok(Vec::new());
    };
    let known: Provider = provider.parse().map_err(|()| StartError::Provider(provider.clone()))?;
    let settings = names.iter().map(|name| model::ModelSettings {
        provider: known,
        model: name.clone(),
        base_url: base_url.clone(),
        key: key.clone(),
        price: None,
        patience: model::PATIENCE,
        // Behind the other protocol stands whatever people run.
        sees: pictures.unwrap_or(known == Provider::Anthropic),
    });
    Ok(settings.collect())
}

/// GitHub, for a job of a workflow with a token of its own.
///
/// # Errors
/// When an address cannot be pinned or the client cannot be made.
pub fn forge_of_job(api: &Url, web: &Url, token: SecretString) -> Result<Forge, StartError> {
    // Git fetches from where the pages are.
    let mut addresses = vec![api.clone(), web.clone()];
    let public = api.host_str() == Some("api.github.com");
    if public {
        let hosts = std::iter::once(UPLOADS_HOST.to_owned()).chain(download_hosts());
        addresses.extend(hosts.filter_map(|host| Url::parse(&format!("https://{host}")).ok()));
    }
    // The runner names its server, which may stand in a private network.
    let private = if public { PrivateAddresses::Refuse } else { PrivateAddresses::Allow };
    let egress = egress_to(addresses, private)?;
    Ok(Forge::with_token(api.clone(), web.clone(), token, egress, Clock::system())?)
}

fn pinned(addresses: impl IntoIterator<Item = Url>) -> Result<BTreeSet<PinnedHost>, StartError> {
    let addresses = addresses.into_iter();
    let hosts = addresses
        .map(|address| PinnedHost::of_url(&address).map_err(|_| StartError::Address(address)));
    hosts.collect()
}

/// The one way out, to the hosts the operator named.
///
/// # Errors
/// When an address cannot be pinned or the client cannot be made.
pub fn egress_to(
    addresses: impl IntoIterator<Item = Url>,
    private_addresses: PrivateAddresses,
) -> Result<Egress, StartError> {
    let hosts = pinned(addresses)?;
    Ok(Egress::new(EgressPolicy { hosts, private_addresses })?)
}

/// The gate to the registries that the operator named, if any.
///
/// # Errors
/// When the client cannot be made.
pub fn registries_of(config: &Config) -> Result<Option<Egress>, StartError> {
    let (hosts, private_addresses) = (config.registries.clone(), private_addresses(config));
    let some = !hosts.is_empty();
    Ok(some.then(|| Egress::new(EgressPolicy { hosts, private_addresses })).transpose()?)
}

/// The registries of packages, where the operator names none.
pub fn registries() -> Vec<Url> {
    REGISTRIES.iter().flat_map(|host| Url::parse(&format!("https://{host}/"))).collect()
}

fn egress(config: &Config) -> Result<Egress, StartError> {
    let mut addresses = vec![config.github.api_url.clone(), config.github.web_url.clone()];
    addresses.extend(model_addresses(&config.model)?);
    if config.github.web_url.host_str() == Some("github.com") {
        let hosts = PICTURE_HOSTS.iter().map(|host| (*host).to_owned()).chain(download_hosts());
        addresses.extend(hosts.filter_map(|host| Url::parse(&format!("https://{host}")).ok()));
    }
    egress_to(addresses, private_addresses(config))
}

/// Which addresses beside those of the internet the operator allows.
pub fn private_addresses(config: &Config) -> PrivateAddresses {
    if config.private_addresses { PrivateAddresses::Allow } else { PrivateAddresses::Refuse }
}

//! `gander serve`: server and worker in one process, or the server alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    AnyError, CommandResult, doctor, first_process, start_logging, supervisor, unprivileged,
};
use crate::app::{App, Entrance, Halves, Wiring};
use crate::clock::Clock;
use crate::config::{Config, ConfigError, variable};
use crate::core::leak::KnownSecrets;
use crate::core::setup::AppManifest;
use crate::forge::{Forge, ForgeError};
use crate::sandbox::{Sandbox, leftovers, refusal};
use crate::server::{LiveChecklist, MetricsState, OperatorPage, serve_metrics};
use crate::store::Store;
use crate::worker::PULL_PAUSE;

/// How often a server alone looks at the database.
const BEAT: Duration = Duration::from_secs(5);

/// Receive webhooks and work on jobs
#[derive(Debug, clap::Args)]
pub struct ServeCommand {
    /// The operator's configuration; variables come before it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Started as root: the user to become before anything is opened
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only take webhooks: `gander worker` works, on as many machines as you like
    #[arg(long)]
    no_worker: bool,
    /// Read GitHub's log of deliveries instead of taking webhooks: no port is open
    #[arg(long)]
    pull: bool,
}

/// Where `gander setup` keeps the settings, if nothing else is asked of it.
const USUAL_CONFIG: &str = "gander/gander-server.toml";

/// Runs the subcommand.
///
/// # Errors
/// When it cannot start, or has to stop.
pub fn run(command: &ServeCommand) -> CommandResult {
    let halves = if command.no_worker { Halves::Server } else { Halves::Both };
    let intake = if command.pull { Intake::Log } else { Intake::Webhooks };
    start((halves, intake), command.config.as_deref(), command.user.as_deref())
}

/// How what GitHub sends comes in, if it does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intake {
    /// At a port.
    Webhooks,
    /// By reading GitHub's log.
    Log,
}

/// Starts these halves of Gander and runs them until they are told to stop.
pub(super) fn start(
    what: (Halves, Intake),
    path_of_config: Option<&Path>,
    user: Option<&str>,
) -> CommandResult {
    if unprivileged::is_root() {
        let Some(user) = user else {
            return Err("Gander does not run as root: start it as an ordinary user, or add \
                        `--user NAME` and it becomes that user before it opens anything"
                .into());
        };
        let never = unprivileged::rerun_unprivileged(std::env::args_os().skip(1), Some(user), &[])?;
        match never {}
    }
    if first_process::is_this() {
        return Ok(first_process::stand_by()?);
    }
    keep_secrets_in_memory();
    let loaded = Config::load(path_of_config, &|name| variable(name));
    let config = loaded.map_err(|error| with_next_step(error, path_of_config.is_some()))?;
    let known = Arc::new(config.known_secrets()?);
    start_logging("warn,gander=info", Arc::clone(&known));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let page = operator_page(&config, path_of_config);
    runtime.block_on(serve(&config, what, known, page))
}

/// The checklist of these settings, for whoever has a link.
fn operator_page(config: &Config, path: Option<&Path>) -> OperatorPage {
    let what = doctor::Examination {
        config: path.map(Path::to_owned),
        repositories: Vec::new(),
        pull: false,
    };
    let checklist = LiveChecklist::new(doctor::examiner(what));
    OperatorPage::new(&config.github.private_key, Clock::system(), checklist)
}

/// Where the App itself is missing, most often nobody has made one, or its settings are not named.
fn with_next_step(error: ConfigError, has_file: bool) -> AnyError {
    let ConfigError::Missing(settings) = &error else { return error.into() };
    let next = if !settings.iter().any(|it| it.key.starts_with("[github]")) {
        return error.into();
    } else if !has_file && Path::new(USUAL_CONFIG).is_file() {
        format!("There is {USUAL_CONFIG}: name it, as in `gander serve --config {USUAL_CONFIG}`.")
    } else {
        format!(
            "`gander setup` makes an App and writes down all of it but the model's key. Then: \
             `gander serve --config {USUAL_CONFIG}`."
        )
    };
    format!("{error}\n{next}").into()
}

async fn serve(
    config: &Config,
    (halves, intake): (Halves, Intake),
    known: Arc<KnownSecrets>,
    page: OperatorPage,
) -> CommandResult {
    let (wiring, _data_lock) = Wiring::from_config(config, halves, known).await?;
    let (forge, sandbox) = (wiring.forge.clone(), Arc::clone(&wiring.sandbox));
    let store = Arc::clone(&wiring.store);
    let mut app = App::new(wiring);
    app.intake.operator = Some(page);
    let counted = MetricsState {
        metrics: Arc::clone(&app.intake.metrics),
        store: Arc::clone(&store),
        clock: app.intake.clock.clone(),
    };
    let pulse = match halves {
        Halves::Both | Halves::Worker => app.worker.pulse(),
        Halves::Server => pulse_of(Arc::clone(&store)),
    };
    let entrance = match (halves, intake) {
        (Halves::Worker, _) => Entrance::None,
        (Halves::Both | Halves::Server, Intake::Webhooks) => Entrance::Port(listen(config).await?),
        (Halves::Both | Halves::Server, Intake::Log) => {
            tracing::info!(every = ?PULL_PAUSE, "reading GitHub's log of deliveries; no port is open");
            Entrance::Log
        }
    };
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone())?);
    if let Some(address) = config.metrics {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "whoever reaches this address reads the metrics");
        }
        let listener = listen_on(address).await?;
        tracing::info!(address = %listener.local_addr()?, "metrics are at /metrics");
        tokio::spawn(serve_metrics(listener, counted, shutdown.clone()));
    }

    let tried = async {
        if halves != Halves::Server {
            try_sandbox(sandbox.as_ref()).await?;
        }
        try_github(&forge).await?;
        supervisor::ready();
        if halves == Halves::Worker {
            tracing::info!("working; webhooks are taken by `gander serve`");
        }
        Ok::<_, AnyError>(())
    };
    tokio::spawn(supervisor::watch(pulse));
    let (ended, works) = app.run_once_tried(halves, entrance, shutdown, tried).await;
    store.close().await?;
    works?;
    ended?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

async fn listen(config: &Config) -> Result<TcpListener, AnyError> {
    let listener = listen_on(config.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "listening; webhooks go to /github/webhook");
    Ok(listener)
}

async fn listen_on(address: SocketAddr) -> Result<TcpListener, AnyError> {
    let listener = TcpListener::bind(address).await;
    Ok(listener.map_err(|error| format!("cannot listen on {address}: {error}"))?)
}

/// Of a server alone: it grows as long as the database answers, be it with a refusal.
fn pulse_of(store: Arc<dyn Store>) -> watch::Receiver<u64> {
    let (beats, pulse) = watch::channel(0);
    tokio::spawn(async move {
        while !beats.is_closed() {
            let _ = store.ping().await;
            beats.send_modify(|beats| *beats += 1);
            tokio::time::sleep(BEAT).await;
        }
    });
    pulse
}

/// Shows before the first job that the sandbox works.
async fn try_sandbox(sandbox: &dyn Sandbox) -> Result<(), AnyError> {
    let left = leftovers::end_orphans(leftovers::HEIR);
    if left > 0 {
        tracing::info!(left, "sandboxes that a killed server left waiting were ended");
    }
    let probe = sandbox.probe().await?;
    tracing::info!(
        sandbox = probe.version,
        processes = ?probe.process_limit,
        memory = ?probe.memory_limit,
        landlock = ?probe.landlock,
        denied = probe.denied.join(" "),
        "sandbox works"
    );
    if !sandbox.has_overlays().await {
        let why = if refusal::needs_apparmor_profile() {
            "AppArmor gives this program no user namespace (docs/install.md, section Ubuntu)"
        } else {
            "this machine has no overlays in user namespaces (Linux 5.11 has them)"
        };
        tracing::warn!("{why}: node_modules is read-only for commands");
    }
    for missing in probe.missing() {
        tracing::warn!("the sandbox of this machine has {missing}");
    }
    Ok(())
}

/// Shows that GitHub knows us.
async fn try_github(forge: &Forge) -> Result<(), AnyError> {
    match forge.app().await {
        Ok(app) => {
            tracing::info!(app = app.slug(), "GitHub knows this App");
            no_needless_powers(&app.permissions)
        }
        Err(error @ ForgeError::Refused { .. }) => Err(format!(
            "GitHub does not accept this App's number and key: {error}. Check GANDER_APP_ID, and \
             that the private key belongs to that App and was not deleted"
        )
        .into()),
        Err(error) => {
            let why = at_bottom(&error);
            tracing::warn!(%error, why, "GitHub could not be asked who this App is; going on");
            Ok(())
        }
    }
}

/// The last cause of an error: a certificate, a name, an address.
fn at_bottom(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}

/// An App that may write workflows is refused: then GitHub no longer stops a changed workflow that
/// got past Gander's own rules.
fn no_needless_powers(permissions: &BTreeMap<String, String>) -> Result<(), AnyError> {
    let beyond = AppManifest::ours()?.beyond(permissions);
    if beyond.iter().any(|it| it.starts_with("workflows: ")) {
        return Err("this App may change workflows, which Gander never does and GitHub would not \
                    stop any more: take the permission `workflows` away in the App's settings on \
                    GitHub, under Permissions & events"
            .into());
    }
    if !beyond.is_empty() {
        tracing::warn!(
            permissions = beyond.join(", "),
            "the App may do more than Gander needs; take it away in its settings on GitHub"
        );
    }
    Ok(())
}

fn stop_on_signal(
    shutdown: CancellationToken,
) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: work under way is handed back");
        supervisor::stopping();
        shutdown.cancel();
    })
}

/// No core dump, no debugger of another user.
fn keep_secrets_in_memory() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(Resource::Core, none);
    let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

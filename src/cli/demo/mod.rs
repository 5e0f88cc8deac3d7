//! `gander demo`: from an issue to a published release, live, on a GitHub emulator.
//!
//! Only the model's replies and the people's are scripted. Webhooks are signed and sent over HTTP,
//! the queue is on disk, git fetches, commands run in the sandbox, and the workflows that we ship
//! run as processes of their own.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{AnyError, CommandResult, say, start_logging, unprivileged};
use crate::app::{App, Wiring, egress_to, sandbox};
use crate::clock::Clock;
use crate::config::{toolchain_places, variable};
use crate::core::budget::Money;
use crate::core::command::Address;
use crate::core::examples::Example;
use crate::core::leak::KnownSecrets;
use crate::core::retention::Retention;
use crate::core::setup::{DEFAULT_NAME, Hub, SetupPlan};
use crate::egress::PrivateAddresses;
use crate::forge::payload::NewApp;
use crate::forge::{AppKey, Forge, ForgeConfig, Pace, claim_app};
use crate::sandbox::{Sandbox, toolchain};
use crate::server::WebhookSecrets;
use crate::store::Sqlite;
use crate::worker::WorkerSettings;
use gander_emulator::{Emulator, LimitPlan, Options, RepositorySpec, Requirement};

mod ending;
mod model;
mod project;
mod shown;
mod stage;
mod story;
mod workflows;

use model::DemoModel;
use project::DemoProject;
use stage::{DemoStage, Narration};
use workflows::{Download, Workflows};

/// Watch a bug become a release on a GitHub emulator: no network, key or account
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Print timeline, pull requests and release as JSON
    #[arg(long)]
    json: bool,
    /// Stay up afterwards, to look around
    #[arg(long, conflicts_with = "json")]
    keep: bool,
    /// Show every entry of the timeline, and all texts at the end
    #[arg(long, conflicts_with = "json")]
    verbose: bool,
}

const REPO: &str = "acme/stats";
/// The job of our workflow that a pull request must pass.
const CHECK: &str = "Test";
const PEOPLE: [&str; 3] = ["acme", "mona", "hubert"];

/// Runs the subcommand.
///
/// # Errors
/// When the parts cannot be had.
pub fn run(command: &Demo) -> CommandResult {
    if unprivileged::is_root() {
        let never = unprivileged::rerun_unprivileged(std::env::args_os().skip(1), None, &[])?;
        match never {}
    }
    start_logging("error", Arc::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(command))
}

async fn play(command: &Demo) -> CommandResult {
    let started = Instant::now();
    let directory = tempfile::Builder::new().prefix("gander-demo-").tempdir()?;
    let folder = directory.path();
    let sandbox = sandbox();
    sandbox.probe().await?;
    workflows::can_run(&variable("PATH").unwrap_or_default())?;
    let toolchains = toolchain::find(&toolchain_places());
    let project = DemoProject::for_this_machine(&toolchains);
    let shown = match (command.json, command.verbose) {
        (true, _) => Narration::Nothing,
        (false, true) => Narration::Everything,
        (false, false) => Narration::Story,
    };
    introduce(&project, shown);
    let root = folder.join("github");
    std::fs::create_dir(&root)?;
    let now = Clock::system();
    let clock = now.clone();
    let emulator =
        Emulator::start(Options { root, clock: Arc::new(move || clock.now().0) }).await?;
    let download = Download::pack(&folder.join("download")).await?;
    populate(&emulator, &project, &download)?;
    let workflows = Workflows::new(&emulator, folder, &toolchains)?;

    let stage = DemoStage::new(&emulator, REPO, started, shown);
    stage.act("An App of one's own");
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let app = register(&emulator, listener.local_addr()?).await?;
    stage.tell("acme made the App Gander from its manifest, and got key and secret for the code");
    let wiring = wire(&emulator, &app, sandbox, &project, folder, now).await?;
    emulator.install(app.id, &[REPO])?;
    stage.tell(&format!("acme installed it on {REPO}, where Gander's two workflows stand"));
    emulator.auto_deliver();
    let shutdown = CancellationToken::new();
    workflows.start(shutdown.clone());
    let running = tokio::spawn(App::new(wiring).run(listener, shutdown.clone()));

    let told = story::play(&stage, &project).await;
    if let Ok(told) = &told
        && !command.json
    {
        match shown {
            Narration::Everything => ending::show(&stage, told, &workflows)?,
            Narration::Story if !command.keep => {
                say("\n`gander demo --keep` stays up afterwards, to look around.");
            }
            Narration::Story | Narration::Nothing => {}
        }
        if command.keep {
            let mut end = signal(SignalKind::interrupt())?;
            let spare = &project.spare;
            let issue =
                emulator.person("hubert").opens_issue(REPO, spare.title, spare.body, &[])?;
            emulator.sign_in(Some("mona"));
            ending::invite(&emulator, issue);
            end.recv().await;
        }
    }
    shutdown.cancel();
    running.await??;
    let told = told.inspect_err(|_| explain(&workflows))?;
    if command.json {
        say(ending::as_json(&emulator, &stage.seen(), &told)?);
    }
    Ok(ExitCode::SUCCESS)
}

fn introduce(project: &DemoProject, shown: Narration) {
    match shown {
        Narration::Nothing => return,
        Narration::Story => {
            return say(format!(
                "Gander on a GitHub emulator on this machine, with a small {} project that has a bug.\n\
                 Only what the model and the people say is scripted; `--verbose` shows all of it.\n",
                project.language
            ));
        }
        Narration::Everything => {}
    }
    say(format!(
        "A GitHub emulator, Gander beside it, and a small {} project with a bug.\n\
         What the model and the people say is scripted. Everything else is real: signed webhooks over\n\
         HTTP, SQLite, git, the sandbox, the project's own tests ({}), and the\n\
         release workflow that Gander ships, run as processes of its own.\n\
         The emulator has no limit on writes; on GitHub, Gander makes about 60 a minute.\n\
         Nothing leaves this machine.",
        project.language, project.check
    ));
}

/// Says what the workflows that failed wrote, when the story does not go on.
fn explain(workflows: &Workflows) {
    for report in workflows.reports().iter().filter(|report| report.conclusion != "success") {
        say(format!("\nThe workflow run {:?} ended with {}.", report.title, report.conclusion));
        report.fault.iter().for_each(|fault| say(fault.as_str()));
        for job in report.jobs.iter().filter(|job| job.conclusion == "failure") {
            say(job.log.as_str());
        }
    }
}

/// People, and a repository with a bug and our workflows.
fn populate(
    emulator: &Emulator,
    project: &DemoProject,
    download: &Download,
) -> Result<(), AnyError> {
    // GitHub's limits on a minute would hold up a story that is told in less.
    emulator.set_limits(LimitPlan {
        requests_per_hour: u32::MAX,
        content_per_minute: usize::MAX,
        content_per_hour: usize::MAX,
        points_per_minute: u32::MAX,
    });
    for login in PEOPLE {
        emulator.create_user(login);
    }
    let workflows: Vec<(&str, String)> = [Example::Test, Example::Release]
        .map(|example| (example.path(), download.filled(example)))
        .into();
    let mut files = project.files.to_vec();
    files.extend(workflows.iter().map(|(path, text)| (*path, &**text)));
    let public = RepositorySpec { private: false, ..RepositorySpec::new("acme", "stats", &files) };
    emulator.create_repository(public)?;
    emulator.set_permission(REPO, "mona", "maintain")?;
    emulator.set_permission(REPO, "hubert", "read")?;
    emulator.require_checks(REPO, "main", &[CHECK], Requirement::Protection)?;
    Ok(())
}

/// Makes the App from our manifest, and exchanges the code for its key and secret.
async fn register(emulator: &Emulator, at: std::net::SocketAddr) -> Result<NewApp, AnyError> {
    let hub: Hub = emulator.web_url().as_str().parse()?;
    let ours = format!("http://{at}");
    let plan = SetupPlan::read(DEFAULT_NAME, "", &ours, &hub)?;
    let code = emulator.create_app_from_manifest("acme", &plan.manifest(ours)?)?;
    let egress = egress_to([hub.api()], PrivateAddresses::AllowLoopback)?;
    Ok(claim_app(&hub.api(), &egress, &code).await?)
}

async fn wire(
    emulator: &Emulator,
    app: &NewApp,
    sandbox: impl Sandbox + 'static,
    project: &DemoProject,
    directory: &Path,
    clock: Clock,
) -> Result<Wiring, AnyError> {
    let (api, web) = (emulator.api_url(), emulator.web_url());
    let egress = egress_to([api.clone(), web.clone()], PrivateAddresses::AllowLoopback)?;
    let key = AppKey::from_pem(app.pem.expose_secret().as_bytes())?;
    let secret = app.webhook_secret.clone().ok_or("the App has no webhook secret")?;
    let known = KnownSecrets::new([
        ("the App's private key", app.pem.expose_secret()),
        ("the webhook secret", secret.expose_secret()),
    ])?;
    let known_secrets = Arc::new(known);
    let forge = ForgeConfig { api, web, app_id: app.id, key, pace: Pace::FREE, known_secrets };
    Ok(Wiring {
        store: Arc::new(Sqlite::open(&directory.join("gander.db")).await?),
        forge: Forge::new(forge, egress, clock.clone()),
        sandbox: Arc::new(sandbox),
        models: vec![Arc::new(DemoModel::of(project)?)],
        secrets: WebhookSecrets::new(secret, None)?,
        proxies: Vec::new(),
        clock,
        slack: None,
        registries: None,
        settings: WorkerSettings {
            retention: Retention::default(),
            settle: Duration::ZERO,
            address: Address::default(),
            data: directory.to_owned(),
            most_per_job: Money::from_micros(10_000_000),
            installation_day: Money::from_micros(100_000_000),
            workers: 2,
            models: 2,
            model_pause: Duration::ZERO,
        },
    })
}

//! `gander demo`: a whole job, live, on a GitHub in a box.
//!
//! Only the model's replies are scripted. Webhooks are signed and sent over HTTP, the queue is on
//! disk, git fetches, commands run in the sandbox.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{CommandResult, NO_CHANGE, say, start_logging, unprivileged};
use crate::app::{App, Wiring, egress_to, sandbox};
use crate::clock::Clock;
use crate::config::toolchain_places;
use crate::core::budget::Money;
use crate::core::command::Address;
use crate::egress::PrivateAddresses;
use crate::emulator::{
    AppCredentials, AppSpec, Emulator, Options, PullView, RepositorySpec, TimelineEntry,
};
use crate::forge::{AppKey, Forge, ForgeConfig};
use crate::model::Scripted;
use crate::sandbox::{Sandbox, toolchain};
use crate::server::WebhookSecrets;
use crate::store::Sqlite;
use crate::worker::Settings;

mod project;

use project::Project;

/// Watch a whole job on a GitHub in a box: no network, key or account
#[derive(Debug, clap::Args)]
pub struct Demo {
    /// Print the timeline and the pull request as JSON
    #[arg(long)]
    json: bool,
}

const REPO: &str = "acme/stats";
const SLUG: &str = "gander";
/// The demo gives up when no pull request stands after this.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(25);

/// Runs the subcommand.
///
/// # Errors
/// When the parts cannot be had.
pub fn run(command: &Demo) -> CommandResult {
    if unprivileged::is_root() {
        let never = unprivileged::rerun_unprivileged(std::env::args_os().skip(1), None, &[])?;
        match never {}
    }
    start_logging("error");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(play(command))
}

async fn play(command: &Demo) -> CommandResult {
    let started = Instant::now();
    let directory = tempfile::Builder::new().prefix("gander-demo-").tempdir()?;
    let sandbox = sandbox();
    sandbox.probe().await?;
    let project = Project::for_this_machine(&toolchain::find(&toolchain_places()));
    if !command.json {
        introduce(&project);
    }
    let root = directory.path().join("github");
    std::fs::create_dir(&root)?;
    let now = Clock::system();
    let clock = now.clone();
    let emulator =
        Emulator::start(Options { root, clock: Arc::new(move || clock.now().0) }).await?;
    let app = people_and_project(&emulator, &project)?;
    let wiring = wire(&emulator, &app, sandbox, &project, directory.path(), now).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let webhook = format!("http://{}/github/webhook", listener.local_addr()?).parse()?;
    emulator.set_webhook_url(app.app_id, webhook);
    emulator.auto_deliver();
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(App::new(wiring).run(listener, shutdown.clone()));

    let maintainer = emulator.person("mona");
    let reporter = emulator.person("hubert");
    let issue = reporter.opens_issue(REPO, project.issue_title, project.issue_body, &[])?;
    maintainer.comments(REPO, issue, "/gander fix")?;
    let seen = watch(command, &emulator, started, issue).await;
    shutdown.cancel();
    running.await?;
    conclude(command, &emulator, &seen, started)
}

fn introduce(project: &Project) {
    say(format!(
        "A GitHub in a box, Gander beside it, and a small {} project with a bug.\n\
         The model's replies are scripted. Everything else is real: signed webhooks over HTTP,\n\
         SQLite, git, the sandbox, and the project's own tests ({}).\n\
         Nothing leaves this machine.\n",
        project.language, project.check
    ));
}

fn people_and_project(
    emulator: &Emulator,
    project: &Project,
) -> Result<AppCredentials, Box<dyn std::error::Error + Send + Sync>> {
    let manifest: Manifest = serde_json::from_str(include_str!("../../../app-manifest.json"))?;
    let app = emulator.create_app(AppSpec {
        slug: SLUG.to_owned(),
        webhook_url: None,
        webhook_secret: uuid::Uuid::new_v4().to_string(),
        permissions: manifest.default_permissions,
        events: manifest.default_events,
    })?;
    for login in ["acme", "mona", "hubert"] {
        emulator.create_user(login);
    }
    emulator.create_repository(RepositorySpec::new("acme", "stats", project.files))?;
    emulator.set_permission(REPO, "mona", "maintain")?;
    emulator.set_permission(REPO, "hubert", "read")?;
    emulator.install(app.app_id, &[REPO])?;
    Ok(app)
}

#[derive(serde::Deserialize)]
struct Manifest {
    default_permissions: std::collections::BTreeMap<String, String>,
    default_events: Vec<String>,
}

async fn wire(
    emulator: &Emulator,
    app: &AppCredentials,
    sandbox: impl Sandbox + 'static,
    project: &Project,
    directory: &std::path::Path,
    clock: Clock,
) -> Result<Wiring, Box<dyn std::error::Error + Send + Sync>> {
    let (api, web) = (emulator.api_url(), emulator.web_url());
    let egress = egress_to([api.clone(), web.clone()], PrivateAddresses::AllowLoopback)?;
    let key = AppKey::from_pem(app.private_key_pem.as_bytes())?;
    let forge = ForgeConfig { api, web, app_id: app.app_id, key };
    Ok(Wiring {
        store: Arc::new(Sqlite::open(&directory.join("gander.db")).await?),
        forge: Forge::new(forge, egress, clock.clone()),
        sandbox: Arc::new(sandbox),
        models: vec![Arc::new(project.script.parse::<Scripted>()?)],
        secrets: WebhookSecrets::new(app.webhook_secret.clone().into(), None)?,
        clock,
        settings: Settings {
            settle: Duration::ZERO,
            address: Address::default(),
            data: directory.to_owned(),
            most_per_job: Money::from_micros(10_000_000),
            installation_day: Money::from_micros(100_000_000),
            workers: 2,
            model_pause: Duration::ZERO,
        },
    })
}

/// Follows the timeline until Gander has told whoever asked, and rests.
async fn watch(
    command: &Demo,
    emulator: &Emulator,
    started: Instant,
    issue: u64,
) -> Vec<(Duration, TimelineEntry)> {
    let mut seen: Vec<(Duration, TimelineEntry)> = Vec::new();
    while started.elapsed() < PATIENCE {
        let timeline = emulator.timeline(REPO);
        for entry in timeline.into_iter().skip(seen.len()) {
            let at = started.elapsed();
            if !command.json {
                say(format!("{:>5.1} s  {entry}", at.as_secs_f32()));
            }
            seen.push((at, entry));
        }
        let told = emulator.issue(REPO, issue).is_some_and(|issue| {
            issue.comments.iter().any(|comment| comment.body.starts_with("@mona"))
        });
        if told && emulator.waiting_deliveries() == 0 {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    seen
}

fn conclude(
    command: &Demo,
    emulator: &Emulator,
    seen: &[(Duration, TimelineEntry)],
    started: Instant,
) -> CommandResult {
    let pull = emulator.pulls(REPO).into_iter().next();
    if command.json {
        let timeline: Vec<_> = seen
            .iter()
            .map(|(at, entry)| {
                json!({"seconds": at.as_secs_f64(), "actor": entry.actor, "text": entry.text})
            })
            .collect();
        let shown = pull.as_ref().map(|pull| {
            json!({
                "number": pull.number,
                "title": pull.title,
                "state": pull.state,
                "head": pull.head_sha,
                "labels": pull.labels,
                "body": pull.body,
            })
        });
        say(serde_json::to_string_pretty(&json!({"timeline": timeline, "pull_request": shown}))?);
    } else if let Some(pull) = &pull {
        show_pull(emulator, pull, started);
    }
    match pull {
        Some(_) => Ok(ExitCode::SUCCESS),
        None => {
            if !command.json {
                say("No pull request came out. GANDER_LOG=info shows what happened.");
            }
            Ok(ExitCode::from(NO_CHANGE))
        }
    }
}

fn show_pull(emulator: &Emulator, pull: &PullView, started: Instant) {
    const RULE: &str = "────────────────────────────────────────────────────────────────────────";
    let commit = emulator.commit(REPO, &pull.head_sha);
    let verified = commit.as_ref().is_some_and(|commit| commit.verified);
    say(format!("\n{RULE}\nPull request #{}: {}", pull.number, pull.title));
    say(format!(
        "{} → {} · commit {}{} · {}\n{RULE}",
        pull.head_branch,
        pull.base_branch,
        &pull.head_sha[..12],
        if verified { " (Verified)" } else { "" },
        pull.labels.join(", ")
    ));
    say(pull.body.as_str());
    if let Some(commit) = commit {
        say(format!("{RULE}\nThe commit's message\n{RULE}\n{}", commit.message));
    }
    say(format!("{RULE}\nDone in {:.1} s.", started.elapsed().as_secs_f32()));
}

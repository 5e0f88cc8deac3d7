//! `gander setup`: makes the App from its manifest, in a browser, and keeps what GitHub hands out.
//!
//! Invariants: before the link is shown, the directory is known to take an App; what GitHub hands
//! out is on disk before any page says so; nothing of it is printed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{CommandResult, doctor, say, start_logging, unprivileged};
use crate::app::egress_to;
use crate::clock::Clock;
use crate::config::variable;
use crate::core::examples::{ACTION_MISSING, DIGEST_MISSING, Example, Pins};
use crate::core::setup::{DEFAULT_NAME, Hub, SetupPlan};
use crate::egress::{Egress, PrivateAddresses};
use crate::forge::payload::NewApp;
use crate::forge::{ForgeError, claim_app, is_taken};
use crate::server::setup::{
    Beginning, LIFE_SECONDS, Registered, Setup as Pages, SetupProblem, SetupResult, Wishes, serve,
};

mod keep;

use keep::Vault;

/// Make your GitHub App in a browser, from its manifest
#[derive(Debug, clap::Args)]
pub struct SetupCommand {
    /// The GitHub that is to have the App
    #[arg(long, value_name = "URL", default_value = "https://github.com")]
    github: String,
    /// The organisation that is to own it; without one, you are the owner
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// The App's name, unique on that GitHub
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where GitHub reaches Gander, such as https://gander.example.org; asked for if not given
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Where the page is shown
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    bind: SocketAddr,
    /// Where key, secrets and configuration are kept
    #[arg(long, value_name = "DIR", default_value = "gander")]
    dir: PathBuf,
    /// Started as root: the user to become, and who is to own what is kept: that of `gander serve`
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only print this workflow file
    #[arg(long, value_name = "KIND")]
    workflow: Option<Workflow>,
    /// The commit of Gander's Action that the workflow is to use, in full
    #[arg(long, value_name = "SHA", requires = "workflow")]
    action_sha: Option<String>,
    /// The SHA-256 of the program's archive that the workflow is to use, as in SHA256SUMS
    #[arg(long, value_name = "DIGEST", requires = "workflow")]
    sha256: Option<String>,
}

/// A workflow file that comes with Gander.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Workflow {
    /// Tests, builds and publishes an approved release
    Release,
    /// Runs the tests of pull requests
    Test,
    /// Fixes issues without a server
    Fix,
}

/// Runs the subcommand.
///
/// # Errors
/// When it cannot start, or ended before there was an App.
pub fn run(command: &SetupCommand) -> CommandResult {
    if let Some(workflow) = command.workflow {
        let pins =
            Pins { action: command.action_sha.as_deref(), digest: command.sha256.as_deref() };
        return print(workflow, pins);
    }
    if let (true, Some(user)) = (unprivileged::is_root(), &command.user) {
        keep::give(&command.dir, unprivileged::account(user)?)?;
        let arguments = std::env::args_os().skip(1);
        let shown = [command.dir.canonicalize()?];
        match unprivileged::rerun_unprivileged(arguments, Some(user), &shown)? {}
    }
    start_logging("error", Arc::default());
    let hub: Hub = command.github.parse()?;
    let wishes = Wishes {
        name: command.name.clone().unwrap_or_else(|| DEFAULT_NAME.to_owned()),
        organization: command.org.clone().unwrap_or_default(),
        public_url: command.url.clone().unwrap_or_default(),
    };
    if !wishes.public_url.is_empty() {
        SetupPlan::read(&wishes.name, &wishes.organization, &wishes.public_url, &hub)?;
    }
    if command.bind.ip().is_unspecified() {
        return Err(format!(
            "{} is every address of this machine, and the page needs one that a browser can open: \
             use one of them, such as --bind 192.168.1.5:8090",
            command.bind
        )
        .into());
    }
    let vault = Vault::open(&command.dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(lead(command.bind, hub, wishes, vault))
}

fn print(workflow: Workflow, pins: Pins<'_>) -> CommandResult {
    let example = match workflow {
        Workflow::Release => Example::Release,
        Workflow::Test => Example::Test,
        Workflow::Fix => Example::Fix,
    };
    let text = example.filled(pins)?;
    say(text.trim_end());
    for (mark, option) in
        [(ACTION_MISSING, "--action-sha SHA"), (DIGEST_MISSING, "--sha256 DIGEST")]
    {
        if text.contains(mark) {
            note(&format!("{}: {mark} is still to be filled in; {option} does it", example.path()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What belongs on standard error, so that the file on standard output stays clean.
fn note(line: &str) {
    use std::io::Write;
    // Nobody is there to hear that nobody is there to hear it.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Shows the pages until all is done, somebody stops it, or the link has expired.
async fn lead(bind: SocketAddr, hub: Hub, wishes: Wishes, vault: Vault) -> CommandResult {
    let private = variable("GANDER_ALLOW_PRIVATE_ADDRESSES").as_deref() == Some("true");
    let allowed = match (private, hub.is_local()) {
        (true, _) => PrivateAddresses::Allow,
        (false, true) => PrivateAddresses::AllowLoopback,
        (false, false) => PrivateAddresses::Refuse,
    };
    let egress = egress_to([hub.api()], allowed)?;
    let listener = TcpListener::bind(bind).await.map_err(|error| {
        format!("cannot show a page on {bind}: {error}. Choose another place with --bind")
    })?;
    let address = listener.local_addr()?;
    let registrar = Arc::new(Registrar {
        hub: hub.clone(),
        egress,
        vault,
        private_addresses: allowed != PrivateAddresses::Refuse,
    });
    let finished = CancellationToken::new();
    let kept = registrar.vault.config();
    let asked = Arc::clone(&registrar);
    let (pages, link) = Pages::begin(Beginning {
        hub,
        address,
        wishes,
        clock: Clock::system(),
        register: Arc::new(move |code| Arc::clone(&registrar).register(code).boxed()),
        is_taken: Arc::new(move |slug| {
            let (hub, egress) = (asked.hub.clone(), asked.egress.clone());
            async move { is_taken(&hub.api(), &egress, &slug).await }.boxed()
        }),
        examine: doctor::examiner(doctor::Examination {
            config: Some(kept.clone()),
            repositories: Vec::new(),
            pull: false,
        }),
        finished: finished.clone(),
    });
    invite(&link, address);
    tokio::spawn(end(finished.clone())?);
    serve(listener, pages, finished).await;
    if kept.exists() {
        return Ok(ExitCode::SUCCESS);
    }
    Err("the setup ended before there was an App, so nothing was kept. If GitHub shows a new App, \
         delete it there; then run `gander setup` again"
        .into())
}

fn invite(link: &str, address: SocketAddr) {
    say(format!("Open this in your browser. It works once, for one hour:\n\n  {link}\n"));
    if address.ip().is_loopback() {
        let port = address.port();
        say(format!(
            "The browser is on another machine? There: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"
        ));
    } else {
        say("Others in this network can see what is sent: use it only in one that you trust.");
    }
    if unprivileged::is_root() {
        say(
            "You are root, and Gander does not run as root: what is kept will be root's, as the unit of \
             systemd takes it. For another start, stop this and add `--user NAME`.",
        );
    }
    say("Ctrl-C stops it.");
}

/// Waits for whoever ends the setup: the person, a signal, or time.
fn end(finished: CancellationToken) -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let life = Duration::from_secs(LIFE_SECONDS.unsigned_abs());
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = tokio::time::sleep(life) => {}
            () = finished.cancelled() => {}
        }
        finished.cancel();
    })
}

/// Who exchanges a code, and where what comes of it goes.
struct Registrar {
    hub: Hub,
    egress: Egress,
    vault: Vault,
    private_addresses: bool,
}

impl Registrar {
    async fn register(self: Arc<Self>, code: String) -> SetupResult {
        let app = claim_app(&self.hub.api(), &self.egress, &code).await;
        let app = app.map_err(|error| self.not_claimed(&error))?;
        let keeping = tokio::task::spawn_blocking(move || self.keep(&app));
        keeping.await.unwrap_or_else(|error| {
            Err(SetupProblem {
                what: "The App was made, but not kept".to_owned(),
                why: format!("The program was interrupted: {error}."),
                next: "Delete the App on GitHub, then start again.".to_owned(),
            })
        })
    }

    fn keep(&self, app: &NewApp) -> SetupResult {
        let page = self.page_of(app);
        self.vault.keep(app, &self.hub, self.private_addresses).map_err(|error| SetupProblem {
            what: "The App was made, but could not be kept".to_owned(),
            why: with_cause(&error),
            next: format!(
                "Files that were written are left in {}. Stop this setup, make room there, delete \
                 the App ({page}) on GitHub, and run `gander setup` with another --dir.",
                self.vault.directory().display()
            ),
        })?;
        let command = format!("gander serve --config {}", quoted(&self.vault.config()));
        let name: String = app.name.chars().filter(|c| !c.is_control()).collect();
        say(format!(
            "\nThe App {name} is made. Its key and secrets are in {}.\n\
             Start Gander with your model's key in ANTHROPIC_API_KEY:\n\n  {command}\n\n\
             Then install it: {page}/installations/new\n\
             The page shows what else there is; `Finish` there, or Ctrl-C here, ends the setup.",
            self.vault.directory().display()
        ));
        let warning = app.webhook_secret.is_none().then(|| {
            format!(
                "GitHub gave no webhook secret. Set one on the App’s settings page, put it into a \
                 file with mode 0600, and name that file in {} as webhook_secret_file.",
                self.vault.config().display()
            )
        });
        let directory = self.vault.directory().display().to_string();
        Ok(Registered { name, page, directory, command, warning })
    }

    /// The App's page, on this GitHub and nowhere else.
    fn page_of(&self, app: &NewApp) -> String {
        let below = format!("{}/", self.hub.origin());
        if app.html_url.starts_with(&below) {
            return app.html_url.trim_end_matches('/').to_owned();
        }
        self.hub.page(&["/apps/", app.slug()]).into()
    }

    fn not_claimed(&self, error: &ForgeError) -> SetupProblem {
        let hub = &self.hub;
        let settings = "If it shows the new App under Settings, Developer settings, GitHub Apps, \
                        delete it there. Then start again.";
        let (what, why) = match error {
            ForgeError::Refused { status: 404, .. } => (
                format!("{hub} does not know this code"),
                "A code is good once and for one hour.".to_owned(),
            ),
            ForgeError::Refused { message, .. } => {
                (format!("{hub} refused to hand out the App"), format!("It says: {message}."))
            }
            ForgeError::Limited { after_seconds, .. } => {
                (format!("{hub} is busy"), format!("It asks to wait {after_seconds} seconds."))
            }
            ForgeError::Denied { .. } => (
                format!("{hub} may not be reached"),
                format!(
                    "{}. If it stands in your own network, set \
                     GANDER_ALLOW_PRIVATE_ADDRESSES=true.",
                    with_cause(error)
                ),
            ),
            _ => (
                format!("{hub} could not be reached"),
                format!("{}. Whether the code was used up is not known.", with_cause(error)),
            ),
        };
        tracing::error!(%error, "the App could not be had");
        SetupProblem { what, why, next: format!("Look at {hub}. {settings}") }
    }
}

/// An error and its first cause.
fn with_cause(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+".contains(&b));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

//! A running `gander serve`, in a process of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gander::clock::Clock;
use gander::core::id::RepoId;
use gander_emulator::{AppCredentials, AppSpec, Emulator, Options, RepositorySpec};
use rustix::process::{Pid, Signal, kill_process};

use url::Url;

use super::load::{SECRET, Webhook};

/// The server under measurement; stopped when dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    child: Child,
}

/// A GitHub emulator that knows the App, with one repository.
pub(crate) struct Box {
    pub(crate) emulator: Emulator,
    pub(crate) app: AppCredentials,
    pub(crate) repo: RepoId,
}

/// Enough of a repository where its files do not matter.
pub(crate) const README: &[(&str, &str)] = &[("README.md", "# Widgets\n")];
pub(crate) const REPO: &str = "acme/widgets";

impl Box {
    pub(crate) async fn start(root: &Path, files: &[(&str, &str)], clock: Clock) -> Self {
        std::fs::create_dir_all(root).unwrap();
        let options = Options { root: root.to_owned(), clock: Arc::new(move || clock.now().0) };
        let emulator = Emulator::start(options).await.unwrap();
        let manifest: serde_json::Value =
            serde_json::from_str(include_str!("../../app-manifest.json")).unwrap();
        let app = AppSpec {
            slug: "gander".to_owned(),
            webhook_url: None,
            webhook_secret: SECRET.to_owned(),
            permissions: serde_json::from_value(manifest["default_permissions"].clone()).unwrap(),
            events: serde_json::from_value(manifest["default_events"].clone()).unwrap(),
        };
        let app = emulator.create_app(app).unwrap();
        for person in ["acme", "mona"] {
            emulator.create_user(person);
        }
        let repo = RepositorySpec::new("acme", "widgets", files);
        let repo = RepoId(emulator.create_repository(repo).unwrap());
        emulator.set_permission(REPO, "mona", "write").unwrap();
        emulator.install(app.app_id, &[REPO]).unwrap();
        Self { emulator, app, repo }
    }
}

impl Served {
    /// Starts it and waits until the first delivery is answered; says how long that took.
    pub(crate) async fn start(data: &Path, github: &Box) -> (Self, Duration) {
        Self::start_before(data, github, &github.emulator.api_url()).await
    }

    /// The same before another GitHub than the one that knows the App.
    pub(crate) async fn start_before(data: &Path, github: &Box, api: &Url) -> (Self, Duration) {
        let address = free_port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        command
            .arg("serve")
            .env("GANDER_LISTEN", address.to_string())
            .env("GANDER_DATA", data)
            .env("GANDER_APP_ID", github.app.app_id.to_string())
            .env("GANDER_PRIVATE_KEY", &github.app.private_key_pem)
            .env("GANDER_WEBHOOK_SECRET", SECRET)
            .env("GANDER_API_URL", api.as_str())
            .env("GANDER_WEB_URL", github.emulator.web_url().as_str())
            .env("GANDER_ALLOW_PRIVATE_ADDRESSES", "true")
            .env("GANDER_LOG", "error")
            .env("ANTHROPIC_API_KEY", "a-key-that-is-never-used")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut first = Webhook::new("Thank you!", WEBHOOK_PATH);
        let started = Instant::now();
        let child = command.spawn().unwrap();
        let mut served = Self { address, child };
        while !first.try_one(address).await {
            assert!(started.elapsed() < Duration::from_secs(20), "gander serve does not answer");
            assert!(served.child.try_wait().unwrap().is_none(), "gander serve has ended");
            std::thread::sleep(Duration::from_micros(200));
        }
        (served, started.elapsed())
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

pub(crate) const WEBHOOK_PATH: &str = "/github/webhook";

/// Ends a process of ours as an operator would, and by force if it does not listen.
pub(crate) fn stop(child: &mut Child) {
    if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
        let _ = kill_process(pid, Signal::TERM);
    }
    let asked = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if asked.elapsed() > Duration::from_secs(5) {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

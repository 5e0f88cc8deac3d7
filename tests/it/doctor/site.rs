//! An operator's site: a GitHub, a provider, a server that runs, and settings that go with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use gander_emulator::{
    AppCredentials, AppSpec, Emulator, Options, RepositorySpec, Requirement, RulesetSpec,
};
use serde_json::Value;

use super::provider;
use crate::program::{Served, gander, said, write};
use crate::world::{app_spec, off_by_one};

pub const SECRET: &str = "a webhook secret nobody guesses";

/// A ruleset that keeps all tags.
pub const TAGS: RulesetSpec<'static> = RulesetSpec {
    name: "tags",
    target: "tag",
    enforcement: "active",
    include: &["~ALL"],
    exclude: &[],
    rules: &["creation", "update", "deletion"],
};

pub struct Site {
    pub folder: tempfile::TempDir,
    pub emulator: Emulator,
    /// How far GitHub's clock is from ours, in milliseconds.
    pub github_ahead: Arc<AtomicI64>,
    pub provider: url::Url,
    pub app: AppCredentials,
    pub server: Served,
}

/// Settings, and what stands in their files.
#[derive(Clone)]
pub struct Settings {
    pub directory: PathBuf,
    pub app_id: u64,
    pub key: String,
    pub secret: String,
    pub model: &'static str,
    pub model_key: &'static str,
    pub data: PathBuf,
}

/// What the doctor found.
#[derive(Debug)]
pub struct Found {
    pub code: Option<i32>,
    pub items: Vec<Value>,
    pub text: String,
}

impl Site {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("github");
        std::fs::create_dir(&root).unwrap();
        let github_ahead = Arc::new(AtomicI64::new(0));
        let ahead = Arc::clone(&github_ahead);
        let now = move || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            i64::try_from(since.as_millis()).unwrap() + ahead.load(Ordering::SeqCst)
        };
        let emulator = Emulator::start(Options { root, clock: Arc::new(now) }).await.unwrap();
        let files: Vec<(&str, &str)> = off_by_one()
            .into_iter()
            .map(|(path, text)| (path, if path == "count.sh" { "echo $1\n" } else { text }))
            .collect();
        emulator.create_user("acme");
        emulator.create_repository(RepositorySpec::new("acme", "stats", &files)).unwrap();
        emulator.require_approvals("acme/stats", "main", 1, Requirement::Ruleset).unwrap();
        emulator.add_ruleset("acme/stats", TAGS).unwrap();
        let provider = provider::start().await;
        let app = emulator.create_app(app_spec()).unwrap();
        let settings = Settings::of(folder.path(), "the-server", &app);
        let mut command = gander();
        settings.write(&emulator, &provider);
        command.arg("serve").arg("--config").arg(settings.config());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = Served::start(command);
        server.until("GitHub knows this App");
        let site = Self { folder, emulator, github_ahead, provider, app, server };
        site.reaches_us(site.app.app_id);
        site.emulator.install(site.app.app_id, &["acme/stats"]).unwrap();
        site.emulator.deliver_all().await;
        site
    }

    /// Another App, which is like the good one but for what is changed.
    pub async fn app(&self, slug: &str, change: impl FnOnce(&mut AppSpec)) -> AppCredentials {
        let mut spec = AppSpec { slug: slug.to_owned(), ..app_spec() };
        change(&mut spec);
        let app = self.emulator.create_app(spec).unwrap();
        self.reaches_us(app.app_id);
        self.emulator.install(app.app_id, &["acme/stats"]).unwrap();
        self.emulator.deliver_all().await;
        app
    }

    fn reaches_us(&self, app_id: u64) {
        let url = format!("http://{}/github/webhook", self.server.address);
        self.emulator.set_webhook_url(app_id, url.parse().unwrap());
    }

    /// A repository of its owner's, with rulesets, on which the good App is installed.
    pub async fn repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        let name = self.bare_repository(name, files).await;
        self.emulator.require_approvals(&name, "main", 1, Requirement::Ruleset).unwrap();
        self.emulator.add_ruleset(&name, TAGS).unwrap();
        name
    }

    /// The same without rulesets.
    pub async fn bare_repository(&self, name: &str, files: &[(&str, &str)]) -> String {
        self.emulator.create_repository(RepositorySpec::new("acme", name, files)).unwrap();
        let name = format!("acme/{name}");
        self.emulator.install(self.app.app_id, &[&name]).unwrap();
        self.emulator.deliver_all().await;
        name
    }

    /// Settings of the good App, in a directory of their own.
    pub fn settings(&self, name: &str) -> Settings {
        Settings::of(self.folder.path(), name, &self.app)
    }

    /// What the doctor says with these settings.
    pub fn doctor(&self, settings: &Settings, more: &[&str]) -> Found {
        settings.write(&self.emulator, &self.provider);
        Found::of(self.command(settings, more))
    }

    pub fn command(&self, settings: &Settings, more: &[&str]) -> Command {
        let mut command = gander();
        command.args(["doctor", "--json", "--config"]).arg(settings.config()).args(more);
        command
    }
}

impl Settings {
    pub fn of(folder: &Path, name: &str, app: &AppCredentials) -> Self {
        let directory = folder.join(name);
        Self {
            app_id: app.app_id,
            key: app.private_key_pem.clone(),
            secret: SECRET.to_owned(),
            model: provider::MODEL,
            model_key: provider::KEY,
            data: directory.join("data"),
            directory,
        }
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("gander-server.toml")
    }

    pub fn write(&self, emulator: &Emulator, provider: &url::Url) {
        let at = |name: &str| self.directory.join(name);
        for (name, text) in [
            ("key.pem", self.key.as_str()),
            ("webhook-secret", &self.secret),
            ("model-key", self.model_key),
        ] {
            write(&at(name), text);
            set_mode(&at(name), 0o600);
        }
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata = {data:?}\nallow_private_addresses = true\n\
             [fetch]\nregistries = []\n\
             [github]\napp_id = {app}\nprivate_key_file = {key:?}\nwebhook_secret_file = {secret:?}\n\
             api_url = \"{api}\"\nweb_url = \"{web}\"\n\
             [model]\nprovider = \"anthropic\"\nnames = [{model:?}]\nkey_file = {model_key:?}\n\
             base_url = \"{provider}\"\n",
            data = self.data,
            app = self.app_id,
            key = at("key.pem"),
            secret = at("webhook-secret"),
            api = emulator.api_url(),
            web = emulator.web_url(),
            model = self.model,
            model_key = at("model-key"),
        );
        write(&self.config(), &text);
    }
}

pub fn set_mode(path: &Path, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(path, mode).unwrap();
}

impl Found {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap();
        let text = said(&output);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {text}");
        });
        let items = found["items"].as_array().unwrap().clone();
        let red = items.iter().any(|item| item["state"] == "failed");
        assert_eq!(found["ok"], !red, "{text}");
        assert_eq!(output.status.code(), Some(if red { 3 } else { 0 }), "{text}");
        for item in &items {
            let well = item["state"] == "ok";
            assert_eq!(
                item["next"].is_null(),
                well,
                "each step that is not well has a next: {item}"
            );
        }
        Self { code: output.status.code(), items, text }
    }

    /// The names of what is in this state.
    pub fn named(&self, state: &str) -> BTreeSet<&str> {
        let of_state = self.items.iter().filter(|item| item["state"] == state);
        of_state.map(|item| item["name"].as_str().unwrap()).collect()
    }

    pub fn item(&self, name: &str) -> &Value {
        let mut all = self.items.iter().filter(|item| item["name"] == name);
        all.next().unwrap_or_else(|| panic!("no {name}: {}", self.text))
    }

    /// Exactly this is red, for this reason, with this next step.
    pub fn is_red(&self, names: &[&str], seen: &str, next: &str) {
        let expected: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(self.named("failed"), expected, "{}", self.text);
        self.says(names[0], seen, next);
    }

    pub fn says(&self, name: &str, seen: &str, next: &str) {
        let item = self.item(name);
        let words = |key: &str| item[key].as_str().unwrap().to_owned();
        assert!(words("seen").contains(seen), "{seen:?}: {item}");
        assert!(words("next").contains(next), "{next:?}: {item}");
    }
}

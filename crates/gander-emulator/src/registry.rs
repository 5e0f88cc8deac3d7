//! How Apps are made, installed and taken away again, on a page or by a story.
//!
//! Invariants: a slug belongs to one App; a private key that a page hands out is made for it and
//! not kept; an installation reaches repositories of one account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::Url;

use super::hooks::{self, Address};
use super::state::{AccountKind, App, Installation, State};
use super::{Emulator, Trouble, shapes};

/// What a new App is to be.
#[derive(Debug, Clone, Default)]
pub struct AppSpec {
    /// The name in addresses; the bot is `SLUG[bot]`.
    pub slug: String,
    /// Where webhooks go.
    pub webhook_url: Option<Url>,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// What it may do, as `contents` → `write`.
    pub permissions: BTreeMap<String, String>,
    /// What it hears of, as `issue_comment`.
    pub events: Vec<String>,
}

/// What the owner of a new App is told.
#[derive(Debug, Clone)]
pub struct AppCredentials {
    /// The App's number.
    pub app_id: u64,
    /// The App's other name, which may also issue tokens.
    pub client_id: String,
    /// What people's codes are exchanged with.
    pub client_secret: String,
    /// The name in addresses.
    pub slug: String,
    /// The private key, PKCS#8 in PEM.
    pub private_key_pem: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// The account that the App acts as.
    pub bot_user_id: u64,
}

impl Emulator {
    /// Registers an App.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create_app(&self, spec: AppSpec) -> Result<AppCredentials, Trouble> {
        let mut state = self.lock();
        let key = Key::of_app(state.apps.len())?;
        let owner = state.add_account("app-owners", AccountKind::Organization);
        let webhook_secret = spec.webhook_secret.clone();
        let (name, callback_urls) = (spec.slug.clone(), Vec::new());
        let external_url = String::new();
        let new = NewApp { owner, name, external_url, setup_url: None, callback_urls, spec };
        let id = register(&mut state, new);
        let app = state.apps.get_mut(&id).ok_or_else(|| Trouble::unknown("App", id))?;
        app.public_key = key.public;
        Ok(AppCredentials {
            app_id: id,
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone(),
            slug: app.slug.clone(),
            private_key_pem: pem("PRIVATE KEY", &key.private),
            webhook_secret,
            bot_user_id: app.bot,
        })
    }

    /// Makes a person an owner of an organisation, who may make Apps for it and install them.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn make_owner(&self, organization: &str, login: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let known = |name: &str| {
            let account = state.account_named(name).map(|account| account.id);
            account.ok_or_else(|| Trouble::unknown("account", name))
        };
        let pair = (known(organization)?, known(login)?);
        state.owners.insert(pair);
        Ok(())
    }

    /// Says who sits at the browser from now on: `None` is a stranger.
    pub fn sign_in(&self, login: Option<&str>) {
        let mut state = self.lock();
        state.browser =
            login.and_then(|login| state.account_named(login)).map(|account| account.id);
    }

    /// Says where an App's webhooks go from now on.
    pub fn set_webhook_url(&self, app_id: u64, url: Url) {
        if let Some(app) = self.lock().apps.get_mut(&app_id) {
            app.webhook_url = Some(url);
        }
    }

    /// Says where people who sign in with an App may be led from now on.
    pub fn set_callback_urls(&self, app_id: u64, urls: Vec<Url>) {
        if let Some(app) = self.lock().apps.get_mut(&app_id) {
            app.callback_urls = urls;
        }
    }

    /// Says whether an App's webhook is active: an inactive one is sent nothing, and its log stays
    /// as it is.
    pub fn set_webhook_active(&self, app_id: u64, active: bool) {
        if let Some(app) = self.lock().apps.get_mut(&app_id) {
            app.webhook_active = active;
        }
    }

    /// Says what an App may do from now on. Whoever has installed it has not accepted that yet.
    pub fn ask_permissions(&self, app_id: u64, permissions: BTreeMap<String, String>) {
        if let Some(app) = self.lock().apps.get_mut(&app_id) {
            app.permissions = permissions;
        }
    }

    /// Forgets what the log of deliveries holds so far, as GitHub does after a few days.
    pub fn forget_deliveries(&self) {
        for delivery in &mut self.lock().hooks.log {
            delivery.lost |= delivery.outcome.is_some();
        }
    }

    /// Installs an App on repositories of one account. A second call adds repositories.
    ///
    /// # Errors
    /// When there is no such App or repository.
    pub fn install(&self, app_id: u64, repositories: &[&str]) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let mut ids = BTreeSet::new();
        for name in repositories {
            ids.insert(state.repository_id(name)?);
        }
        let id = install(&mut state, app_id, ids, None)?;
        self.shared.queued.notify_one();
        Ok(id)
    }

    /// Removes an installation; its tokens stop working.
    pub fn uninstall(&self, installation: u64) {
        let mut state = self.lock();
        announce_installation(&mut state, installation, "deleted", None);
        state.installations.remove(&installation);
        self.shared.queued.notify_one();
    }

    /// Suspends an installation; its tokens are refused.
    pub fn suspend(&self, installation: u64) {
        let mut state = self.lock();
        let now = state.now();
        if let Some(installation) = state.installations.get_mut(&installation) {
            installation.suspended_at = Some(now);
        }
        announce_installation(&mut state, installation, "suspend", None);
        self.shared.queued.notify_one();
    }

    /// Ends a suspension.
    pub fn unsuspend(&self, installation: u64) {
        let mut state = self.lock();
        if let Some(installation) = state.installations.get_mut(&installation) {
            installation.suspended_at = None;
        }
        announce_installation(&mut state, installation, "unsuspend", None);
        self.shared.queued.notify_one();
    }
}

/// What the registry is told about a new App.
pub(crate) struct NewApp {
    pub(crate) owner: u64,
    pub(crate) name: String,
    pub(crate) external_url: String,
    pub(crate) setup_url: Option<Url>,
    pub(crate) callback_urls: Vec<Url>,
    pub(crate) spec: AppSpec,
}

/// Registers an App; it has no key yet.
pub(crate) fn register(state: &mut State, new: NewApp) -> u64 {
    let NewApp { owner, name, external_url, setup_url, callback_urls, spec } = new;
    let bot = state.add_account(&format!("{}[bot]", spec.slug), AccountKind::Bot);
    let (id, created_at) = (state.ids.app(), state.now());
    let app = App {
        id,
        client_id: format!("Iv23li{id:014}"),
        client_secret: random_hex(),
        callback_urls,
        slug: spec.slug,
        name,
        owner,
        bot,
        public_key: Vec::new(),
        webhook_url: spec.webhook_url,
        webhook_active: true,
        webhook_secret: spec.webhook_secret,
        setup_url,
        external_url,
        hook_id: id + 100_000_000,
        permissions: spec.permissions,
        events: spec.events,
        created_at,
    };
    state.apps.insert(id, app);
    id
}

/// Gives an App a new key: the private one, as GitHub writes it, PKCS#1 in PEM.
pub(crate) fn new_key(state: &mut State, app: u64) -> Result<String, Trouble> {
    let key = Key::make()?;
    let app = state.apps.get_mut(&app).ok_or_else(|| Trouble::unknown("App", app))?;
    app.public_key = key.public;
    // A PKCS#8 RSA key of this size holds its PKCS#1 form behind 26 bytes.
    let inner = key.private.get(26..).ok_or(Trouble::Key)?;
    Ok(pem("RSA PRIVATE KEY", inner))
}

/// Forty hex digits nobody guesses.
pub(crate) fn random_hex() -> String {
    let two = || uuid::Uuid::new_v4().simple().to_string();
    format!("{}{}", two(), two()).chars().take(40).collect()
}

/// Installs an App on repositories of one account, or adds them to what it has there.
pub(crate) fn install(
    state: &mut State,
    app_id: u64,
    mut ids: BTreeSet<u64>,
    by: Option<u64>,
) -> Result<u64, Trouble> {
    let first = ids.first().copied().ok_or_else(|| Trouble::unknown("repository", ""))?;
    let account = state.repository(first)?.owner;
    let mut all = state.installations.values_mut();
    if let Some(known) = all.find(|known| known.app == app_id && known.account == account) {
        ids.retain(|id| !known.repositories.contains(id));
        known.repositories.extend(ids.iter().copied());
        let id = known.id;
        announce_added(state, id, &ids, by);
        return Ok(id);
    }
    let app = state.apps.get(&app_id).ok_or_else(|| Trouble::unknown("App", app_id))?;
    let (permissions, events) = (app.permissions.clone(), app.events.clone());
    let (id, created_at) = (state.ids.installation(), state.now());
    let installation = Installation {
        id,
        app: app_id,
        account,
        repositories: ids,
        permissions,
        events,
        suspended_at: None,
        created_at,
    };
    state.installations.insert(id, installation);
    announce_installation(state, id, "created", by);
    Ok(id)
}

/// A pair, in DER: the public key as PKCS#1, the private one as PKCS#8.
#[derive(Clone)]
struct Key {
    public: Vec<u8>,
    private: Vec<u8>,
}

/// Keys are slow to make: the first App of every emulator in this process has the same, and so on.
static OF_APPS: Mutex<Vec<Key>> = Mutex::new(Vec::new());

impl Key {
    /// The key of the App that was registered as this one of an emulator, counted from 0.
    fn of_app(nth: usize) -> Result<Self, Trouble> {
        let mut made = OF_APPS.lock().unwrap_or_else(PoisonError::into_inner);
        while made.len() <= nth {
            made.push(Self::make()?);
        }
        made.get(nth).cloned().ok_or(Trouble::Key)
    }

    fn make() -> Result<Self, Trouble> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Trouble::Key)?;
        let private: Pkcs8V1Der<'static> = key.as_der().map_err(|_| Trouble::Key)?;
        let public = key.public_key().as_ref().to_vec();
        Ok(Self { public, private: private.as_ref().to_vec() })
    }
}

fn announce_installation(state: &mut State, id: u64, action: &str, by: Option<u64>) {
    let Some(installation) = state.installations.get(&id) else { return };
    let (app, account) = (installation.app, installation.account);
    let repositories: Vec<_> = installation
        .repositories
        .iter()
        .map(|repository| shapes::repository_stub(state, *repository))
        .collect();
    let payload = json!({
        "action": action,
        "installation": shapes::installation(state, installation),
        "repositories": repositories,
        "requester": null,
        "sender": shapes::user(state, by.or(Some(account))),
    });
    let address = Address {
        app,
        installation: Some(id),
        repository: None,
        event: "installation",
        action: Some(action),
    };
    hooks::queue(state, &address, payload);
}

fn announce_added(state: &mut State, id: u64, added: &BTreeSet<u64>, by: Option<u64>) {
    let Some(installation) = state.installations.get(&id) else { return };
    let (app, account) = (installation.app, installation.account);
    let added: Vec<_> = added.iter().map(|one| shapes::repository_stub(state, *one)).collect();
    let payload = json!({
        "action": "added",
        "installation": shapes::installation(state, installation),
        "repository_selection": "selected",
        "repositories_added": added,
        "repositories_removed": [],
        "requester": null,
        "sender": shapes::user(state, by.or(Some(account))),
    });
    let address = Address {
        app,
        installation: Some(id),
        repository: None,
        event: "installation_repositories",
        action: Some("added"),
    };
    hooks::queue(state, &address, payload);
}

fn pem(kind: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {kind}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str(&format!("-----END {kind}-----\n"));
    pem
}

//! How the world in the box is made: accounts, Apps, repositories, installations, rights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use url::Url;

use super::git::{Edit, Git, Signature};
use super::hooks::{self, Address};
use super::state::{AccountKind, App, Installation, Repository, State};
use super::{Emulator, Trouble, acts, auth, shapes};

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
    /// The name in addresses.
    pub slug: String,
    /// The private key, PKCS#8 in PEM.
    pub private_key_pem: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
    /// The account that the App acts as.
    pub bot_user_id: u64,
}

/// What a new repository is to be.
#[derive(Debug, Clone)]
pub struct RepositorySpec {
    /// The account it belongs to; made as a user when unknown.
    pub owner: String,
    /// Its own name.
    pub name: String,
    /// Whether only those with rights see it.
    pub private: bool,
    /// The branch that everything starts from.
    pub default_branch: String,
    /// The files of the first commit; none makes an empty repository.
    pub files: Vec<(String, Vec<u8>)>,
}

impl RepositorySpec {
    /// A private repository `owner/name` with these files on `main`.
    pub fn new(owner: &str, name: &str, files: &[(&str, &str)]) -> Self {
        Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            private: true,
            default_branch: "main".to_owned(),
            files: files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect(),
        }
    }
}

impl Emulator {
    /// Registers an App.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn create_app(&self, spec: AppSpec) -> Result<AppCredentials, Trouble> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| Trouble::Key)?;
        let private: Pkcs8V1Der<'static> = key.as_der().map_err(|_| Trouble::Key)?;
        let public_key = key.public_key().as_ref().to_vec();
        let mut state = self.lock();
        let owner = state.add_account("app-owners", AccountKind::Organization);
        let bot = state.add_account(&format!("{}[bot]", spec.slug), AccountKind::Bot);
        let (id, created_at) = (state.ids.app(), state.now());
        let client_id = format!("Iv23li{id:014}");
        let hook_id = id + 100_000_000;
        state.apps.insert(
            id,
            App {
                id,
                client_id: client_id.clone(),
                slug: spec.slug.clone(),
                owner,
                bot,
                public_key,
                webhook_url: spec.webhook_url,
                webhook_secret: spec.webhook_secret.clone(),
                hook_id,
                permissions: spec.permissions,
                events: spec.events,
                created_at,
            },
        );
        Ok(AppCredentials {
            app_id: id,
            client_id,
            slug: spec.slug,
            private_key_pem: pem(private.as_ref()),
            webhook_secret: spec.webhook_secret,
            bot_user_id: bot,
        })
    }

    /// Says where an App's webhooks go from now on.
    pub fn set_webhook_url(&self, app_id: u64, url: Url) {
        if let Some(app) = self.lock().apps.get_mut(&app_id) {
            app.webhook_url = Some(url);
        }
    }

    /// Signs a person up; an existing account is left as it is.
    pub fn create_user(&self, login: &str) -> u64 {
        self.lock().add_account(login, AccountKind::User)
    }

    /// Makes an organisation; an existing account is left as it is.
    pub fn create_organization(&self, login: &str) -> u64 {
        self.lock().add_account(login, AccountKind::Organization)
    }

    /// Makes a repository, with a first commit by its owner if there are files.
    ///
    /// # Errors
    /// When git or the disk fails.
    pub fn create_repository(&self, spec: RepositorySpec) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let owner = state.add_account(&spec.owner, AccountKind::User);
        let id = add_repository(&mut state, owner, &spec.name, &spec.default_branch)?;
        state.repository_mut(id)?.private = spec.private;
        if spec.files.is_empty() {
            return Ok(id);
        }
        let git = state.repository(id)?.git.clone();
        let mut edits = Vec::new();
        for (path, content) in spec.files {
            let sha = git.write("blob", &content)?;
            edits.push(Edit::Put { mode: "100644".to_owned(), sha, path });
        }
        let tree = git.write_tree(None, &edits)?;
        let signature = person(&state, owner);
        let message = format!("Start {}\n", spec.name);
        let commit = acts::write_commit(
            &git,
            &tree,
            &[],
            (&signature, &signature),
            &message,
            acts::Seal::Unsigned,
        )?;
        git.point_ref(&format!("refs/heads/{}", spec.default_branch), &commit)?;
        let refs = git.refs()?;
        state.repository_mut(id)?.refs = refs;
        Ok(id)
    }

    /// Makes a private repository from the branches and tags of a real one.
    ///
    /// # Errors
    /// When `from` is no repository, or has no commit `default_branch_commit`.
    pub fn import_repository(
        &self,
        owner: &str,
        name: &str,
        from: &Path,
        default_branch_commit: Option<&str>,
    ) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let owner = state.add_account(owner, AccountKind::User);
        let id = add_repository(&mut state, owner, name, "main")?;
        let git = state.repository(id)?.git.clone();
        git.mirror(from)?;
        if let Some(commit) = default_branch_commit {
            let sha = git.resolve(commit, "commit");
            let sha = sha.ok_or_else(|| Trouble::unknown("commit", commit))?;
            git.point_ref("refs/heads/main", &sha)?;
        }
        let refs = git.refs()?;
        let branch = ["main", "master"]
            .iter()
            .find(|branch| refs.contains_key(&format!("refs/heads/{branch}")))
            .map_or_else(|| "main".to_owned(), |branch| (*branch).to_owned());
        git.set_head(&branch)?;
        let repository = state.repository_mut(id)?;
        (repository.refs, repository.default_branch) = (refs, branch);
        Ok(id)
    }

    /// Copies a repository to another account, as a fork.
    ///
    /// # Errors
    /// When there is no such repository, or git fails.
    pub fn fork(&self, repository: &str, owner: &str) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let parent = state.repository_id(repository)?;
        let owner = state.add_account(owner, AccountKind::User);
        let (name, branch, private, from) = {
            let parent = state.repository(parent)?;
            let name = parent.name.clone();
            (name, parent.default_branch.clone(), parent.private, parent.git.clone())
        };
        let id = add_repository(&mut state, owner, &name, &branch)?;
        let fork = state.repository_mut(id)?;
        fork.git.fetch(&from, "*", "refs/heads/*")?;
        fork.refs = fork.git.refs()?;
        (fork.private, fork.fork_of) = (private, Some(parent));
        Ok(id)
    }

    /// Gives a person a role: `admin`, `maintain`, `write`, `triage`, `read` or `none`.
    ///
    /// # Errors
    /// When there is no such repository or person.
    pub fn set_permission(&self, repository: &str, login: &str, role: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let account = state.account_named(login).map(|account| account.id);
        let account = account.ok_or_else(|| Trouble::unknown("account", login))?;
        let roles = &mut state.repository_mut(id)?.roles;
        if role == "none" {
            roles.remove(&account);
        } else {
            roles.insert(account, role.to_owned());
        }
        Ok(())
    }

    /// Installs an App on repositories of one account. A second call adds repositories.
    ///
    /// # Errors
    /// When there is no such App or repository.
    pub fn install(&self, app_id: u64, repositories: &[&str]) -> Result<u64, Trouble> {
        let mut state = self.lock();
        let mut ids = Vec::new();
        for name in repositories {
            ids.push(state.repository_id(name)?);
        }
        let first = ids.first().copied().ok_or_else(|| Trouble::unknown("repository", ""))?;
        let account = state.repository(first)?.owner;
        let known = state
            .installations
            .values_mut()
            .find(|known| known.app == app_id && known.account == account);
        if let Some(installation) = known {
            ids.retain(|id| !installation.repositories.contains(id));
            installation.repositories.extend(ids.iter().copied());
            let id = installation.id;
            announce_added(&mut state, id, &ids);
            self.shared.queued.notify_one();
            return Ok(id);
        }
        let app = state.apps.get(&app_id).ok_or_else(|| Trouble::unknown("App", app_id))?;
        let (permissions, events) = (app.permissions.clone(), app.events.clone());
        let (id, created_at) = (state.ids.installation(), state.now());
        let installation = Installation {
            id,
            app: app_id,
            account,
            repositories: ids.into_iter().collect(),
            permissions,
            events,
            suspended_at: None,
            created_at,
        };
        state.installations.insert(id, installation);
        announce_installation(&mut state, id, "created");
        self.shared.queued.notify_one();
        Ok(id)
    }

    /// Removes an installation; its tokens stop working.
    pub fn uninstall(&self, installation: u64) {
        let mut state = self.lock();
        announce_installation(&mut state, installation, "deleted");
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
        announce_installation(&mut state, installation, "suspend");
        self.shared.queued.notify_one();
    }

    /// Ends a suspension.
    pub fn unsuspend(&self, installation: u64) {
        let mut state = self.lock();
        if let Some(installation) = state.installations.get_mut(&installation) {
            installation.suspended_at = None;
        }
        announce_installation(&mut state, installation, "unsuspend");
        self.shared.queued.notify_one();
    }

    /// A token of an installation with all it may have, as a workflow gets one.
    ///
    /// # Errors
    /// When there is no such installation.
    pub fn issue_token(&self, installation: u64) -> Result<String, Trouble> {
        let mut state = self.lock();
        let known = state.installations.get(&installation);
        let known = known.ok_or_else(|| Trouble::unknown("installation", installation))?;
        let (repositories, permissions) = (known.repositories.clone(), known.permissions.clone());
        let token = auth::issue_token(&mut state, installation, repositories, permissions);
        Ok(state.tokens.get(token).map(|token| token.text.clone()).unwrap_or_default())
    }
}

/// How an account signs the commits that it makes on its own machine.
pub(crate) fn person(state: &State, account: u64) -> Signature {
    let login = state.login(Some(account));
    let email = format!("{account}+{login}@users.noreply.github.com");
    Signature { name: login, email, at: state.now() / 1000 }
}

fn add_repository(
    state: &mut State,
    owner: u64,
    name: &str,
    default_branch: &str,
) -> Result<u64, Trouble> {
    let (id, now) = (state.ids.repository(), state.now());
    let git = Git::create(state.root.join(format!("{id}.git")), default_branch)?;
    state.repositories.insert(
        id,
        Repository {
            id,
            owner,
            name: name.to_owned(),
            private: true,
            fork_of: None,
            default_branch: default_branch.to_owned(),
            git,
            refs: BTreeMap::new(),
            roles: BTreeMap::new(),
            labels: Vec::new(),
            issues: BTreeMap::new(),
            comments: BTreeMap::new(),
            reactions: Vec::new(),
            reviews: Vec::new(),
            review_comments: BTreeMap::new(),
            resolved: BTreeMap::new(),
            runs: Vec::new(),
            artifacts: Vec::new(),
            merge_methods: BTreeSet::from(["merge", "squash", "rebase"]),
            check_suites: Vec::new(),
            check_runs: Vec::new(),
            statuses: Vec::new(),
            releases: Vec::new(),
            protections: BTreeMap::new(),
            created_at: now,
            pushed_at: now,
        },
    );
    for (name, color, description) in [
        ("bug", "d73a4a", "Something isn't working"),
        ("enhancement", "a2eeef", "New feature or request"),
    ] {
        acts::add_label(state, id, name, color, Some(description))?;
    }
    Ok(id)
}

fn announce_installation(state: &mut State, id: u64, action: &str) {
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
        "sender": shapes::user(state, Some(account)),
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

fn announce_added(state: &mut State, id: u64, added: &[u64]) {
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
        "sender": shapes::user(state, Some(account)),
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

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    pem
}

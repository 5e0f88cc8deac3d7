//! Tokens as a workflow's jobs get them.
//!
//! Invariants: such a token acts as `github-actions[bot]`, reaches one repository and no other, and
//! may do exactly what the job's `permissions` say; it ends with the job.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{AccountKind, App, Installation, State};
use super::{Emulator, Trouble, auth};

/// The number of GitHub's own App for workflows.
const ACTIONS: u64 = 15_368;

impl Emulator {
    /// The `GITHUB_TOKEN` of a job. `permissions` as in the workflow file (`contents` → `write`);
    /// what is not named is not allowed.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn job_token(
        &self,
        repository: &str,
        permissions: &BTreeMap<String, String>,
    ) -> Result<String, Trouble> {
        let mut state = self.lock();
        let repository = state.repository_id(repository)?;
        let installation = actions_on(&mut state, repository)?;
        let permissions = permissions
            .iter()
            .filter(|(_, level)| *level != "none")
            .map(|(name, level)| (name.replace('-', "_"), level.clone()))
            .collect();
        let only = BTreeSet::from([repository]);
        let token = auth::issue_token(&mut state, installation, only, permissions);
        Ok(state.tokens.get(token).map(|token| token.text.clone()).unwrap_or_default())
    }

    /// Ends a job: its token is good for nothing any more.
    pub fn end_job(&self, token: &str) {
        let mut state = self.lock();
        let ended = state.tokens.iter_mut().filter(|known| known.text == token);
        ended.for_each(|known| known.revoked = true);
    }
}

/// GitHub's own App for workflows; made when it is first asked for.
pub(crate) fn actions_app(state: &mut State) -> u64 {
    if !state.apps.contains_key(&ACTIONS) {
        let owner = state.add_account("github", AccountKind::Organization);
        let bot = state.add_account("github-actions[bot]", AccountKind::Bot);
        let created_at = state.now();
        let app = App {
            id: ACTIONS,
            client_id: format!("Iv23li{ACTIONS:014}"),
            client_secret: String::new(),
            callback_urls: Vec::new(),
            slug: "github-actions".to_owned(),
            name: "GitHub Actions".to_owned(),
            owner,
            bot,
            public_key: Vec::new(),
            webhook_url: None,
            webhook_active: false,
            webhook_secret: String::new(),
            setup_url: None,
            external_url: String::new(),
            hook_id: ACTIONS + 100_000_000,
            permissions: BTreeMap::new(),
            events: Vec::new(),
            created_at,
        };
        state.apps.insert(ACTIONS, app);
    }
    ACTIONS
}

/// The installation that workflows of a repository act through. It subscribes to nothing and has
/// no permission but those of its tokens.
fn actions_on(state: &mut State, repository: u64) -> Result<u64, Trouble> {
    let account = state.repository(repository)?.owner;
    let created_at = state.now();
    actions_app(state);
    let mut all = state.installations.values_mut();
    if let Some(known) = all.find(|known| known.app == ACTIONS && known.account == account) {
        known.repositories.insert(repository);
        return Ok(known.id);
    }
    let id = state.ids.installation();
    let installation = Installation {
        id,
        app: ACTIONS,
        account,
        repositories: BTreeSet::from([repository]),
        permissions: BTreeMap::new(),
        events: Vec::new(),
        suspended_at: None,
        created_at,
    };
    state.installations.insert(id, installation);
    Ok(id)
}

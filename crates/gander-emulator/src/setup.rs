//! How the world in the emulator is made: accounts, repositories, rights. Apps: `registry.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::git::{Edit, Git};
use super::state::{AccountKind, Repository, State, person};
use super::{Emulator, Trouble, acts, auth};

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

    /// Gives a repository another name. The former one leads there until another takes it.
    ///
    /// # Errors
    /// When there is no such repository.
    pub fn rename_repository(&self, repository: &str, name: &str) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        state.former_names.insert(repository.to_ascii_lowercase(), id);
        name.clone_into(&mut state.repository_mut(id)?.name);
        Ok(())
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
            activities: Vec::new(),
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
            attestations: BTreeMap::new(),
            merge_methods: BTreeSet::from(["merge", "squash", "rebase"]),
            check_suites: Vec::new(),
            check_runs: Vec::new(),
            statuses: Vec::new(),
            releases: Vec::new(),
            protections: BTreeMap::new(),
            rulesets: Vec::new(),
            deployed: std::collections::BTreeSet::new(),
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

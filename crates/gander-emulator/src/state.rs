//! Everything the emulator remembers.
//!
//! Invariants: every number GitHub would hand out comes from its own range, so that a user, a
//! repository, an issue and a comment never share one by chance; refs that were announced by a
//! webhook are remembered, so no change is announced twice or not at all.

mod checks;
mod reviews;
mod rulesets;
mod runs;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;

use url::Url;

pub(crate) use self::checks::{CheckRun, CheckSuite, Status};
pub(crate) use self::reviews::{LabelAct, LastEdit, Review, ReviewComment, Side, Spot};
pub(crate) use self::rulesets::Ruleset;
pub(crate) use self::runs::{Artifact, Job, JobStep, TestMerge, WorkflowRun};
use super::deliveries::Hooks;
use super::downloads::Downloads;
use super::exchange::Exchange;
use super::faults::Faults;
use super::git::{Git, Signature};
use super::limits::Limits;
use super::profile::ServerProfile;
use super::releases::Release;
use super::sign_ins::SignIns;
use super::{Clock, Trouble};

pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) root: PathBuf,
    pub(crate) web: Url,
    pub(crate) ids: Ids,
    pub(crate) accounts: BTreeMap<u64, Account>,
    pub(crate) apps: BTreeMap<u64, App>,
    pub(crate) installations: BTreeMap<u64, Installation>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) repositories: BTreeMap<u64, Repository>,
    /// Names that repositories had, in lower case, until another takes them.
    pub(crate) former_names: BTreeMap<String, u64>,
    pub(crate) hooks: Hooks,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    /// Whether pushes and pull requests start workflows.
    pub(crate) workflows_hear: bool,
    pub(crate) downloads: Downloads,
    /// What people uploaded to put it into a text, by its name there.
    pub(crate) uploads: BTreeMap<String, Vec<u8>>,
    /// So many files of releases will break off while they come in.
    pub(crate) breaking_uploads: usize,
    pub(crate) timeline: Vec<Happening>,
    /// Apps made on a page, whose secrets nobody has fetched yet.
    pub(crate) unclaimed: Vec<Unclaimed>,
    /// Who sits at the browser.
    pub(crate) browser: Option<u64>,
    /// Organisations and who owns them.
    pub(crate) owners: BTreeSet<(u64, u64)>,
    pub(crate) sign_ins: SignIns,
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) unknown_routes: Vec<String>,
    pub(crate) profile: ServerProfile,
}

/// Where an upload stands on the address for people.
pub(crate) const UPLOADS: &str = "/user-attachments/assets/";

/// The last number given out in each range.
#[derive(Clone)]
pub(crate) struct Ids {
    account: u64,
    app: u64,
    installation: u64,
    repository: u64,
    issue: u64,
    comment: u64,
    label: u64,
    reaction: u64,
    review: u64,
    review_comment: u64,
    workflow_run: u64,
    check_suite: u64,
    check_run: u64,
    status: u64,
    release: u64,
    asset: u64,
    delivery: u64,
    artifact: u64,
    ruleset: u64,
    issue_event: u64,
    activity: u64,
}

macro_rules! ranges {
    ($($name:ident = $start:literal),* $(,)?) => {
        impl Ids {
            pub(crate) fn new() -> Self {
                Self { $($name: $start),* }
            }
            $(pub(crate) fn $name(&mut self) -> u64 {
                self.$name += 1;
                self.$name
            })*
        }
    };
}

// Comments and what is newer passed 2^31 on the real GitHub long ago, deliveries 2^53.
ranges! {
    account = 1_000,
    app = 300_000,
    installation = 50_000_000,
    repository = 700_000_000,
    issue = 2_400_000_000,
    comment = 3_100_000_000,
    issue_event = 21_000_000_000,
    activity = 12_000_000_000,
    label = 8_000_000_000,
    reaction = 250_000_000,
    review = 4_200_000_000,
    review_comment = 2_700_000_000,
    workflow_run = 20_000_000_000,
    check_suite = 45_000_000_000,
    check_run = 53_000_000_000,
    status = 38_000_000_000,
    release = 260_000_000,
    asset = 320_000_000,
    delivery = 180_000_000_000_000_000,
    artifact = 5_000_000_000,
    ruleset = 9_000_000,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum AccountKind {
    User,
    Organization,
    Bot,
}

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: u64,
    pub(crate) login: String,
    pub(crate) kind: AccountKind,
    pub(crate) created_at: i64,
}

#[derive(Clone)]
pub(crate) struct App {
    pub(crate) id: u64,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// Where people who sign in may be led.
    pub(crate) callback_urls: Vec<Url>,
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) owner: u64,
    pub(crate) bot: u64,
    pub(crate) public_key: Vec<u8>,
    pub(crate) webhook_url: Option<Url>,
    /// Whether anything is sent there.
    pub(crate) webhook_active: bool,
    pub(crate) webhook_secret: String,
    pub(crate) setup_url: Option<Url>,
    /// Its home page; empty: its page here.
    pub(crate) external_url: String,
    pub(crate) hook_id: u64,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) created_at: i64,
}

/// A code for which the secrets of a new App are handed out, once.
#[derive(Clone)]
pub(crate) struct Unclaimed {
    pub(crate) code: String,
    pub(crate) app: u64,
    pub(crate) made_at: i64,
}

#[derive(Clone)]
pub(crate) struct Installation {
    pub(crate) id: u64,
    pub(crate) app: u64,
    pub(crate) account: u64,
    pub(crate) repositories: BTreeSet<u64>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) events: Vec<String>,
    pub(crate) suspended_at: Option<i64>,
    pub(crate) created_at: i64,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) installation: u64,
    pub(crate) repositories: BTreeSet<u64>,
    pub(crate) permissions: BTreeMap<String, String>,
    pub(crate) expires_at: i64,
    pub(crate) revoked: bool,
}

#[derive(Clone)]
pub(crate) struct Repository {
    pub(crate) id: u64,
    pub(crate) owner: u64,
    pub(crate) name: String,
    pub(crate) private: bool,
    pub(crate) fork_of: Option<u64>,
    pub(crate) default_branch: String,
    pub(crate) git: Git,
    /// The refs as last announced.
    pub(crate) refs: BTreeMap<String, String>,
    /// Who moved which branch, oldest first.
    pub(crate) activities: Vec<super::activity::Activity>,
    /// Role by account.
    pub(crate) roles: BTreeMap<u64, String>,
    pub(crate) labels: Vec<Label>,
    pub(crate) issues: BTreeMap<u64, Issue>,
    pub(crate) comments: BTreeMap<u64, Comment>,
    pub(crate) reactions: Vec<Reaction>,
    pub(crate) reviews: Vec<Review>,
    pub(crate) review_comments: BTreeMap<u64, ReviewComment>,
    /// Who resolved a thread, by the comment that began it.
    pub(crate) resolved: BTreeMap<u64, u64>,
    pub(crate) runs: Vec<WorkflowRun>,
    /// The ways to merge that its settings allow: `merge`, `squash`, `rebase`.
    pub(crate) merge_methods: BTreeSet<&'static str>,
    pub(crate) check_suites: Vec<CheckSuite>,
    pub(crate) check_runs: Vec<CheckRun>,
    pub(crate) statuses: Vec<Status>,
    pub(crate) releases: Vec<Release>,
    pub(crate) artifacts: Vec<Artifact>,
    /// Bundles, by the digest of what they are about.
    pub(crate) attestations: BTreeMap<String, Vec<String>>,
    pub(crate) protections: BTreeMap<String, Protection>,
    /// What is asked of which branches and tags, beside `protections`.
    pub(crate) rulesets: Vec<Ruleset>,
    /// Which commits were deployed, each with the environment.
    pub(crate) deployed: BTreeSet<(String, String)>,
    pub(crate) created_at: i64,
    pub(crate) pushed_at: i64,
}

#[derive(Clone)]
pub(crate) struct Label {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) color: String,
    pub(crate) description: Option<String>,
}

#[derive(Clone)]
pub(crate) struct Issue {
    pub(crate) id: u64,
    pub(crate) number: u64,
    /// `None`: the account is gone.
    pub(crate) author: Option<u64>,
    pub(crate) title: String,
    pub(crate) body: Option<String>,
    pub(crate) open: bool,
    pub(crate) state_reason: Option<String>,
    pub(crate) labels: Vec<String>,
    /// Who put labels on and took them off, oldest first.
    pub(crate) label_acts: Vec<LabelAct>,
    pub(crate) assignees: Vec<u64>,
    pub(crate) closed_by: Option<u64>,
    pub(crate) closed_at: Option<i64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) pull: Option<Pull>,
}

#[derive(Clone)]
pub(crate) struct Pull {
    /// `None`: the fork was deleted.
    pub(crate) head_repository: Option<u64>,
    pub(crate) head_branch: String,
    pub(crate) head_sha: String,
    pub(crate) base_branch: String,
    pub(crate) base_sha: String,
    pub(crate) draft: bool,
    pub(crate) merged_at: Option<i64>,
    pub(crate) merged_by: Option<u64>,
    pub(crate) merge_commit: Option<String>,
    pub(crate) requested_reviewers: Vec<u64>,
    /// The commit that merging would make, once that was tried.
    pub(crate) test_merge: Option<String>,
    /// GitHub works out mergeability in the background: the first look after a change says
    /// "unknown".
    pub(crate) mergeability_asked: bool,
}

#[derive(Clone)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) issue: u64,
    pub(crate) author: Option<u64>,
    pub(crate) body: String,
    /// What the comment said before, oldest first.
    pub(crate) earlier: Vec<String>,
    pub(crate) last_edit: Option<LastEdit>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Issue(u64),
    Comment(u64),
    ReviewComment(u64),
}

#[derive(Clone)]
pub(crate) struct Reaction {
    pub(crate) id: u64,
    pub(crate) target: Target,
    pub(crate) user: u64,
    pub(crate) content: String,
    pub(crate) created_at: i64,
}

/// What a branch protection or ruleset asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Protection {
    pub(crate) required_checks: Vec<RequiredCheck>,
    /// How many approvals of people with write access it takes.
    pub(crate) approvals: u64,
    /// Whether a push takes approvals back.
    pub(crate) dismisses_stale: bool,
    /// Whether the head must contain all of the base.
    pub(crate) up_to_date: bool,
    /// Whether pull requests only come in by the merge queue.
    pub(crate) merge_queue: bool,
    /// Whether merge commits are refused.
    pub(crate) linear_history: bool,
    /// Whether every commit must have a verified signature.
    pub(crate) signatures: bool,
    /// Whether every review thread must be resolved.
    pub(crate) conversations: bool,
    /// The environments that a head must have been deployed to.
    pub(crate) environments: Vec<String>,
    /// The ways to merge that the branch allows; none named: all.
    pub(crate) merge_methods: BTreeSet<&'static str>,
    pub(crate) by_ruleset: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct RequiredCheck {
    pub(crate) name: String,
    /// The App that must have made it; `None`: any.
    pub(crate) app: Option<u64>,
}

#[derive(Clone)]
pub(crate) struct Happening {
    pub(crate) repository: u64,
    pub(crate) at_ms: i64,
    pub(crate) actor: String,
    pub(crate) text: String,
}

impl State {
    pub(crate) fn new(clock: Clock, root: PathBuf, web: Url) -> Self {
        Self {
            clock,
            root,
            web,
            ids: Ids::new(),
            accounts: BTreeMap::new(),
            apps: BTreeMap::new(),
            installations: BTreeMap::new(),
            tokens: Vec::new(),
            repositories: BTreeMap::new(),
            former_names: BTreeMap::new(),
            hooks: Hooks { queue: VecDeque::new(), log: Vec::new(), plans: VecDeque::new() },
            faults: Faults::default(),
            limits: Limits::default(),
            downloads: Downloads::default(),
            uploads: BTreeMap::new(),
            breaking_uploads: 0,
            workflows_hear: false,
            timeline: Vec::new(),
            unclaimed: Vec::new(),
            browser: None,
            owners: BTreeSet::new(),
            sign_ins: SignIns::default(),
            exchanges: Vec::new(),
            unknown_routes: Vec::new(),
            profile: ServerProfile::default(),
        }
    }

    /// The time now, in milliseconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn add_account(&mut self, login: &str, kind: AccountKind) -> u64 {
        if let Some(known) = self.account_named(login) {
            return known.id;
        }
        let (id, created_at) = (self.ids.account(), self.now());
        self.accounts.insert(id, Account { id, login: login.to_owned(), kind, created_at });
        id
    }

    pub(crate) fn account_named(&self, login: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.login.eq_ignore_ascii_case(login))
    }

    /// The login, or `ghost` when the account is gone.
    pub(crate) fn login(&self, account: Option<u64>) -> String {
        account
            .and_then(|id| self.accounts.get(&id))
            .map_or_else(|| "ghost".to_owned(), |account| account.login.clone())
    }

    /// The repository that had this name, if no other has it now.
    pub(crate) fn formerly_named(&self, owner: &str, name: &str) -> Option<&Repository> {
        if self.repository_named(owner, name).is_some() {
            return None;
        }
        let id = self.former_names.get(&format!("{owner}/{name}").to_ascii_lowercase())?;
        self.repositories.get(id)
    }

    pub(crate) fn repository_named(&self, owner: &str, name: &str) -> Option<&Repository> {
        self.repositories.values().find(|repository| {
            repository.name.eq_ignore_ascii_case(name)
                && self
                    .accounts
                    .get(&repository.owner)
                    .is_some_and(|account| account.login.eq_ignore_ascii_case(owner))
        })
    }

    /// The repository `owner/name`.
    pub(crate) fn repository_id(&self, full_name: &str) -> Result<u64, Trouble> {
        full_name
            .split_once('/')
            .and_then(|(owner, name)| self.repository_named(owner, name))
            .map(|repository| repository.id)
            .ok_or_else(|| Trouble::unknown("repository", full_name))
    }

    pub(crate) fn repository(&self, id: u64) -> Result<&Repository, Trouble> {
        self.repositories.get(&id).ok_or_else(|| Trouble::unknown("repository", id))
    }

    pub(crate) fn repository_mut(&mut self, id: u64) -> Result<&mut Repository, Trouble> {
        self.repositories.get_mut(&id).ok_or_else(|| Trouble::unknown("repository", id))
    }

    pub(crate) fn issue(&self, repository: u64, number: u64) -> Result<&Issue, Trouble> {
        let issues = &self.repository(repository)?.issues;
        issues.get(&number).ok_or_else(|| Trouble::unknown("issue", number))
    }

    pub(crate) fn issue_mut(
        &mut self,
        repository: u64,
        number: u64,
    ) -> Result<&mut Issue, Trouble> {
        let issues = &mut self.repository_mut(repository)?.issues;
        issues.get_mut(&number).ok_or_else(|| Trouble::unknown("issue", number))
    }

    /// The pull request in issue `number`.
    pub(crate) fn pull(&self, repository: u64, number: u64) -> Result<&Pull, Trouble> {
        let issue = self.issue(repository, number)?;
        issue.pull.as_ref().ok_or_else(|| Trouble::unknown("pull request", number))
    }

    /// The pull request in issue `number`.
    pub(crate) fn pull_mut(&mut self, repository: u64, number: u64) -> Result<&mut Pull, Trouble> {
        let issue = self.issue_mut(repository, number)?;
        issue.pull.as_mut().ok_or_else(|| Trouble::unknown("pull request", number))
    }

    pub(crate) fn full_name(&self, repository: &Repository) -> String {
        format!("{}/{}", self.login(Some(repository.owner)), repository.name)
    }

    /// Writes one plain line of history.
    pub(crate) fn tell(&mut self, repository: u64, actor: Option<u64>, text: String) {
        let (at_ms, actor) = (self.now(), self.login(actor));
        self.timeline.push(Happening { repository, at_ms, actor, text });
    }

    /// Whether an account may push: a person by their role, an App by what it was granted.
    pub(crate) fn may_write(&self, repository: &Repository, account: u64) -> bool {
        let app = self.apps.values().find(|app| app.bot == account).map(|app| app.id);
        if let Some(app) = app {
            return self.installations.values().any(|one| {
                one.app == app
                    && one.repositories.contains(&repository.id)
                    && one.permissions.get("contents").is_some_and(|level| level == "write")
            });
        }
        matches!(self.role(repository, account).as_str(), "admin" | "maintain" | "write")
    }

    /// `admin`, `maintain`, `write`, `triage`, `read` or `none`.
    pub(crate) fn role(&self, repository: &Repository, account: u64) -> String {
        if repository.owner == account {
            return "admin".to_owned();
        }
        let fallback = if repository.private { "none" } else { "read" };
        repository.roles.get(&account).cloned().unwrap_or_else(|| fallback.to_owned())
    }
}

/// How an account signs the commits that it makes on its own machine.
pub(crate) fn person(state: &State, account: u64) -> Signature {
    let login = state.login(Some(account));
    let email = format!("{account}+{login}@users.noreply.github.com");
    Signature { name: login, email, at: state.now() / 1000 }
}

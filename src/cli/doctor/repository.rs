//! One repository: what keeps its branches and tags, what its workflows would do with a push of
//! ours, who can approve, and whether its checks would run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::app::not_asked;
use super::causes::in_full;
use crate::app::{installed_toolchains, registries_of, sandbox};
use crate::cli::AnyError;
use crate::cli::check::{CheckPlace, CheckedCommit};
use crate::cli::local;
use crate::config::Config;
use crate::core::checklist::{ChecklistItem, repository as judged};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, RepoName, Sha};
use crate::core::policy::Rules;
use crate::environment::Environments;
use crate::forge::{BranchHead, Forge};
use crate::publish::scan;
use crate::sandbox::{ControlGroups, Sandbox};
use crate::server::Tell;
use crate::worker::workflow_risks_of;
use crate::workspace::builds::Builds;
use crate::workspace::mirror::{History, Mirror, Source, Want};
use crate::workspace::remove::remove_aside;

/// How long fetching may take, and clearing up.
const FETCHING: Duration = Duration::from_secs(10 * 60);
const CLEARING: Duration = Duration::from_secs(60);
/// A branch as Gander names them.
const OUR_BRANCH: &str = "gander/1-doctor";

/// Looks at one repository.
pub(super) async fn look(config: &Config, forge: &Forge, name: &RepoName, tell: &Tell) {
    let shown = name.to_string();
    let about = |item: ChecklistItem| tell(item.about(shown.clone()));
    let repo = match forge.installed_on(name).await {
        Ok(Some(repo)) => repo,
        Ok(None) => {
            about(ChecklistItem::failed(
                "repository",
                "the App is not installed there",
                "install it on that repository, on the App's page on GitHub",
            ));
            return;
        }
        Err(error) => return about(not_asked("repository", &error)),
    };
    let default = match forge.repository(&repo).await {
        Ok(seen) => seen.default_branch,
        Err(error) => return about(not_asked("repository", &error)),
    };
    let Ok(default) = default.parse::<Branch>() else {
        let seen = "the name of its default branch cannot be used";
        return about(ChecklistItem::failed("repository", seen, "give it another name"));
    };
    match forge.guards_of(&repo, &default).await {
        Ok(guards) => about(judged::branch(default.as_str(), &guards)),
        Err(error) => about(not_asked("branch ruleset", &error)),
    }
    match forge.tag_rulesets(&repo).await {
        Ok(Some(rulesets)) => about(judged::tags(&rulesets)),
        Ok(None) => about(ChecklistItem::unknown(
            "tag ruleset",
            "this server tells nothing of rulesets",
            "see in the repository's settings that nobody can move a tag",
        )),
        Err(error) => about(not_asked("tag ruleset", &error)),
    }
    let commit = match forge.branch_head(&repo, &default).await {
        Ok(BranchHead::At(commit)) => commit,
        Ok(BranchHead::Missing | BranchHead::EmptyRepository) => {
            let seen = format!("there is no commit on {default}");
            return about(ChecklistItem::failed("repository", seen, "push one"));
        }
        Err(error) => return about(not_asked("repository", &error)),
    };
    let cache = match tempfile::Builder::new().prefix("gander-doctor-").tempdir() {
        Ok(cache) => cache.keep(),
        Err(error) => {
            let next = "make room in the temporary directory";
            return about(ChecklistItem::unknown("checks", error.to_string(), next));
        }
    };
    let tip = Tip { config, forge, repo: &repo, branch: &default, commit: &commit };
    if let Err(error) = tip.look(&cache, &about).await {
        let next = "see what the error says, and look again";
        about(ChecklistItem::unknown("checks", in_full(error.as_ref()), next));
    }
    if let Err(error) = remove_aside(&cache, CLEARING).await {
        tracing::warn!(path = %cache.display(), %error, "could not be removed");
    }
}

/// The newest commit of the default branch.
struct Tip<'a> {
    config: &'a Config,
    forge: &'a Forge,
    repo: &'a RepoRef,
    branch: &'a Branch,
    commit: &'a Sha,
}

impl Tip<'_> {
    /// Looks at what is in the commit. `cache` is this run's alone.
    async fn look(&self, cache: &Path, about: &impl Fn(ChecklistItem)) -> Result<(), AnyError> {
        let mirror = self.fetched(cache).await?;
        let entries = mirror.list(self.commit).await?;
        let rules = match local::rules_at(&mirror, self.commit) {
            Ok(rules) => rules,
            Err(error) => {
                let next = "`gander config check` reads the file as Gander does";
                about(ChecklistItem::failed("rules", in_full(error.as_ref()), next));
                Rules::default()
            }
        };
        let ours: Branch = OUR_BRANCH.parse()?;
        let found = workflow_risks_of(&mirror, (self.commit, &entries), (&ours, self.branch), None);
        let mut risks = found.map_err(|fault| fault.text)?;
        let paths = entries.iter().filter_map(|entry| std::str::from_utf8(&entry.path).ok());
        risks.extend(scan::other_ci(paths).iter().map(ToString::to_string));
        about(judged::workflows(&risks, rules.publish.mode.is_some()));
        match self.forge.people_with(self.repo, rules.approval.role.into()).await {
            Ok(people) => about(judged::approvers(people.len(), &rules.approval)),
            Err(error) => about(not_asked("approvers", &error)),
        }
        about(self.checks(mirror, &rules, cache).await?);
        Ok(())
    }

    async fn fetched(&self, cache: &Path) -> Result<Mirror, AnyError> {
        let mirror = Mirror::open(&cache.join("mirrors"), "doctor").await?;
        let url = self.forge.clone_url(self.repo)?;
        let addresses = self.forge.git_addresses(&url).await?;
        let token = self.forge.git_token(self.repo).await?;
        let source = Source::Url { url: &url, addresses: &addresses, token: Some(&token) };
        mirror.fetch(source, Want::Commit(self.commit), History::Tip, FETCHING).await?;
        Ok(mirror)
    }

    /// Runs the checks once, without any change.
    async fn checks(
        &self,
        mirror: Mirror,
        rules: &Rules,
        cache: &Path,
    ) -> Result<ChecklistItem, AnyError> {
        const NAME: &str = "checks";
        let sandbox: Arc<dyn Sandbox> = Arc::new(sandbox().within(ControlGroups::delegated()));
        if sandbox.probe().await.is_err() {
            let seen = "nothing can run without a sandbox";
            return Ok(ChecklistItem::unknown(NAME, seen, "mend the sandbox first"));
        }
        let place = CheckPlace {
            cache,
            sandbox,
            builds: Builds::of(cache, "doctor".to_owned()),
            environments: Environments::new(
                cache,
                registries_of(self.config)?,
                installed_toolchains(),
            ),
        };
        let seen = CheckedCommit::look(mirror, self.commit.clone(), rules, place).await?;
        Ok(match seen.problem() {
            None => ChecklistItem::ok(NAME, format!("they run here: {}", seen.commands())),
            Some(why) => ChecklistItem::failed(
                NAME,
                format!("changes cannot be checked: {why}"),
                "name the command that tests it as [verify] commands in .github/gander.toml; \
                 `gander check` in a checkout shows what was tried",
            ),
        })
    }
}

//! Works out what is released, from the base commit and what changed since the last tag.
//!
//! Invariants: rules, permission and the base are read now; the files of a plan are made from its
//! base commit alone, so making them again gives the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use semver::Version;

use crate::core::changelog;
use crate::core::flagged::flagged;
use crate::core::github::{Actor, RepoRef, Role};
use crate::core::id::{Number, Sha};
use crate::core::kind::Kind;
use crate::core::leak::SecretsBefore;
use crate::core::policy::{RULES_PATH, ReleaseScope, ReleaseWith, Rules, ScopedRules};
use crate::core::release::{Refusal, Release, ReleaseFact, VersionPlan};
use crate::core::text::without_numbers;
use crate::forge::{BranchHead, CommitText, LastRelease, ListedCommit, ReleaseHistory, Tag};
use crate::publish::PatchedBase;
use crate::publish::release::PlannedFiles;
use crate::release::manifests::{self, Edits};
use crate::release::version::{Before, next};
use crate::release::{ReleasedCommit, changelog as section, without_reverted};
use crate::worker::checks::blocking;
use crate::worker::steps::release::files::{LeftOut, There, also_said_in, files_at, has_any};
use crate::worker::steps::release::{path_rules, planned, release_rules};
use crate::worker::{Context, WorkError};

/// For so many commits GitHub is asked which pull request brought them.
const MOST_ASKED: usize = 100;

pub(in crate::worker) async fn run(
    ctx: &Context,
    release: &Release,
) -> Result<ReleaseFact, WorkError> {
    let orders = release.orders;
    let refused = |why| Ok(ReleaseFact::Refused { orders, why });
    let found = match found(ctx, release).await? {
        Ok(found) => found,
        Err(why) => return refused(why),
    };
    let ReleaseBase { rules, scoped, base, there, tags, history } = found;
    let (last, last_unknown) = (history.last, history.unknown.is_some());
    let commits = commits_since(ctx, release, &scoped.scope, (last.as_ref(), &base)).await?;
    let last_tag = last.as_ref().map(|last| last.tag.clone());
    let changes = without_reverted(changes(ctx, &release.repo, commits).await?);
    if changes.is_empty() {
        return Ok(ReleaseFact::NothingToRelease { orders, last: last_tag });
    }
    let (read, was) = (Arc::clone(&there), last.as_ref().map(|last| last.version.clone()));
    let manifest =
        blocking(move || manifests::current(&read.files, &read.scope, was.as_ref())).await?;
    let before = Before {
        last: last.as_ref().map(|last| &last.version),
        manifest: manifest.as_ref().map(|(version, path)| (version, path.as_str())),
        changes: &changes,
    };
    // `v1.2` was 1.2.0.
    let is = |it: &str, tag: &str| it == tag || Some(it) == tag.strip_suffix(".0");
    let taken = |tag: &str| tags.iter().any(|it| is(&it.name, tag));
    let bump = release.order.bump.as_ref();
    let next = match next(before, bump, |version| scoped.rules.tag_of(version), taken) {
        Ok(next) => next,
        Err(why) => return refused(why),
    };
    let version = next.version.to_string();
    let log = scoped.scope.changelog();
    if there.text(&log).is_some_and(|text| changelog::has(text, &version)) {
        return refused(Refusal::InChangelog { version });
    }
    let (read, new) = (Arc::clone(&there), next.version.clone());
    let old = manifest.map(|(old, _)| old);
    let moves_from = old.as_ref().map(Version::to_string);
    let edits = blocking(move || edited(&read, old.as_ref(), &new)).await?;
    let released = last.as_ref().map(|last| last.version.to_string());
    let behind = moves_from.as_deref().or(released.as_deref()).filter(|old| *old != version);
    let mut left = by_hand(&there, &release.repo, &edits, behind).await?;
    left.extend(moved_since(ctx, &release.repo, &scoped.scope, last.as_ref()).await?);
    let files = [log].into_iter().chain(edits.changed.into_keys()).collect();
    let flagged = flagged(&history.since, &version, &path_rules(&rules)?);
    let fixes = fixed_by(ctx, &release.repo, &changes).await?;
    let plan = VersionPlan {
        base,
        tag: scoped.rules.tag_of(&version).unwrap_or_default(),
        version,
        scope: scoped.scope,
        last: last_tag,
        last_unknown,
        moves_from,
        why: next.why,
        date: date(ctx),
        notes: section::notes(&changes),
        files,
        left,
        fixes,
        flagged,
        merge_on: rules.merge.on,
        targets: scoped.rules.targets,
        checks: None,
    };
    Ok(ReleaseFact::Planned { orders, plan })
}

/// What a plan is made from.
struct ReleaseBase {
    rules: Rules,
    scoped: ScopedRules,
    /// The commit that it is made on.
    base: Sha,
    there: Arc<There>,
    tags: Vec<Tag>,
    history: ReleaseHistory,
}

/// Reads it, unless there is a reason not to release.
async fn found(
    ctx: &Context,
    release: &Release,
) -> Result<Result<ReleaseBase, Refusal>, WorkError> {
    let rules = match rules_that_allow(ctx, release).await? {
        Ok(rules) => rules,
        Err(why) => return Ok(Err(why)),
    };
    let scoped = match rules.release.of_package(release.order.package.as_deref()) {
        Ok(scoped) => scoped,
        Err(which) => return Ok(Err(Refusal::WhichPackage(which))),
    };
    let (forge, repo) = (&ctx.forge, &release.repo);
    let BranchHead::At(base) = forge.branch_head(repo, &release.base).await? else {
        return Ok(Err(Refusal::NoCommit { branch: release.base.clone() }));
    };
    let there = Arc::new(files_at(ctx, repo, &base, scoped.scope.clone()).await?);
    if !there.has_any() {
        return Ok(Err(Refusal::NoDirectory { directory: scoped.scope.directory.clone() }));
    }
    if let Some(why) = with_another_tool(ctx, release, rules.release.with, &there).await? {
        return Ok(Err(why));
    }
    let tags = forge.tags(repo).await?;
    let history = forge.release_history(repo, &scoped, &tags, &base, None).await?;
    if let Some(why) = history.unknown.as_ref().filter(|_| !release.order.names_version()) {
        return Ok(Err(why.clone()));
    }
    Ok(Ok(ReleaseBase { rules, scoped, base, there, tags, history }))
}

/// Says that a package stood elsewhere at its last release: what was changed there is not found.
async fn moved_since(
    ctx: &Context,
    repo: &RepoRef,
    scope: &ReleaseScope,
    last: Option<&LastRelease>,
) -> Result<Option<String>, WorkError> {
    let Some(last) = last.filter(|_| !scope.directory.is_empty()) else { return Ok(None) };
    let entries = ctx.mirror_of(repo, &last.commit).await?.list(&last.commit).await?;
    let was_there = has_any(scope, &entries);
    Ok((!was_there).then(|| {
        let (directory, tag) = (&scope.directory, &last.tag);
        format!(
            "`{directory}` was not there at {tag}: what was changed where the package stood before \
             is in neither the version nor the changelog"
        )
    }))
}

/// What people have to do by hand. `behind` is the version before, unless that is the one that is
/// released, as a first one may be.
async fn by_hand(
    there: &Arc<There>,
    repo: &RepoRef,
    edits: &Edits,
    behind: Option<&str>,
) -> Result<Vec<String>, WorkError> {
    let mut left = edits.left.clone();
    let LeftOut { too_large, too_many } = &there.left_out;
    left.extend(too_large.iter().map(|path| format!("`{path}` is too large to be read")));
    if *too_many > 0 {
        left.push(format!("{too_many} more manifests, which are too many to read them all"));
    }
    let path = there.scope.changelog();
    let log = there.text(&path).filter(|text| !text.trim().is_empty());
    if log.is_some_and(|text| changelog::first_section(text).is_none()) {
        left.push(format!(
            "`{path}` has no heading with a version, so the new section stands at its end"
        ));
    }
    if there.text(&path).is_some_and(section::has_unreleased_notes) {
        left.push(format!(
            "`{path}` has notes under *Unreleased*: move those of this version by hand"
        ));
    }
    if let Some(version) = behind {
        left.extend(also_said_in(there, repo, edits, version).await?);
    }
    Ok(left)
}

/// The manifests with another version.
fn edited(there: &There, old: Option<&Version>, new: &Version) -> Edits {
    manifests::with_version(&there.files, &there.scope, old, new)
}

/// The files of a plan, whole, and whether each is executable.
pub(in crate::worker) async fn planned_files(
    ctx: &Context,
    release: &Release,
    plan: &VersionPlan,
) -> Result<PlannedFiles, WorkError> {
    let there = files_at(ctx, &release.repo, &plan.base, plan.scope.clone()).await?;
    let version = Version::parse(&plan.version).map_err(|error| WorkError::permanent(&error))?;
    let there = Arc::new(there);
    let read = Arc::clone(&there);
    let old = plan.moves_from.as_deref().and_then(|old| Version::parse(old).ok());
    let edits = blocking(move || edited(&read, old.as_ref(), &version)).await?;
    let mut changed = edits.changed;
    let path = plan.scope.changelog();
    let log = section::with_section(there.text(&path), &plan.version, &plan.date, &plan.notes);
    changed.insert(path, log);
    let files = changed.into_iter().map(|(path, text)| {
        let executable = there.executable.contains(&path);
        (path, executable, text.into_bytes())
    });
    let files = files.collect();
    let mut secrets = SecretsBefore::default();
    there.files.values().for_each(|text| secrets.add(text));
    Ok(PlannedFiles { files, base: PatchedBase { tree: there.tree.clone(), secrets } })
}

/// Version and tag that a commit's changelog names, if they make a release.
pub(in crate::worker) async fn version_at(
    ctx: &Context,
    release: &Release,
    head: &Sha,
) -> Result<Option<(String, String)>, WorkError> {
    let (_, rules) = release_rules(ctx, &release.repo).await?;
    let VersionPlan { last: before, scope, .. } = planned(release)?;
    let log = ctx.forge.file(&release.repo, head.as_str(), &scope.changelog()).await?;
    let found = log.as_deref().and_then(changelog::latest).and_then(|section| {
        let scoped = rules.ok()?.release.of_package(release.order.package.as_deref()).ok()?;
        let tag = scoped.rules.tag_of(&section.version)?;
        Version::parse(&section.version).ok()?;
        // Without a new section, the newest is the one that is out.
        (Some(&tag) != before.as_ref()).then_some((section.version, tag))
    });
    Ok(found)
}

/// The rules, if they let Gander make this release.
async fn rules_that_allow(
    ctx: &Context,
    release: &Release,
) -> Result<Result<Rules, Refusal>, WorkError> {
    let (_, rules) = release_rules(ctx, &release.repo).await?;
    let rules = match rules {
        Ok(rules) => rules,
        Err(why) => return Ok(Err(why)),
    };
    let refused = may_not_release(ctx, release, &rules).await?;
    Ok(refused.map_or(Ok(rules), Err))
}

/// The commits since the release before that change what is released, oldest first; all that are
/// read where there is none.
async fn commits_since(
    ctx: &Context,
    release: &Release,
    scope: &ReleaseScope,
    (last, base): (Option<&LastRelease>, &Sha),
) -> Result<Vec<ListedCommit>, WorkError> {
    let listed = match last {
        Some(last) => last.commits.clone(),
        None => ctx.forge.commits_up_to(&release.repo, base).await?,
    };
    if scope.is_whole() {
        return Ok(listed);
    }
    // GitHub lists commits of the whole repository, and not all of them.
    let mirror = ctx.history_of(&release.repo, base).await?;
    let since = last.map(|last| &last.commit);
    let own = mirror.touching((since, base), &scope.directory, |path| scope.has(path)).await?;
    // The release of another package is no change of this one.
    let own = own.into_iter().filter(|(_, message)| !message.contains("\nGander-Release: "));
    let mut listed: BTreeMap<Sha, ListedCommit> =
        listed.into_iter().map(|commit| (commit.sha.clone(), commit)).collect();
    let commits = own.map(|(sha, message)| {
        let known = listed.remove(&sha);
        known.unwrap_or(ListedCommit { sha, commit: CommitText { message }, author: None })
    });
    Ok(commits.collect())
}

/// Why the repository's own tool makes the release, or may.
async fn with_another_tool(
    ctx: &Context,
    release: &Release,
    with: Option<ReleaseWith>,
    there: &There,
) -> Result<Option<Refusal>, WorkError> {
    let found = match with {
        Some(ReleaseWith::Own) => return Ok(None),
        Some(ReleaseWith::Existing) | None => there.release_tool(),
    };
    let Some(tool) = found else {
        return Ok(with.map(|_| Refusal::OwnTool));
    };
    if with.is_none() {
        return Ok(Some(Refusal::WhichTool(tool)));
    }
    let pull = match tool.tool.pull_branch(&release.base) {
        Some(branch) => ctx.forge.pull_of(&release.repo, &branch).await?,
        None => None,
    };
    let pull = pull.filter(|it| it.state == "open").map(|it| it.number);
    Ok(Some(Refusal::ExistingTool { tool, pull }))
}

/// On a merge, the merge itself was the permission.
async fn may_not_release(
    ctx: &Context,
    release: &Release,
    rules: &Rules,
) -> Result<Option<Refusal>, WorkError> {
    if release.order.on_merge {
        return Ok(None);
    }
    let login = release.order.login.clone();
    let actor = Actor { id: release.order.by_id, login: login.clone(), person: true };
    let has = ctx.forge.permission(&release.repo, &actor).await?;
    let needed = Role::from(rules.approval.role);
    Ok((has < needed).then(|| Refusal::PermissionLost {
        login,
        why: format!(
            "{needed} access is needed (`[approval]` in `{RULES_PATH}`), and it is {has} now."
        ),
    }))
}

/// Whether its trailer names a model's help. What git took back has the trailer without a model.
fn is_by_model(message: &str) -> bool {
    let mut lines = message.lines().filter_map(|line| line.strip_prefix("Assisted-by: "));
    let back = message.contains("\nThis reverts commit ");
    lines.any(|line| !back || line.contains('('))
}

/// Commits with the pull requests that brought them.
async fn changes(
    ctx: &Context,
    repo: &RepoRef,
    commits: Vec<ListedCommit>,
) -> Result<Vec<ReleasedCommit>, WorkError> {
    let mut asked = 0;
    let mut changes = Vec::new();
    for commit in commits {
        let mut change = ReleasedCommit {
            sha: commit.sha,
            by_model: is_by_model(&commit.commit.message),
            message: commit.commit.message,
            pull: None,
            author: commit.author.and_then(|author| author.login.parse().ok()),
        };
        change.pull = without_numbers(change.title()).1.first().copied().map(Number);
        if change.pull.is_none() && !change.is_merge() && asked < MOST_ASKED {
            asked += 1;
            change.pull = ctx.forge.pull_with(repo, &change.sha).await?;
        }
        // Whoever merges may word the message anew.
        if let Some(pull) = change.pull
            && !fixed_with(ctx, repo, pull).await?.is_empty()
        {
            change.by_model = true;
        }
        changes.push(change);
    }
    Ok(changes)
}

/// The issues that these changes fix: Gander's own by what it remembers, others by the words that
/// close an issue.
async fn fixed_by(
    ctx: &Context,
    repo: &RepoRef,
    changes: &[ReleasedCommit],
) -> Result<Vec<Number>, WorkError> {
    let mut fixed: BTreeSet<Number> = BTreeSet::new();
    let pulls: BTreeSet<Number> = changes.iter().filter_map(|change| change.pull).collect();
    for pull in pulls {
        fixed.extend(fixed_with(ctx, repo, pull).await?);
    }
    fixed.extend(changes.iter().flat_map(|change| closed_by(&change.message)));
    Ok(fixed.into_iter().collect())
}

/// The issues that a pull request of Gander's fixes; none for those of others.
async fn fixed_with(ctx: &Context, repo: &RepoRef, pull: Number) -> Result<Vec<Number>, WorkError> {
    let jobs = ctx.store.jobs_on(repo.repo_id, pull).await?;
    // What a revert is about is the pull request that it takes back, which nobody fixes.
    let fixes = jobs.iter().filter(|stored| stored.machine.order.kind != Kind::Revert);
    let of_pull =
        fixes.filter(|stored| stored.machine.pull.as_ref().is_some_and(|it| it.number == pull));
    Ok(of_pull.map(|stored| stored.machine.subject).collect())
}

fn date(ctx: &Context) -> String {
    let now = chrono::DateTime::from_timestamp_millis(ctx.clock.now().0);
    now.unwrap_or_default().format("%Y-%m-%d").to_string()
}

/// `Fixes #5` and its kin, as GitHub reads them.
fn closed_by(message: &str) -> Vec<Number> {
    const WORDS: &[&str] =
        &["close", "closes", "closed", "fix", "fixes", "fixed", "resolve", "resolves", "resolved"];
    let words: Vec<&str> = message.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| {
        let word = pair[0].trim_end_matches(':').to_ascii_lowercase();
        WORDS.contains(&word.as_str())
    });
    let number = |word: &str| {
        let digits: String =
            word.strip_prefix('#')?.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().map(Number)
    };
    pairs.filter_map(|pair| number(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_close_an_issue_are_known() {
        let fixed = closed_by("fix: a\n\nFixes #5, closes: #6\nand see #7; resolved #8.");
        assert_eq!(fixed, [Number(5), Number(6), Number(8)]);
    }
}

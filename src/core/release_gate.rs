//! Whether a commit may be released, judged from what GitHub itself says.
//!
//! Invariants: a [`ReleasePlan`] is made only here, and from nothing that the one who asks could
//! have written: who may approve and what must be green comes from the workflow file, everything
//! else from GitHub's answers and from the commit. A tag or file that is there already is kept or
//! is a reason to stop, and is never replaced.

use super::approval::{Approval, ApprovalCriteria, NotApproved, Vote, judge as judge_votes};
use super::changelog::Section;
use super::checks::CheckState;
use super::github::{Actor, Role};
use super::id::{Branch, Login, Number, RepoId, Sha, Timestamp, UserId};
use super::manifest::{Artifact, BuildManifest, Digest, FileName, ReleaseId, RunAttempt};
use super::policy::{ReleaseRules, Requester, ScopedRules};
use super::target::ReleaseTarget;

mod kept;
mod plan;

/// The branches that release pull requests come from.
pub const RELEASE_BRANCH: &str = "gander/release";

/// What the workflow file asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The least permission whose approval counts.
    pub role: Role,
    /// Whether whoever ordered the release counts.
    pub requester: Requester,
    /// What must be green; empty only where the file says `none`.
    pub required: Vec<ReleaseCheck>,
    /// Hours after which an approval starts nothing new.
    pub approval_hours: u32,
    /// Of the manifest that the build made, by its job's outputs: storage can be written to.
    pub manifest: Digest,
}

/// A check that must be green, and the App that has to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleaseCheck {
    pub name: String,
    pub app: u64,
}

/// What is asked: the hint that started the run, and the run itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleaseRequest {
    pub release_id: ReleaseId,
    pub commit: Sha,
    pub pull: Number,
    pub run: RunAttempt,
}

/// What GitHub says, all of it read for this criteria.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Facts {
    pub repository_id: RepoId,
    /// Its default branch.
    pub default_branch: Branch,
    /// Whether the commit is on it.
    pub on_default_branch: bool,
    /// The release pull request. `None`: there is none of this number.
    pub pull: Option<ReleasePull>,
    /// What people said about it.
    pub votes: Vec<Vote>,
    /// Who has the role. `None`: GitHub does not tell this token.
    pub holders: Option<Vec<UserId>>,
    /// The checks on its head.
    pub checks: Vec<SeenCheck>,
    /// The rules at the commit.
    pub rules: Result<ReleaseRules, String>,
    /// The newest section of its changelog at the commit.
    pub section: Option<Section>,
    /// What of the release is there already.
    pub standing: TagState,
    /// What the build made.
    pub manifest: BuildManifest,
    /// Of the manifest as it lies here.
    pub manifest_digest: Digest,
    /// The files as they lie here.
    pub files: Vec<Artifact>,
    /// The present moment.
    pub now: Timestamp,
}

/// A pull request as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleasePull {
    pub merged_as: Option<Sha>,
    pub base: Branch,
    pub head_branch: String,
    /// Whether its branch is one of this repository.
    pub from_here: bool,
    pub head: Sha,
    pub tree_of_head: Sha,
    pub tree_of_commit: Sha,
    /// The paths it touches.
    pub files: Vec<String>,
    /// Whether its first commit says who ordered it.
    pub ordered: bool,
    /// Who ordered it or opened it.
    pub asked_by: Vec<UserId>,
    /// Who pushed or wrote some of it.
    pub pushed_by: Vec<Actor>,
    /// Whether GitHub says of each commit who pushed it.
    pub pushers_known: bool,
    /// Paths that changed since the release before and that people should look at, each with the
    /// reason.
    pub flagged: Vec<String>,
}

/// A check run that counts; without an App where GitHub names none.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SeenCheck {
    pub name: String,
    pub app: Option<u64>,
    pub state: CheckState,
    /// Whether a later one may be this one run again, and GitHub does not tell this token.
    pub maybe_run_again: bool,
}

/// What is there under the tag's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagState {
    /// Where the tag is.
    pub tag: Option<TagAt>,
    /// Releases and drafts of this tag, newest first.
    pub releases: Vec<ReleaseSeen>,
}

/// Where a tag points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagAt {
    /// Right at a commit.
    Commit(Sha),
    /// At an object of its own.
    Annotated,
}

/// A release or draft.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ReleaseSeen {
    pub id: u64,
    pub draft: bool,
    pub author: String,
    /// Whether a workflow of this repository made it.
    pub by_workflow: bool,
    pub mark: Option<Mark>,
    pub assets: Vec<AssetSeen>,
}

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AssetSeen {
    pub id: u64,
    pub name: String,
    /// `None`: GitHub does not say.
    pub sha256: Option<Digest>,
    /// Whether a workflow of this repository put it there.
    pub by_workflow: bool,
    /// Whether all of it came. GitHub keeps the name of an upload that broke off.
    pub whole: bool,
    pub url: String,
}

impl AssetSeen {
    /// Whether it is the rest of an upload of ours that broke off, which holds nothing.
    pub fn broke_off(&self) -> bool {
        self.by_workflow && !self.whole
    }
}

/// The hidden line by which a release is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Mark {
    pub commit: Sha,
    pub files: Digest,
}

/// Leave to publish. Only [`judge`] gives it.
#[derive(Debug)]
pub struct ReleasePlan {
    tag: String,
    version: String,
    notes: String,
    mark: Mark,
    files: Vec<Artifact>,
    targets: Vec<ReleaseTarget>,
    latest: Option<bool>,
    pull: ReleasePull,
    approval: Approval,
    found: Option<ReleaseSeen>,
    tagged: bool,
}

/// Why nothing is published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Refused {
    NoSuchPull,
    NotMerged,
    MergedAs { commit: Sha },
    NotOnDefaultBranch { branch: Branch },
    OtherBase { base: Branch, default: Branch },
    NoReleaseBranch { branch: String },
    FromAFork,
    TreesDiffer { head: Sha },
    BadRules { problem: String },
    NotOnePackage { changelogs: Vec<String> },
    NoVersion,
    NotOrdered,
    TouchesWorkflows { path: String },
    NotApproved { why: NotApproved, head: Sha },
    Expired { logins: Vec<Login>, hours: u32 },
    CheckMissing { check: ReleaseCheck },
    CheckNotGreen { check: ReleaseCheck, state: CheckState, maybe_run_again: bool },
    OtherManifest,
    OtherBuild { what: &'static str, says: String, expected: String },
    OtherAttempt { says: u64, now: u64 },
    FileTwice { name: FileName },
    FileMissing { name: FileName },
    FileChanged { name: FileName },
    FileUnknown { name: FileName },
    TagElsewhere { tag: String, at: Option<Sha> },
    ReleaseTaken { tag: String, author: String },
    OtherCommit { tag: String, commit: Sha },
    AssetDiffers { tag: String, name: String },
    AssetUnknown { tag: String, name: String },
}

impl Mark {
    /// The line, invisible on a page.
    pub fn line(&self) -> String {
        format!("<!-- gander release {} {} -->", self.commit, self.files)
    }

    /// The mark a text ends with.
    pub fn of(body: &str) -> Option<Self> {
        let line = body.trim_end().lines().last()?;
        let inside = line.strip_prefix("<!-- gander release ")?.strip_suffix(" -->")?;
        let (commit, files) = inside.split_once(' ')?;
        Some(Self { commit: commit.parse().ok()?, files: files.parse().ok()? })
    }
}

/// Whether this commit may be released as this, and if not, the first reason.
///
/// # Errors
/// Why not.
pub fn judge(asked: &ReleaseRequest, terms: &Terms, facts: &Facts) -> Result<ReleasePlan, Refused> {
    let pull = merged_release(asked, facts)?;
    let (scoped, tag, section) = named(facts, pull)?;
    built_here(asked, terms, facts, &tag)?;
    let mark = Mark { commit: asked.commit.clone(), files: facts.manifest.digest() };
    let found = unfinished(asked, facts, &tag, &mark)?;
    let same = found.as_ref().is_some_and(|found| found.mark.as_ref() == Some(&mark));
    checks_green(terms, facts)?;
    let approval = approved(asked, terms, facts, pull, same)?;
    Ok(ReleasePlan {
        tagged: facts.standing.tag.is_some(),
        version: section.version.clone(),
        notes: section.notes.clone(),
        files: facts.manifest.files.clone(),
        targets: scoped.rules.targets,
        latest: scoped.latest,
        tag,
        mark,
        pull: pull.clone(),
        approval,
        found,
    })
}

/// The pull request, if the commit is what became of it.
fn merged_release<'a>(
    asked: &ReleaseRequest,
    facts: &'a Facts,
) -> Result<&'a ReleasePull, Refused> {
    let pull = facts.pull.as_ref().ok_or(Refused::NoSuchPull)?;
    let default = &facts.default_branch;
    if !pull.from_here {
        return Err(Refused::FromAFork);
    }
    if !is_release_branch(&pull.head_branch) {
        return Err(Refused::NoReleaseBranch { branch: pull.head_branch.clone() });
    }
    if pull.base != *default {
        let (base, default) = (pull.base.clone(), default.clone());
        return Err(Refused::OtherBase { base, default });
    }
    match &pull.merged_as {
        None => return Err(Refused::NotMerged),
        Some(commit) if *commit != asked.commit => {
            return Err(Refused::MergedAs { commit: commit.clone() });
        }
        Some(_) => {}
    }
    if !facts.on_default_branch {
        return Err(Refused::NotOnDefaultBranch { branch: default.clone() });
    }
    if let Some(path) = pull.files.iter().find(|path| is_the_runs_own(path)) {
        return Err(Refused::TouchesWorkflows { path: path.clone() });
    }
    if pull.tree_of_commit != pull.tree_of_head {
        return Err(Refused::TreesDiffer { head: pull.head.clone() });
    }
    Ok(pull)
}

/// Whether a path is one that a release leaves alone: workflows, actions, the rules.
pub fn is_the_runs_own(path: &str) -> bool {
    path.split('/').next().is_some_and(|first| first.eq_ignore_ascii_case(".github"))
}

/// `gander/release`, and what may stand behind it.
fn is_release_branch(branch: &str) -> bool {
    branch
        .strip_prefix(RELEASE_BRANCH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '-']))
}

/// Rules, tag and notes of what is released, from the commit and what it changes alone.
fn named<'a>(
    facts: &'a Facts,
    pull: &ReleasePull,
) -> Result<(ScopedRules, String, &'a Section), Refused> {
    let bad = |problem: &str| Refused::BadRules { problem: problem.to_owned() };
    let rules = facts.rules.as_ref().map_err(|problem| bad(problem))?;
    let scoped = rules.of_change(&pull.files);
    let scoped = scoped.map_err(|changelogs| Refused::NotOnePackage { changelogs })?;
    let section = facts.section.as_ref().ok_or(Refused::NoVersion)?;
    let tag = scoped.rules.tag_of(&section.version);
    let tag = tag.ok_or_else(|| bad("[release] tag does not make a tag"))?;
    Ok((scoped, tag, section))
}

/// The manifest is what this very run's build handed over, and the files here are its files.
fn built_here(
    asked: &ReleaseRequest,
    terms: &Terms,
    facts: &Facts,
    tag: &str,
) -> Result<(), Refused> {
    let manifest = &facts.manifest;
    if facts.manifest_digest != terms.manifest {
        return Err(Refused::OtherManifest);
    }
    for (what, says, expected) in [
        ("repository", manifest.repository_id.to_string(), facts.repository_id.to_string()),
        ("commit", manifest.commit.to_string(), asked.commit.to_string()),
        ("pull request", manifest.pull.to_string(), asked.pull.to_string()),
        ("release", manifest.release_id.to_string(), asked.release_id.to_string()),
        ("run", manifest.run.id.to_string(), asked.run.id.to_string()),
        ("tag", manifest.tag.clone(), tag.to_owned()),
    ] {
        if says != expected {
            return Err(Refused::OtherBuild { what, says, expected });
        }
    }
    let (says, now) = (manifest.run.attempt, asked.run.attempt);
    if says > now {
        return Err(Refused::OtherAttempt { says, now });
    }
    if let Some(name) = manifest.twice() {
        return Err(Refused::FileTwice { name: name.clone() });
    }
    for file in &manifest.files {
        match facts.files.iter().find(|here| here.name == file.name) {
            None => return Err(Refused::FileMissing { name: file.name.clone() }),
            Some(here) if here != file => {
                return Err(Refused::FileChanged { name: file.name.clone() });
            }
            Some(_) => {}
        }
    }
    let unknown = |here: &&Artifact| !manifest.files.iter().any(|file| file.name == here.name);
    match facts.files.iter().find(unknown) {
        Some(here) => Err(Refused::FileUnknown { name: here.name.clone() }),
        None => Ok(()),
    }
}

/// What a run before this one left of the same release. Anything else under its name is a stop.
fn unfinished(
    asked: &ReleaseRequest,
    facts: &Facts,
    tag: &str,
    mark: &Mark,
) -> Result<Option<ReleaseSeen>, Refused> {
    let tag = || tag.to_owned();
    match &facts.standing.tag {
        None => {}
        Some(TagAt::Commit(at)) if *at == asked.commit => {}
        Some(TagAt::Commit(at)) => {
            return Err(Refused::TagElsewhere { tag: tag(), at: Some(at.clone()) });
        }
        Some(TagAt::Annotated) => return Err(Refused::TagElsewhere { tag: tag(), at: None }),
    }
    let releases = &facts.standing.releases;
    if let Some(foreign) = releases.iter().find(|it| !it.by_workflow || it.mark.is_none()) {
        return Err(Refused::ReleaseTaken { tag: tag(), author: foreign.author.clone() });
    }
    let Some(found) = releases.iter().find(|it| !it.draft).or(releases.first()) else {
        return Ok(None);
    };
    match &found.mark {
        Some(found) if found.commit == mark.commit => {}
        Some(found) => {
            return Err(Refused::OtherCommit { tag: tag(), commit: found.commit.clone() });
        }
        None => return Err(Refused::ReleaseTaken { tag: tag(), author: found.author.clone() }),
    }
    assets_fit(facts, found, tag)?;
    Ok(Some(found.clone()))
}

/// Every file of a release that is there is one of ours, with our content.
fn assets_fit(facts: &Facts, found: &ReleaseSeen, tag: impl Fn() -> String) -> Result<(), Refused> {
    let sums = Digest::of(facts.manifest.sums().as_bytes());
    let broke_off = |asset: &&AssetSeen| found.draft && asset.broke_off();
    // What says how it came about is looked at by what it says.
    let provenance = |asset: &&AssetSeen| super::manifest::is_provenance(&asset.name);
    let judged = found.assets.iter().filter(|it| !broke_off(it) && !provenance(it));
    for asset in judged {
        let ours = facts.manifest.files.iter().find(|file| file.name.as_str() == asset.name);
        let ours = ours.map(|file| &file.sha256);
        let is_sums = asset.name == super::manifest::SUMS && !facts.manifest.files.is_empty();
        let Some(ours) = ours.or(is_sums.then_some(&sums)) else {
            return Err(Refused::AssetUnknown { tag: tag(), name: asset.name.clone() });
        };
        if asset.sha256.as_ref() != Some(ours) {
            return Err(Refused::AssetDiffers { tag: tag(), name: asset.name.clone() });
        }
    }
    Ok(())
}

/// Every run of a required name is green, and the App has reported one.
fn checks_green(terms: &Terms, facts: &Facts) -> Result<(), Refused> {
    for check in &terms.required {
        // One without an App proves nothing, but may be this one's all the same.
        let named = |seen: &&SeenCheck| {
            seen.name == check.name && seen.app.is_none_or(|app| app == check.app)
        };
        let seen: Vec<&SeenCheck> = facts.checks.iter().filter(named).collect();
        if !seen.iter().any(|seen| seen.app.is_some()) {
            return Err(Refused::CheckMissing { check: check.clone() });
        }
        for state in [CheckState::Red, CheckState::CutOff, CheckState::Pending, CheckState::Skipped]
        {
            let mut such = seen.iter().filter(|seen| seen.state == state).peekable();
            if such.peek().is_some() {
                // Else another run of it would have to be mended all the same.
                let maybe_run_again = such.all(|seen| seen.maybe_run_again);
                let check = check.clone();
                return Err(Refused::CheckNotGreen { check, state, maybe_run_again });
            }
        }
    }
    Ok(())
}

/// Somebody's consent to the head, young enough unless it only finishes what it began.
fn approved(
    asked: &ReleaseRequest,
    terms: &Terms,
    facts: &Facts,
    pull: &ReleasePull,
    resumes: bool,
) -> Result<Approval, Refused> {
    if !pull.ordered && terms.requester != Requester::Allowed {
        return Err(Refused::NotOrdered);
    }
    let criteria = ApprovalCriteria {
        repo_id: facts.repository_id,
        pull: asked.pull,
        head: &pull.head,
        base: &pull.base,
        // The workflow file is the rules here, and GitHub runs the one of the default branch.
        rules: "workflow",
        role: terms.role,
        requester: terms.requester,
        asked_by: &pull.asked_by,
        pushed_by: &pull.pushed_by,
        pushers_known: pull.pushers_known,
        holders: facts.holders.as_deref(),
        // What was approved is what was merged, into the default branch: the trees say so.
        since: Timestamp(i64::MIN),
        flagged: &pull.flagged,
    };
    let approval = judge_votes(&criteria, &facts.votes)
        .map_err(|why| Refused::NotApproved { why, head: pull.head.clone() })?;
    // The App could write the repository's rules, so that they can only be stricter.
    let sooner = facts.rules.as_ref().ok().and_then(|rules| rules.approval_hours);
    let hours = sooner.map_or(terms.approval_hours, |hours| hours.min(terms.approval_hours));
    let end = approval.at().plus_seconds(i64::from(hours) * 3600);
    if facts.now > end && !resumes {
        return Err(Refused::Expired { logins: approval.logins(), hours });
    }
    Ok(approval)
}

#[cfg(test)]
#[path = "release_gate_tests.rs"]
mod tests;

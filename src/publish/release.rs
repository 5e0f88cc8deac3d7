//! Publishes a release: commit, branch and pull request of its plan, what is said about it, and the
//! run that publishes.
//!
//! Invariants: each step looks first whether it was done before; a branch only moves forward, and
//! only from a commit that is ours as it stands, which its last line proves by naming its tree;
//! what people put on the branch is reported and left alone.

use super::landing::remove_merged;
use super::talk::{keep_current, keep_text, say_once};
use super::{PatchedBase, PublishError};
use crate::core::github::PullRef;
use crate::core::id::{Number, Sha};
use crate::core::release::{Release, ReleaseStage, VersionPlan};
use crate::core::report::{ReportContext, marker, release as words};
use crate::forge::{BranchHead, FileWrite, Forge, ForgeError, Joined, NewPull};

/// Fixed issues that are told of a release.
const MOST_TOLD: usize = 100;

/// The files that a plan changes.
#[derive(Debug)]
pub struct PlannedFiles {
    /// Path, whether it is executable, and the whole of it as it will be.
    pub files: Vec<(String, bool, Vec<u8>)>,
    /// What they build on.
    pub base: PatchedBase,
}

/// What stands on GitHub after proposing.
#[derive(Debug)]
pub enum Proposed {
    /// An open pull request with this head.
    Open(PullRef),
    /// People have committed to the branch: the pull request, and their head.
    Edited(Number, Sha),
    /// The pull request was ended meanwhile.
    Ended(Number),
}

/// Brings branch and pull request to the plan.
pub async fn propose(
    forge: &Forge,
    release: &Release,
    plan: &VersionPlan,
    files: &PlannedFiles,
    setting: &ReportContext,
) -> Result<Proposed, PublishError> {
    let branch = release.branch();
    let there = forge.pull_of(&release.repo, &branch).await?;
    if let Some(ended) = there.as_ref().filter(|pull| pull.state != "open") {
        return Ok(Proposed::Ended(ended.number));
    }
    let committed = commit_on_branch(forge, release, plan, files, setting).await?;
    let (Ok(head) | Err(head)) = &committed;
    let number = match there {
        Some(pull) => pull.number,
        None => {
            let new = NewPull {
                title: &words::title(plan),
                body: &words::pull_body(release, plan, head, setting),
                head: &branch,
                base: &release.base,
            };
            match forge.open_pull(&release.repo, &new).await {
                Ok(pull) => pull.number,
                // Another try of ours may have been faster.
                Err(error) if error.status() == Some(422) => {
                    let there = forge.pull_of(&release.repo, &branch).await?;
                    there.ok_or(PublishError::Forge(error))?.number
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    forge.add_labels(&release.repo, number, &[words::RELEASE_LABEL]).await?;
    Ok(match committed {
        Ok(head) => Proposed::Open(PullRef { number, branch, head }),
        Err(edited) => Proposed::Edited(number, edited),
    })
}

/// The head that holds the plan; `Err`: the head that people made.
async fn commit_on_branch(
    forge: &Forge,
    release: &Release,
    plan: &VersionPlan,
    files: &PlannedFiles,
    setting: &ReportContext,
) -> Result<Result<Sha, Sha>, PublishError> {
    let (repo, branch) = (&release.repo, release.branch());
    let writes: Vec<FileWrite<'_>> = files
        .files
        .iter()
        .map(|(path, executable, content)| FileWrite {
            path,
            executable: *executable,
            content: Some(content),
        })
        .collect();
    let tree = forge.create_tree(repo, &files.base.tree, &writes, &files.base.secrets).await?;
    let message = words::commit_message(release, plan, &tree, setting);
    let there = match forge.branch_head(repo, &branch).await? {
        BranchHead::At(head) => head,
        BranchHead::Missing | BranchHead::EmptyRepository => {
            let commit = forge.create_commit(repo, &[&plan.base], &tree, &message).await?;
            return match forge.create_branch(repo, &branch, &commit).await {
                Ok(()) => Ok(Ok(commit)),
                // Another try of ours was faster; what it made is looked at on the next one.
                Err(error) if error.status() == Some(422) => Err(PublishError::BranchMoved(error)),
                Err(error) => Err(error.into()),
            };
        }
    };
    let Some(commit) = forge.commit(repo, &there).await? else { return Ok(Err(there)) };
    let ours = words::trailer(release, &commit.tree.sha);
    if !commit.message.trim_end().ends_with(&ours) {
        return Ok(Err(there));
    }
    let on_base = commit.parents.iter().any(|parent| parent.sha == plan.base);
    if commit.tree.sha == tree && on_base {
        return Ok(Ok(there));
    }
    let parents: &[&Sha] = if on_base { &[&there] } else { &[&there, &plan.base] };
    let new = forge.create_commit(repo, parents, &tree, &message).await?;
    match forge.advance_branch(repo, &branch, &new).await {
        Ok(()) => Ok(Ok(new)),
        // Somebody pushed meanwhile: what they made is looked at on the next try.
        Err(error) if error.status() == Some(422) => Err(PublishError::BranchMoved(error)),
        Err(error) => Err(error.into()),
    }
}

/// Whether a head is a commit of this release as Gander made it.
pub async fn is_ours(forge: &Forge, release: &Release, head: &Sha) -> Result<bool, ForgeError> {
    let commit = forge.commit(&release.repo, head).await?;
    Ok(commit.is_some_and(|commit| {
        commit.message.trim_end().ends_with(&words::trailer(release, &commit.tree.sha))
    }))
}

/// The status comment, and the text of the pull request while it stands.
pub async fn show(
    forge: &Forge,
    release: &Release,
    setting: &ReportContext,
) -> Result<(), ForgeError> {
    let repo = &release.repo;
    let body = words::status_comment(release, setting);
    let mark = marker(release.id.as_str(), "status");
    keep_current(forge, repo, release.subject, &body, &mark).await?;
    match (&release.pull, &release.plan) {
        (Some(pull), Some(plan)) if release.stage == ReleaseStage::Proposed => {
            let body = words::pull_body(release, plan, &pull.head, setting);
            keep_text(forge, repo, pull.number, &words::title(plan), &body).await
        }
        _ => Ok(()),
    }
}

/// The one comment that notifies whoever asked.
pub async fn announce(
    forge: &Forge,
    release: &Release,
    setting: &ReportContext,
) -> Result<(), ForgeError> {
    let Some((text, mark)) = words::announcement(release, setting) else { return Ok(()) };
    say_once(forge, &release.repo, release.subject, &text, &mark).await
}

/// Tells the fixed issues in which version they are.
pub async fn tell_issues(forge: &Forge, release: &Release) -> Result<(), ForgeError> {
    let (Some((text, mark)), Some(plan)) = (words::shipped(release), &release.plan) else {
        return Ok(());
    };
    for issue in plan.fixes.iter().take(MOST_TOLD) {
        match say_once(forge, &release.repo, *issue, &text, &mark).await {
            // What a commit says it fixes need not be there, or be open to words.
            Err(error) if matches!(error.status(), Some(403 | 404 | 410)) => {}
            told => told?,
        }
    }
    Ok(())
}

/// What came of merging the moved base into the branch.
#[derive(Debug)]
pub enum Refreshed {
    /// The branch stands there now.
    At(Sha),
    /// They do not go together.
    Conflict,
    /// The branch is gone.
    Gone,
}

/// Merges the moved base into a branch that holds people's commits.
pub async fn refresh(
    forge: &Forge,
    release: &Release,
    base: &Sha,
) -> Result<Refreshed, ForgeError> {
    let branch = release.branch();
    let message = format!("Merge {} into {branch}", base.short());
    Ok(match forge.merge_into(&release.repo, &branch, base, &message).await? {
        Joined::Commit(head) => Refreshed::At(head),
        Joined::Conflict => Refreshed::Conflict,
        // Done before, or by a person: the head says.
        Joined::Already => match forge.branch_head(&release.repo, &branch).await? {
            BranchHead::At(head) => Refreshed::At(head),
            _ => Refreshed::Gone,
        },
    })
}

/// Takes back what a cancelled release has left: its open pull request, and its branch, unless
/// people have committed to it.
pub async fn undo(forge: &Forge, release: &Release) -> Result<(), ForgeError> {
    let (repo, branch) = (&release.repo, release.branch());
    let pull = forge.pull_of(repo, &branch).await?.filter(|pull| pull.state == "open");
    let there = match forge.branch_head(repo, &branch).await? {
        BranchHead::At(head) => Some(is_ours(forge, release, &head).await?),
        _ => None,
    };
    if let Some(pull) = pull {
        let fate = if there == Some(false) { words::Branch::Stays } else { words::Branch::Goes };
        if let Some((text, mark)) = words::cancelled(release, fate) {
            say_once(forge, repo, pull.number, &text, &mark).await?;
        }
        forge.close_pull(repo, pull.number).await?;
    }
    if there == Some(true) {
        forge.delete_branch(repo, &branch).await?;
    }
    Ok(())
}

/// After merging: the branch goes, unless somebody pushed to it since.
pub async fn clean_up(forge: &Forge, release: &Release) -> Result<(), ForgeError> {
    match &release.pull {
        Some(pull) => remove_merged(forge, &release.repo, &release.branch(), pull.number).await,
        None => Ok(()),
    }
}

/// Starts the publishing run of one try, unless there is one of its name.
pub async fn start_run(
    forge: &Forge,
    release: &Release,
    id: &str,
    name: &str,
) -> Result<(), PublishError> {
    if forge.run_named(&release.repo, name).await?.is_some() {
        return Ok(());
    }
    let (Some(merged), Some(pull)) = (&release.merged, &release.pull) else {
        return Err(PublishError::NotMerged);
    };
    let package = release.order.package.as_deref();
    Ok(forge.start_release_run(&release.repo, id, &merged.commit, pull.number, package).await?)
}

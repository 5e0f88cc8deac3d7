//! The publisher: makes a verified change visible. Runs no code of the repository, only calls
//! GitHub.
//!
//! Invariants: nothing is published but a [`VerifiedPatch`], exactly that patch on exactly that
//! base; each step looks whether it was done before, or GitHub refuses it then and it is looked
//! at, so being cut off anywhere and starting again gives one branch, one commit on it, one pull
//! request; a person's commit is never overwritten.

use crate::core::evidence::{GreenOutcome, VerifiedPatch};
use crate::core::fault::ErrorKind;
use crate::core::github::PullRef;
use crate::core::id::{Branch, Sha};
use crate::core::job::{Base, Job};
use crate::core::leak::SecretsBefore;
use crate::core::patch::{Change, FileMode, Patch};
use crate::core::proof::Proof;
use crate::core::report::{self, ReportContext};
use crate::forge::payload::GitCommit;
use crate::forge::{BranchHead, FileWrite, Forge, ForgeError, NewPull};

mod landing;
pub mod release;
pub mod round;
pub mod scan;
pub mod surface;
pub mod talk;

pub use landing::{Merging, clean_up, merge};

/// Why a change was not published.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum PublishError {
    /// GitHub did not do as asked.
    #[error("the change could not be published")]
    Forge(#[from] ForgeError),
    /// The job's branch holds something else.
    #[error("the branch {branch} exists and holds another change; remove it and retry")]
    BranchTaken { branch: String },
    /// GitHub refused to move a branch, as it does when a push came between looking and moving.
    #[error("the branch may have changed meanwhile")]
    BranchMoved(#[source] ForgeError),
    /// Somebody removed the branch of the pull request.
    #[error("the branch {branch} is gone; restore it on the pull request")]
    BranchGone { branch: String },
    /// A release is published only after its merge.
    #[error("publishing was asked for without a merge")]
    NotMerged,
    /// The job has no base.
    #[error("the job has no base commit")]
    NoBase,
}

impl PublishError {
    /// What this means for the work that met it.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Forge(error) => error.kind(),
            // The next try looks at what is there by then.
            Self::BranchMoved(_) => ErrorKind::Retry { after_seconds: None },
            Self::BranchTaken { .. } | Self::BranchGone { .. } => ErrorKind::Permanent,
            Self::NotMerged | Self::NoBase => ErrorKind::Bug,
        }
    }
}

/// What stands on GitHub after publishing.
#[derive(Debug)]
pub enum Published {
    /// An open pull request.
    Open(PullRef),
    /// A person's commit is on the branch.
    Moved {
        /// Where it stands now.
        head: Sha,
    },
    /// One of an earlier try, which people have ended before it was written down.
    Ended {
        /// By merging it.
        merged: bool,
    },
}

/// What is known of the files that a change builds on.
#[derive(Debug)]
pub struct PatchedBase {
    /// The name of the tree.
    pub tree: Sha,
    /// What looked like secrets in the files that the change is about.
    pub secrets: SecretsBefore,
}

/// Branch, commit and pull request of a job.
pub async fn pull_request(
    forge: &Forge,
    job: &Job,
    verified: &VerifiedPatch,
    before: &PatchedBase,
    setting: &ReportContext,
) -> Result<Published, PublishError> {
    let base = job.base().filter(|base| base.sha == *verified.base());
    let base = base.ok_or(PublishError::NoBase)?;
    if let Some(others) = job.others_pull() {
        return onto_others(forge, job, base, &others.branch, (verified, before), setting).await;
    }
    let branch = job.branch();
    let there = forge.pull_of(&job.repo, &branch).await?;
    if let Some(ended) = there.as_ref().filter(|pull| pull.state != "open") {
        return Ok(Published::Ended { merged: ended.merged_at.is_some() });
    }
    if let Some(pull) = &job.pull {
        return next_commit(forge, job, base, pull, (verified, before), setting).await;
    }
    let head = commit_on_branch(forge, job, base, (verified.patch(), before), setting).await?;
    let number = match there {
        Some(pull) => pull.number,
        None => {
            let new = NewPull {
                title: &report::title(job),
                body: &report::pull_body(job, &head, verified, setting),
                head: &branch,
                base: &base.branch,
            };
            match forge.open_pull(&job.repo, &new).await {
                Ok(pull) => pull.number,
                // Another try of ours may have been faster.
                Err(error) if error.status() == Some(422) => {
                    let there = forge.pull_of(&job.repo, &branch).await?;
                    there.ok_or(PublishError::Forge(error))?.number
                }
                Err(error) => return Err(error.into()),
            }
        }
    };
    let labels = match verified.outcome() {
        GreenOutcome::Proven => &[report::AI_LABEL][..],
        GreenOutcome::ChecksPassed | GreenOutcome::NothingRan => {
            &[report::AI_LABEL, report::UNPROVEN_LABEL]
        }
    };
    forge.add_labels(&job.repo, number, labels).await?;
    Ok(Published::Open(PullRef { number, branch, head }))
}

/// One commit on the branch of a pull request that others opened. Its text is theirs.
async fn onto_others(
    forge: &Forge,
    job: &Job,
    base: &Base,
    branch: &Branch,
    (verified, before): (&VerifiedPatch, &PatchedBase),
    setting: &ReportContext,
) -> Result<Published, PublishError> {
    let files: Vec<FileWrite<'_>> = verified.patch().changes.iter().map(file_write).collect();
    let tree = forge.create_tree(&job.repo, &before.tree, &files, &before.secrets).await?;
    let trailers = job.rules().is_none_or(|rules| rules.commit.trailers);
    let message = report::others_commit_message(job, setting, trailers);
    let head = match commit_onto(forge, job, branch, (&[&base.sha], &tree), &message).await? {
        BranchState::Done(head) => head,
        BranchState::Moved(head) | BranchState::AtBase(head) => {
            return Ok(Published::Moved { head });
        }
    };
    Ok(Published::Open(PullRef { number: job.subject, branch: branch.clone(), head }))
}

/// One more commit on the job's branch, and the pull request's text for it.
async fn next_commit(
    forge: &Forge,
    job: &Job,
    base: &Base,
    pull: &PullRef,
    (verified, before): (&VerifiedPatch, &PatchedBase),
    setting: &ReportContext,
) -> Result<Published, PublishError> {
    let files: Vec<FileWrite<'_>> = verified.patch().changes.iter().map(file_write).collect();
    let tree = forge.create_tree(&job.repo, &before.tree, &files, &before.secrets).await?;
    // A merge of the base stands on the branch's head and on the base.
    let parents = match job.update() {
        Some(update) => vec![&update.head, &base.sha],
        None => vec![&base.sha],
    };
    let trailers = job.rules().is_none_or(|rules| rules.commit.trailers);
    let message = report::round_commit_message(job, setting, trailers);
    let head = match commit_onto(forge, job, &pull.branch, (&parents, &tree), &message).await? {
        BranchState::Done(head) => head,
        BranchState::Moved(head) | BranchState::AtBase(head) => {
            return Ok(Published::Moved { head });
        }
    };
    let body = report::pull_body(job, &head, verified, setting);
    forge.edit_pull(&job.repo, pull.number, None, &body).await?;
    let before = job.review.pushed.last().and_then(|round| round.proof.as_ref());
    match (before.is_some_and(Proof::is_proven), verified.outcome() == GreenOutcome::Proven) {
        (true, false) => {
            forge.add_labels(&job.repo, pull.number, &[report::UNPROVEN_LABEL]).await?;
        }
        (false, true) => {
            forge.remove_label(&job.repo, pull.number, report::UNPROVEN_LABEL).await?;
        }
        (true, true) | (false, false) => {}
    }
    Ok(Published::Open(PullRef { head, ..pull.clone() }))
}

/// Moves a branch on by one commit, unless it is there or the branch stands elsewhere.
async fn commit_onto(
    forge: &Forge,
    job: &Job,
    branch: &Branch,
    (parents, tree): (&[&Sha], &Sha),
    message: &str,
) -> Result<BranchState, PublishError> {
    let state = standing(forge, job, branch, (parents, tree)).await?;
    if !matches!(state, BranchState::AtBase(_)) {
        return Ok(state);
    }
    let commit = forge.create_commit(&job.repo, parents, tree, message).await?;
    match forge.advance_branch(&job.repo, branch, &commit).await {
        Ok(()) => Ok(BranchState::Done(commit)),
        Err(error) if error.status() == Some(422) => {
            match standing(forge, job, branch, (parents, tree)).await? {
                BranchState::AtBase(_) => Err(error.into()),
                elsewhere => Ok(elsewhere),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Where the branch of a pull request stands while a round is pushed to it: at the first of the
/// new commit's parents, at that commit, or elsewhere.
enum BranchState {
    AtBase(Sha),
    Done(Sha),
    Moved(Sha),
}

async fn standing(
    forge: &Forge,
    job: &Job,
    branch: &Branch,
    (parents, tree): (&[&Sha], &Sha),
) -> Result<BranchState, PublishError> {
    let BranchHead::At(head) = forge.branch_head(&job.repo, branch).await? else {
        return Err(PublishError::BranchGone { branch: branch.to_string() });
    };
    if parents.first() == Some(&&head) {
        return Ok(BranchState::AtBase(head));
    }
    let ours = |commit: &GitCommit| {
        let there = commit.parents.iter().map(|parent| &parent.sha);
        commit.tree.sha == *tree && there.eq(parents.iter().copied())
    };
    let Some(commit) = forge.commit(&job.repo, &head).await? else {
        return Ok(BranchState::Moved(head));
    };
    if ours(&commit) {
        return Ok(BranchState::Done(head));
    }
    // Ours may be there already, below what a person added since.
    for parent in &commit.parents {
        if forge.commit(&job.repo, &parent.sha).await?.as_ref().is_some_and(ours) {
            return Ok(BranchState::Done(parent.sha.clone()));
        }
    }
    Ok(BranchState::Moved(head))
}

/// Takes back what a stopped job may have left: an open pull request, its branch.
pub async fn undo(forge: &Forge, job: &Job) -> Result<(), PublishError> {
    let branch = job.branch();
    let pull = forge.pull_of(&job.repo, &branch).await?;
    if let Some(pull) = pull.as_ref().filter(|pull| pull.state == "open") {
        forge.close_pull(&job.repo, pull.number).await?;
    }
    let BranchHead::At(head) = forge.branch_head(&job.repo, &branch).await? else {
        return Ok(());
    };
    if is_ours_alone(forge, job, &head).await? {
        forge.delete_branch(&job.repo, &branch).await?;
    }
    Ok(())
}

/// Whether a branch holds nothing but what Gander committed: a person's commit stays.
async fn is_ours_alone(forge: &Forge, job: &Job, head: &Sha) -> Result<bool, ForgeError> {
    if let Some(pull) = &job.pull {
        return Ok(pull.head == *head && !job.review.foreign);
    }
    let commit = forge.commit(&job.repo, head).await?;
    let base = job.base().map(|base| &base.sha);
    Ok(commit.is_some_and(|commit| commit.parents.iter().map(|parent| &parent.sha).eq(base)))
}

async fn commit_on_branch(
    forge: &Forge,
    job: &Job,
    base: &Base,
    (patch, before): (&Patch, &PatchedBase),
    setting: &ReportContext,
) -> Result<Sha, PublishError> {
    let branch = job.branch();
    let trailers = job.rules().is_none_or(|rules| rules.commit.trailers);
    let message = report::commit_message(job, setting, trailers);
    let files: Vec<FileWrite<'_>> = patch.changes.iter().map(file_write).collect();
    let tree = forge.create_tree(&job.repo, &before.tree, &files, &before.secrets).await?;
    // Whether an earlier try made the branch is asked only where there is one.
    let commit = forge.create_commit(&job.repo, &[&base.sha], &tree, &message).await?;
    match forge.create_branch(&job.repo, &branch, &commit).await {
        Ok(()) => Ok(commit),
        Err(error) if error.status() == Some(422) => {
            published_before(forge, job, base, &tree).await?.ok_or(PublishError::Forge(error))
        }
        Err(error) => Err(error.into()),
    }
}

/// The head of the job's branch, if it is our commit of this very tree.
async fn published_before(
    forge: &Forge,
    job: &Job,
    base: &Base,
    tree: &Sha,
) -> Result<Option<Sha>, PublishError> {
    let branch = job.branch();
    let BranchHead::At(head) = forge.branch_head(&job.repo, &branch).await? else {
        return Ok(None);
    };
    let commit = forge.commit(&job.repo, &head).await?;
    let same = commit.is_some_and(|commit| {
        commit.tree.sha == *tree && commit.parents.iter().map(|p| &p.sha).eq([&base.sha])
    });
    if same {
        Ok(Some(head))
    } else {
        Err(PublishError::BranchTaken { branch: branch.to_string() })
    }
}

fn file_write<'a>((path, change): (&'a crate::core::path::RepoPath, &'a Change)) -> FileWrite<'a> {
    let (executable, content) = match change {
        Change::Write { mode, content, .. } => (*mode == FileMode::Executable, Some(&content[..])),
        Change::Delete { .. } => (false, None),
    };
    FileWrite { path: path.as_str(), executable, content }
}

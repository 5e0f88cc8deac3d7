//! What people, and other Apps, do in the emulator.
//!
//! Invariants: an act goes the same way as a request of the same effect, so it changes the same
//! state and sends the same webhooks.

mod ci;
mod reviews;

pub use self::ci::{Annotation, CheckReport, JobEnd, WorkflowSpec};
pub use self::reviews::LineNote;
use super::acts::{
    self, CheckChange, Merge, MergeWish, NewIssue, NewPull, NewStatus, Presence, Seal,
};
use super::git::Edit;
use super::shapes::{issues as issue_shapes, web};
use super::state::{State, Target, UPLOADS, person};
use super::{Emulator, Trouble};

/// Somebody who acts.
#[derive(Clone)]
pub struct Actor {
    emulator: Emulator,
    login: String,
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Good to merge.
    Approves,
    /// Not yet.
    RequestsChanges,
    /// No verdict.
    Comments,
}

/// How a pull request becomes part of its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeMethod {
    /// A merge commit.
    Merge,
    /// One new commit.
    Squash,
    /// Each commit again, on top.
    Rebase,
}

impl MergeMethod {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
        }
    }
}

impl From<MergeMethod> for Merge {
    fn from(method: MergeMethod) -> Self {
        match method {
            MergeMethod::Merge => Self::Commit,
            MergeMethod::Squash => Self::Squash,
            MergeMethod::Rebase => Self::Rebase,
        }
    }
}

/// Where another App's check run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome<'a> {
    /// It runs.
    InProgress,
    /// It ended so, as `success` or `failure`.
    Completed(&'a str),
}

impl Emulator {
    /// The person (or bot) of this name, who must have an account when they act.
    pub fn person(&self, login: &str) -> Actor {
        Actor { emulator: self.clone(), login: login.to_owned() }
    }

    /// Removes the author of an issue and its comments, as when an account is deleted.
    ///
    /// # Errors
    /// When there is no such issue.
    pub fn author_vanishes(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        let mut state = self.lock();
        let id = state.repository_id(repository)?;
        let issue = state.issue_mut(id, number)?;
        let gone = issue.author.take();
        for comment in state.repository_mut(id)?.comments.values_mut() {
            if comment.author == gone {
                comment.author = None;
            }
        }
        Ok(())
    }
}

impl Actor {
    /// The name they go by.
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Opens an issue; says its number.
    ///
    /// # Errors
    /// When the person or repository is unknown; so everywhere below.
    pub fn opens_issue(
        &self,
        repository: &str,
        title: &str,
        body: &str,
        labels: &[&str],
    ) -> Result<u64, Trouble> {
        self.act(repository, |state, id, me| {
            let new = NewIssue {
                author: Some(me),
                title: title.to_owned(),
                body: Some(body.to_owned()),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                assignees: Vec::new(),
            };
            acts::open_issue(state, id, new)
        })
    }

    /// Uploads a picture, to put it into a text; says its address there.
    pub fn uploads(&self, picture: &[u8]) -> String {
        let mut state = self.emulator.lock();
        let name = uuid::Uuid::new_v4().to_string();
        state.uploads.insert(name.clone(), picture.to_owned());
        web(&state, &format!("{UPLOADS}{name}"))
    }

    /// Changes the title and body of an issue or pull request.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn edits_issue(
        &self,
        repository: &str,
        number: u64,
        title: &str,
        body: &str,
    ) -> Result<(), Trouble> {
        let change = (Some(title.to_owned()), Some(Some(body.to_owned())));
        self.act(repository, |state, id, me| acts::edit_issue(state, id, number, Some(me), change))
    }

    /// Comments on an issue or pull request; says the comment's number.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn comments(&self, repository: &str, number: u64, body: &str) -> Result<u64, Trouble> {
        self.act(repository, |state, id, me| acts::comment(state, id, number, Some(me), body))
    }

    /// Changes a comment, whoever wrote it.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn edits_comment(&self, repository: &str, comment: u64, body: &str) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::edit_comment(state, id, comment, Some(me), body))
    }

    /// Deletes a comment, whoever wrote it.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn deletes_comment(&self, repository: &str, comment: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::delete_comment(state, id, comment, Some(me)))
    }

    /// Reacts to a comment, as with `+1` or `eyes`.
    ///
    /// # Errors
    /// When there is no such comment.
    pub fn reacts_to_comment(
        &self,
        repository: &str,
        comment: u64,
        content: &str,
    ) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| {
            acts::react(state, id, Target::Comment(comment), me, content).map(drop)
        })
    }

    /// Puts a label on; the repository gets it if it has none of that name.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn labels(&self, repository: &str, number: u64, label: &str) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| acts::label(state, id, number, Some(me), label))
    }

    /// Takes a label off.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn unlabels(&self, repository: &str, number: u64, label: &str) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| {
            acts::unlabel(state, id, number, Some(me), label).map(drop)
        })
    }

    /// Closes an issue or pull request.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn closes(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        let closed = Presence::Closed("completed".to_owned());
        self.act(repository, |state, id, me| {
            acts::set_presence(state, id, number, Some(me), &closed)
        })
    }

    /// Opens an issue or pull request again.
    ///
    /// # Errors
    /// When there is no such thread.
    pub fn reopens(&self, repository: &str, number: u64) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| match state.issue(id, number)?.pull {
            Some(_) if !state.issue(id, number)?.open => {
                acts::reopen_pull(state, id, number, Some(me))
            }
            _ => acts::set_presence(state, id, number, Some(me), &Presence::Open),
        })
    }

    /// Pushes one commit onto a branch (made from the default branch when it is new); a file
    /// without content is deleted. Says the commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn pushes(
        &self,
        repository: &str,
        branch: &str,
        message: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<String, Trouble> {
        self.act(repository, |state, id, me| push(state, id, me, branch, message, files))
    }

    /// The same, in a commit that names somebody else as its author and committer, as anybody's
    /// may.
    ///
    /// # Errors
    /// When git fails, or there is no such account.
    pub fn pushes_as(
        &self,
        author: &str,
        repository: &str,
        branch: &str,
        files: &[(&str, Option<&str>)],
    ) -> Result<String, Trouble> {
        self.act(repository, |state, id, me| {
            let named = state.account_named(author).map(|account| account.id);
            let author = named.ok_or_else(|| Trouble::unknown("account", author))?;
            push_as(state, id, (me, author), (branch, "Touch up", files))
        })
    }

    /// Deletes a branch.
    ///
    /// # Errors
    /// When git fails.
    pub fn deletes_branch(&self, repository: &str, branch: &str) -> Result<(), Trouble> {
        let name = format!("refs/heads/{branch}");
        self.act(repository, |state, id, me| acts::move_ref(state, id, &name, None, Some(me)))
    }

    /// Sets a branch to a commit, whatever it was before.
    ///
    /// # Errors
    /// When git fails.
    pub fn force_pushes(&self, repository: &str, branch: &str, to: &str) -> Result<(), Trouble> {
        let name = format!("refs/heads/{branch}");
        self.act(repository, |state, id, me| acts::move_ref(state, id, &name, Some(to), Some(me)))
    }

    /// Sets a tag to a commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn tags(&self, repository: &str, tag: &str, to: &str) -> Result<(), Trouble> {
        let name = format!("refs/tags/{tag}");
        self.act(repository, |state, id, me| acts::move_ref(state, id, &name, Some(to), Some(me)))
    }

    /// Opens a pull request from `branch` or `owner:branch`; says its number.
    ///
    /// # Errors
    /// When GitHub would refuse it.
    pub fn opens_pull(
        &self,
        repository: &str,
        title: &str,
        body: &str,
        head: &str,
        base: &str,
    ) -> Result<u64, Trouble> {
        self.act(repository, |state, id, me| {
            let (from, branch) = match head.split_once(':') {
                None => (id, head),
                Some((owner, branch)) => {
                    let name = state.repository(id)?.name.clone();
                    let from = state.repository_named(owner, &name).map(|from| from.id);
                    (from.ok_or_else(|| Trouble::unknown("fork", head))?, branch)
                }
            };
            let new = NewPull {
                author: me,
                title: title.to_owned(),
                body: Some(body.to_owned()),
                head_repository: from,
                head_branch: branch.to_owned(),
                base_branch: base.to_owned(),
                draft: false,
            };
            acts::open_pull(state, id, new)
        })
    }

    /// Reviews a pull request at its present head; says the review's number.
    ///
    /// # Errors
    /// When there is no such pull request.
    pub fn reviews(
        &self,
        repository: &str,
        number: u64,
        verdict: Verdict,
        body: &str,
    ) -> Result<u64, Trouble> {
        self.reviews_lines(repository, number, verdict, body, &[])
    }

    /// Merges a pull request; says the commit on the base branch.
    ///
    /// # Errors
    /// When it is closed or conflicts.
    pub fn merges(
        &self,
        repository: &str,
        number: u64,
        method: MergeMethod,
    ) -> Result<String, Trouble> {
        let wish = MergeWish { how: method.into(), title: None, message: None };
        self.act(repository, |state, id, me| {
            if !state.may_write(state.repository(id)?, me) {
                return Err(Trouble::Refused("Must have push access to merge".to_owned()));
            }
            acts::merge(state, id, number, me, wish)
        })
    }

    /// As the bot of an App (`SLUG[bot]`): starts, or updates, the check run of this name on a
    /// commit; says its number.
    ///
    /// # Errors
    /// When nobody of this name is an App.
    pub fn check_run(
        &self,
        repository: &str,
        sha: &str,
        name: &str,
        outcome: CheckOutcome<'_>,
    ) -> Result<u64, Trouble> {
        self.change_check(repository, sha, name, outcome, CheckChange::default())
    }

    /// Reports a commit status (`success`, `failure`, `pending`, `error`).
    ///
    /// # Errors
    /// When the repository is unknown.
    pub fn reports_status(
        &self,
        repository: &str,
        sha: &str,
        context: &str,
        status: &str,
    ) -> Result<(), Trouble> {
        self.act(repository, |state, id, me| {
            let new = NewStatus {
                sha: sha.to_owned(),
                context: context.to_owned(),
                state: status.to_owned(),
                description: None,
                target_url: None,
                creator: me,
            };
            acts::post_status(state, id, new).map(drop)
        })
    }

    /// Starts a workflow by hand, on a branch; says the run's number.
    ///
    /// # Errors
    /// When the branch has no such file, or it does not listen, or an input will not do.
    pub fn dispatches_workflow(
        &self,
        repository: &str,
        file: &str,
        branch: &str,
        inputs: &[(&str, &str)],
    ) -> Result<u64, Trouble> {
        let given = inputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let given = given.collect();
        self.act(repository, |state, id, me| {
            acts::dispatch_workflow(state, id, me, file, branch, &given)
        })
    }

    /// Whether a label of this name exists in a repository.
    ///
    /// # Errors
    /// When the repository is unknown.
    pub fn sees_label(&self, repository: &str, name: &str) -> Result<bool, Trouble> {
        self.act(repository, |state, id, _| {
            Ok(issue_shapes::find_label(state.repository(id)?, name).is_some())
        })
    }

    fn act<T>(
        &self,
        repository: &str,
        what: impl FnOnce(&mut State, u64, u64) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut state = self.emulator.lock();
        let me = state.account_named(&self.login).map(|account| account.id);
        let me = me.ok_or_else(|| Trouble::unknown("account", &self.login))?;
        let id = state.repository_id(repository)?;
        let done = what(&mut state, id, me);
        self.emulator.shared.queued.notify_one();
        done
    }
}

fn push(
    state: &mut State,
    id: u64,
    me: u64,
    branch: &str,
    message: &str,
    files: &[(&str, Option<&str>)],
) -> Result<String, Trouble> {
    push_as(state, id, (me, me), (branch, message, files))
}

type Change<'a> = (&'a str, &'a str, &'a [(&'a str, Option<&'a str>)]);

fn push_as(
    state: &mut State,
    id: u64,
    (me, author): (u64, u64),
    (branch, message, files): Change<'_>,
) -> Result<String, Trouble> {
    let known = state.repository(id)?;
    let (git, name) = (known.git.clone(), format!("refs/heads/{branch}"));
    let default = format!("refs/heads/{}", known.default_branch);
    let parent = known.refs.get(&name).or_else(|| known.refs.get(&default)).cloned();
    let mut edits = Vec::new();
    for (path, content) in files {
        let path = (*path).to_owned();
        edits.push(match content {
            None => Edit::Delete { path },
            Some(content) => {
                let sha = git.write("blob", content.as_bytes())?;
                Edit::Put { mode: "100644".to_owned(), sha, path }
            }
        });
    }
    let tree = git.write_tree(parent.as_deref(), &edits)?;
    let (who, parents) = (person(state, author), Vec::from_iter(parent));
    let message = format!("{message}\n");
    let commit = acts::write_commit(&git, &tree, &parents, (&who, &who), &message, Seal::Unsigned)?;
    acts::move_ref(state, id, &name, Some(&commit), Some(me))?;
    Ok(commit)
}

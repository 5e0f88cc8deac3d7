//! Merging: a pull request into its base, one branch into another, a base into its pull request.
//!
//! Invariants: every way makes real commits in the bare repository; nothing moves when GitHub would
//! refuse.

use super::follow::mark_merged;
use super::{Seal, move_ref, web_flow, write_commit};
use crate::git::{Git, Signature};
use crate::state::{Issue, Pull, Repository, State, person};
use crate::{Trouble, rules};

/// How a pull request becomes part of its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Merge {
    Commit,
    Squash,
    Rebase,
}

/// How somebody wants a pull request merged.
#[derive(Debug, Clone)]
pub(crate) struct MergeWish {
    pub(crate) how: Merge,
    /// The first line of the commit, unless GitHub is to choose it.
    pub(crate) title: Option<String>,
    /// What stands below.
    pub(crate) message: Option<String>,
}

/// What came of merging one branch into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Merged {
    Commit(String),
    /// The base has it all already.
    Nothing,
    Conflict,
}

fn unmergeable() -> Trouble {
    Trouble::Refused("Pull Request is not mergeable".to_owned())
}

/// Why GitHub would not merge a pull request this way; `None` when it would.
fn why_not(
    state: &State,
    repository: u64,
    issue: &Issue,
    how: Merge,
) -> Result<Option<String>, Trouble> {
    let known = state.repository(repository)?;
    let pull = issue.pull.as_ref();
    let pull = pull.ok_or_else(|| Trouble::unknown("pull request", issue.number))?;
    if !issue.open {
        return Ok(Some("Pull Request is not mergeable".to_owned()));
    }
    if pull.draft {
        return Ok(Some("Pull Request is still a draft".to_owned()));
    }
    let not_so = why_not_so(known, pull, how);
    Ok(not_so.or_else(|| rules::why_no_merge(state, known, issue, pull)))
}

/// Why a pull request cannot come in this way, whatever it is, in GitHub's words.
fn why_not_so(known: &Repository, pull: &Pull, how: Merge) -> Option<String> {
    let (method, name) = match how {
        Merge::Commit => ("merge", "Merge commits"),
        Merge::Squash => ("squash", "Squash merges"),
        Merge::Rebase => ("rebase", "Rebase merges"),
    };
    let protection = known.protections.get(&pull.base_branch);
    if protection.is_some_and(|it| it.merge_queue) {
        return Some("Changes must be made through the merge queue".to_owned());
    }
    let named = protection.map(|it| &it.merge_methods).filter(|it| !it.is_empty());
    let allowed = named.is_none_or(|named| named.contains(method));
    if !known.merge_methods.contains(method) || !allowed {
        return Some(format!("{name} are not allowed on this repository."));
    }
    if protection.is_some_and(|it| it.linear_history) && how == Merge::Commit {
        return Some("This branch must not contain merge commits.".to_owned());
    }
    // "Rebase and merge" writes the commits anew, and GitHub does not sign those.
    if protection.is_some_and(|it| it.signatures) && how == Merge::Rebase {
        return Some(rules::UNSIGNED.to_owned());
    }
    None
}

/// Merges a pull request; says the commit that did it.
pub(crate) fn merge(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: u64,
    wish: MergeWish,
) -> Result<String, Trouble> {
    let known = state.repository(repository)?;
    let issue = state.issue(repository, number)?;
    let pull = state.pull(repository, number)?;
    if let Some(words) = why_not(state, repository, issue, wish.how)? {
        return Err(Trouble::Refused(words));
    }
    let git = known.git.clone();
    let base_ref = format!("refs/heads/{}", pull.base_branch);
    let base = known.refs.get(&base_ref).cloned();
    let base = base.ok_or_else(|| Trouble::unknown("branch", &pull.base_branch))?;
    let (web, head) = (web_flow(state), pull.head_sha.clone());
    let commit = match wish.how {
        Merge::Rebase => rebase(&git, &base, &head, &web)?,
        Merge::Commit => {
            let from = pull.head_repository.and_then(|id| state.repositories.get(&id));
            let from = state.login(from.map(|from| from.owner));
            let title = format!("Merge pull request #{number} from {from}/{}", pull.head_branch);
            let text = worded(wish, title, issue.title.clone());
            let tree = git.merged_tree(&base, &head).ok_or_else(unmergeable)?;
            let (author, parents) = (person(state, actor), [base.clone(), head]);
            write_commit(&git, &tree, &parents, (&author, &web), &text, Seal::WebFlow)?
        }
        Merge::Squash => {
            let author = person(state, issue.author.unwrap_or(actor));
            let (title, message) = squashed_words(&git, &base, issue, pull, &author)?;
            let text = worded(wish, title, message);
            let tree = git.merged_tree(&base, &head).ok_or_else(unmergeable)?;
            let parents = std::slice::from_ref(&base);
            write_commit(&git, &tree, parents, (&author, &web), &text, Seal::WebFlow)?
        }
    };
    state.pull_mut(repository, number)?.base_sha = base;
    mark_merged(state, repository, number, Some(actor), &commit)?;
    move_ref(state, repository, &base_ref, Some(&commit), Some(actor))?;
    if let Some(last) = state.repository_mut(repository)?.activities.last_mut() {
        last.kind = "pr_merge";
    }
    Ok(commit)
}

/// The text of a commit: as wished, and where nothing was wished as GitHub words it.
fn worded(wish: MergeWish, title: String, message: String) -> String {
    let (title, message) = (wish.title.unwrap_or(title), wish.message.unwrap_or(message));
    if message.is_empty() { title } else { format!("{title}\n\n{message}") }
}

/// What GitHub proposes for a squashed commit: of one commit its own words, of many a list.
fn squashed_words(
    git: &Git,
    base: &str,
    issue: &Issue,
    pull: &Pull,
    author: &Signature,
) -> Result<(String, String), Trouble> {
    let mut commits = Vec::new();
    for sha in git.commits_between(base, &pull.head_sha)? {
        commits.push(git.commit(&sha)?);
    }
    let parts = |message: &str| -> (String, String) {
        let (subject, rest) =
            message.trim_end().split_once('\n').unwrap_or((message.trim_end(), ""));
        (subject.to_owned(), rest.trim_start().to_owned())
    };
    if let [only] = commits.as_slice() {
        let (subject, rest) = parts(&only.message);
        return Ok((format!("{subject} (#{})", issue.number), rest));
    }
    let mut list: Vec<String> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    for commit in &commits {
        let (subject, rest) = parts(&commit.message);
        list.push(format!("* {subject}"));
        list.extend(Some(rest).filter(|rest| !rest.is_empty()));
        let trailer = format!("Co-authored-by: {} <{}>", commit.author.name, commit.author.email);
        if commit.author.email != author.email && !others.contains(&trailer) {
            others.push(trailer);
        }
    }
    if !others.is_empty() {
        list.push(format!("---------\n\n{}", others.join("\n")));
    }
    Ok((format!("{} (#{})", issue.title, issue.number), list.join("\n\n")))
}

fn rebase(git: &Git, base: &str, head: &str, web: &Signature) -> Result<String, Trouble> {
    let mut tip = base.to_owned();
    for sha in git.commits_between(base, head)? {
        let commit = git.commit(&sha)?;
        // What a merge commit brought in comes by its own commits.
        let [parent] = commit.parents.as_slice() else { continue };
        let tree = git.replayed_tree(parent, &tip, &sha).ok_or_else(unmergeable)?;
        let who = (&commit.author, web);
        tip = write_commit(git, &tree, &[tip], who, &commit.message, Seal::Unsigned)?;
    }
    Ok(tip)
}

/// Merges a branch or commit into a branch.
pub(crate) fn merge_branches(
    state: &mut State,
    repository: u64,
    actor: u64,
    (base, head): (&str, &str),
    message: Option<String>,
) -> Result<Merged, Trouble> {
    let known = state.repository(repository)?;
    let git = known.git.clone();
    let name = format!("refs/heads/{base}");
    let tip = known.refs.get(&name).cloned().ok_or_else(|| Trouble::unknown("branch", base))?;
    let from = git.resolve(head, "commit").ok_or_else(|| Trouble::unknown("commit", head))?;
    if git.is_ancestor(&from, &tip) {
        return Ok(Merged::Nothing);
    }
    let Some(tree) = git.merged_tree(&tip, &from) else { return Ok(Merged::Conflict) };
    let (author, web) = (person(state, actor), web_flow(state));
    let text = message.unwrap_or_else(|| format!("Merge {head} into {base}"));
    let who = (&author, &web);
    let commit = write_commit(&git, &tree, &[tip, from], who, &text, Seal::WebFlow)?;
    move_ref(state, repository, &name, Some(&commit), Some(actor))?;
    Ok(Merged::Commit(commit))
}

/// Merges a pull request's base into its head branch.
pub(crate) fn update_branch(
    state: &mut State,
    repository: u64,
    number: u64,
    actor: u64,
) -> Result<Merged, Trouble> {
    let pull = state.pull(repository, number)?.clone();
    let home = pull.head_repository.ok_or_else(|| Trouble::unknown("fork of", number))?;
    let base = state.repository(repository)?.refs.get(&format!("refs/heads/{}", pull.base_branch));
    let base = base.cloned().ok_or_else(|| Trouble::unknown("branch", &pull.base_branch))?;
    if home != repository {
        let (from, to) = (state.repository(repository)?, state.repository(home)?);
        to.git.fetch(&from.git, &pull.base_branch, "refs/base")?;
    }
    let text = format!("Merge branch '{}' into {}", pull.base_branch, pull.head_branch);
    merge_branches(state, home, actor, (&pull.head_branch, &base), Some(text))
}

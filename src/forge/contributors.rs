//! Who had a hand in a pull request: who ordered it, pushed to its branch, or wrote what was
//! pushed.
//!
//! Invariants: the author of a commit is what its pusher wrote there, so that it can add a person
//! and never take one away; who pushed is what GitHub's own log of the branch says, also of what
//! was cut off again; Gander answers for one commit at a time. Where the log does not cover every
//! commit, or names a program that is not Gander, that is said.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::consent::moment;
use super::{Forge, ForgeError, Scope, payload, repo_path, segment};
use crate::core::github::{Actor, RepoRef};
use crate::core::id::{Number, Sha, UserId};

/// GitHub lists no more commits of a pull request than this.
const MOST_COMMITS: usize = 250;

/// Who had a hand in a pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contributors {
    /// Who ordered it, by the trailers in its commits: an order after the first adds one.
    pub ordered_by: Vec<UserId>,
    /// The people who pushed to it or whose commits are in it, each once.
    pub people: Vec<Actor>,
    /// Whether GitHub says of each commit who pushed it.
    pub all_known: bool,
}

/// Which pull request, and where it stands.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct PullBranch<'a> {
    pub number: Number,
    /// The branch it comes from, in the repository itself.
    pub branch: &'a str,
    pub head: &'a Sha,
    /// Who opened it: Gander's own account, where that is a program.
    pub opened_by: Option<&'a payload::User>,
    /// When, as GitHub writes it.
    pub opened_at: Option<&'a str>,
}

#[derive(Deserialize)]
struct PullCommit {
    sha: Sha,
    commit: CommitMessage,
    #[serde(default)]
    author: Option<payload::User>,
    #[serde(default)]
    committer: Option<payload::User>,
    #[serde(default)]
    parents: Vec<payload::GitObject>,
}

#[derive(Deserialize)]
struct CommitMessage {
    #[serde(default)]
    message: String,
}

/// One move of a branch, as GitHub's activity log has it.
#[derive(Deserialize)]
struct Move {
    before: Sha,
    after: Sha,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    actor: Option<payload::User>,
}

impl Forge {
    /// The messages of a pull request's own commits, oldest first, without merges.
    pub async fn messages_of(
        &self,
        repo: &RepoRef,
        number: Number,
    ) -> Result<Vec<String>, ForgeError> {
        let path = format!("{}/pulls/{number}/commits?per_page=100", repo_path(repo));
        let doing = "reading the commits of the pull request";
        let commits: Vec<PullCommit> = self.list(repo, Scope::Read, path, doing).await?;
        let own = commits.into_iter().filter(|it| it.parents.len() < 2);
        Ok(own.map(|it| it.commit.message).collect())
    }

    /// Who had a hand in a pull request.
    pub async fn contributors(
        &self,
        repo: &RepoRef,
        pull: PullBranch<'_>,
    ) -> Result<Contributors, ForgeError> {
        let doing = "reading whose commits are in the pull request";
        let path = format!("{}/pulls/{}/commits?per_page=100", repo_path(repo), pull.number);
        let commits: Vec<PullCommit> = self.list(repo, Scope::Read, path, doing).await?;
        let doing = "reading who pushed to the branch";
        let path = format!(
            "{}/activity?ref={}&per_page=100",
            repo_path(repo),
            segment(&format!("refs/heads/{}", pull.branch))
        );
        let moves = match self.list::<Move>(repo, Scope::Read, path, doing).await {
            Ok(moves) => moves,
            // An older server has no such log, or this token may not read it.
            Err(error) if matches!(error.status(), Some(403 | 404)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(told(&commits, &moves, pull))
    }
}

fn told(commits: &[PullCommit], moves: &[Move], pull: PullBranch<'_>) -> Contributors {
    let inside: BTreeMap<&Sha, &PullCommit> =
        commits.iter().map(|commit| (&commit.sha, commit)).collect();
    let opened_at = moment(pull.opened_at);
    // Who pushed something that somebody else cut off again had a hand in what is left. Whoever
    // removes the branch, as people do after merging, brings nothing.
    let since = |it: &Move| {
        let later = |opened| moment(it.timestamp.as_deref()) >= Some(opened);
        it.after != Sha::nowhere() && opened_at.is_some_and(later)
    };
    let concerned: Vec<&Move> =
        moves.iter().filter(|it| inside.contains_key(&it.after) || since(it)).collect();
    let gander = pull.opened_by.filter(|it| it.kind == "Bot" && it.login != ACTIONS_BOT);
    let is_gander = |actor: &payload::User| gander.is_some_and(|gander| gander.id == actor.id);
    let is_told = |it: &&Move| {
        it.actor.as_ref().is_some_and(|actor| actor.kind == "User" || is_gander(actor))
    };
    let mut covered = BTreeSet::new();
    for it in &concerned {
        match &it.actor {
            // Gander adds one commit at a time: what lies below came from elsewhere.
            Some(actor) if is_gander(actor) => drop(covered.insert(&it.after)),
            Some(_) | None => covered.extend(brought(&inside, it)),
        }
    }
    let all_known = commits.len() < MOST_COMMITS
        && inside.contains_key(pull.head)
        && inside.keys().all(|sha| covered.contains(*sha))
        && concerned.iter().all(is_told);
    let named = commits.iter().flat_map(|commit| [&commit.author, &commit.committer]);
    let named = named.chain(concerned.iter().map(|it| &it.actor)).flatten();
    let mut people: Vec<Actor> = Vec::new();
    for user in named.filter(|user| user.kind == "User" && user.login != WEB_FLOW) {
        let Ok(login) = user.login.parse() else { continue };
        if people.iter().all(|known| known.id != user.id) {
            people.push(Actor { id: user.id, login, person: true });
        }
    }
    let orders = commits.iter().filter_map(|commit| requester_in(&commit.commit.message));
    Contributors { ordered_by: orders.collect(), people, all_known }
}

/// The commits of the pull request that a move brought: all below its end, down to its beginning.
fn brought<'a>(inside: &BTreeMap<&'a Sha, &'a PullCommit>, it: &Move) -> BTreeSet<&'a Sha> {
    let mut found = BTreeSet::new();
    let mut next = vec![&it.after];
    while let Some(sha) = next.pop() {
        let Some((sha, commit)) = inside.get_key_value(sha).filter(|_| *sha != it.before) else {
            continue;
        };
        if found.insert(*sha) {
            next.extend(commit.parents.iter().map(|parent| &parent.sha));
        }
    }
    found
}

/// GitHub's own account, which commits what people do on its pages.
const WEB_FLOW: &str = "web-flow";
/// Whoever may write a workflow can push as this account.
const ACTIONS_BOT: &str = "github-actions[bot]";

/// The number in `Requested-by: LOGIN <NUMBER+LOGIN@…>`, or in `Requested-by: NUMBER+LOGIN`.
pub fn requester_in(message: &str) -> Option<UserId> {
    let value = message.lines().rev().find_map(|line| line.strip_prefix("Requested-by:"))?;
    let address = value.rsplit('<').next().unwrap_or(value).trim();
    let (number, _) = address.split_once('+')?;
    number.parse().ok().map(UserId)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sha(digit: char) -> Sha {
        digit.to_string().repeat(40).parse().unwrap()
    }

    fn account(id: u64, kind: &str) -> payload::User {
        payload::User { id: UserId(id), login: format!("account-{id}"), kind: kind.to_owned() }
    }

    /// A commit on another.
    fn commit(digit: char, parent: char, author: Option<payload::User>) -> PullCommit {
        PullCommit {
            sha: sha(digit),
            commit: CommitMessage { message: String::new() },
            author,
            committer: Some(payload::User { login: WEB_FLOW.to_owned(), ..account(8, "User") }),
            parents: vec![payload::GitObject { sha: sha(parent) }],
        }
    }

    /// A move of the branch, that many seconds after the pull request was opened.
    fn moved(at: i8, (from, to): (char, char), actor: Option<payload::User>) -> Move {
        let timestamp = Some(format!("2026-01-01T00:00:{:02}Z", 30 + at));
        Move { before: sha(from), after: sha(to), timestamp, actor }
    }

    /// Who had a hand in it, by number, and whether that is everybody. Commit `a` is the base.
    fn found(commits: &[PullCommit], moves: &[Move]) -> (Vec<u64>, bool) {
        let (gander, head) = (account(9, "Bot"), commits.last().unwrap().sha.clone());
        let (opened_by, opened_at) = (Some(&gander), Some("2026-01-01T00:00:30Z"));
        let pull = PullBranch { number: Number(1), branch: "b", head: &head, opened_by, opened_at };
        let found = told(commits, moves, pull);
        (found.people.iter().map(|person| person.id.0).collect(), found.all_known)
    }

    fn gander() -> Option<payload::User> {
        Some(account(9, "Bot"))
    }

    fn person(id: u64) -> Option<payload::User> {
        Some(account(id, "User"))
    }

    #[test]
    fn whoever_ordered_a_release_stands_in_its_first_commit() {
        let long =
            "chore: release 1.2.0\n\nRequested-by: mona <42+mona@users.noreply.github.com>\n";
        assert_eq!(requester_in(long), Some(UserId(42)));
        assert_eq!(requester_in("x\n\nRequested-by: 42+mona\n"), Some(UserId(42)));
        for bad in ["x", "x\n\nRequested-by: mona\n", "x\n\nRequested-by: x+y\n"] {
            assert_eq!(requester_in(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_commit_came_with_somebodys_move() {
        let commits = [commit('b', 'a', None), commit('c', 'b', None), commit('d', 'c', None)];
        let made = || moved(-5, ('0', 'b'), gander());
        let both = moved(1, ('b', 'd'), person(1));
        assert_eq!(found(&commits, &[both, made()]), (vec![1], true), "two commits in one push");
        assert_eq!(found(&commits, &[made()]), (vec![], false), "nobody is said for the head");
        let gap = [made(), moved(1, ('c', 'd'), person(1))];
        assert_eq!(found(&commits, &gap), (vec![1], false), "nor for the one in the middle");
        let nobody = [made(), moved(1, ('b', 'd'), None)];
        assert_eq!(found(&commits, &nobody), (vec![], false), "an account that is gone");
        let program = [made(), moved(1, ('b', 'd'), Some(account(5, "Bot")))];
        assert_eq!(found(&commits, &program), (vec![], false), "a program of somebody's");
    }

    /// The pull request was led to another base, so that what lay below Gander's commit is in it
    /// now.
    #[test]
    fn what_lies_below_ganders_own_commit_is_not_ganders() {
        let commits = [commit('b', 'a', gander()), commit('c', 'b', None)];
        let made = moved(-5, ('0', 'c'), gander());
        assert_eq!(found(&commits, &[made]), (vec![], false));
    }

    #[test]
    fn an_author_adds_a_person_and_takes_none_away() {
        let commits = [commit('b', 'a', gander()), commit('c', 'b', person(2))];
        let moves = [moved(-5, ('0', 'b'), person(3)), moved(1, ('b', 'c'), None)];
        assert_eq!(found(&commits, &moves), (vec![2, 3], false));
        assert_eq!(found(&commits, &[]), (vec![2], false));
    }

    #[test]
    fn of_many_who_moved_the_branch_to_a_commit_all_count() {
        let commits = [commit('b', 'a', None)];
        let back = moved(-1, ('d', 'b'), person(4));
        assert_eq!(found(&commits, &[back, moved(-5, ('0', 'b'), person(3))]), (vec![4, 3], true));
    }

    #[test]
    fn whoever_pushed_what_somebody_else_cut_off_again_still_counts() {
        let commits = [commit('b', 'a', None), commit('c', 'b', None)];
        let moves = [
            moved(2, ('d', 'c'), person(2)),
            moved(1, ('b', 'd'), person(1)),
            moved(-5, ('0', 'b'), gander()),
        ];
        assert_eq!(found(&commits, &moves), (vec![2, 1], true));
    }

    #[test]
    fn whoever_removes_the_branch_after_the_merge_had_no_hand_in_it() {
        let commits = [commit('b', 'a', None)];
        let made = moved(-5, ('0', 'b'), gander());
        let removed = moved(9, ('b', '0'), person(1));
        assert_eq!(found(&commits, &[removed, made]), (vec![], true));
    }

    #[test]
    fn what_is_longer_than_github_lists_is_not_all_known() {
        let mut commits: Vec<_> = (0..249).map(|_| commit('b', 'a', None)).collect();
        commits.push(commit('c', 'b', None));
        let moves = [moved(1, ('0', 'c'), person(3))];
        assert_eq!(found(&commits, &moves), (vec![3], false));
        assert_eq!(found(&commits[1..], &moves), (vec![3], true));
    }
}

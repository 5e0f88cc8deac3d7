//! Who had a hand in a pull request: who ordered it, pushed to its branch, or wrote what was pushed.
//!
//! What holds: the author of a commit is what its pusher wrote there, so that it can add a person and
//! never take one away; who pushed is what GitHub's own log of the branch says. Where the log does not
//! cover every commit, or names a program that is not Gander, that is said.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Forge, ForgeError, Scope, payload, repo_path, segment};
use crate::core::event::{Actor, RepoRef};
use crate::core::id::{Number, Sha, UserId};

/// GitHub lists no more commits of a pull request than this.
const MOST_COMMITS: usize = 250;

/// Who had a hand in a pull request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contributors {
    /// Who ordered it, by the trailer in its first commit.
    pub ordered_by: Option<UserId>,
    /// The people who pushed to it or whose commits are in it, each once.
    pub people: Vec<Actor>,
    /// Whether GitHub says of each commit who pushed it.
    pub all_known: bool,
}

/// Which pull request, and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct PullBranch<'a> {
    /// Its number.
    pub number: Number,
    /// The branch it comes from, in the repository itself.
    pub branch: &'a str,
    /// Its head.
    pub head: &'a Sha,
    /// Who opened it: Gander's own account, where that is a program.
    pub opened_by: Option<&'a payload::User>,
}

#[derive(Deserialize)]
struct ListedCommit {
    sha: Sha,
    commit: Message,
    #[serde(default)]
    author: Option<payload::User>,
    #[serde(default)]
    committer: Option<payload::User>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    message: String,
}

/// One move of a branch, as GitHub's activity log has it.
#[derive(Deserialize)]
struct Move {
    before: Sha,
    after: Sha,
    #[serde(default)]
    actor: Option<payload::User>,
}

impl Forge {
    /// Who had a hand in a pull request.
    pub async fn contributors(
        &self,
        place: &RepoRef,
        pull: PullBranch<'_>,
    ) -> Result<Contributors, ForgeError> {
        let doing = "reading whose commits are in the pull request";
        let path = format!("{}/pulls/{}/commits?per_page=100", repo_path(place), pull.number);
        let commits: Vec<ListedCommit> = self.list(place, Scope::Read, path, doing).await?;
        let doing = "reading who pushed to the branch";
        let path = format!(
            "{}/activity?ref={}&per_page=100",
            repo_path(place),
            segment(&format!("refs/heads/{}", pull.branch))
        );
        let moves = match self.list::<Move>(place, Scope::Read, path, doing).await {
            Ok(moves) => moves,
            // An older server has no such log, or this token may not read it.
            Err(error) if matches!(error.status(), Some(403 | 404)) => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(told(&commits, &moves, pull))
    }
}

fn told(commits: &[ListedCommit], moves: &[Move], pull: PullBranch<'_>) -> Contributors {
    let inside: BTreeSet<&Sha> = commits.iter().map(|commit| &commit.sha).collect();
    let brought: Vec<&Move> = moves.iter().filter(|it| inside.contains(&it.after)).collect();
    // Each commit came with the first move at or above it: so from the head down, move by move.
    let covered = |sha: &Sha| brought.iter().any(|it| it.after == *sha);
    let complete = commits.len() < MOST_COMMITS
        && covered(pull.head)
        && brought.iter().all(|it| !inside.contains(&it.before) || covered(&it.before));
    let gander = pull.opened_by.filter(|it| it.kind == "Bot" && it.login != ACTIONS_BOT);
    let is_told = |actor: &payload::User| {
        actor.kind == "User" || gander.is_some_and(|gander| gander.id == actor.id)
    };
    let all_known = complete && brought.iter().all(|it| it.actor.as_ref().is_some_and(&is_told));
    let named = commits.iter().flat_map(|commit| [&commit.author, &commit.committer]);
    let named = named.chain(brought.iter().map(|it| &it.actor)).flatten();
    let mut people: Vec<Actor> = Vec::new();
    for user in named.filter(|user| user.kind == "User") {
        let Ok(login) = user.login.parse() else { continue };
        if people.iter().all(|known| known.id != user.id) {
            people.push(Actor { id: user.id, login, person: true });
        }
    }
    let ordered_by = commits.first().and_then(|first| trailer(&first.commit.message));
    Contributors { ordered_by, people, all_known }
}

/// Whoever may write a workflow can push as this account.
const ACTIONS_BOT: &str = "github-actions[bot]";

/// The number in `Requested-by: LOGIN <NUMBER+LOGIN@…>`, or in `Requested-by: NUMBER+LOGIN`.
fn trailer(message: &str) -> Option<UserId> {
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

    fn commit(digit: char, author: Option<payload::User>) -> ListedCommit {
        let commit = Message { message: String::new() };
        ListedCommit { sha: sha(digit), commit, author, committer: None }
    }

    fn moved(from: char, to: char, actor: Option<payload::User>) -> Move {
        Move { before: sha(from), after: sha(to), actor }
    }

    /// Who had a hand in it, by number, and whether that is everybody. Commit `a` is the base.
    fn found(commits: &[ListedCommit], moves: &[Move]) -> (Vec<u64>, bool) {
        let (gander, head) = (account(9, "Bot"), commits.last().unwrap().sha.clone());
        let opened_by = Some(&gander);
        let pull = PullBranch { number: Number(1), branch: "b", head: &head, opened_by };
        let found = told(commits, moves, pull);
        (found.people.iter().map(|person| person.id.0).collect(), found.all_known)
    }

    #[test]
    fn whoever_ordered_a_release_stands_in_its_first_commit() {
        let long =
            "chore: release 1.2.0\n\nRequested-by: mona <42+mona@users.noreply.github.com>\n";
        assert_eq!(trailer(long), Some(UserId(42)));
        assert_eq!(trailer("x\n\nRequested-by: 42+mona\n"), Some(UserId(42)));
        for bad in ["x", "x\n\nRequested-by: mona\n", "x\n\nRequested-by: x+y\n"] {
            assert_eq!(trailer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_move_is_somebodys_from_the_head_down_to_the_base() {
        let commits = [commit('b', None), commit('c', None), commit('d', None)];
        let gander = || Some(account(9, "Bot"));
        let made = moved('0', 'b', gander());
        let both = moved('b', 'd', Some(account(1, "User")));
        assert_eq!(found(&commits, &[both, made]), (vec![1], true), "two commits in one push");
        let made = || moved('0', 'b', gander());
        assert_eq!(found(&commits, &[made()]), (vec![], false), "nobody is said for the head");
        let gap = [made(), moved('c', 'd', Some(account(1, "User")))];
        assert_eq!(found(&commits, &gap), (vec![1], false), "nor for the one in the middle");
        let nobody = [made(), moved('b', 'd', None)];
        assert_eq!(found(&commits, &nobody), (vec![], false), "an account that is gone");
        let program = [made(), moved('b', 'd', Some(account(5, "Bot")))];
        assert_eq!(found(&commits, &program), (vec![], false), "a program of somebody's");
    }

    #[test]
    fn an_author_adds_a_person_and_takes_none_away() {
        let commits = [commit('b', Some(account(9, "Bot"))), commit('c', Some(account(2, "User")))];
        let moves = [moved('0', 'b', Some(account(3, "User"))), moved('b', 'c', None)];
        assert_eq!(found(&commits, &moves), (vec![2, 3], false));
        assert_eq!(found(&commits, &[]), (vec![2], false));
    }

    #[test]
    fn of_many_who_moved_the_branch_to_a_commit_all_count() {
        let commits = [commit('b', None)];
        let by = |id| moved('0', 'b', Some(account(id, "User")));
        let back = moved('d', 'b', Some(account(4, "User")));
        assert_eq!(found(&commits, &[back, by(3)]), (vec![4, 3], true));
    }

    #[test]
    fn what_is_longer_than_github_lists_is_not_all_known() {
        let mut commits: Vec<_> = (0..249).map(|_| commit('b', None)).collect();
        commits.push(commit('c', None));
        let moves = [moved('0', 'c', Some(account(3, "User")))];
        assert_eq!(found(&commits, &moves), (vec![3], false));
        assert_eq!(found(&commits[1..], &moves), (vec![3], true));
    }
}

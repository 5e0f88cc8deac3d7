//! Consent to one exact commit.
//!
//! What holds: an [`Approval`] is made only here, from what GitHub says now, and is never deserialised:
//! whoever needs one asks again. It names one commit, one base branch, one set of rules and one
//! person; a push, another base, other rules, a dismissal or an edited comment leave nothing of it. A
//! program never approves. A standing request for changes by somebody whose approval would count
//! outweighs every approval.

use serde::{Deserialize, Serialize};

use super::command::{Address, Role, Verb, parse};
use super::event::Actor;
use super::id::{Branch, CommentId, Login, Number, RepoId, ReviewId, Sha, Timestamp, UserId};
use super::policy::Requester;

/// What one person has said about a commit, as GitHub shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// Who.
    pub by: Actor,
    /// What they may do in the repository at this moment.
    pub role: Role,
    /// What they say.
    pub stand: Stand,
    /// About which commit.
    pub commit: Sha,
    /// Where they said it.
    pub word: Word,
    /// When, by GitHub's clock.
    pub at: Timestamp,
}

/// What a voice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Yes.
    Approves,
    /// Not like this.
    Objects,
    /// Takes back what they said: a dismissed review.
    TakenBack,
}

/// Where something was said. Its number is what an approval is used up by.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// A review.
    Review(ReviewId),
    /// A comment, `/gander approve SHA`.
    Comment {
        /// Which.
        id: CommentId,
        /// Whether it is not what was first written any more.
        edited: bool,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Where.
    pub repo: RepoId,
    /// The pull request.
    pub pull: Number,
    /// Its head at this moment.
    pub head: &'a Sha,
    /// The branch it goes into at this moment.
    pub base: &'a Branch,
    /// Names the rules in force.
    pub rules: &'a str,
    /// The least permission that counts.
    pub role: Role,
    /// Whether whoever asked for the change counts.
    pub requester: Requester,
    /// Who asked for the change, or had a hand in it.
    pub askers: &'a [UserId],
    /// Whether nobody else has the role.
    pub alone: bool,
    /// Words said up to then do not count: the base branch or the rules were others.
    pub since: Timestamp,
}

/// A maintainer's consent to one exact commit. Only [`judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approval {
    repo: RepoId,
    pull: Number,
    head: Sha,
    base: Branch,
    rules: String,
    by: UserId,
    login: Login,
    role: Role,
    word: Word,
    at: Timestamp,
}

impl Approval {
    /// The commit, and no other.
    pub fn head(&self) -> &Sha {
        &self.head
    }
    /// The pull request.
    pub fn pull(&self) -> Number {
        self.pull
    }
    /// The branch it may go into.
    pub fn base(&self) -> &Branch {
        &self.base
    }
    /// Who consented.
    pub fn login(&self) -> &Login {
        &self.login
    }
    /// Where they said so.
    pub fn word(&self) -> Word {
        self.word
    }
    /// When they said so.
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// Why there is no consent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum NotApproved {
    /// Nobody has approved anything.
    Nobody,
    /// The approval is for another commit.
    OtherCommit { login: Login, approved: Sha },
    /// Programs approve nothing.
    NotAPerson { login: Login },
    /// Their permission is too small.
    NeedsRole { login: Login, has: Role, needed: Role },
    /// They asked for the change themselves.
    Requester { login: Login },
    /// It was said before the base branch or the rules changed.
    Before { login: Login },
    /// The comment was edited afterwards.
    Edited { login: Login },
    /// Somebody whose word counts wants changes.
    Objection { login: Login },
}

/// Fewer digits could name another commit.
const LEAST_SHA_DIGITS: usize = 12;

/// Whether a comment is `approve SHA`, with enough digits of this commit. Gander and its Action ask
/// the same, so that what merges is also what releases.
pub fn approves(comment: &str, address: &Address, head: &Sha) -> bool {
    let said = parse(comment, address).and_then(Result::ok);
    let words = said.filter(|it| it.verb == Verb::Approve).map(|it| it.request);
    words.is_some_and(|words| names_commit(&words, head))
}

/// Whether the first word after `approve` is this commit.
pub fn names_commit(words: &str, head: &Sha) -> bool {
    let word = words.split_whitespace().next().unwrap_or_default();
    let word = word.trim_matches('`').to_ascii_lowercase();
    word.len() >= LEAST_SHA_DIGITS && head.as_str().starts_with(&word)
}

/// Whether these voices are consent, and if not, the nearest reason.
///
/// # Errors
/// Why not.
pub fn judge(question: &Question<'_>, voices: &[Voice]) -> Result<Approval, NotApproved> {
    let standing = standing(voices);
    let counts = |voice: &Voice| voice.by.person && voice.role >= question.role;
    let objects = |voice: &&Voice| counts(voice) && voice.stand == Stand::Objects;
    // Without anything that speaks for it, an objection is just a review that waits.
    let wanted = standing.iter().any(|voice| voice.stand == Stand::Approves);
    if let Some(objection) = standing.iter().copied().find(objects).filter(|_| wanted) {
        return Err(NotApproved::Objection { login: objection.by.login.clone() });
    }
    let mut nearest = NotApproved::Nobody;
    for voice in standing.iter().rev().filter(|voice| voice.stand == Stand::Approves) {
        match refused(question, voice) {
            None => return Ok(consent(question, voice)),
            Some(why) if nearest == NotApproved::Nobody => nearest = why,
            Some(_) => {}
        }
    }
    Err(nearest)
}

/// What still stands, oldest first: of each person's reviews the last, and all comments.
fn standing(voices: &[Voice]) -> Vec<&Voice> {
    let mut sorted: Vec<&Voice> = voices.iter().collect();
    sorted.sort_by_key(|voice| (voice.at, voice.word));
    let is_last_review = |voice: &Voice| {
        let later = |other: &&&Voice| {
            other.by.id == voice.by.id
                && matches!(other.word, Word::Review(_))
                && (other.at, other.word) > (voice.at, voice.word)
        };
        !sorted.iter().any(|other| later(&other))
    };
    let stands = |voice: &&&Voice| match voice.word {
        Word::Review(_) => is_last_review(voice),
        Word::Comment { .. } => true,
    };
    sorted.iter().filter(stands).copied().collect()
}

fn refused(question: &Question<'_>, voice: &Voice) -> Option<NotApproved> {
    let login = voice.by.login.clone();
    let asked = question.askers.contains(&voice.by.id);
    let may_themselves = match question.requester {
        Requester::Allowed => true,
        Requester::IfAlone => question.alone,
        Requester::Never => false,
    };
    if !voice.by.person {
        Some(NotApproved::NotAPerson { login })
    } else if voice.role < question.role {
        Some(NotApproved::NeedsRole { login, has: voice.role, needed: question.role })
    } else if matches!(voice.word, Word::Comment { edited: true, .. }) {
        Some(NotApproved::Edited { login })
    } else if voice.commit != *question.head {
        Some(NotApproved::OtherCommit { login, approved: voice.commit.clone() })
    } else if voice.at <= question.since {
        Some(NotApproved::Before { login })
    } else if asked && !may_themselves {
        Some(NotApproved::Requester { login })
    } else {
        None
    }
}

fn consent(question: &Question<'_>, voice: &Voice) -> Approval {
    Approval {
        repo: question.repo,
        pull: question.pull,
        head: question.head.clone(),
        base: question.base.clone(),
        rules: question.rules.to_owned(),
        by: voice.by.id,
        login: voice.by.login.clone(),
        role: voice.role,
        word: voice.word,
        at: voice.at,
    }
}

/// What a merge was asked for on: while all of it stays, GitHub's answer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Tried {
    pub word: Word,
    pub rules: String,
    /// Whether GitHub said that nothing stood in the way.
    pub clean: bool,
}

impl Tried {
    /// Whether GitHub may answer otherwise than it did to `before`.
    pub fn is_news_after(&self, before: &Self) -> bool {
        let freed = self.clean && !before.clean;
        freed || (&self.word, &self.rules) != (&before.word, &before.rules)
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;

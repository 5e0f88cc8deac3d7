//! Consent to one exact commit.
//!
//! Invariants: an [`Approval`] is made only here, from what GitHub says now, and is never
//! deserialised: whoever needs one asks again. It names one commit, one base branch, one set of
//! rules and whoever consented; a push, another base, a dismissal or an edited comment leave
//! nothing of it. On a job's pull request other rules do so too; a release's votes are judged by
//! the rules of each look. A program never approves. Whoever asked for a change or pushed some of
//! it does not approve it alone while somebody else could: where all who could had a hand in it, or
//! it cannot be told who pushed, two approve. So do they where flagged paths are released, unless
//! one names those, too. A standing request for changes by somebody whose
//! approval would count outweighs every approval.

use serde::{Deserialize, Serialize};

use super::command::{Address, Verb, line, parse};
use super::github::{Actor, Role};
use super::id::{Branch, CommentId, Login, Number, RepoId, ReviewId, Sha, Timestamp, UserId};
use super::policy::Requester;

/// What one person has said about a commit, as GitHub shows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Vote {
    pub by: Actor,
    /// What they may do in the repository at this moment.
    pub role: Role,
    /// What they say.
    pub stance: Stance,
    /// About which commit.
    pub commit: Sha,
    /// Where they said it.
    pub source: VoteSource,
    /// When, by GitHub's clock.
    pub at: Timestamp,
}

/// What a vote says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stance {
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
#[allow(missing_docs)]
pub enum VoteSource {
    /// A review.
    Review(ReviewId),
    /// A comment, `/gander approve SHA`.
    Comment {
        id: CommentId,
        /// Whether it is not what was first written any more.
        edited: bool,
        /// Whether it is `approve SHA flagged`: the flagged paths are meant, too.
        #[serde(default)]
        flagged: bool,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct ApprovalCriteria<'a> {
    pub repo_id: RepoId,
    pub pull: Number,
    /// Its head at this moment.
    pub head: &'a Sha,
    /// The branch it goes into at this moment.
    pub base: &'a Branch,
    /// Names the rules in force.
    pub rules: &'a str,
    /// The least permission that counts.
    pub role: Role,
    /// Whether whoever asked for the change or pushed some of it counts.
    pub requester: Requester,
    /// Who asked for the change.
    pub asked_by: &'a [UserId],
    /// Who pushed or wrote some of it.
    pub pushed_by: &'a [Actor],
    /// Whether GitHub says of each commit that is not Gander's who pushed it.
    pub pushers_known: bool,
    /// Who has the role. `None`: that was not found out.
    pub holders: Option<&'a [UserId]>,
    /// Words said up to then do not count: the base branch or the rules were others.
    pub since: Timestamp,
    /// Paths that take one person who names them, or two; each with the reason.
    pub flagged: &'a [String],
}

/// The consent of maintainers to one exact commit. Only [`judge`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    repo_id: RepoId,
    pull: Number,
    head: Sha,
    base: Branch,
    rules: String,
    newest: Vote,
    /// Where one is not enough.
    second: Option<Vote>,
    pushed_by: Vec<Login>,
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
    /// Who consented, the newest first.
    pub fn logins(&self) -> Vec<Login> {
        self.votes().map(|vote| vote.by.login.clone()).collect()
    }
    /// Who pushed or wrote some of what they consented to.
    pub fn pushed_by(&self) -> &[Login] {
        &self.pushed_by
    }
    /// Where the newest of them said so.
    pub fn source(&self) -> VoteSource {
        self.newest.source
    }
    /// Whether one of them said so by the command.
    pub fn by_command(&self) -> bool {
        self.votes().any(|vote| matches!(vote.source, VoteSource::Comment { .. }))
    }
    /// When the first of them said so.
    pub fn at(&self) -> Timestamp {
        self.second.as_ref().map_or(self.newest.at, |second| second.at)
    }
    /// What they said.
    pub fn votes(&self) -> impl Iterator<Item = &Vote> {
        std::iter::once(&self.newest).chain(&self.second)
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
    /// They pushed or wrote some of it themselves.
    Pusher { login: Login },
    /// They approved, and one more has to.
    SecondNeeded { login: Login, because: WhyTwo },
    /// They approved, and neither named the flagged paths nor did a second person approve.
    Flagged { login: Login, paths: Vec<String> },
    /// They approved, and nobody is left whose approval the rules would let count.
    NobodyLeft { login: Login, role: Role },
    /// It was said before the base branch or the rules changed.
    Before { login: Login },
    /// The comment was edited afterwards.
    Edited { login: Login },
    /// Somebody whose word counts wants changes.
    Objection { login: Login },
}

/// Why the approval of one person is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyTwo {
    /// Everybody with the role asked for the change or pushed some of it.
    AllHadAHand,
    /// It cannot be told who pushed some of it, so it may have been them.
    PusherUnknown,
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

/// The word by which an approval covers flagged paths.
pub const FLAGGED_WORD: &str = "flagged";

/// Whether the first line of a comment that approves is `approve SHA flagged`.
pub fn names_flagged(comment: &str, address: &Address) -> bool {
    let word = line(comment, address).and_then(|words| words.split_whitespace().nth(2));
    word.is_some_and(|word| word.trim_matches('`').eq_ignore_ascii_case(FLAGGED_WORD))
}

/// Whether the first word after `approve` is this commit.
pub fn names_commit(words: &str, head: &Sha) -> bool {
    let word = words.split_whitespace().next().unwrap_or_default();
    let word = word.trim_matches('`').to_ascii_lowercase();
    word.len() >= LEAST_SHA_DIGITS && head.as_str().starts_with(&word)
}

/// Whether these votes are consent, and if not, the nearest reason.
///
/// # Errors
/// Why not.
pub fn judge(criteria: &ApprovalCriteria<'_>, votes: &[Vote]) -> Result<Approval, NotApproved> {
    let standing = standing(votes);
    let counts = |vote: &Vote| vote.by.person && vote.role >= criteria.role;
    let objects = |vote: &&Vote| counts(vote) && vote.stance == Stance::Objects;
    // Without anything that speaks for it, an objection is just a review that waits.
    let wanted = standing.iter().any(|vote| vote.stance == Stance::Approves);
    if let Some(objection) = standing.iter().copied().find(objects).filter(|_| wanted) {
        return Err(NotApproved::Objection { login: objection.by.login.clone() });
    }
    let bar = bar(criteria);
    let (mut accepted, mut refusals) = (Vec::<&Vote>::new(), Vec::new());
    for vote in standing.iter().rev().filter(|vote| vote.stance == Stance::Approves) {
        match refused(criteria, &bar, vote) {
            None => accepted.push(vote),
            Some(why) => refusals.push((why, vote)),
        }
    }
    if let Some(newest) = accepted.first() {
        return enough(criteria, &bar, newest, &accepted);
    }
    // Of those whose word could count the newest.
    let nearest = refusals.into_iter().rev().max_by_key(|(why, _)| nearness(why));
    Err(match nearest {
        None => NotApproved::Nobody,
        Some((why @ (NotApproved::Requester { .. } | NotApproved::Pusher { .. }), vote)) => {
            nobody_left(criteria, &bar, &vote.by.login).unwrap_or(why)
        }
        Some((why, _)) => why,
    })
}

/// Whether votes that count, the newest first, are enough.
fn enough(
    criteria: &ApprovalCriteria<'_>,
    bar: &Bar,
    newest: &Vote,
    accepted: &[&Vote],
) -> Result<Approval, NotApproved> {
    let alone = |vote: &Vote| {
        criteria.flagged.is_empty()
            || matches!(vote.source, VoteSource::Comment { flagged: true, .. })
    };
    if bar.second.is_none()
        && let Some(single) = accepted.iter().copied().find(|vote| alone(vote))
    {
        return Ok(consent(criteria, single, None));
    }
    let outside = |vote: &Vote| had_a_hand(criteria, vote.by.id).is_none();
    let completes = |it: &&Vote| {
        it.by.id != newest.by.id && (!bar.one_outside || outside(newest) || outside(it))
    };
    if let Some(second) = accepted.iter().copied().find(completes) {
        return Ok(consent(criteria, newest, Some(second)));
    }
    let login = newest.by.login.clone();
    Err(match bar.second {
        None => NotApproved::Flagged { login, paths: criteria.flagged.to_vec() },
        Some(because) => nobody_left(criteria, bar, &login)
            .unwrap_or(NotApproved::SecondNeeded { login, because }),
    })
}

/// How near to consent a refusal is.
fn nearness(why: &NotApproved) -> u8 {
    match why {
        NotApproved::Nobody => 0,
        NotApproved::NotAPerson { .. } => 1,
        NotApproved::NeedsRole { .. } => 2,
        NotApproved::Edited { .. } => 3,
        NotApproved::OtherCommit { .. } => 4,
        NotApproved::Before { .. } => 5,
        NotApproved::Requester { .. }
        | NotApproved::Pusher { .. }
        | NotApproved::SecondNeeded { .. }
        | NotApproved::Flagged { .. }
        | NotApproved::NobodyLeft { .. }
        | NotApproved::Objection { .. } => 6,
    }
}

/// Whether no approval that anybody could give would be enough.
fn nobody_left(criteria: &ApprovalCriteria<'_>, bar: &Bar, login: &Login) -> Option<NotApproved> {
    let may = |id: &&UserId| bar.involved_count || had_a_hand(criteria, **id).is_none();
    let possible = criteria.holders?.iter().filter(may).count();
    let needed = 1 + usize::from(bar.second.is_some());
    let (login, role) = (login.clone(), criteria.role);
    (possible < needed).then_some(NotApproved::NobodyLeft { login, role })
}

/// Whose approvals count, and how many it takes.
struct Bar {
    /// Whether those count who asked for the change or pushed some of it.
    involved_count: bool,
    /// Why it takes two.
    second: Option<WhyTwo>,
    /// Whether one of the two has to be somebody of whom neither is known.
    one_outside: bool,
}

fn bar(criteria: &ApprovalCriteria<'_>) -> Bar {
    let holders = criteria.holders;
    let single = holders.is_some_and(|holders| holders.len() <= 1);
    let unknown = (!criteria.pushers_known).then_some(WhyTwo::PusherUnknown);
    let outside = |holders: &[UserId]| {
        holders.iter().filter(|id| had_a_hand(criteria, **id).is_none()).count()
    };
    let bar = |involved_count, second| Bar { involved_count, second, one_outside: false };
    match (criteria.requester, holders.map(outside)) {
        (Requester::Allowed, _) => bar(true, None),
        (Requester::Never, _) => bar(false, unknown),
        (Requester::IfAlone, _) if single => bar(true, None),
        (Requester::IfAlone, Some(0)) => bar(true, Some(WhyTwo::AllHadAHand)),
        // Two are needed, and there is only one of whom neither is known.
        (Requester::IfAlone, Some(1)) if unknown.is_some() => {
            Bar { one_outside: true, ..bar(true, unknown) }
        }
        (Requester::IfAlone, _) => bar(false, unknown),
    }
}

/// How somebody had a hand in the change, if they had one.
fn had_a_hand(criteria: &ApprovalCriteria<'_>, id: UserId) -> Option<fn(Login) -> NotApproved> {
    if criteria.asked_by.contains(&id) {
        return Some(|login| NotApproved::Requester { login });
    }
    let pushed = criteria.pushed_by.iter().any(|actor| actor.id == id);
    pushed.then_some(|login| NotApproved::Pusher { login })
}

/// What still stands, oldest first: of each person's reviews the last, and all comments.
fn standing(votes: &[Vote]) -> Vec<&Vote> {
    let mut sorted: Vec<&Vote> = votes.iter().collect();
    sorted.sort_by_key(|vote| (vote.at, vote.source));
    let is_last_review = |vote: &Vote| {
        let later = |other: &&&Vote| {
            other.by.id == vote.by.id
                && matches!(other.source, VoteSource::Review(_))
                && (other.at, other.source) > (vote.at, vote.source)
        };
        !sorted.iter().any(|other| later(&other))
    };
    let stands = |vote: &&&Vote| match vote.source {
        VoteSource::Review(_) => is_last_review(vote),
        VoteSource::Comment { .. } => true,
    };
    sorted.iter().filter(stands).copied().collect()
}

fn refused(criteria: &ApprovalCriteria<'_>, bar: &Bar, vote: &Vote) -> Option<NotApproved> {
    let login = vote.by.login.clone();
    if !vote.by.person {
        return Some(NotApproved::NotAPerson { login });
    }
    if vote.role < criteria.role {
        return Some(NotApproved::NeedsRole { login, has: vote.role, needed: criteria.role });
    }
    if matches!(vote.source, VoteSource::Comment { edited: true, .. }) {
        return Some(NotApproved::Edited { login });
    }
    if vote.commit != *criteria.head {
        return Some(NotApproved::OtherCommit { login, approved: vote.commit.clone() });
    }
    if vote.at <= criteria.since {
        return Some(NotApproved::Before { login });
    }
    if bar.involved_count {
        return None;
    }
    had_a_hand(criteria, vote.by.id).map(|refused| refused(login))
}

fn consent(criteria: &ApprovalCriteria<'_>, newest: &Vote, second: Option<&Vote>) -> Approval {
    Approval {
        repo_id: criteria.repo_id,
        pull: criteria.pull,
        head: criteria.head.clone(),
        base: criteria.base.clone(),
        rules: criteria.rules.to_owned(),
        newest: newest.clone(),
        second: second.cloned(),
        pushed_by: criteria.pushed_by.iter().map(|actor| actor.login.clone()).collect(),
    }
}

/// What a merge was asked for on: while all of it stays, GitHub's answer does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct MergeAttempt {
    #[serde(rename = "word")]
    pub source: VoteSource,
    pub rules: String,
    /// Whether GitHub said that nothing stood in the way.
    pub clean: bool,
}

impl MergeAttempt {
    /// Whether GitHub may answer otherwise than it did to `before`.
    pub fn is_news_after(&self, before: &Self) -> bool {
        let freed = self.clean && !before.clean;
        freed || (&self.source, &self.rules) != (&before.source, &before.rules)
    }
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;

//! What a release says of how it came about: an in-toto statement about its files.
//!
//! Invariants: it is made of what the release gate judged, and of what GitHub said when it did;
//! words of a model are not in it; the same release makes the same statement at every try, but for
//! the run that it names.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::approval::{Approval, VoteSource};
use super::checks::CheckState;
use super::github::Role;
use super::id::{Branch, Login, Number, RepoId, RepoName, Sha, Timestamp, UserId};
use super::manifest::{Artifact, Digest, RunAttempt, SUMS};
use super::policy::Requester;
use super::release_gate::{Facts, ReleasePlan, SeenCheck, Terms};

mod verdict;

pub use verdict::{Expected, Observation, ReleaseTag, Signer, look};

/// What kind of statement it is; the page says what each part means.
pub const PREDICATE_TYPE: &str =
    "https://github.com/gander-app/gander/blob/main/docs/provenance.md";
/// What every statement of in-toto says it is.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// An in-toto statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct ReleaseStatement {
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about.
    pub subject: Vec<StatementSubject>,
    pub predicate_type: String,
    pub predicate: Provenance,
}

/// A file, or without files the commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StatementSubject {
    pub name: String,
    pub digest: StatementDigest,
}

/// By what a subject is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatementDigest {
    /// Of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// Of a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_commit: Option<Sha>,
}

/// How a release came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Provenance {
    /// Of the program that judged it.
    pub gander_version: String,
    pub repository: StatedRepository,
    pub release: StatedRelease,
    /// What the workflow file asked for.
    pub terms: StatedTerms,
    /// Of the rules file at the commit. Left out: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules_sha256: Option<Digest>,
    pub approvals: Vec<StatedApproval>,
    /// Those of the required ones that were seen on the approved head.
    pub checks: Vec<StatedCheck>,
    pub changes: StatedChanges,
    pub run: RunAttempt,
}

/// Where it was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedRepository {
    pub id: RepoId,
    pub name: RepoName,
    pub default_branch: Branch,
}

/// What was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedRelease {
    pub tag: String,
    pub version: String,
    pub commit: Sha,
    /// The tree that commit and approved head share.
    pub tree: Sha,
    pub pull: Number,
    /// The head of the pull request, which people approved.
    pub head: Sha,
    /// Who ordered or opened it, by number.
    pub requested_by: Vec<UserId>,
}

/// What the workflow file asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedTerms {
    pub approver_role: Role,
    pub requester: Requester,
    pub approval_hours: u32,
    pub required_checks: Vec<StatedCheckName>,
}

/// A check by name, and the App that reports it, by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StatedCheckName {
    pub name: String,
    pub app: u64,
}

/// A check on the approved head.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct StatedCheck {
    #[serde(flatten)]
    pub check: StatedCheckName,
    pub state: StatedState,
}

/// How a check stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum StatedState {
    Green,
    Red,
    Skipped,
    Unfinished,
}

/// One approval that counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedApproval {
    pub login: Login,
    pub id: UserId,
    /// What they could do in the repository then.
    pub role: Role,
    /// The commit they named.
    pub commit: Sha,
    /// The review or comment by which they said so.
    pub by: VoteSource,
    /// When, by GitHub's clock.
    #[serde(with = "moment")]
    pub at: Timestamp,
}

/// What came in since the release before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedChanges {
    /// Left out: this is the first release, or none was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    pub commits: usize,
    /// Those that name Gander as their author's help, oldest first.
    pub by_gander: Vec<StatedChange>,
    /// The paths that people had to look at, each with the reason.
    pub flagged: Vec<String>,
}

/// A commit that Gander wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct StatedChange {
    pub commit: Sha,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<UserId>,
    /// As the commit says, with the model where it names one.
    pub assisted_by: String,
    /// The headline of Gander's own check on it. Left out: there is none to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<String>,
}

/// Why a text is no statement of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum StatementError {
    #[error("it is no in-toto statement ({0})")]
    Malformed(String),
    #[error("it is a statement of another kind ({0})")]
    OtherKind(String),
}

impl ReleaseStatement {
    /// What is stated of a release that the gate let pass. `rules` is the rules file at the commit.
    pub fn of(
        plan: &ReleasePlan,
        (name, run): (&RepoName, RunAttempt),
        (terms, facts): (&Terms, &Facts),
        rules: Option<&[u8]>,
        changes: StatedChanges,
    ) -> Self {
        let (pull, approval) = (plan.pull(), plan.approval());
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: subjects(plan),
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Provenance {
                gander_version: env!("CARGO_PKG_VERSION").to_owned(),
                repository: StatedRepository {
                    id: facts.repository_id,
                    name: name.clone(),
                    default_branch: facts.default_branch.clone(),
                },
                release: StatedRelease {
                    tag: plan.tag().to_owned(),
                    version: plan.version().to_owned(),
                    commit: plan.mark().commit.clone(),
                    tree: pull.tree_of_commit.clone(),
                    pull: approval.pull(),
                    head: pull.head.clone(),
                    requested_by: sorted(&pull.asked_by),
                },
                terms: StatedTerms::of(terms),
                rules_sha256: rules.map(Digest::of),
                approvals: approvals(approval),
                checks: checks(terms, facts),
                changes: StatedChanges { flagged: pull.flagged.clone(), ..changes },
                run,
            },
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is none, or of another kind.
    pub fn parse(text: &[u8]) -> Result<Self, StatementError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct StatementKind {
            #[serde(rename = "_type")]
            statement_type: String,
            predicate_type: String,
        }
        let malformed = |bad: serde_json::Error| StatementError::Malformed(bad.to_string());
        let kind: StatementKind = serde_json::from_slice(text).map_err(malformed)?;
        if kind.statement_type != STATEMENT_TYPE {
            return Err(StatementError::OtherKind(kind.statement_type));
        }
        if kind.predicate_type != PREDICATE_TYPE {
            return Err(StatementError::OtherKind(kind.predicate_type));
        }
        serde_json::from_slice(text).map_err(malformed)
    }

    /// As it is written down.
    pub fn text(&self) -> String {
        // Only text, numbers and lists: it can always be written.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// Its predicate alone, as GitHub's attestation takes it.
    pub fn predicate_text(&self) -> String {
        serde_json::to_string_pretty(&self.predicate).map(|text| text + "\n").unwrap_or_default()
    }

    /// Whether another says the same of the same files, whatever run wrote it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let mut other = other.clone();
        other.predicate.run = self.predicate.run;
        self.is_of_the_same(&other) && self.predicate == other.predicate
    }

    /// Whether another is of the same release, commit and files.
    pub fn is_of_the_same(&self, other: &Self) -> bool {
        let files = |it: &Self| it.subject.iter().cloned().collect::<BTreeSet<_>>();
        let (ours, theirs) = (&self.predicate, &other.predicate);
        files(self) == files(other)
            && ours.release == theirs.release
            && ours.repository.id == theirs.repository.id
    }

    /// The name under which it states a file; the list of sums is made of what it states.
    pub fn name_of(&self, file: &Digest) -> Option<&str> {
        let subject = self.subject.iter().find(|it| it.digest.sha256.as_ref() == Some(file));
        let sums = || (self.sums().as_ref() == Some(file)).then_some(SUMS);
        subject.map(|subject| subject.name.as_str()).or_else(sums)
    }

    /// Of the list of sums, as the build writes it. `None`: it states no file.
    pub fn sums(&self) -> Option<Digest> {
        let files = self.subject.iter();
        let files = files.filter_map(|it| Some((it.name.as_str(), it.digest.sha256.as_ref()?)));
        let files: BTreeSet<_> = files.collect();
        let lines = files.iter().map(|(name, sha256)| format!("{sha256}  {name}\n"));
        (!files.is_empty()).then(|| Digest::of(lines.collect::<String>().as_bytes()))
    }
}

impl StatedTerms {
    fn of(terms: &Terms) -> Self {
        let required = terms.required.iter();
        let mut required_checks: Vec<_> = required
            .map(|check| StatedCheckName { name: check.name.clone(), app: check.app })
            .collect();
        required_checks.sort();
        Self {
            approver_role: terms.role,
            requester: terms.requester,
            approval_hours: terms.approval_hours,
            required_checks,
        }
    }
}

impl From<CheckState> for StatedState {
    fn from(state: CheckState) -> Self {
        match state {
            CheckState::Green => Self::Green,
            CheckState::Red => Self::Red,
            CheckState::Skipped => Self::Skipped,
            CheckState::Pending | CheckState::CutOff => Self::Unfinished,
        }
    }
}

fn subjects(plan: &ReleasePlan) -> Vec<StatementSubject> {
    if plan.files().is_empty() {
        let git_commit = Some(plan.mark().commit.clone());
        let digest = StatementDigest { git_commit, ..StatementDigest::default() };
        return vec![StatementSubject { name: plan.tag().to_owned(), digest }];
    }
    let subject = |file: &Artifact| StatementSubject {
        name: file.name.to_string(),
        digest: StatementDigest { sha256: Some(file.sha256.clone()), ..StatementDigest::default() },
    };
    plan.files().iter().map(subject).collect()
}

fn approvals(approval: &Approval) -> Vec<StatedApproval> {
    let stated = approval.votes().map(|vote| StatedApproval {
        login: vote.by.login.clone(),
        id: vote.by.id,
        role: vote.role,
        commit: vote.commit.clone(),
        by: vote.source,
        at: vote.at,
    });
    let mut stated: Vec<_> = stated.collect();
    stated.sort_by_key(|it| (it.at, it.id));
    stated
}

/// The state of each that was required, once.
fn checks(terms: &Terms, facts: &Facts) -> Vec<StatedCheck> {
    let is_required = |seen: &&SeenCheck| {
        terms.required.iter().any(|it| it.name == seen.name && seen.app == Some(it.app))
    };
    let mut stated: Vec<StatedCheck> = facts
        .checks
        .iter()
        .filter(is_required)
        .map(|seen| StatedCheck {
            check: StatedCheckName { name: seen.name.clone(), app: seen.app.unwrap_or(0) },
            state: seen.state.into(),
        })
        .collect();
    stated.sort();
    stated.dedup();
    stated
}

fn sorted(ids: &[UserId]) -> Vec<UserId> {
    ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// As people read a moment.
mod moment {
    use chrono::{DateTime, SecondsFormat};
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
        to.serialize_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        let at = DateTime::parse_from_rfc3339(&text).map_err(D::Error::custom)?;
        Ok(Timestamp(at.timestamp_millis()))
    }
}

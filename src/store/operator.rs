//! What whoever runs the server asks for and is told.

use std::collections::BTreeSet;

use serde_json::Value;

use super::LogLine;
use super::rows::from_json;
use super::{StoreError, Stored};
use crate::core::audit::AuditRow;
use crate::core::budget::Money;
use crate::core::id::{RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::task::Task;

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobQuery {
    /// Those that wait, are at work, or have an open pull request.
    NotOver,
    /// All.
    All,
    /// Those whose id begins so.
    Named(String),
}

/// A job, and when it last learnt anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    /// The job, with its version.
    pub stored: Stored<Job>,
    /// In the queue's time.
    pub since: Timestamp,
}

/// A task that stands in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTask {
    /// What is to be done.
    pub task: Task,
    /// Not before.
    pub due: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Whether somebody works on it.
    pub taken: bool,
    /// What went wrong the last time.
    pub fault: Option<String>,
}

/// Where in the log to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPlace {
    /// After the line with this number.
    After(i64),
    /// With the last lines, so many.
    Last(u32),
}

/// One line of the log, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NumberedLine {
    pub number: i64,
    /// A job's or release's id.
    pub about: Option<String>,
    pub line: LogLine,
}

/// Numbers for a plot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreFigures {
    /// Tasks that are due and wait for a worker.
    pub waiting: u64,
    /// Tasks that somebody works on.
    pub taken: u64,
    /// Tasks that are put off.
    pub later: u64,
    /// When the oldest of those that wait was due.
    pub oldest_due: Option<Timestamp>,
    /// Jobs that are not over, by the name of their stage.
    pub jobs: Vec<(String, u64)>,
    /// What all jobs came to.
    pub spent: Money,
    /// Pull requests of theirs that were merged.
    pub merged: u64,
}

/// How long things are kept: what is older than its moment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSince {
    /// Jobs that are over, with their log and patches. `None`: for good.
    pub jobs: Option<Timestamp>,
    /// Entries of the ledger. `None`: for good.
    pub ledger: Option<Timestamp>,
}

/// So many jobs are removed in one transaction.
pub(super) const REMOVED_AT_ONCE: i64 = 100;
/// So many lines of the log are read at once.
pub(super) const LINES_AT_ONCE: i64 = 1000;

/// State, version and when it was last changed.
pub(super) type ListedRow = (String, i64, i64);

pub(super) fn listed((state, version, updated): ListedRow) -> Result<ListedJob, StoreError> {
    let stored = Stored { machine: from_json("a job", &state)?, version };
    Ok(ListedJob { stored, since: Timestamp(updated) })
}

/// Task, due, tries, lease and fault.
pub(super) type WaitingRow = (String, i64, i64, Option<i64>, Option<String>);

pub(super) fn waiting(row: WaitingRow) -> Result<WaitingTask, StoreError> {
    let (task, due, tries, lease, fault) = row;
    Ok(WaitingTask {
        task: from_json("a task", &task)?,
        due: Timestamp(due),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        taken: lease.is_some(),
        fault,
    })
}

/// Number, whose it is, moment and text.
pub(super) type LineRow = (i64, Option<String>, i64, String);

pub(super) fn line((number, about, at, text): LineRow) -> NumberedLine {
    NumberedLine { number, about, line: LogLine { at: Timestamp(at), text } }
}

/// After which number lines are read and, where the last are asked for, how many.
pub(super) fn lines_from(from: LogPlace) -> (i64, Option<i64>) {
    match from {
        LogPlace::After(number) => (number, None),
        LogPlace::Last(many) => (0, Some(i64::from(many).min(LINES_AT_ONCE))),
    }
}

/// The least and the first too great of the ids that begin so. Ids are ASCII.
pub(super) fn ids_from(beginning: &str) -> (String, String) {
    (beginning.to_owned(), format!("{beginning}\u{7f}"))
}

/// A job that is removed: its id, its issue, and all that looks like the digest of a patch.
pub(super) struct RemovedJob {
    pub(super) id: String,
    pub(super) repo: i64,
    pub(super) number: i64,
    pub(super) digests: BTreeSet<String>,
}

impl RemovedJob {
    pub(super) fn of(
        (id, repo, number, state): (String, i64, i64, String),
    ) -> Result<Self, StoreError> {
        let mut digests = BTreeSet::new();
        collect_digests(&from_json("a job", &state)?, &mut digests);
        Ok(Self { id, repo, number, digests })
    }
}

fn collect_digests(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            found.insert(text.clone());
        }
        Value::Array(all) => all.iter().for_each(|it| collect_digests(it, found)),
        Value::Object(all) => all.values().for_each(|it| collect_digests(it, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Place, moment, repository, salt, content, digest and hash.
pub(super) type AuditColumns =
    (i64, i64, Option<i64>, Option<Vec<u8>>, Option<String>, Vec<u8>, Vec<u8>);

pub(super) fn audit_row((seq, at, repo, salt, body, digest, hash): AuditColumns) -> AuditRow {
    let repo = repo.map(|repo| RepoId(repo.cast_unsigned()));
    AuditRow { seq, at: Timestamp(at), repo, salt, body, digest, hash }
}

/// Random bytes that go into the digest of a row of the audit log.
pub(super) fn salt() -> Vec<u8> {
    uuid::Uuid::new_v4().as_bytes().to_vec()
}

/// Whether a text may be the beginning of a job's id: nothing else is looked up.
pub(super) fn may_begin_id(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::id::JobId;

    #[test]
    fn ids_are_found_by_how_they_begin() {
        let (from, below) = ids_from("vfu");
        for (id, is) in [("vfu", true), ("vfuxini2iztf", true), ("vfv", false), ("vft", false)] {
            assert_eq!(*id >= *from && *id < *below, is, "{id}");
        }
        let id = JobId::of_trigger("x");
        assert!(may_begin_id(id.as_str()) && !may_begin_id("a%") && !may_begin_id(""));
    }
}

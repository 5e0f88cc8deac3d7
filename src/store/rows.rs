//! What a row holds, whichever database it stands in: both of them write and read the same.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Commit, StoreError, Stored};
use crate::core::check_history::CheckResult;
use crate::core::delivery::{Content, Delivery};
use crate::core::id::{DeliveryId, RepoId, Timestamp};
use crate::core::job::{Job, JobEnding, JobStage};
use crate::core::judgement::{JudgeRecord, JudgedPull, PullFate};
use crate::core::machine::Machine;
use crate::core::release::Release;
use crate::core::task::Task;

/// So many rows are forgotten in one transaction.
pub(super) const FORGOTTEN_AT_ONCE: i64 = 2000;

pub(super) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text)
        .map_err(|cause| StoreError::Corrupt { what, source: Box::new(cause) })
}

pub(super) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|cause| StoreError::Corrupt { what, source: Box::new(cause) })
}

/// A GUID's bytes with the highest digits of its time first: GitHub's carry the time they were
/// made, so that new ones stand together at the end of the index instead of all over it.
pub(super) fn guid(id: &DeliveryId) -> Result<Vec<u8>, StoreError> {
    let what = "a delivery's GUID";
    let guid = uuid::Uuid::parse_str(id.as_str())
        .map_err(|cause| StoreError::Corrupt { what, source: Box::new(cause) })?;
    let (time, rest) = guid.as_bytes().split_at(8);
    Ok([&time[6..], &time[4..6], &time[..4], rest].concat())
}

/// A delivery as it will be written.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) hook: i64,
    pub(super) guid: Vec<u8>,
    pub(super) body_digest: Vec<u8>,
    pub(super) event: String,
    pub(super) received: i64,
    pub(super) quarantine: Option<String>,
    /// The task to queue: its lane and its JSON.
    pub(super) work: Option<(String, String)>,
}

impl Arrival {
    pub(super) fn of(
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let quarantine = match &delivery.content {
            Content::Quarantined(why) => Some(why.clone()),
            Content::Kept(_) | Content::Slack(_) => None,
        };
        let work = match Task::of(delivery).filter(|_| wanted) {
            Some(task) => Some((task.lane(), to_json("a task", &task)?)),
            None => None,
        };
        Ok(Self {
            hook: delivery.hook_id.0.cast_signed(),
            guid: guid(&delivery.id)?,
            body_digest: delivery.body_digest.to_vec(),
            event: delivery.event.clone(),
            received: now.0,
            quarantine,
            work,
        })
    }
}

/// What of a job changes, beside its state what rows are found and counted by.
#[derive(Debug)]
pub(super) struct JobRow {
    pub(super) pull: Option<i64>,
    pub(super) live: bool,
    pub(super) merged: bool,
    pub(super) warned: Option<bool>,
    pub(super) changed: Option<bool>,
    pub(super) stage: &'static str,
    pub(super) ending: Option<&'static str>,
    pub(super) state: String,
}

impl JobRow {
    pub(super) fn of(job: &Job) -> Result<Self, StoreError> {
        let judged = job.judged_pull();
        let fate = judged.and_then(|pull| pull.fate);
        Ok(Self {
            pull: job.pull.as_ref().map(|pull| pull.number.0.cast_signed()),
            live: job.is_live(),
            merged: is_merged(job),
            warned: judged.map(|pull| pull.warned),
            changed: fate.map(|fate| fate == PullFate::Otherwise),
            stage: (&job.stage).into(),
            ending: job.stage.ending().map(Into::into),
            state: to_json("a job", job)?,
        })
    }
}

/// Whether its pull request was merged.
pub(super) fn is_merged(job: &Job) -> bool {
    matches!(job.stage, JobStage::Done(JobEnding::Merged { .. }))
}

/// The same of a release.
#[derive(Debug)]
pub(super) struct ReleaseRow {
    pub(super) pull: Option<i64>,
    pub(super) turn: &'static str,
    pub(super) state: String,
}

impl ReleaseRow {
    pub(super) fn of(release: &Release) -> Result<Self, StoreError> {
        Ok(Self {
            pull: release.pull.as_ref().map(|pull| pull.number.0.cast_signed()),
            turn: match (release.is_queued(), release.is_done()) {
                (true, _) => "waits",
                (_, true) => "over",
                (false, false) => "live",
            },
            state: to_json("a release", release)?,
        })
    }
}

/// State and version of a job or release.
pub(super) type StoredRow = (String, i64);

pub(super) fn job((state, version): StoredRow) -> Result<Stored<Job>, StoreError> {
    Ok(Stored { machine: from_json("a job", &state)?, version })
}

pub(super) fn release((state, version): StoredRow) -> Result<Stored<Release>, StoreError> {
    Ok(Stored { machine: from_json("a release", &state)?, version })
}

/// Whether pull requests were warned of, whether they changed, and how many.
pub(super) fn judge_record(rows: impl Iterator<Item = (bool, bool, u32)>) -> JudgeRecord {
    let mut record = JudgeRecord::default();
    for (warned, changed, count) in rows {
        let fate = if changed { PullFate::Otherwise } else { PullFate::AsItWas };
        record.add(JudgedPull { warned, fate: Some(fate) }, count);
    }
    record
}

/// Name, App, suite, commit, place, whether it was red, and when.
pub(super) type CheckRow = (String, Option<i64>, Option<i64>, String, String, bool, i64);

pub(super) fn check_result(repo_id: RepoId, row: CheckRow) -> Result<CheckResult, StoreError> {
    let (name, app, suite, sha, place, red, at) = row;
    let corrupt = |bad| StoreError::Corrupt { what: "a result of a check", source: Box::new(bad) };
    Ok(CheckResult {
        repo_id,
        name,
        app: app.map(i64::cast_unsigned),
        suite: suite.map(i64::cast_unsigned),
        sha: sha.parse().map_err(corrupt)?,
        place,
        red,
        at: Timestamp(at),
    })
}

/// Whose log a line belongs to: what the commit names, else what the task was about.
pub(super) fn whose_log(commit: &Commit, task: &str) -> Result<Option<String>, StoreError> {
    match commit.about() {
        Some(about) => Ok(Some(about)),
        None => Ok(from_json::<Task>("a task", task)?.about()),
    }
}

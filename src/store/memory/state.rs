//! What is remembered, and how it changes.

use std::collections::{BTreeMap, HashMap};

use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::check_history::CheckResult;
use crate::core::github::RepoRef;
use crate::core::id::{DeliveryId, HookId, RepoId, Timestamp};
use crate::core::job::Job;
use crate::core::machine::Machine;
use crate::core::patch::PatchDigest;
use crate::core::release::Release;
use crate::core::slack::SlackEntry;
use crate::core::task::{Sweep, Task};
use crate::store::operator::salt;
use crate::store::rows::to_json;
use crate::store::{
    Claim, Commit, LEASE_SECONDS, Lease, LedgerEntry, LogLine, StoreError, Stored, Write,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) closed: bool,
    pub(super) deliveries: Vec<Received>,
    pub(super) queue: BTreeMap<i64, Queued>,
    /// Ids of tasks are never used again: a lease names them.
    pub(super) last_task: i64,
    pub(super) jobs: Vec<Stored<Job>>,
    pub(super) releases: Vec<Stored<Release>>,
    /// When a repository had its last turn at a slot: the higher, the later.
    pub(super) turns: HashMap<RepoId, u64>,
    pub(super) acts: HashMap<String, Timestamp>,
    pub(super) ledger: Vec<(Timestamp, LedgerEntry)>,
    pub(super) log: Vec<(Option<String>, LogLine)>,
    pub(super) patches: HashMap<PatchDigest, Vec<u8>>,
    pub(super) checks: Vec<CheckResult>,
    pub(super) swept: HashMap<Sweep, Timestamp>,
    pub(super) paused: Option<Timestamp>,
    pub(super) audit: Vec<AuditRow>,
    /// The job or release that a patch was last made for.
    pub(super) patch_of: HashMap<PatchDigest, String>,
    /// When each job was last written.
    pub(super) updated: HashMap<String, Timestamp>,
    pub(super) slack: BTreeMap<String, SlackEntry>,
}

#[derive(Debug)]
pub(super) struct Received {
    pub(super) hook: HookId,
    pub(super) id: DeliveryId,
    pub(super) body_digest: [u8; 32],
    pub(super) at: Timestamp,
}

#[derive(Debug)]
pub(super) struct Queued {
    pub(super) lane: String,
    pub(super) task: Task,
    pub(super) due: Timestamp,
    pub(super) tries: u32,
    pub(super) abandoned: u32,
    /// Grows with every claim.
    pub(super) fence: i64,
    pub(super) lease_until: Option<Timestamp>,
}

/// What is stored with a version, and which two of it cannot stand beside each other.
pub(super) trait Versioned: Machine<Id: PartialEq> + Clone {
    fn excludes(&self, other: &Self) -> bool;
}

impl Versioned for Job {
    fn excludes(&self, other: &Self) -> bool {
        let same = (self.repo.repo_id, self.subject) == (other.repo.repo_id, other.subject);
        same && self.is_live() && other.is_live()
    }
}

impl Versioned for Release {
    fn excludes(&self, other: &Self) -> bool {
        let same = self.repo.repo_id == other.repo.repo_id && self.is_in_line_with(other);
        let both_wait = self.is_queued() && other.is_queued();
        same && (both_wait || self.is_live() && other.is_live())
    }
}

pub(super) fn relocated(known: &mut RepoRef, version: &mut i64, repo: &RepoRef) {
    if known.repo_id == repo.repo_id && known != repo {
        known.clone_from(repo);
        *version += 1;
    }
}

impl State {
    /// The first task of each lane.
    pub(super) fn heads(&self) -> impl Iterator<Item = (i64, &Queued)> {
        let mut lanes: HashMap<&str, (i64, &Queued)> = HashMap::new();
        for (id, queued) in &self.queue {
            lanes.entry(&queued.lane).or_insert((*id, queued));
        }
        lanes.into_values()
    }

    pub(super) fn held(&mut self, lease: &Lease) -> Result<&mut Queued, StoreError> {
        let queued = self.queue.get_mut(&lease.task).ok_or(StoreError::LeaseLost)?;
        match queued.fence == lease.fence && queued.lease_until.is_some() {
            true => Ok(queued),
            false => Err(StoreError::LeaseLost),
        }
    }

    /// Whose it is, if it takes a slot.
    pub(super) fn repo_of(&self, task: &Task) -> Option<RepoId> {
        let about = task.about().filter(|_| task.takes_slot())?;
        let job = self.jobs.iter().map(|it| &it.machine).find(|it| it.id.as_str() == about);
        let release =
            || self.releases.iter().map(|it| &it.machine).find(|it| it.id.as_str() == about);
        job.map(|it| it.repo.repo_id).or_else(|| release().map(|it| it.repo.repo_id))
    }

    pub(super) fn claim(&mut self, now: Timestamp, fits: impl Fn(&Task) -> bool) -> Option<Claim> {
        let ready = |queued: &Queued| queued.lease_until.unwrap_or(queued.due);
        let may = |task: &Task| fits(task) && self.goes_on(task);
        let due = || self.heads().filter(|(_, it)| may(&it.task) && ready(it) <= now);
        let held = |repo: Option<RepoId>| {
            let held = self.queue.values().filter(|it| it.lease_until.is_some());
            held.filter(|it| repo.is_some() && self.repo_of(&it.task) == repo).count()
        };
        let turn = |repo: Option<RepoId>| repo.and_then(|repo| self.turns.get(&repo)).copied();
        let beside = due().filter(|(_, it)| !it.task.takes_slot());
        let beside = beside.map(|(id, it)| (ready(it), id)).min();
        let in_slot = due().filter(|(_, it)| it.task.takes_slot()).min_by_key(|(id, it)| {
            let repo = self.repo_of(&it.task);
            (held(repo), turn(repo), it.task.begins(), ready(it), *id)
        });
        let in_slot = in_slot.map(|(id, it)| (ready(it), id));
        let (_, id) = beside.into_iter().chain(in_slot).min()?;
        if let Some(repo) = self.queue.get(&id).and_then(|it| self.repo_of(&it.task)) {
            let last = self.turns.values().max().copied().unwrap_or_default();
            self.turns.insert(repo, last + 1);
        }
        let queued = self.queue.get_mut(&id)?;
        queued.tries += u32::from(queued.lease_until.is_some());
        queued.abandoned += u32::from(queued.lease_until.is_some());
        queued.fence += 1;
        queued.lease_until = Some(now.plus_seconds(LEASE_SECONDS));
        let lease = Lease { task: id, fence: queued.fence };
        let (task, tries, abandoned) = (queued.task.clone(), queued.tries, queued.abandoned);
        Some(Claim { lease, task, tries, abandoned })
    }

    pub(super) fn enqueue(&mut self, task: Task, due: Timestamp) {
        let waits = |queued: &&mut Queued| queued.lease_until.is_none() && queued.task == task;
        if task.is_level_triggered()
            && let Some(waiting) = self.queue.values_mut().find(waits)
        {
            waiting.due = waiting.due.min(due);
            return;
        }
        self.last_task += 1;
        let lane = task.lane();
        let queued =
            Queued { lane, task, due, tries: 0, abandoned: 0, fence: 0, lease_until: None };
        self.queue.insert(self.last_task, queued);
    }

    /// Whether a commit can be written.
    pub(super) fn check(&mut self, lease: &Lease, commit: &Commit) -> Result<(), StoreError> {
        self.held(lease)?;
        if commit.once.as_ref().is_some_and(|key| self.acts.contains_key(key)) {
            return Err(StoreError::AlreadyDone);
        }
        commit.job.as_ref().map_or(Ok(()), |write| check(&self.jobs, write))?;
        commit.release.as_ref().map_or(Ok(()), |write| check(&self.releases, write))
    }

    /// Writes a commit that was checked.
    pub(super) fn apply(&mut self, lease: &Lease, commit: &Commit, now: Timestamp) {
        let task = self.queue.remove(&lease.task).map(|queued| queued.task);
        self.acts.extend(commit.once.clone().map(|key| (key, now)));
        if let Some(job) = &commit.job {
            write(&mut self.jobs, job);
            let (Write::New(after) | Write::Change(after, _)) = job;
            self.updated.insert(after.id.to_string(), now);
        }
        if let Some(release) = &commit.release {
            write(&mut self.releases, release);
        }
        for task in &commit.tasks {
            self.enqueue(task.clone(), now);
        }
        for (task, seconds) in &commit.later {
            self.enqueue(task.clone(), now.plus_seconds(*seconds));
        }
        self.ledger.extend(commit.ledger.iter().map(|entry| (now, entry.clone())));
        self.patches.extend(commit.patch.clone());
        if let (Some((digest, _)), Some(about)) = (&commit.patch, commit.about()) {
            self.patch_of.insert(digest.clone(), about);
        }
        self.checks.extend(commit.check.clone());
        if let Some(text) = &commit.log {
            let whose = commit.about().or_else(|| task.and_then(|task| task.about()));
            self.log.push((whose, LogLine { at: now, text: text.clone() }));
        }
        for entry in &commit.slack {
            match entry.record {
                Some(_) => self.slack.insert(entry.key.clone(), entry.clone()),
                None => self.slack.remove(&entry.key),
            };
        }
        self.record(&commit.audit, now);
    }

    /// Adds rows to the audit log.
    pub(super) fn record(&mut self, entries: &[AuditEntry], now: Timestamp) {
        for entry in entries {
            let Ok(body) = to_json("a row of the audit log", entry) else { continue };
            let head = self.audit_head();
            self.audit.push(AuditRow::after(&head, now, &salt(), (entry.repo, body)));
        }
    }

    pub(super) fn audit_head(&self) -> AuditHead {
        self.audit.last().map(AuditRow::head).unwrap_or_default()
    }

    /// Whether it is done in a pause, too.
    fn goes_on(&self, task: &Task) -> bool {
        match task {
            Task::Operator(_) | Task::Sweep(Sweep::MissedDeliveries) => true,
            _ => self.paused.is_none(),
        }
    }

    pub(super) fn log_of(&self, whose: &str) -> Vec<LogLine> {
        let lines = self.log.iter().filter(|(of, _)| of.as_deref() == Some(whose));
        lines.map(|(_, line)| line.clone()).collect()
    }
}

pub(super) fn find<'a, M: Versioned>(rows: &'a [Stored<M>], id: &M::Id) -> Option<&'a Stored<M>> {
    rows.iter().find(|row| row.machine.id() == id)
}

pub(super) fn chosen<M: Clone>(rows: &[Stored<M>], choose: impl Fn(&M) -> bool) -> Vec<Stored<M>> {
    rows.iter().filter(|row| choose(&row.machine)).cloned().collect()
}

fn check<M: Versioned>(rows: &[Stored<M>], write: &Write<M>) -> Result<(), StoreError> {
    let (Write::New(after) | Write::Change(after, _)) = write;
    match (write, find(rows, after.id())) {
        (Write::New(_), Some(_)) => return Err(StoreError::AlreadyDone),
        (Write::Change(_, version), Some(row)) if row.version == *version => {}
        (Write::Change(..), _) => return Err(StoreError::Conflict),
        (Write::New(_), None) => {}
    }
    let mut others = rows.iter().filter(|row| row.machine.id() != after.id());
    match others.any(|row| after.excludes(&row.machine)) {
        true => Err(StoreError::Conflict),
        false => Ok(()),
    }
}

fn write<M: Versioned>(rows: &mut Vec<Stored<M>>, write: &Write<M>) {
    let (Write::New(after) | Write::Change(after, _)) = write;
    match rows.iter_mut().find(|row| row.machine.id() == after.id()) {
        Some(row) => *row = Stored { machine: after.clone(), version: row.version + 1 },
        None => rows.push(Stored { machine: after.clone(), version: 1 }),
    }
}

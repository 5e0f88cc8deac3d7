//! Everything in the memory of one process: for a job that nobody goes on with tomorrow.
//!
//! Invariants: a write is checked whole before anything changes, so that a refused one leaves
//! nothing behind. What is not there: nothing survives the process.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Accepted, Claim, Commit, LEASE_SECONDS, LONGEST_PAUSE_SECONDS, Lease, LedgerEntry, LogLine,
    Store, StoreError, Stored, Write,
};
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::check_history::{CheckResult, MOST_RESULTS};
use crate::core::delivery::Delivery;
use crate::core::github::RepoRef;
use crate::core::id::{DeliveryId, HookId, JobId, Number, ReleaseId, RepoId, Timestamp};
use crate::core::job::{Job, JobEnding};
use crate::core::judgement::JudgeRecord;
use crate::core::machine::Machine;
use crate::core::patch::PatchDigest;
use crate::core::release::Release;
use crate::core::slack::{SlackEntry, SlackRecord};
use crate::core::task::{Sweep, Task};

/// A store that is gone with its process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    closed: bool,
    deliveries: Vec<Received>,
    queue: BTreeMap<i64, Queued>,
    /// Ids of tasks are never used again: a lease names them.
    last_task: i64,
    jobs: Vec<Stored<Job>>,
    releases: Vec<Stored<Release>>,
    /// When a repository had its last turn at a slot: the higher, the later.
    turns: HashMap<RepoId, u64>,
    acts: HashMap<String, Timestamp>,
    ledger: Vec<(Timestamp, LedgerEntry)>,
    log: Vec<(Option<String>, LogLine)>,
    patches: HashMap<PatchDigest, Vec<u8>>,
    checks: Vec<CheckResult>,
    swept: HashMap<Sweep, Timestamp>,
    slack: BTreeMap<String, SlackEntry>,
}

#[derive(Debug)]
struct Received {
    hook: HookId,
    id: DeliveryId,
    body_digest: [u8; 32],
    at: Timestamp,
}

#[derive(Debug)]
struct Queued {
    lane: String,
    task: Task,
    due: Timestamp,
    tries: u32,
    abandoned: u32,
    /// Grows with every claim.
    fence: i64,
    lease_until: Option<Timestamp>,
}

/// What is stored with a version, and which two of it cannot stand beside each other.
trait Versioned: Machine<Id: PartialEq> + Clone {
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

impl Memory {
    fn state(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.closed {
            true => Err(StoreError::Unavailable("the store was closed".into())),
            false => Ok(state),
        }
    }
}

#[async_trait]
impl Store for Memory {
    async fn accept(
        &self,
        delivery: &Delivery,
        wanted: bool,
        now: Timestamp,
    ) -> Result<Accepted, StoreError> {
        let mut state = self.state()?;
        let known = |received: &Received| {
            received.body_digest == delivery.body_digest
                || (received.hook, &received.id) == (delivery.hook_id, &delivery.id)
        };
        if state.deliveries.iter().any(known) {
            return Ok(Accepted::Known);
        }
        state.deliveries.push(Received {
            hook: delivery.hook_id,
            id: delivery.id.clone(),
            body_digest: delivery.body_digest,
            at: now,
        });
        if let (Some(task), true) = (Task::of(delivery), wanted) {
            state.enqueue(task, now);
        }
        Ok(Accepted::New)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.state().map(drop)
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.state()?.closed = true;
        Ok(())
    }

    async fn claim(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        Ok(self.state()?.claim(now, |_| true))
    }

    async fn claim_unslotted(&self, now: Timestamp) -> Result<Option<Claim>, StoreError> {
        Ok(self.state()?.claim(now, |task| !task.takes_slot()))
    }

    async fn heartbeat(&self, lease: &Lease, now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.held(lease)?.lease_until = Some(now.plus_seconds(LEASE_SECONDS));
        Ok(())
    }

    async fn commit(
        &self,
        lease: &Lease,
        commit: &Commit,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.check(lease, commit)?;
        state.apply(lease, commit, now);
        Ok(())
    }

    async fn postpone(&self, lease: &Lease, due: Timestamp, _: &str) -> Result<(), StoreError> {
        let mut state = self.state()?;
        let queued = state.held(lease)?;
        (queued.lease_until, queued.due) = (None, due);
        queued.tries += 1;
        Ok(())
    }

    async fn hand_back(&self, lease: &Lease) -> Result<(), StoreError> {
        self.state()?.held(lease)?.lease_until = None;
        Ok(())
    }

    async fn enqueue(&self, task: &Task, due: Timestamp) -> Result<(), StoreError> {
        self.state()?.enqueue(task.clone(), due);
        Ok(())
    }

    async fn job(&self, id: &JobId) -> Result<Option<Stored<Job>>, StoreError> {
        Ok(find(&self.state()?.jobs, id).cloned())
    }

    async fn jobs_on(&self, repo: RepoId, number: Number) -> Result<Vec<Stored<Job>>, StoreError> {
        Ok(chosen(&self.state()?.jobs, |job| {
            let by_pull = job.pull.as_ref().is_some_and(|pull| pull.number == number);
            job.repo.repo_id == repo && (job.subject == number || by_pull)
        }))
    }

    async fn relocate(&self, repo: &RepoRef) -> Result<(), StoreError> {
        let mut state = self.state()?;
        let State { jobs, releases, .. } = &mut *state;
        for stored in jobs {
            relocated(&mut stored.machine.repo, &mut stored.version, repo);
        }
        for stored in releases {
            relocated(&mut stored.machine.repo, &mut stored.version, repo);
        }
        Ok(())
    }

    async fn judge_record(&self, repo: RepoId) -> Result<JudgeRecord, StoreError> {
        let mut record = JudgeRecord::default();
        let state = self.state()?;
        let jobs = state.jobs.iter().map(|stored| &stored.machine);
        let of_repo = jobs.filter(|job| job.repo.repo_id == repo);
        of_repo.filter_map(Job::judged_pull).for_each(|pull| record.add(pull, 1));
        Ok(record)
    }

    async fn open_jobs(&self, repo: Option<RepoId>) -> Result<Vec<Stored<Job>>, StoreError> {
        Ok(chosen(&self.state()?.jobs, |job| {
            job.is_live() && job.pull.is_some() && repo.is_none_or(|repo| job.repo.repo_id == repo)
        }))
    }

    async fn jobs_under_way(&self, repo: RepoId) -> Result<Vec<Stored<Job>>, StoreError> {
        Ok(chosen(&self.state()?.jobs, |job| {
            job.is_live() && job.pull.is_none() && job.repo.repo_id == repo
        }))
    }

    async fn release(&self, id: &ReleaseId) -> Result<Option<Stored<Release>>, StoreError> {
        Ok(find(&self.state()?.releases, id).cloned())
    }

    async fn open_releases(
        &self,
        repo: Option<RepoId>,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        Ok(chosen(&self.state()?.releases, |release| {
            !release.is_done() && repo.is_none_or(|repo| release.repo.repo_id == repo)
        }))
    }

    async fn release_of_pull(
        &self,
        repo: RepoId,
        pull: Number,
    ) -> Result<Option<Stored<Release>>, StoreError> {
        let mut of_pull = chosen(&self.state()?.releases, |release| {
            release.repo.repo_id == repo
                && release.pull.as_ref().is_some_and(|it| it.number == pull)
        });
        Ok(of_pull.pop())
    }

    async fn last_releases(
        &self,
        repo: RepoId,
        most: u32,
    ) -> Result<Vec<Stored<Release>>, StoreError> {
        let mut last = chosen(&self.state()?.releases, |release| release.repo.repo_id == repo);
        last.reverse();
        last.truncate(most as usize);
        Ok(last)
    }

    async fn release_log(&self, id: &ReleaseId) -> Result<Vec<LogLine>, StoreError> {
        Ok(self.state()?.log_of(id.as_str()))
    }

    async fn patch(&self, digest: &PatchDigest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state()?.patches.get(digest).cloned())
    }

    async fn spent(
        &self,
        payer: Payer,
        accounts: &Accounts,
        since: Timestamp,
    ) -> Result<Money, StoreError> {
        let state = self.state()?;
        let counts = |entry: &LedgerEntry| match payer {
            Payer::Repository => entry.accounts.repo_id == accounts.repo_id,
            Payer::Person => entry.accounts.person_id == accounts.person_id,
            Payer::Installation => entry.accounts.installation_id == accounts.installation_id,
        };
        let entries = state.ledger.iter().filter(|(at, entry)| *at >= since && counts(entry));
        Ok(Money::from_micros(entries.map(|(_, entry)| entry.micros).sum()))
    }

    async fn past_costs(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<Vec<Money>, StoreError> {
        let state = self.state()?;
        let mut sums: Vec<(JobId, i64)> = Vec::new();
        let of_repo = state.ledger.iter().rev().filter(|(at, _)| *at >= since);
        for (_, entry) in of_repo.filter(|(_, entry)| entry.accounts.repo_id == repo_id) {
            match sums.iter_mut().find(|(job, _)| *job == entry.job_id) {
                Some((_, sum)) => *sum += entry.micros,
                None => sums.push((entry.job_id.clone(), entry.micros)),
            }
        }
        let over = |id: &JobId| {
            state.jobs.iter().any(|job| job.machine.id == *id && !job.machine.is_live())
        };
        let cost = sums.into_iter().filter(|(id, sum)| *sum > 0 && over(id));
        Ok(cost.take(100).map(|(_, sum)| Money::from_micros(sum)).collect())
    }

    async fn merged_pulls(
        &self,
        repo_id: RepoId,
        since: Timestamp,
    ) -> Result<(u32, Money), StoreError> {
        let state = self.state()?;
        let over = |id: &JobId| {
            state.jobs.iter().map(|it| &it.machine).find(|job| job.id == *id && !job.is_live())
        };
        let booked = state.ledger.iter().filter(|(at, entry)| {
            *at >= since && entry.accounts.repo_id == repo_id && over(&entry.job_id).is_some()
        });
        let spent = booked.clone().map(|(_, entry)| entry.micros).sum();
        let merged = booked
            .filter_map(|(_, entry)| over(&entry.job_id))
            .filter(|job| matches!(job.stage.ending(), Some(JobEnding::Merged { .. })));
        let merged: BTreeSet<&str> = merged.map(|job| job.id.as_str()).collect();
        Ok((u32::try_from(merged.len()).unwrap_or(u32::MAX), Money::from_micros(spent)))
    }

    async fn check_results(
        &self,
        repo: RepoId,
        since: Timestamp,
        name: Option<&str>,
    ) -> Result<Vec<CheckResult>, StoreError> {
        let state = self.state()?;
        let asked = state.checks.iter().rev().filter(|it| {
            it.repo_id == repo && it.at >= since && name.is_none_or(|name| it.name == name)
        });
        let mut found: Vec<CheckResult> = asked.cloned().collect();
        found.sort_by_key(|it| std::cmp::Reverse(it.at));
        found.truncate(MOST_RESULTS);
        Ok(found)
    }

    async fn slack(&self, key: &str, now: Timestamp) -> Result<Option<SlackRecord>, StoreError> {
        let entry = self.state()?.slack.get(key).filter(|it| it.is_kept_at(now)).cloned();
        Ok(entry.and_then(|entry| entry.record))
    }

    async fn slack_threads(&self, repo: RepoId, number: Number) -> Result<Vec<String>, StoreError> {
        let state = self.state()?;
        let about = state.slack.values().filter(|it| it.subject == Some((repo, number)));
        Ok(about.map(|entry| entry.key.clone()).collect())
    }

    async fn known(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        let state = self.state()?;
        let known = |id: &&DeliveryId| state.deliveries.iter().any(|received| received.id == **id);
        Ok(ids.iter().filter(known).cloned().collect())
    }

    async fn log(&self, job: &JobId) -> Result<Vec<LogLine>, StoreError> {
        Ok(self.state()?.log_of(job.as_str()))
    }

    async fn bring_near(&self, now: Timestamp) -> Result<(), StoreError> {
        for queued in self.state()?.queue.values_mut() {
            queued.due = queued.due.min(now.plus_seconds(LONGEST_PAUSE_SECONDS));
            let until = queued.lease_until.map(|it| it.min(now.plus_seconds(LEASE_SECONDS)));
            queued.lease_until = until;
        }
        Ok(())
    }

    async fn swept(&self, sweep: Sweep, at: Timestamp) -> Result<(), StoreError> {
        self.state()?.swept.insert(sweep, at);
        Ok(())
    }

    async fn last_swept(&self, sweep: Sweep) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state()?.swept.get(&sweep).copied())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let state = self.state()?;
        let waiting = state.heads().filter(|(_, queued)| queued.lease_until.is_none());
        Ok(waiting.map(|(_, queued)| queued.due).min())
    }

    async fn queue_length(&self) -> Result<u64, StoreError> {
        Ok(self.state()?.queue.len() as u64)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state()?;
        let rows = |state: &State| {
            let kept = state.deliveries.len() + state.acts.len() + state.checks.len();
            (kept + state.slack.len()) as u64
        };
        let had = rows(&state);
        state.deliveries.retain(|received| received.at >= before);
        state.acts.retain(|_, at| *at >= before);
        state.checks.retain(|result| result.at >= before);
        state.slack.retain(|_, entry| entry.is_kept_at(before));
        Ok(had - rows(&state))
    }
}

fn relocated(known: &mut RepoRef, version: &mut i64, repo: &RepoRef) {
    if known.repo_id == repo.repo_id && known != repo {
        known.clone_from(repo);
        *version += 1;
    }
}

impl State {
    /// The first task of each lane.
    fn heads(&self) -> impl Iterator<Item = (i64, &Queued)> {
        let mut lanes: HashMap<&str, (i64, &Queued)> = HashMap::new();
        for (id, queued) in &self.queue {
            lanes.entry(&queued.lane).or_insert((*id, queued));
        }
        lanes.into_values()
    }

    fn held(&mut self, lease: &Lease) -> Result<&mut Queued, StoreError> {
        let queued = self.queue.get_mut(&lease.task).ok_or(StoreError::LeaseLost)?;
        match queued.fence == lease.fence && queued.lease_until.is_some() {
            true => Ok(queued),
            false => Err(StoreError::LeaseLost),
        }
    }

    /// Whose it is, if it takes a slot.
    fn repo_of(&self, task: &Task) -> Option<RepoId> {
        let about = task.about().filter(|_| task.takes_slot())?;
        let job = self.jobs.iter().map(|it| &it.machine).find(|it| it.id.as_str() == about);
        let release =
            || self.releases.iter().map(|it| &it.machine).find(|it| it.id.as_str() == about);
        job.map(|it| it.repo.repo_id).or_else(|| release().map(|it| it.repo.repo_id))
    }

    fn claim(&mut self, now: Timestamp, fits: impl Fn(&Task) -> bool) -> Option<Claim> {
        let ready = |queued: &Queued| queued.lease_until.unwrap_or(queued.due);
        let due = || self.heads().filter(|(_, it)| fits(&it.task) && ready(it) <= now);
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

    fn enqueue(&mut self, task: Task, due: Timestamp) {
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
    fn check(&mut self, lease: &Lease, commit: &Commit) -> Result<(), StoreError> {
        self.held(lease)?;
        if commit.once.as_ref().is_some_and(|key| self.acts.contains_key(key)) {
            return Err(StoreError::AlreadyDone);
        }
        commit.job.as_ref().map_or(Ok(()), |write| check(&self.jobs, write))?;
        commit.release.as_ref().map_or(Ok(()), |write| check(&self.releases, write))
    }

    /// Writes a commit that was checked.
    fn apply(&mut self, lease: &Lease, commit: &Commit, now: Timestamp) {
        let task = self.queue.remove(&lease.task).map(|queued| queued.task);
        self.acts.extend(commit.once.clone().map(|key| (key, now)));
        if let Some(job) = &commit.job {
            write(&mut self.jobs, job);
        }
        if let Some(release) = &commit.release {
            write(&mut self.releases, release);
        }
        for task in &commit.tasks {
            self.enqueue(task.clone(), now);
        }
        self.ledger.extend(commit.ledger.iter().map(|entry| (now, entry.clone())));
        self.patches.extend(commit.patch.clone());
        self.checks.extend(commit.check.clone());
        for entry in &commit.slack {
            match entry.record {
                Some(_) => self.slack.insert(entry.key.clone(), entry.clone()),
                None => self.slack.remove(&entry.key),
            };
        }
        if let Some(text) = &commit.log {
            let whose = commit.about().or_else(|| task.and_then(|task| task.about()));
            self.log.push((whose, LogLine { at: now, text: text.clone() }));
        }
    }

    fn log_of(&self, whose: &str) -> Vec<LogLine> {
        let lines = self.log.iter().filter(|(of, _)| of.as_deref() == Some(whose));
        lines.map(|(_, line)| line.clone()).collect()
    }
}

fn find<'a, M: Versioned>(rows: &'a [Stored<M>], id: &M::Id) -> Option<&'a Stored<M>> {
    rows.iter().find(|row| row.machine.id() == id)
}

fn chosen<M: Clone>(rows: &[Stored<M>], choose: impl Fn(&M) -> bool) -> Vec<Stored<M>> {
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

//! Everything in the memory of one process: for a job that nobody goes on with tomorrow.
//!
//! Invariants: a write is checked whole before anything changes, so that a refused one leaves
//! nothing behind. What is not there: nothing survives the process.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Accepted, Claim, Commit, JobQuery, KeptSince, LEASE_SECONDS, LONGEST_PAUSE_SECONDS, Lease,
    LedgerEntry, ListedJob, LogLine, LogPlace, NumberedLine, Store, StoreError, StoreFigures,
    Stored, WaitingTask,
};
use crate::core::audit::{AuditEntry, AuditHead, AuditRow};
use crate::core::budget::{Accounts, Money, Payer};
use crate::core::check_history::{CheckResult, MOST_RESULTS};
use crate::core::delivery::Delivery;
use crate::core::github::RepoRef;
use crate::core::id::{DeliveryId, JobId, Number, ReleaseId, RepoId, Timestamp};
use crate::core::job::{Job, JobEnding};
use crate::core::judgement::JudgeRecord;
use crate::core::machine::Machine;
use crate::core::patch::PatchDigest;
use crate::core::release::Release;
use crate::core::slack::SlackRecord;
use crate::core::task::{Sweep, Task};

mod operator;
mod state;

use state::{Received, State, chosen, find, relocated};

/// A store that is gone with its process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<State>);

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

    async fn list_jobs(&self, which: &JobQuery, most: u32) -> Result<Vec<ListedJob>, StoreError> {
        Ok(self.state()?.list_jobs(which, most))
    }

    async fn waiting(&self, lanes: &[String]) -> Result<Vec<WaitingTask>, StoreError> {
        Ok(self.state()?.waiting(lanes))
    }

    async fn log_lines(
        &self,
        from: LogPlace,
        job: Option<&JobId>,
    ) -> Result<Vec<NumberedLine>, StoreError> {
        Ok(self.state()?.log_lines(from, job))
    }

    async fn set_pause(
        &self,
        since: Option<Timestamp>,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut state = self.state()?;
        state.paused = since;
        state.record(std::slice::from_ref(audit), now);
        Ok(())
    }

    async fn paused(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state()?.paused)
    }

    async fn record(&self, entries: &[AuditEntry], now: Timestamp) -> Result<(), StoreError> {
        self.state()?.record(entries, now);
        Ok(())
    }

    async fn audit_rows(&self, after: i64, most: u32) -> Result<Vec<AuditRow>, StoreError> {
        let state = self.state()?;
        let rows = state.audit.iter().filter(|row| row.seq > after).take(most as usize);
        Ok(rows.cloned().collect())
    }

    async fn audit_head(&self) -> Result<AuditHead, StoreError> {
        Ok(self.state()?.audit_head())
    }

    async fn figures(&self, now: Timestamp, since: Timestamp) -> Result<StoreFigures, StoreError> {
        Ok(self.state()?.figures(now, since))
    }

    async fn repositories(&self) -> Result<Vec<RepoRef>, StoreError> {
        Ok(self.state()?.repositories())
    }

    async fn thin(&self, kept: &KeptSince) -> Result<u64, StoreError> {
        Ok(self.state()?.thin(kept))
    }

    async fn forget_repository(
        &self,
        repo: RepoId,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        self.state()?.forget_repository(repo, audit, now)
    }
}

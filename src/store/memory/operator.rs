//! What whoever runs the server asks of it.

use std::collections::BTreeMap;

use super::state::{Queued, State};
use crate::core::audit::AuditEntry;
use crate::core::budget::Money;
use crate::core::github::RepoRef;
use crate::core::id::{JobId, RepoId, Timestamp};
use crate::core::job::{Job, JobEnding};
use crate::core::machine::Machine;
use crate::store::{
    JobQuery, KeptSince, ListedJob, LogPlace, NumberedLine, StoreError, StoreFigures, WaitingTask,
};

impl State {
    fn updated(&self, job: &Job) -> Timestamp {
        self.updated.get(job.id.as_str()).copied().unwrap_or(job.order.at)
    }

    pub(super) fn list_jobs(&self, which: &JobQuery, most: u32) -> Vec<ListedJob> {
        let is_meant = |job: &Job| match which {
            JobQuery::NotOver => !job.is_done(),
            JobQuery::All => true,
            JobQuery::Named(name) => !name.is_empty() && job.id.as_str().starts_with(name),
        };
        let meant = self.jobs.iter().rev().filter(|stored| is_meant(&stored.machine));
        let listed = meant.map(|stored| {
            let since = self.updated(&stored.machine);
            ListedJob { stored: stored.clone(), since }
        });
        listed.take(most as usize).collect()
    }

    pub(super) fn waiting(&self, lanes: &[String]) -> Vec<WaitingTask> {
        let waits = |queued: &Queued| WaitingTask {
            task: queued.task.clone(),
            due: queued.due,
            tries: queued.tries,
            taken: queued.lease_until.is_some(),
            fault: None,
        };
        self.queue.values().filter(|it| lanes.contains(&it.lane)).map(waits).collect()
    }

    pub(super) fn log_lines(&self, from: LogPlace, job: Option<&JobId>) -> Vec<NumberedLine> {
        let of =
            |about: &Option<String>| job.is_none_or(|it| about.as_deref() == Some(it.as_str()));
        let numbered = (1..).zip(&self.log).filter(|(_, (about, _))| of(about));
        let mut lines: Vec<NumberedLine> = numbered
            .map(|(number, (about, line))| NumberedLine {
                number,
                about: about.clone(),
                line: line.clone(),
            })
            .collect();
        match from {
            LogPlace::After(number) => lines.retain(|line| line.number > number),
            LogPlace::Last(many) => drop(lines.drain(..lines.len().saturating_sub(many as usize))),
        }
        lines
    }

    pub(super) fn figures(&self, now: Timestamp, since: Timestamp) -> StoreFigures {
        let mut jobs: BTreeMap<&'static str, u64> = BTreeMap::new();
        for job in self.jobs.iter().map(|it| &it.machine).filter(|job| !job.is_done()) {
            *jobs.entry((&job.stage).into()).or_default() += 1;
        }
        let due = |it: &&Queued| it.lease_until.is_none() && it.due <= now;
        let count =
            |fits: &dyn Fn(&&Queued) -> bool| self.queue.values().filter(fits).count() as u64;
        let merged = self.jobs.iter().map(|it| &it.machine).filter(|job| {
            matches!(job.stage.ending(), Some(JobEnding::Merged { .. }))
                && self.updated(job) >= since
        });
        let spent = self.ledger.iter().filter(|(at, _)| *at >= since).map(|(_, it)| it.micros);
        StoreFigures {
            waiting: count(&due),
            taken: count(&|it| it.lease_until.is_some()),
            later: count(&|it| it.lease_until.is_none() && it.due > now),
            oldest_due: self.queue.values().filter(due).map(|it| it.due).min(),
            jobs: jobs.into_iter().map(|(stage, many)| (stage.to_owned(), many)).collect(),
            spent: Money::from_micros(spent.sum()),
            merged: merged.count() as u64,
        }
    }

    pub(super) fn repositories(&self) -> Vec<RepoRef> {
        let jobs = self.jobs.iter().map(|it| &it.machine.repo);
        let releases = self.releases.iter().map(|it| &it.machine.repo);
        let newest: BTreeMap<RepoId, &RepoRef> =
            jobs.chain(releases).map(|repo| (repo.repo_id, repo)).collect();
        newest.into_values().cloned().collect()
    }

    /// Removes these jobs with their logs, and patches that no other names.
    fn remove_jobs(&mut self, is_meant: impl Fn(&Self, &Job) -> bool) -> Vec<String> {
        let meant = self.jobs.iter().map(|it| &it.machine).filter(|job| is_meant(self, job));
        let ids: Vec<String> = meant.map(|job| job.id.to_string()).collect();
        let is_gone = |id: &str| ids.iter().any(|gone| gone == id);
        let gone: String = (self.jobs.iter())
            .filter(|it| is_gone(it.machine.id.as_str()))
            .map(|it| format!("{:?}", it.machine))
            .collect();
        self.jobs.retain(|it| !is_gone(it.machine.id.as_str()));
        self.log.retain(|(about, _)| !about.as_deref().is_some_and(is_gone));
        let stay: String = self.jobs.iter().map(|it| format!("{:?}", it.machine)).collect();
        let of = &self.patch_of;
        self.patches.retain(|digest, _| {
            let was_its = gone.contains(digest.as_str())
                || of.get(digest).is_some_and(|about| is_gone(about));
            !was_its || stay.contains(digest.as_str())
        });
        ids
    }

    pub(super) fn thin(&mut self, kept: &KeptSince) -> u64 {
        let mut removed = 0;
        if let Some(before) = kept.jobs {
            let busy = |state: &Self, job: &Job| {
                state.queue.values().any(|it| it.task.about().as_deref() == Some(job.id.as_str()))
            };
            let old = |state: &Self, job: &Job| {
                job.is_done() && state.updated(job) < before && !busy(state, job)
            };
            removed += self.remove_jobs(old).len() as u64;
        }
        if let Some(before) = kept.ledger {
            let had = self.ledger.len();
            self.ledger.retain(|(at, _)| *at >= before);
            removed += (had - self.ledger.len()) as u64;
        }
        removed
    }

    pub(super) fn forget_repository(
        &mut self,
        repo: RepoId,
        audit: &AuditEntry,
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let jobs = self.jobs.iter().map(|it| &it.machine);
        let releases = self.releases.iter().map(|it| &it.machine);
        if jobs.clone().any(|it| it.repo.repo_id == repo && !it.is_done())
            || releases.clone().any(|it| it.repo.repo_id == repo && !it.is_done())
        {
            return Err(StoreError::Conflict);
        }
        let gone = self.remove_jobs(|_, job| job.repo.repo_id == repo);
        let releases = self.releases.iter().map(|it| &it.machine);
        let releases: Vec<String> =
            releases.filter(|it| it.repo.repo_id == repo).map(|it| it.id.to_string()).collect();
        self.log.retain(|(about, _)| !about.as_ref().is_some_and(|it| releases.contains(it)));
        self.releases.retain(|it| it.machine.repo.repo_id != repo);
        self.ledger.retain(|(_, it)| it.accounts.repo_id != repo);
        self.checks.retain(|it| it.repo_id != repo);
        self.turns.remove(&repo);
        self.slack.retain(|_, it| !it.is_about(repo));
        let own = |text: &str, before: &str| text.starts_with(&format!("{before}{repo}/"));
        self.acts.retain(|key, _| !own(key, ""));
        self.queue.retain(|_, it| {
            let about = it.task.about().is_some_and(|about| gone.contains(&about));
            !about && !["subject:", "releases:", "reply:"].iter().any(|kind| own(&it.lane, kind))
        });
        for row in self.audit.iter_mut().filter(|row| row.repo == Some(repo)) {
            (row.repo, row.salt, row.body) = (None, None, None);
        }
        self.record(std::slice::from_ref(audit), now);
        Ok(gone)
    }
}

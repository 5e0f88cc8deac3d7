//! Runs of workflows: what started them, their jobs, what those wrote and what they keep.

use std::collections::BTreeMap;

use serde_json::Value;

#[derive(Clone)]
pub(crate) struct WorkflowRun {
    pub(crate) id: u64,
    /// The name of the workflow.
    pub(crate) name: String,
    /// The file of the workflow, as `.github/workflows/ci.yml`.
    pub(crate) path: String,
    /// What the list of runs shows: `run-name`, or what was pushed.
    pub(crate) title: String,
    /// What started it, as `push`.
    pub(crate) event: String,
    /// What happened, as the jobs see it; `null` when nobody runs them for real.
    pub(crate) payload: Value,
    /// What it was given by hand.
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) head_branch: Option<String>,
    pub(crate) head_sha: String,
    /// What it runs on, where that is not the head itself but its merge into the base.
    pub(crate) merge: Option<TestMerge>,
    pub(crate) number: u64,
    pub(crate) attempt: u64,
    pub(crate) actor: u64,
    pub(crate) suite: u64,
    /// `queued`, `in_progress` or `completed`.
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) created_at: i64,
    pub(crate) started_at: i64,
    pub(crate) updated_at: i64,
}

/// A pull request as it would be merged.
#[derive(Clone)]
pub(crate) struct TestMerge {
    pub(crate) pull: u64,
    pub(crate) commit: String,
    pub(crate) base_branch: String,
}

#[derive(Clone)]
pub(crate) struct Job {
    /// Also the number of its check run.
    pub(crate) id: u64,
    pub(crate) name: String,
    /// The attempt of its run that it belongs to, counted from 1.
    pub(crate) attempt: u64,
    /// The machine it asks for.
    pub(crate) runs_on: String,
    /// `queued`, `in_progress` or `completed`.
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) completed_at: Option<i64>,
    pub(crate) steps: Vec<JobStep>,
    pub(crate) log: String,
}

#[derive(Clone)]
pub(crate) struct JobStep {
    pub(crate) name: String,
    pub(crate) conclusion: String,
}

#[derive(Clone)]
pub(crate) struct Artifact {
    pub(crate) id: u64,
    pub(crate) run: u64,
    pub(crate) name: String,
    /// By path; permissions are not kept, as on GitHub.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// SHA-256 over all paths, sizes and contents, in hexadecimal.
    pub(crate) digest: String,
    pub(crate) created_at: i64,
}

impl Artifact {
    /// In bytes.
    pub(crate) fn size(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }
}

impl WorkflowRun {
    /// The commit whose files it sees.
    pub(crate) fn commit(&self) -> &str {
        self.merge.as_ref().map_or(&self.head_sha, |merge| &merge.commit)
    }

    /// The ref that it runs for, in full.
    pub(crate) fn reference(&self) -> String {
        match &self.merge {
            Some(merge) => format!("refs/pull/{}/merge", merge.pull),
            None => format!("refs/heads/{}", self.head_branch.as_deref().unwrap_or_default()),
        }
    }

    /// Its jobs without those that were run again since.
    pub(crate) fn latest_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| {
            let again = |other: &Job| other.name == job.name && other.attempt > job.attempt;
            !self.jobs.iter().any(again)
        })
    }

    /// How the run ended, as its jobs did; `None` while one of them has not.
    pub(crate) fn verdict(&self) -> Option<&'static str> {
        let ended =
            |word: &str| self.latest_jobs().any(|job| job.conclusion.as_deref() == Some(word));
        if self.latest_jobs().any(|job| job.status != "completed") {
            return None;
        }
        let worst = ["failure", "timed_out", "cancelled", "action_required"];
        let word = worst.into_iter().find(|word| ended(word));
        Some(word.unwrap_or(if ended("success") { "success" } else { "skipped" }))
    }
}

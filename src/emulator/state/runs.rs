//! Runs of workflows: what started them, their jobs, and what those wrote.

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
    pub(crate) head_branch: Option<String>,
    pub(crate) head_sha: String,
    pub(crate) number: u64,
    pub(crate) attempt: u64,
    pub(crate) actor: u64,
    pub(crate) suite: u64,
    pub(crate) jobs: Vec<Job>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

pub(crate) struct Job {
    /// Also the number of its check run.
    pub(crate) id: u64,
    pub(crate) name: String,
    /// `queued`, `in_progress` or `completed`.
    pub(crate) status: String,
    pub(crate) conclusion: Option<String>,
    pub(crate) started_at: i64,
    pub(crate) completed_at: Option<i64>,
    pub(crate) log: String,
}

impl WorkflowRun {
    /// Where the run is, and how it ended: as its jobs are and did.
    pub(crate) fn standing(&self) -> (&'static str, Option<&'static str>) {
        if self.jobs.iter().all(|job| job.status == "queued") {
            return ("queued", None);
        }
        if self.jobs.iter().any(|job| job.status != "completed") {
            return ("in_progress", None);
        }
        let ended =
            |word: &str| self.jobs.iter().any(|job| job.conclusion.as_deref() == Some(word));
        let worst = ["failure", "timed_out", "cancelled", "action_required"];
        let word = worst.into_iter().find(|word| ended(word));
        ("completed", Some(word.unwrap_or(if ended("success") { "success" } else { "skipped" })))
    }
}

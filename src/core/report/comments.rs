//! By what comments are known again, and how many a job has on one page.
//!
//! Invariants: the limit grows with the job's rounds alone, which have a limit of their own, and
//! never with what people do.

use crate::core::job::Job;

/// An invisible line that marks a comment as ours, so that it is found again and written once.
///
/// `part` is `status`, `announce` or a reply's key.
pub fn marker(job_or_act: &str, part: &str) -> String {
    format!("<!-- gander {part} {job_or_act} -->")
}

/// How every marker of a job ends.
pub fn end_of_markers(job: &Job) -> String {
    format!(" {} -->", job.id)
}

/// So many comments a job may have on one page: a few, and for each round its own and what is said
/// of it.
pub fn most_comments(job: &Job) -> usize {
    const BESIDE_ROUNDS: usize = 8;
    const PER_ROUND: usize = 3;
    let rounds = job.stage.round().unwrap_or(1) as usize;
    BESIDE_ROUNDS + PER_ROUND * rounds.max(job.review.pushed.len())
}

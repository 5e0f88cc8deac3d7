//! How much there is to review, in one line, and where to begin.
//!
//! Invariants: it follows from the change and from what was run; no model is asked.

use super::flags_of;
use crate::core::evidence::{GreenOutcome, VerifiedPatch};
use crate::core::job::Job;
use crate::core::text::{first_of, listed, visible};

/// From so many lines on a review takes its time.
const MANY_LINES: u32 = 120;
/// The same where no test shows what they are for.
const MANY_UNSHOWN: u32 = 30;
/// The same of files.
const MANY_FILES: u32 = 6;
/// So many files are named.
const NAMED: usize = 5;
/// So many characters of a path are shown.
const LONGEST: usize = 100;

/// What to expect of the review, and which files to read first.
pub(super) fn expected_review(job: &Job, patch: &VerifiedPatch) -> String {
    let Some(proposal) = job.proposal() else { return String::new() };
    let (files, added, removed) = proposal.size;
    let lines = added.saturating_add(removed);
    let shown = matches!(patch.outcome(), GreenOutcome::Proven);
    let flags = flags_of(job).len();
    let count = |count: u32, what: &str| match count {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    };
    let mut why = Vec::new();
    if lines > MANY_LINES {
        why.push(format!("{} change", count(lines, "line")));
    }
    if files > MANY_FILES {
        why.push(format!("{} change", count(files, "file")));
    }
    if flags > 0 {
        why.push(match flags {
            1 => "one thing needs a close look".to_owned(),
            many => format!("{many} things need a close look"),
        });
    }
    if !shown && lines > MANY_UNSHOWN {
        why.push("no test shows that it is needed".to_owned());
    }
    let size = format!("{} in {}", count(lines, "line"), count(files, "file"));
    let mut text = match (why.is_empty(), shown) {
        (false, _) => format!("**Expected review: long**, because {}.", listed(why)),
        (true, true) => format!("**Expected review: short**: {size}, and a test needs them."),
        (true, false) => format!("**Expected review: short**: {size}."),
    };
    if proposal.reading.len() > 1 {
        let named = proposal.reading.iter().map(|file| {
            let path = visible(&file.path).replace('`', "'");
            let path: String = path.chars().take(LONGEST).collect();
            format!("`{path}` +{} −{}", file.added, file.removed)
        });
        let named: Vec<String> = named.collect();
        text.push_str(&format!(" Read in this order: {}.", first_of(&named, NAMED).join(", ")));
    }
    text
}

//! The repository's own template in a pull request's text.
//!
//! Invariants: it comes before what Gander says of the change, which stays whole; no word of the
//! model is in it.

use crate::core::conventions::{KnownOfChange, fill};
use crate::core::evidence::{CheckKind, CheckOutcome, GreenOutcome, VerifiedPatch};
use crate::core::job::Job;
use crate::core::path::RepoPath;
use crate::core::text::inline;

/// The template, filled in with what is known of the change. Empty: there is none.
pub(super) fn section(job: &Job, patch: &VerifiedPatch) -> String {
    let conventions = job.conventions();
    let Some(template) = &conventions.template else { return String::new() };
    let checks = job.evidence().map(|evidence| &evidence.checks[..]).unwrap_or_default();
    let ran = checks.iter().filter(|check| {
        matches!(check.kind, CheckKind::Command) && matches!(check.outcome, CheckOutcome::Passed)
    });
    let commands: Vec<&str> = ran.map(|check| check.name.as_str()).collect();
    let paths = || patch.patch().changes.keys().map(RepoPath::as_str);
    let has_changelog = paths().any(|path| path.to_lowercase().starts_with("changelog"))
        || conventions.fragments.as_ref().is_some_and(|fragments| fragments.is_in(paths()));
    let title = inline(&job.order.issue.title, 120);
    let known = KnownOfChange {
        kind: job.order.kind,
        issue: job.subject.0,
        title: &title,
        tests_pass: !matches!(patch.outcome(), GreenOutcome::NothingRan),
        has_test: matches!(patch.outcome(), GreenOutcome::Proven),
        commands: &commands,
        signed_off: conventions.signature.is_some(),
        has_changelog,
    };
    let Some(filled) = fill(&template.text, &known) else { return String::new() };
    let left = match filled.left {
        0 => String::new(),
        1 => " One box is left for a person.".to_owned(),
        many => format!(" {many} boxes are left for a person."),
    };
    format!(
        "{}\n\n<sub>After `{}`. Gander ticks only what it knows to be true.{left}</sub>\n\n---\n\n",
        filled.text, template.path
    )
}

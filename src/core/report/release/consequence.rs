//! What becomes of a release pull request's head once it is approved, and where it goes.

use super::approve_flagged;
use crate::core::id::Sha;
use crate::core::policy::MergeOn;
use crate::core::release::{Release, VersionPlan};
use crate::core::text::listed;

/// ` on GitHub, crates.io and npm`; nothing where GitHub's own page is all.
pub(super) fn places(plan: &VersionPlan) -> String {
    if plan.targets.is_empty() {
        return String::new();
    }
    let all = std::iter::once("GitHub").chain(plan.targets.iter().map(|it| it.title()));
    format!(" on {}", listed(all))
}

/// What approving or merging this head does.
pub(super) fn consequence(
    release: &Release,
    plan: &VersionPlan,
    head: &Sha,
    prefix: &str,
) -> String {
    let (head, base, tag) = (head.short(), &release.base, &plan.tag);
    let places = places(plan);
    match plan.merge_on {
        MergeOn::Review if !plan.flagged.is_empty() => format!(
            "Commenting {}, or two approvals, merges it into `{base}` **and releases {tag}{places}**.",
            approve_flagged(head, prefix)
        ),
        MergeOn::Command if !plan.flagged.is_empty() => format!(
            "Commenting {} merges it into `{base}` **and releases {tag}{places}**.",
            approve_flagged(head, prefix)
        ),
        MergeOn::Review => {
            format!("Approving `{head}` merges it into `{base}` **and releases {tag}{places}**.")
        }
        MergeOn::Command => format!(
            "Commenting `{prefix} approve {head}` merges it into `{base}` **and releases {tag}{places}**."
        ),
        MergeOn::Never => format!(
            "Merging `{head}` into `{base}` is left to you, once it is approved. That **releases {tag}{places}**."
        ),
    }
}

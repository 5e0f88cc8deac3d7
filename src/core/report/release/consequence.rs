//! What becomes of a release pull request's head once it is approved.

use super::approve_flagged;
use crate::core::id::Sha;
use crate::core::policy::MergeOn;
use crate::core::release::{Release, VersionPlan};
use crate::core::text::listed;

/// What approving or merging this head does.
pub(super) fn consequence(
    release: &Release,
    plan: &VersionPlan,
    head: &Sha,
    prefix: &str,
) -> String {
    let (head, base, tag) = (head.short(), &release.base, &plan.tag);
    // Beside GitHub's own page, which is always one.
    let places = std::iter::once("GitHub").chain(plan.targets.iter().map(|it| it.title()));
    let places = match plan.targets.is_empty() {
        true => String::new(),
        false => format!(" on {}", listed(places)),
    };
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

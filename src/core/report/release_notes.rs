//! What stands on the page of a release.
//!
//! Invariants: the mark by which it is found again stands last; it says how its files are checked.

use std::fmt::Write as _;

use crate::core::id::{Branch, RepoName};
use crate::core::manifest::{BUNDLE_FILE, SUMS};
use crate::core::release_gate::ReleasePlan;
use crate::core::text::within;

/// So many characters of a changelog stand in a release. GitHub takes 125,000, and the mark and a
/// few words come with them.
const NOTES_CAP: usize = 120_000;

/// What speaks for the files of a release besides their digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attested {
    /// A signed statement stands beside them.
    Signed,
    /// GitHub knows attestations that something else made.
    Otherwise,
    /// Nothing.
    No,
}

/// Where a release is made.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct ReleasedFrom<'a> {
    pub repository: &'a RepoName,
    /// The default branch.
    pub branch: &'a Branch,
    /// Where people see GitHub.
    pub server: &'a str,
}

/// What stands in the release, its mark last.
pub fn release_notes(plan: &ReleasePlan, of: &ReleasedFrom<'_>, attested: Attested) -> String {
    let ReleasedFrom { repository, branch, server } = *of;
    let mut text = within(plan.notes().trim_end(), NOTES_CAP);
    if !plan.files().is_empty() {
        let provenance = match attested {
            Attested::Signed => {
                let branch = match branch.as_str() {
                    "main" => String::new(),
                    branch => format!(" --branch {branch}"),
                };
                let server = match server {
                    "https://github.com" => String::new(),
                    server => format!(" --server {server}"),
                };
                format!(
                    "Who approved them: `gander verify FILE --repo {repository}{branch}{server}` \
                     beside `{BUNDLE_FILE}`."
                )
            }
            Attested::Otherwise => {
                format!("Provenance: `gh attestation verify FILE --repo {repository}`.")
            }
            Attested::No => "There is no provenance attestation.".to_owned(),
        };
        let _ = write!(
            text,
            "\n\n---\n<sub>Check the files: `sha256sum -c {SUMS}`. {provenance}</sub>"
        );
    }
    let _ = write!(text, "\n\n{}\n", plan.mark().line());
    text
}

//! What a release says of how it came about: gathered, handed to be signed, put beside its files.
//!
//! Invariants: everything is asked of GitHub, but the text of commits and checks, which is said to
//! be theirs; a file that is there is kept where it says the same, and is a reason to stop where it
//! does not.

use std::path::Path;

use bytes::Bytes;

use super::{ActionError, files};
use crate::attestation::{AttestationBundle, LARGEST_BUNDLE};
use crate::core::github::RepoRef;
use crate::core::id::{Branch, Number};
use crate::core::manifest::{BUNDLE_FILE, STATEMENT_FILE, is_provenance};
use crate::core::provenance::{ReleaseStatement, StatedChange, StatedChanges};
use crate::core::report::CHECK_NAME;
use crate::core::text::without_numbers;
use crate::forge::{Forge, LastRelease, ListedCommit, ReleaseAnswer, requester_in};

/// So many of Gander's commits are named.
const MOST_CHANGES: usize = 50;
/// So much of a headline is kept, in characters.
const LONGEST_LINE: usize = 200;

/// What came in since the release before. `app` is the number of Gander's own App.
pub(super) async fn changes(
    forge: &Forge,
    repo: &RepoRef,
    last: Option<&LastRelease>,
    app: Option<u64>,
) -> Result<StatedChanges, ActionError> {
    let Some(last) = last else { return Ok(StatedChanges::default()) };
    let mut by_gander = Vec::new();
    for (commit, assisted_by) in last.commits.iter().filter_map(assisted).take(MOST_CHANGES) {
        let title = commit.commit.message.lines().next().unwrap_or_default();
        // The pull request's number is what GitHub puts last.
        let pull = without_numbers(title).1.first().copied().map(Number);
        let verified = match (pull, app) {
            (Some(pull), Some(app)) => verified(forge, repo, pull, app).await?,
            _ => None,
        };
        by_gander.push(StatedChange {
            commit: commit.sha.clone(),
            pull,
            requested_by: requester_in(&commit.commit.message),
            assisted_by: cut(assisted_by),
            verified,
        });
    }
    let (since, commits) = (Some(last.tag.clone()), last.commits.len());
    Ok(StatedChanges { since, commits, by_gander, flagged: Vec::new() })
}

/// A commit that says that Gander wrote it, and how it says so.
fn assisted(commit: &ListedCommit) -> Option<(&ListedCommit, &str)> {
    let mut lines = commit.commit.message.lines().rev();
    let says = lines.find_map(|line| line.strip_prefix("Assisted-by: "))?;
    says.starts_with("Gander ").then_some((commit, says))
}

/// What Gander's own check said of the head that was merged.
async fn verified(
    forge: &Forge,
    repo: &RepoRef,
    pull: Number,
    app: u64,
) -> Result<Option<String>, ActionError> {
    let Some(pull) = forge.release_pull(repo, pull).await? else { return Ok(None) };
    let headline = forge.check_headline(repo, &pull.head, (CHECK_NAME, app)).await?;
    Ok(headline.as_deref().map(cut))
}

fn cut(line: &str) -> String {
    line.chars().take(LONGEST_LINE).collect()
}

/// What stands beside the files of a release.
pub(super) struct ProvenanceFile {
    name: &'static str,
    content: String,
    statement: ReleaseStatement,
}

impl ProvenanceFile {
    /// The statement, or what GitHub signed of it.
    pub(super) fn of(
        statement: ReleaseStatement,
        bundle: Option<&Path>,
    ) -> Result<Self, ActionError> {
        let Some(path) = bundle else {
            let content = statement.text();
            return Ok(Self { name: STATEMENT_FILE, content, statement });
        };
        let shown = path.display();
        let unfit = |why: String| ActionError::Provenance(format!("bundle: {shown}: {why}"));
        let content = files::bounded(path, LARGEST_BUNDLE);
        let content = content.map_err(|error| unfit(error.to_string()))?;
        let bundle = AttestationBundle::read(&content).map_err(|bad| unfit(bad.to_string()))?;
        let signed =
            ReleaseStatement::parse(bundle.statement()).map_err(|bad| unfit(bad.to_string()))?;
        if !statement.says_the_same(&signed) {
            return Err(unfit(
                "it does not say what this job found. Let the same job make it, of what \
                 `only-check` said and of SHA256SUMS, or run it again if somebody approved \
                 meanwhile"
                    .to_owned(),
            ));
        }
        Ok(Self { name: BUNDLE_FILE, content, statement })
    }

    /// The default branch.
    pub(super) fn branch(&self) -> &Branch {
        &self.statement.predicate.repository.default_branch
    }

    /// Whether it is signed.
    pub(super) fn is_signed(&self) -> bool {
        self.name == BUNDLE_FILE
    }

    /// The name and content that a draft still lacks; what is there is of the same release.
    pub(super) async fn missing_in(
        &self,
        forge: &Forge,
        repo: &RepoRef,
        release: &ReleaseAnswer,
    ) -> Result<Option<(&str, &str)>, ActionError> {
        let there = forge.release_seen(repo, release.id).await?;
        if !there.draft {
            return Ok(None);
        }
        let mut is_there = false;
        for asset in there.assets.iter().filter(|asset| is_provenance(&asset.name)) {
            is_there |= asset.name == self.name;
            let content = match asset.by_workflow && asset.whole {
                true => forge.asset(repo, asset.id).await?.unwrap_or_default(),
                false => Bytes::new(),
            };
            if !self.agrees(&asset.name, &content) {
                return Err(ActionError::Provenance(format!(
                    "the draft has a file {} that no try of this workflow left there whole, or that \
                     is of another release: look who put it there, remove it, and run this job again",
                    asset.name
                )));
            }
        }
        Ok((!is_there).then_some((self.name, self.content.as_str())))
    }

    /// Whether a file that is there is of this release. It may be of a try before this one, which
    /// was judged by the terms and approvals of its time.
    fn agrees(&self, name: &str, content: &[u8]) -> bool {
        let there = if name == STATEMENT_FILE {
            ReleaseStatement::parse(content).ok()
        } else {
            let bundle = AttestationBundle::read(&String::from_utf8_lossy(content)).ok();
            bundle.and_then(|bundle| ReleaseStatement::parse(bundle.statement()).ok())
        };
        there.is_some_and(|there| self.statement.is_of_the_same(&there))
    }
}

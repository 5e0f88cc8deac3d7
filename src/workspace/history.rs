//! The history of a branch, read in the mirror.
//!
//! Invariants: the commits asked about are here with all that leads to them.

use super::mirror::{LOCAL_LIMIT, Mirror, MirrorError, sha_of};
use crate::core::id::Sha;

/// A commit of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryCommit {
    /// Those before it, the branch's own first.
    pub parents: Vec<Sha>,
    /// Its message, without line ends behind it.
    pub message: String,
}

impl Mirror {
    /// A commit and those before it by their first parents, so many, newest first.
    ///
    /// # Errors
    /// When git fails, or its answer makes no sense.
    pub async fn first_parents(
        &self,
        commit: &Sha,
        most: usize,
    ) -> Result<Vec<HistoryCommit>, MirrorError> {
        let most = format!("-{most}");
        let arguments = ["log", "-z", "--first-parent", "--format=%P%n%B", &*most, commit.as_str()];
        let log = self.git.ask("read the history of a branch", LOCAL_LIMIT, &arguments).await?.1;
        let log = String::from_utf8_lossy(&log).into_owned();
        let read = |entry: &str| {
            let (parents, message) = entry.split_once('\n')?;
            let parents = parents.split_whitespace().map(|sha| sha.parse().ok());
            let message = message.trim_end().to_owned();
            Some(HistoryCommit { parents: parents.collect::<Option<_>>()?, message })
        };
        let entries = log.split('\0').filter(|entry| !entry.is_empty());
        let found: Option<Vec<_>> = entries.map(read).collect();
        found.ok_or(MirrorError::Damaged("a history makes no sense"))
    }

    /// The commits after `since` up to `to` that change a wanted path in a directory, oldest first,
    /// each with its message. Merges are not among them.
    ///
    /// # Errors
    /// When git fails, or its answer makes no sense.
    pub async fn touching(
        &self,
        (since, to): (Option<&Sha>, &Sha),
        directory: &str,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<(Sha, String)>, MirrorError> {
        let mut arguments: Vec<String> =
            ["log", "-z", "--format=commit %H%n%B%x00", "--name-only", "--no-renames", "--reverse"]
                .map(str::to_owned)
                .into();
        arguments.extend(["--full-history", "--no-merges", to.as_str()].map(str::to_owned));
        arguments.extend(since.map(|since| format!("^{since}")));
        arguments.push("--".to_owned());
        arguments.extend((!directory.is_empty()).then(|| directory.to_owned()));
        let doing = "find the commits that change a directory";
        let log = self.git.ask(doing, LOCAL_LIMIT, &arguments).await?.1;
        let (mut found, mut at) = (Vec::new(), None);
        for entry in log.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            let entry = entry.trim_start_matches('\n');
            // A path may begin so, too, and hold a line end.
            let commit = entry.strip_prefix("commit ").and_then(|rest| rest.split_once('\n'));
            let commit = commit.and_then(|(sha, message)| {
                Some((sha_of(sha.as_bytes()).ok()?, message.trim_end().to_owned()))
            });
            match commit {
                Some(commit) => at = Some(commit),
                None if !entry.is_empty() && is_wanted(entry) => found.extend(at.take()),
                None => {}
            }
        }
        Ok(found)
    }
}

//! Two commits merged as data: in the mirror, where there are no files.
//!
//! Invariants: git's own merge decides, by the history of both; nothing of either side configures
//! it or is run; a file in conflict holds both sides between marks that name the two commits.

use std::collections::BTreeMap;
use std::time::Duration;

use super::between::Between;
use super::diff::{BaseFiles, lines_of};
use super::mirror::{LOCAL_LIMIT, Mirror, MirrorError, sha_of};
use crate::core::id::Sha;
use crate::core::patch::{Change, Patch, is_binary};
use crate::core::path::RepoPath;

/// So long a merge may take.
const MERGING: Duration = Duration::from_secs(300);
/// So many commits of a side are told for one file.
const MOST_COMMITS: &str = "-10";

/// What came of merging one commit into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MergeResult {
    /// The one holds the other already.
    UpToDate,
    /// They share no commit.
    Unrelated,
    /// Directories are in conflict, and no file.
    Directories,
    /// A tree.
    Tree(MergedTree),
}

/// The files of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergedTree {
    /// Its tree.
    pub tree: Sha,
    /// The best commit that both come from.
    pub origin: Sha,
    /// The paths that are in conflict, as git names them.
    pub conflicts: Vec<Vec<u8>>,
    /// What git says of each conflict, for people and models.
    pub messages: Vec<String>,
}

impl Mirror {
    /// Merges `from` into `into`. Both must be here with all of their history.
    ///
    /// # Errors
    /// When git fails, or its answer makes no sense.
    pub async fn merge(&self, into: &Sha, from: &Sha) -> Result<MergeResult, MirrorError> {
        let arguments = ["merge-base", into.as_str(), from.as_str()];
        let (related, origin) =
            self.git.ask("find what two commits come from", LOCAL_LIMIT, &arguments).await?;
        if !related {
            return Ok(MergeResult::Unrelated);
        }
        let first = origin.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let origin = sha_of(first)?;
        if origin == *from {
            return Ok(MergeResult::UpToDate);
        }
        let arguments = [
            "-c",
            "merge.conflictStyle=diff3",
            "merge-tree",
            "--write-tree",
            "--messages",
            "--name-only",
            "-z",
            into.as_str(),
            from.as_str(),
        ];
        let (clean, answer) = self.git.ask("merge two commits", MERGING, &arguments).await?;
        let (tree, conflicts, messages) =
            read_answer(&answer).ok_or(MirrorError::Damaged("a merge makes no sense"))?;
        // Directories that were renamed can be in conflict without any file.
        if !clean && conflicts.is_empty() {
            return Ok(MergeResult::Directories);
        }
        Ok(MergeResult::Tree(MergedTree { tree: sha_of(tree)?, origin, conflicts, messages }))
    }

    /// Whether one commit is part of the other's history. Both must be here with all of theirs.
    ///
    /// # Errors
    /// When git fails.
    pub async fn is_ancestor(&self, one: &Sha, of: &Sha) -> Result<bool, MirrorError> {
        let arguments = ["merge-base", "--is-ancestor", one.as_str(), of.as_str()];
        Ok(self
            .git
            .ask("look whether a commit is part of a branch", LOCAL_LIMIT, &arguments)
            .await?
            .0)
    }

    /// Takes back on `onto` what came in between `before` and `commit`, which is part of it.
    ///
    /// # Errors
    /// When git fails, or its answer makes no sense.
    pub async fn merge_reverse(
        &self,
        onto: &Sha,
        commit: &Sha,
        before: &Sha,
    ) -> Result<MergeResult, MirrorError> {
        // The files as they were, as a step that follows the commit: so both come from it.
        let tree = format!("{before}^{{tree}}");
        let arguments = [
            "-c",
            "user.name=gander",
            "-c",
            "user.email=gander@localhost",
            "commit-tree",
            &*tree,
            "-p",
            commit.as_str(),
            "-m",
            "back",
        ];
        let made = self.git.ask("make the reverse patch", LOCAL_LIMIT, &arguments).await?.1;
        let made = sha_of(made.trim_ascii())?;
        self.merge(onto, &made).await
    }

    /// The first lines of the newest commits since `origin` that touch a path, newest first.
    ///
    /// # Errors
    /// When git fails.
    pub async fn commits_since(
        &self,
        origin: &Sha,
        side: &Sha,
        path: &RepoPath,
    ) -> Result<Vec<String>, MirrorError> {
        let range = format!("{origin}..{side}");
        let arguments =
            ["log", "--no-merges", "--format=%h %s", MOST_COMMITS, &*range, "--", path.as_str()];
        let log = self.git.ask("read the log of a file", LOCAL_LIMIT, &arguments).await?.1;
        Ok(String::from_utf8_lossy(&log).lines().map(str::to_owned).collect())
    }
}

/// The tree, the names in conflict, and git's words about those.
type MergeAnswer<'a> = (&'a [u8], Vec<Vec<u8>>, Vec<String>);

fn read_answer(answer: &[u8]) -> Option<MergeAnswer<'_>> {
    let mut parts = answer.split(|byte| *byte == 0);
    let tree = parts.next()?;
    let conflicts = parts.by_ref().take_while(|name| !name.is_empty()).map(<[u8]>::to_vec);
    let conflicts: Vec<_> = conflicts.collect();
    let mut messages = Vec::new();
    while let Some(count) = parts.next().filter(|count| !count.is_empty()) {
        let count: usize = std::str::from_utf8(count).ok()?.parse().ok()?;
        let kind = parts.nth(count)?;
        let words = String::from_utf8_lossy(parts.next()?);
        if kind.starts_with(b"CONFLICT") {
            messages.push(words.trim().to_owned());
        }
    }
    Some((tree, conflicts, messages))
}

/// How often each line stands somewhere. Lines are compared without the space around them; empty
/// ones are left out.
type Lines<'a> = BTreeMap<&'a [u8], i64>;

/// The lines that are more often (above 0) or less often there after a change than before.
fn balance<'a>(patch: &'a Patch, before: &'a BaseFiles) -> Lines<'a> {
    let mut lines = Lines::new();
    for (path, change) in &patch.changes {
        if let Some(file) = before.get(path) {
            count(&mut lines, &file.content, -1);
        }
        if let Change::Write { content, .. } = change {
            count(&mut lines, content, 1);
        }
    }
    lines
}

fn count<'a>(lines: &mut Lines<'a>, text: &'a [u8], by: i64) {
    if is_binary(text) {
        return;
    }
    for line in lines_of(text) {
        let line = line.trim_ascii();
        if !line.is_empty() {
            *lines.entry(line).or_default() += by;
        }
    }
}

/// What a merge, as somebody made it, lost of the side that was merged in.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LostLines {
    /// Lines that this side brought and that nobody contested.
    pub uncontested: Vec<String>,
    /// Lines of it in what was in conflict: whoever resolved that may have been right.
    pub contested: Vec<String>,
}

/// What `change`, made on the commit that was merged in, lost of that. `theirs` and `ours` are what
/// both sides changed since they parted; `laid` is the merge with its marks, also as a change on
/// that commit, and the paths in conflict.
pub fn lost_lines(
    change: (&Patch, &BaseFiles),
    theirs: &Between,
    ours: &Between,
    laid: (&Patch, &[Vec<u8>]),
    marks: (&Sha, &Sha),
) -> LostLines {
    let now = balance(change.0, change.1);
    let (brought, dropped) =
        (balance(&theirs.patch, &theirs.base), balance(&ours.patch, &ours.base));
    let in_conflict = lines_in_conflict(laid, theirs, marks);
    let mut lost = LostLines::default();
    for (line, count) in now.iter().filter(|(_, count)| **count < 0) {
        let gone = -count + dropped.get(line).copied().unwrap_or_default().min(0);
        let gone = gone.min(brought.get(line).copied().unwrap_or_default());
        let contested = in_conflict.get(line).copied().unwrap_or_default();
        let shown = || String::from_utf8_lossy(line).into_owned();
        if gone > contested {
            lost.uncontested.push(shown());
        } else if gone > 0 {
            lost.contested.push(shown());
        }
    }
    lost
}

/// The lines of the merged-in side between marks, and those of files that are in conflict as a
/// whole.
fn lines_in_conflict<'a>(
    (laid, conflicts): (&'a Patch, &[Vec<u8>]),
    theirs: &'a Between,
    marks: (&Sha, &Sha),
) -> Lines<'a> {
    let mut lines = Lines::new();
    for path in conflicts.iter().filter_map(|path| RepoPath::from_bytes(path).ok()) {
        // What this side left in the tree as it is, since the other deletes it, is no change.
        let change = laid.changes.get(&path).or_else(|| theirs.patch.changes.get(&path));
        let Some(Change::Write { content, .. }) = change else { continue };
        let theirs = theirs_between_marks(content, marks);
        match theirs.is_empty() {
            true => count(&mut lines, content, 1),
            false => theirs.into_iter().for_each(|line| count(&mut lines, line, 1)),
        }
    }
    lines
}

/// The line that a mark of ours begins with.
fn mark(sign: &str, commit: &Sha) -> Vec<u8> {
    format!("{sign} {commit}").into_bytes()
}

fn theirs_between_marks<'a>(text: &'a [u8], (ours, theirs): (&Sha, &Sha)) -> Vec<&'a [u8]> {
    let (begins, ends) = (mark("<<<<<<<", ours), mark(">>>>>>>", theirs));
    let (mut inside, mut after) = (false, false);
    let mut lines = Vec::new();
    for line in lines_of(text) {
        if line.starts_with(&begins) {
            (inside, after) = (true, false);
        } else if line.starts_with(&ends) {
            inside = false;
        } else if inside && line.trim_ascii_end() == b"=======" {
            after = true;
        } else if inside && after {
            lines.push(line);
        }
    }
    lines
}

/// The files of a change in which marks of ours are left.
pub fn unresolved<'a>(patch: &'a Patch, ours: &Sha, theirs: &Sha) -> Vec<&'a RepoPath> {
    let marks = [mark("<<<<<<<", ours), mark(">>>>>>>", theirs)];
    let has_mark = |content: &[u8]| {
        lines_of(content).iter().any(|line| marks.iter().any(|mark| line.starts_with(mark)))
    };
    let files = patch.changes.iter().filter(|(_, change)| match change {
        Change::Write { content, .. } => has_mark(content),
        Change::Delete { .. } => false,
    });
    files.map(|(path, _)| path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;
    use crate::workspace::diff::BaseFile;
    use crate::workspace::mirror::EntryMode;

    fn sha(letter: &str) -> Sha {
        letter.repeat(40).parse().unwrap()
    }

    /// A file that changes from one text to another.
    fn change(before: &str, after: &str) -> Between {
        let path: RepoPath = "count.sh".parse().unwrap();
        let content = after.as_bytes().to_vec();
        let write = Change::Write { mode: FileMode::File, content, replaces: None };
        let file = BaseFile { mode: EntryMode::File, content: before.as_bytes().to_vec() };
        let mut change = Between::default();
        change.patch.changes.insert(path.clone(), write);
        change.base.insert(path, file);
        change
    }

    /// Both sides change the last line, and the base brings one more.
    fn lost(made: &str) -> LostLines {
        let (origin, base) = ("a\nb\nold\n", "a\nnew here\nb\ntheirs\n");
        let marked = format!(
            "a\nnew here\nb\n<<<<<<< {}\nours\n||||||| 123\nold\n=======\ntheirs\n>>>>>>> {}\n",
            sha("a"),
            sha("b")
        );
        let (theirs, ours) = (change(origin, base), change(origin, "a\nb\nours\n"));
        let laid = change(base, &marked);
        let conflicts = [b"count.sh".to_vec()];
        let made = change(base, made);
        let (a, b) = (sha("a"), sha("b"));
        lost_lines((&made.patch, &made.base), &theirs, &ours, (&laid.patch, &conflicts), (&a, &b))
    }

    #[test]
    fn what_the_base_brought_is_missed_where_nobody_contested_it() {
        assert_eq!(lost("a\nnew here\nb\nours\ntheirs\n"), LostLines::default());
        assert_eq!(lost("a\nnew here\nb\nours\n").contested, ["theirs"]);
        assert_eq!(lost("a\nb\nours\ntheirs\n").uncontested, ["new here"]);
        assert_eq!(lost("b\nnew here\na\nours and theirs\n").uncontested, [] as [&str; 0]);
    }
}

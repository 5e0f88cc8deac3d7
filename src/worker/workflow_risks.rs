//! The workflows of a commit, and what they would have on a push of ours.

use super::WorkError;
use crate::core::id::{Branch, Sha};
use crate::core::text::inline;
use crate::publish;
use crate::workspace::mirror::{EntryMode, Mirror, MirrorError, TreeEntry};

/// A workflow larger than this is not read, and so counts as risky; so do those that are too many.
const LARGEST_WORKFLOW: u64 = 256 * 1024;
const MOST_WORKFLOWS: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// What speaks against pushing `branch`, with a pull request into `base`, by the workflows of a
/// commit and its files, without `own`. A line for each, for people.
///
/// # Errors
/// When the mirror cannot be read.
pub fn workflow_risks_of(
    mirror: &Mirror,
    (commit, entries): (&Sha, &[TreeEntry]),
    (branch, base): (&Branch, &Branch),
    own: Option<&str>,
) -> Result<Vec<String>, WorkError> {
    let WorkflowFiles { read, unread } = workflows_in(mirror, commit, entries)?;
    let others = read.iter().filter(|(path, _)| Some(path.as_str()) != own);
    let workflows: Vec<(&str, &[u8])> =
        others.map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    let found = publish::scan::risks(&workflows, branch, base);
    Ok(found.iter().map(ToString::to_string).chain(unread).collect())
}

/// A commit's workflows, and a line for each that is not read.
#[derive(Default)]
struct WorkflowFiles {
    read: Vec<(String, Vec<u8>)>,
    unread: Vec<String>,
}

fn workflows_in(
    mirror: &Mirror,
    commit: &Sha,
    entries: &[TreeEntry],
) -> Result<WorkflowFiles, WorkError> {
    let WorkflowFiles { mut read, mut unread } = WorkflowFiles::default();
    let mut room = MOST_BYTES;
    for entry in entries {
        let path = String::from_utf8_lossy(&entry.path).into_owned();
        let is_file = matches!(entry.mode, EntryMode::File | EntryMode::Executable);
        let is_yaml = path.ends_with(".yml") || path.ends_with(".yaml");
        if !(is_file && is_yaml && path.starts_with(publish::scan::WORKFLOWS)) {
            continue;
        }
        let Ok(name) = path.parse() else {
            unread.push(format!("{}: its name cannot be read", inline(&path, 100)));
            continue;
        };
        if room == 0 || read.len() == MOST_WORKFLOWS {
            unread.push(format!("{path} and those after it: there are too many to read them all"));
            break;
        }
        match mirror.read_file(commit, &name, LARGEST_WORKFLOW) {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                room = room.saturating_sub(bytes.len());
                read.push((path, bytes));
            }
            Err(MirrorError::TooLarge { .. }) => {
                unread.push(format!("{path}: too large to be read"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(WorkflowFiles { read, unread })
}

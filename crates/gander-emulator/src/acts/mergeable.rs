//! Whether a pull request can be merged.
//!
//! Invariants: nothing moves; the commit that is made lies on no branch.

use super::{Seal, web_flow, write_commit};
use crate::Trouble;
use crate::state::State;

/// Works out whether a pull request can be merged, as GitHub does after the first look: from then
/// on it names the commit that merging would make.
pub(crate) fn try_merge(state: &mut State, repository: u64, number: u64) -> Result<(), Trouble> {
    let known = state.repository(repository)?;
    let issue = state.issue(repository, number)?;
    let pull = state.pull(repository, number)?;
    if !issue.open || pull.mergeability_asked {
        return Ok(());
    }
    let git = &known.git;
    let base = known.refs.get(&format!("refs/heads/{}", pull.base_branch)).cloned();
    let base = base.unwrap_or_else(|| pull.base_sha.clone());
    let test = match git.merged_tree(&base, &pull.head_sha) {
        None => None,
        Some(tree) => {
            let (web, head) = (web_flow(state), pull.head_sha.clone());
            let text = format!("Merge {head} into {base}");
            Some(write_commit(git, &tree, &[base, head], (&web, &web), &text, Seal::WebFlow)?)
        }
    };
    let pull = state.pull_mut(repository, number)?;
    (pull.mergeability_asked, pull.test_merge) = (true, test);
    Ok(())
}

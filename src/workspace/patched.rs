//! What a commit becomes with a patch that a person has.
//!
//! Invariants: git works on our mirror and on nothing of the person's; the patch is a file that it
//! reads.

use std::ffi::OsStr;
use std::path::Path;

use super::git::Peer;
use super::mirror::{LOCAL_LIMIT, Mirror, MirrorError, sha_of};
use crate::core::id::Sha;

/// The tree that a commit becomes with a patch, as `git diff` writes it. It takes the mirror's
/// index, so it is for a mirror that nobody else uses.
///
/// # Errors
/// When the patch does not apply.
pub async fn patched(mirror: &Mirror, commit: &Sha, patch: &Path) -> Result<Sha, MirrorError> {
    let _lock = mirror.locked().await?;
    let git = &mirror.git;
    let read = ["read-tree", commit.as_str()];
    git.run("read the commit", Peer::Nobody, LOCAL_LIMIT, &read).await?;
    let apply = ["apply", "--cached", "--whitespace=nowarn", "--"].map(OsStr::new);
    let apply = [&apply[..], &[patch.as_os_str()]].concat();
    git.run("apply the patch", Peer::Nobody, LOCAL_LIMIT, &apply).await?;
    let doing = "write what the commit becomes";
    sha_of(&git.run(doing, Peer::Nobody, LOCAL_LIMIT, &["write-tree"]).await?)
}

//! Repositories on this machine: the mirror, the exported tree and the change read back from it.
//!
//! Invariants: no git process ever touches a tree that an agent or its commands can write. Files
//! come from the mirror's object database; a change comes back by walking files, as data.

mod apply;
pub mod attributes;
pub mod base;
pub mod between;
mod binary;
mod blob_hash;
pub mod builds;
mod changes;
pub mod confined;
mod copy;
pub mod diff;
mod git;
pub mod history;
mod ignored;
pub mod kept;
pub mod merge;
pub mod mirror;
pub mod old_mirrors;
pub mod origins;
pub mod patch;
pub mod patched;
pub mod patience;
pub mod remove;
mod room;
pub mod scratch;
mod source;
pub mod suggestions;
pub mod texts;
pub mod tree;
mod tree_entry;

pub use changes::{Changes, READING};
pub use git::GitError;

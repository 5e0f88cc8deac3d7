//! The agent: what the model may do with the files of its workspace.

pub mod edit;
pub mod files;
pub mod nearest;

//! What a model gives a tool, read; and what it is told when it cannot be used.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolFault;
use super::files::FileError;
use crate::core::path::RepoPath;

pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolFault> {
    serde_json::from_value(arguments)
        .map_err(|error| ToolFault::ForModel(format!("The arguments cannot be used: {error}.")))
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn told(refusal: FileError) -> ToolFault {
    ToolFault::ForModel(refusal.to_string())
}

/// `""`, `"."` and `"/"` are the top.
pub(super) fn directory(path: &str) -> Result<Option<RepoPath>, ToolFault> {
    let path = path.trim().trim_start_matches("./").trim_end_matches('/');
    if matches!(path, "" | ".") { Ok(None) } else { repo_path(path).map(Some) }
}

pub(super) fn repo_path(path: &str) -> Result<RepoPath, ToolFault> {
    path.trim_start_matches("./").parse().map_err(|problem| {
        ToolFault::ForModel(format!(
            "{path:?} cannot be used: {problem}. Paths are relative to the top, such as `src/main.rs`."
        ))
    })
}

//! What a model gives a tool, read; and what it is told when it cannot be used.
//!
//! Invariants: a path below the top of the tree means the same in every tool, be it relative or
//! absolute as commands see it; no other absolute path means anything.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ToolFault;
use super::files::FileError;
use crate::core::path::{PathError, RepoPath};

pub(super) fn parse<T: DeserializeOwned>(arguments: Value) -> Result<T, ToolFault> {
    serde_json::from_value(arguments)
        .map_err(|error| ToolFault::ForModel(format!("The arguments cannot be used: {error}.")))
}

#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn told(refusal: FileError) -> ToolFault {
    ToolFault::ForModel(refusal.to_string())
}

/// `""`, `"."` and `"/"` are the top, and so is the absolute path where commands see it.
pub(super) fn directory(path: &str, top: Option<&Path>) -> Result<Option<RepoPath>, ToolFault> {
    let path = path.trim();
    let bare = relative(path, top).trim_end_matches('/');
    if matches!(bare, "" | ".") {
        return Ok(None);
    }
    repo_path(path.trim_end_matches('/'), top).map(Some)
}

/// A path in the tree. `top` is where commands see the tree.
pub(super) fn repo_path(path: &str, top: Option<&Path>) -> Result<RepoPath, ToolFault> {
    relative(path, top).parse().map_err(|problem: PathError| {
        let why = match (problem, top) {
            (PathError::Absolute, Some(top)) => {
                format!("it is absolute and not below {}, the top of the tree", top.display())
            }
            _ => problem.to_string(),
        };
        ToolFault::ForModel(format!(
            "{path:?} cannot be used: {why}. Paths are relative to the top, such as `src/main.rs`."
        ))
    })
}

fn relative<'p>(path: &'p str, top: Option<&Path>) -> &'p str {
    let below = top
        .and_then(Path::to_str)
        .and_then(|top| path.strip_prefix(top.trim_end_matches('/')))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    below.map_or(path, |rest| rest.trim_start_matches('/')).trim_start_matches("./")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<T: std::fmt::Debug>(result: Result<T, ToolFault>) -> String {
        match result {
            Err(ToolFault::ForModel(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_absolute_path_below_the_top_is_the_relative_one_and_no_other_is() {
        let top = Some(Path::new("/work"));
        for same in
            ["src/a.rs", "./src/a.rs", "/work/src/a.rs", "/work//src/a.rs", "/work/./src/a.rs"]
        {
            assert_eq!(repo_path(same, top).unwrap().as_str(), "src/a.rs", "{same}");
        }
        for at_the_top in ["", ".", "./", "/", "/work", "/work/", "/work/."] {
            assert_eq!(directory(at_the_top, top).unwrap(), None, "{at_the_top}");
        }
        assert_eq!(directory("/work/src/", top).unwrap().unwrap().as_str(), "src");
        for other in ["/etc/passwd", "/workspace/a.rs", "/works", "/src/a.rs"] {
            let words = words(repo_path(other, top));
            assert!(words.contains("not below /work"), "{words}");
            assert!(words.contains("relative to the top, such as `src/main.rs`"), "{words}");
        }
        assert!(words(repo_path("/work/../etc/passwd", top)).contains("`..`"));
        assert!(words(repo_path("/work/src/a.rs", None)).contains("absolute"));
    }
}

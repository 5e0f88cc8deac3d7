//! Packages of npm.

use std::collections::BTreeMap;

use super::{FetchPlan, PACKAGES, PlannedCommand};

pub(super) const LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];
/// A package that comes by git brings settings of its own, which name a program.
pub(super) const NO_GIT: (&str, &str) = ("npm_config_git", "/bin/false");

/// `.npmrc` is left out: it could name another registry. What many projects have it for, packages
/// that do not agree on their peers, is a second try.
pub(super) fn plan(
    mut files: BTreeMap<String, Vec<u8>>,
    paths: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<FetchPlan> {
    let lock = LOCKS.into_iter().find(|lock| paths.contains(lock));
    let (from, mut words) = match lock {
        Some(lock) => {
            files.insert(lock.to_owned(), read(lock)?.into_bytes());
            (lock, vec!["npm", "ci"])
        }
        None => (super::PACKAGE, vec!["npm", "install", "--no-package-lock"]),
    };
    words.extend(["--ignore-scripts", "--no-audit", "--no-fund"]);
    let cache = format!("{PACKAGES}/npm/cache");
    Some(FetchPlan {
        manager: "npm",
        from: vec![from.to_owned()],
        files,
        fetch: vec![
            PlannedCommand::new(&words, &[("npm_config_cache", &cache), NO_GIT])
                .or_with("--legacy-peer-deps"),
        ],
        build: vec![PlannedCommand::new(&["rm", "-rf", &cache], &[])],
        env: Vec::new(),
        programs: None,
    })
}

//! Packages of npm.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FetchPlan, PACKAGES, PlannedCommand};

const LOCKS: [&str; 2] = ["package-lock.json", "npm-shrinkwrap.json"];
/// Locks of other package managers, which know better what they mean.
const FOREIGN_LOCKS: [&str; 3] = ["yarn.lock", "pnpm-lock.yaml", "bun.lock"];
const DEPENDENCIES: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

/// What is fetched for an npm project, if it has dependencies.
///
/// `.npmrc` is left out: it could name another registry. What many projects have it for, packages
/// that do not agree on their peers, is a second try.
pub(super) fn plan(paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<FetchPlan> {
    let foreign = FOREIGN_LOCKS.iter().any(|lock| paths.contains(lock));
    let lock = LOCKS.into_iter().find(|lock| paths.contains(lock));
    if !paths.contains(&"package.json") || foreign && lock.is_none() {
        return None;
    }
    let mut files = BTreeMap::new();
    let mut has_dependencies = false;
    for path in paths {
        let mut parts = path.rsplit('/');
        if parts.next() != Some("package.json") || parts.any(|part| part == "node_modules") {
            continue;
        }
        let text = read(path)?;
        if let Ok(package) = serde_json::from_str::<Value>(&text) {
            let some = |key: &&str| {
                package.get(*key).and_then(Value::as_object).is_some_and(|all| !all.is_empty())
            };
            has_dependencies |= DEPENDENCIES.iter().any(some);
        }
        files.insert((*path).to_owned(), text.into_bytes());
    }
    if !has_dependencies {
        return None;
    }
    let (from, mut words) = match lock {
        Some(lock) => {
            files.insert(lock.to_owned(), read(lock)?.into_bytes());
            (lock, vec!["npm", "ci"])
        }
        None => ("package.json", vec!["npm", "install", "--no-package-lock"]),
    };
    words.extend(["--ignore-scripts", "--no-audit", "--no-fund"]);
    let cache = format!("{PACKAGES}/npm");
    Some(FetchPlan {
        manager: "npm",
        from: vec![from.to_owned()],
        files,
        fetch: vec![
            PlannedCommand::new(&words, &[("npm_config_cache", &cache)])
                .or_with("--legacy-peer-deps"),
        ],
        build: Vec::new(),
        env: Vec::new(),
        programs: None,
    })
}

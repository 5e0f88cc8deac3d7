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
            // A package that comes by git brings settings of its own, which name a program.
            PlannedCommand::new(
                &words,
                &[("npm_config_cache", &cache), ("npm_config_git", "/bin/false")],
            )
            .or_with("--legacy-peer-deps"),
        ],
        build: Vec::new(),
        env: Vec::new(),
        programs: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(files: &[(&str, &str)]) -> Option<FetchPlan> {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        plan(&paths, &|path| Some(files.iter().find(|it| it.0 == path)?.1.to_owned()))
    }

    const NEEDS: (&str, &str) = ("package.json", r#"{"devDependencies": {"mocha": "1"}}"#);

    #[test]
    fn npm_runs_no_script_and_reads_no_settings_of_the_repository() {
        let plan = planned(&[
            NEEDS,
            ("package-lock.json", "{}"),
            (".npmrc", "registry=https://evil.example\n"),
            ("packages/a/package.json", "{}"),
            ("packages/a/.npmrc", "registry=https://evil.example\n"),
            ("node_modules/b/package.json", "{}"),
            ("index.js", "evil()"),
        ])
        .unwrap();
        assert_eq!(plan.fetch[0].words[..3], ["npm", "ci", "--ignore-scripts"]);
        let found: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(found, ["package-lock.json", "package.json", "packages/a/package.json"]);
        let unlocked = planned(&[NEEDS]).unwrap();
        let words = ["npm", "install", "--no-package-lock", "--ignore-scripts"];
        assert_eq!(unlocked.fetch[0].words[..4], words);
    }

    #[test]
    fn what_another_package_manager_locked_is_not_resolved_anew() {
        assert_eq!(planned(&[NEEDS, ("yarn.lock", "")]), None);
        assert_eq!(planned(&[NEEDS, ("pnpm-lock.yaml", "")]), None);
        assert!(planned(&[NEEDS, ("yarn.lock", ""), ("package-lock.json", "{}")]).is_some());
        assert_eq!(planned(&[("package.json", "{\"dependencies\": {}}")]), None);
    }
}

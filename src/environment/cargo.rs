//! Packages of cargo.

use std::collections::BTreeMap;

use super::{FetchPlan, PACKAGES, PlannedCommand};

/// What is fetched for a cargo project, if it has dependencies.
///
/// `.cargo/config.toml` is left out: it could name another registry. So are sources, of which cargo
/// only asks whether they are there.
pub(super) fn plan(paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<FetchPlan> {
    if !paths.contains(&"Cargo.toml") {
        return None;
    }
    let mut files = BTreeMap::new();
    let mut has_dependencies = false;
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == "Cargo.toml" {
            let text = read(path)?;
            has_dependencies |= text.contains("dependencies");
            files.insert((*path).to_owned(), text.into_bytes());
        } else if name.ends_with(".rs") {
            files.insert((*path).to_owned(), Vec::new());
        }
    }
    if !has_dependencies {
        return None;
    }
    let home = format!("{PACKAGES}/cargo");
    let (mut from, mut words) = (vec!["Cargo.toml".to_owned()], vec!["cargo", "fetch"]);
    if let Some(lock) = read("Cargo.lock") {
        // Every package that comes from elsewhere has a source.
        if !lock.contains("\nsource = ") {
            return None;
        }
        files.insert("Cargo.lock".to_owned(), lock.into_bytes());
        from = vec!["Cargo.lock".to_owned()];
        words.push("--locked");
    }
    Some(FetchPlan {
        manager: "cargo",
        from,
        files,
        fetch: vec![PlannedCommand::new(&words, &[])],
        build: Vec::new(),
        env: vec![("CARGO_HOME".to_owned(), home)],
        programs: None,
    })
}

//! Packages of cargo.

use std::collections::BTreeMap;

use super::{FetchPlan, PACKAGES, PlannedCommand};

pub(super) const MANIFESTS: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

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
    let mut from = vec!["Cargo.toml".to_owned()];
    let mut fetch = PlannedCommand::new(&["cargo", "fetch"], &[]);
    if let Some(lock) = read("Cargo.lock") {
        // Every package that comes from elsewhere has a source.
        if !lock.contains("\nsource = ") {
            return None;
        }
        files.insert("Cargo.lock".to_owned(), lock.into_bytes());
        from = vec!["Cargo.lock".to_owned()];
        // A change can name a package that is to be locked yet: with it at hand, that can be done.
        fetch = PlannedCommand::new(&["cargo", "fetch", "--locked"], &[]).or_else(fetch);
    }
    Some(FetchPlan {
        manager: "cargo",
        from,
        files,
        fetch: vec![fetch],
        build: Vec::new(),
        env: vec![("CARGO_HOME".to_owned(), home)],
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

    const NEEDS: (&str, &str) = ("Cargo.toml", "[package]\n[dependencies]\nitoa = \"1\"\n");

    #[test]
    fn cargo_finds_manifests_and_names_of_sources_and_nothing_that_redirects_it() {
        let plan = planned(&[
            NEEDS,
            ("src/lib.rs", "pub fn secret() {}"),
            ("build.rs", "fn main() {}"),
            (".cargo/config.toml", "[source.crates-io]\nreplace-with = \"evil\"\n"),
            ("rust-toolchain.toml", "[toolchain]\npath = \"evil\"\n"),
            ("a/Cargo.toml", "[package]\n"),
        ])
        .unwrap();
        assert_eq!(plan.fetch[0].words, ["cargo", "fetch"]);
        let found: Vec<(&str, usize)> =
            plan.files.iter().map(|(path, content)| (&**path, content.len())).collect();
        let manifest = NEEDS.1.len();
        let expected =
            [("Cargo.toml", manifest), ("a/Cargo.toml", 10), ("build.rs", 0), ("src/lib.rs", 0)];
        assert_eq!(found, expected);
        assert!(plan.build.is_empty(), "no code runs");
    }

    #[test]
    fn a_lock_file_is_kept_to_and_where_nothing_comes_from_elsewhere_nothing_is_fetched() {
        let source = "[[package]]\nname = \"itoa\"\nsource = \"registry+x\"\n";
        let locked = planned(&[NEEDS, ("Cargo.lock", source)]).unwrap();
        assert_eq!(locked.fetch[0].words, ["cargo", "fetch", "--locked"]);
        assert_eq!(locked.from, ["Cargo.lock"]);
        assert_eq!(planned(&[NEEDS, ("Cargo.lock", "[[package]]\nname = \"x\"\n")]), None);
        assert_eq!(planned(&[("Cargo.toml", "[package]\n")]), None);
        assert_eq!(planned(&[("a/Cargo.toml", NEEDS.1)]), None, "none at the top");
    }
}

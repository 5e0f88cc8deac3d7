//! Packages of yarn, version 1 and the versions after it.

use std::collections::BTreeMap;

use super::{FetchPlan, FetchedProgram, PlannedCommand};

pub(super) const LOCK: &str = "yarn.lock";
/// How the names of patches end that packages are changed with.
pub(super) const PATCH: &str = ".patch";
/// One and the same, by another name.
const OWN_REGISTRY: &str = "https://registry.yarnpkg.com/";
const REGISTRY: &str = "https://registry.npmjs.org/";
const PATCHES: &str = ".yarn/patches/";

/// Whether version 1 wrote this lockfile.
pub(super) fn is_classic(lock: &str) -> bool {
    !lock.lines().any(|line| line.starts_with("__metadata:"))
}

/// `.yarnrc` and `.npmrc` are left out: they could name another registry, or a program.
pub(super) fn classic(
    mut files: BTreeMap<String, Vec<u8>>,
    version: Option<String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<FetchPlan> {
    let tool =
        FetchedProgram::new("yarn", &format!("yarn@{}", version.unwrap_or_else(|| "1".to_owned())));
    let (program, cache) = (tool.program("yarn"), format!("{}/cache", tool.home));
    let mut words = vec![&*program, "install", "--ignore-scripts", "--non-interactive"];
    words.extend(["--no-progress", "--cache-folder", &cache, "--ignore-engines"]);
    words.extend(["--registry", REGISTRY]);
    let from = from(&mut files, read);
    if let Some(lock) = files.get_mut(LOCK) {
        // Its own name of npm's registry stands in each line.
        let text = String::from_utf8_lossy(lock).replace(OWN_REGISTRY, REGISTRY);
        *lock = text.into_bytes();
        words.push("--frozen-lockfile");
    } else {
        words.push("--pure-lockfile");
    }
    Some(FetchPlan {
        manager: "yarn",
        from: vec![from.to_owned()],
        files,
        fetch: vec![tool.install.clone(), PlannedCommand::new(&words, &[])],
        build: vec![tool.clear(&["cache", "npm"])],
        env: Vec::new(),
        programs: Some(tool.programs()),
    })
}

/// `.yarnrc.yml` and plugins are left out: they could name another registry, or a program. Packages
/// are put into `node_modules`, whatever the project's own way is: nothing but them is shown later.
pub(super) fn berry(
    mut files: BTreeMap<String, Vec<u8>>,
    version: Option<String>,
    paths: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<FetchPlan, String> {
    let version = version.unwrap_or_else(|| "4".to_owned());
    let tool = FetchedProgram::new("yarn", &format!("@yarnpkg/cli-dist@{version}"));
    let from = from(&mut files, read);
    if from != LOCK {
        return Err("this version of yarn is only asked with a `yarn.lock`: commit it".to_owned());
    }
    if let Some((path, _)) = files.iter().find(|(_, content)| has_generator(content)) {
        return Err(format!(
            "{path} names a package that a program makes (`exec:`). Nothing of a repository runs \
             while packages are fetched, so they are not: make it otherwise, or install all \
             packages on Gander's machine and run it with `registries = []` under `[fetch]`"
        ));
    }
    for path in paths.iter().filter(|path| path.starts_with(PATCHES) && path.ends_with(PATCH)) {
        files.extend(read(path).map(|patch| ((*path).to_owned(), patch.into_bytes())));
    }
    let env = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let always = vec![
        env("YARN_ENABLE_GLOBAL_CACHE", "0"),
        env("YARN_ENABLE_SCRIPTS", "0"),
        env("YARN_ENABLE_TELEMETRY", "0"),
        env("YARN_IGNORE_PATH", "1"),
        env("YARN_NODE_LINKER", "node-modules"),
    ];
    let cache = format!("{}/cache", tool.home);
    let mut fetch = PlannedCommand::new(
        &[&tool.program("yarn"), "install"],
        &[
            ("YARN_CACHE_FOLDER", &cache),
            ("YARN_NPM_REGISTRY_SERVER", REGISTRY.trim_end_matches('/')),
            // Settings that are left out can change what is locked.
            ("YARN_ENABLE_IMMUTABLE_INSTALLS", "0"),
        ],
    );
    fetch.env.extend(always.clone());
    Ok(FetchPlan {
        manager: "yarn",
        from: vec![from.to_owned()],
        files,
        fetch: vec![tool.install.clone(), fetch],
        build: vec![tool.clear(&["cache", "npm"])],
        env: always,
        programs: Some(tool.programs()),
    })
}

/// Whether a manifest or lock file speaks of yarn's protocol of generators, in whatever spelling.
fn has_generator(content: &[u8]) -> bool {
    let text = String::from_utf8_lossy(content).to_ascii_lowercase();
    // A key of a lock file, such as `cross-exec:`, has a space behind it.
    let is_value = |(at, sign): (usize, &str)| {
        text[at + sign.len()..].chars().next().is_some_and(|next| !next.is_whitespace())
    };
    // Yarn reads escapes in a lock file, and writes none.
    text.match_indices("exec:").any(is_value)
        || ["exec%3a", "\\x", "\\u"].iter().any(|sign| text.contains(sign))
}

fn from(
    files: &mut BTreeMap<String, Vec<u8>>,
    read: &dyn Fn(&str) -> Option<String>,
) -> &'static str {
    let Some(lock) = read(LOCK) else { return super::PACKAGE };
    files.insert(LOCK.to_owned(), lock.into_bytes());
    LOCK
}

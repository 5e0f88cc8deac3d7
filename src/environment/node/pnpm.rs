//! Packages of pnpm.

use std::collections::BTreeMap;

use super::npm::NO_GIT;
use super::{FetchPlan, FetchedProgram, PlannedCommand};

pub(super) const LOCK: &str = "pnpm-lock.yaml";
pub(super) const WORKSPACE: &str = "pnpm-workspace.yaml";

/// What of its settings says which packages there are. Others name registries, proxies or programs.
const SETTINGS: [&str; 7] = [
    "packages",
    "catalog",
    "catalogs",
    "overrides",
    "packageExtensions",
    "linkWorkspacePackages",
    "autoInstallPeers",
];
/// The version that writes a format of the lockfile, where the project names none.
const VERSIONS: [(&str, &str); 4] = [("5.3", "6"), ("5.4", "7"), ("6.", "8"), ("9.", "9")];

/// The settings of its workspace are cut down, those of npm and hooks are left out.
pub(super) fn plan(
    mut files: BTreeMap<String, Vec<u8>>,
    version: Option<String>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<FetchPlan> {
    let lock = read(LOCK);
    let format = lock.as_deref().and_then(|lock| {
        let line = lock.lines().find_map(|line| line.strip_prefix("lockfileVersion:"))?;
        Some(line.trim().trim_matches(['\'', '"']).to_owned())
    });
    let version = version.unwrap_or_else(|| {
        let of = |format: &str| VERSIONS.iter().find(|(start, _)| format.starts_with(start));
        format.as_deref().and_then(of).map_or("9", |(_, version)| version).to_owned()
    });
    let tool = FetchedProgram::new("pnpm", &format!("pnpm@{version}"));
    let program = tool.program("pnpm");
    let store = format!("--config.store-dir={}/store", tool.home);
    let mut words = vec![&*program, "install", "--ignore-scripts", "--ignore-pnpmfile"];
    words.extend([&store, "--config.package-import-method=copy", "--reporter=append-only"]);
    let from = match lock {
        Some(lock) => {
            files.insert(LOCK.to_owned(), lock.into_bytes());
            words.push("--frozen-lockfile");
            LOCK
        }
        None => super::PACKAGE,
    };
    if let Some(text) = read(WORKSPACE) {
        files.insert(WORKSPACE.to_owned(), settings(&text).into_bytes());
    }
    Some(FetchPlan {
        manager: "pnpm",
        from: vec![from.to_owned()],
        files,
        fetch: vec![
            tool.install.clone(),
            // Without hooks and patches, what is asked for can differ from what is locked.
            PlannedCommand::new(&words, &[NO_GIT]).or_with("--no-frozen-lockfile"),
        ],
        build: vec![tool.clear(&["store", "npm"])],
        env: vec![
            // It would fetch the version that the project names, which it is.
            ("npm_config_manage_package_manager_versions".to_owned(), "false".to_owned()),
            ("npm_config_verify_deps_before_run".to_owned(), "false".to_owned()),
        ],
        programs: Some(tool.programs()),
    })
}

/// The blocks of a file that begin with one of these names at the start of a line. What is written
/// otherwise is left out.
fn settings(yaml: &str) -> String {
    let mut kept = String::new();
    let mut wanted = false;
    for line in yaml.lines() {
        if line.starts_with(|first: char| !first.is_whitespace() && first != '#' && first != '-') {
            wanted = SETTINGS.contains(&line.split(':').next().unwrap_or_default());
        }
        if wanted {
            kept.extend([line, "\n"]);
        }
    }
    kept
}

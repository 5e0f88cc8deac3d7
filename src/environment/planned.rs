//! What has to be fetched for a commit, worked out from its manifests.
//!
//! Invariants: manifests are anybody's text, so they are read on a thread that serves nobody else;
//! of a commit that has more of them than can be its own, none is believed, and people are told.

use std::cell::Cell;
use std::sync::Arc;

use super::store::{KeptEnvironment, MadeBy};
use super::toolchains::{self, ChosenToolchains};
use super::{
    CommitFiles, Environment, EnvironmentError, Environments, FetchPlan, ReadFile, blocking, cargo,
    go, node, python,
};
use crate::core::path::RepoPath;

/// So many manifests and lockfiles are read for one commit, and so many bytes of them.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: usize = 16 << 20;

/// What one package manager has to do.
pub(super) struct Planned {
    pub(super) plan: Arc<FetchPlan>,
    /// Where that is kept.
    pub(super) kept: KeptEnvironment,
    /// What is kept there already.
    pub(super) there: Option<Environment>,
}

/// What a commit asks for.
pub(super) struct PlannedEnvironment {
    pub(super) toolchains: ChosenToolchains,
    pub(super) fetched: Vec<Planned>,
}

/// For all package managers that a commit asks for, if anything may be fetched.
///
/// # Errors
/// [`EnvironmentError::Failed`] where it asks for too much.
pub(super) async fn of(
    environments: &Environments,
    commit: &CommitFiles<'_>,
    sandbox: &'static str,
) -> Result<PlannedEnvironment, EnvironmentError> {
    let name = commit.name.to_owned();
    let (paths, read) = (Arc::clone(&commit.paths), Arc::clone(&commit.read));
    let environments = environments.clone();
    let planning = move || {
        let toolchains = toolchains::choose(&environments.installed, &*read);
        if !environments.fetch() {
            return Ok(PlannedEnvironment { toolchains, fetched: Vec::new() });
        }
        let has_python = paths.iter().any(|path| path.ends_with(".py"));
        let asked_in = toolchains.python_asked_in.filter(|_| has_python);
        let plans = plans(&paths, &read, asked_in)?;
        let kept = |plan: FetchPlan| {
            // What code of a commit had a hand in is that commit's alone.
            let of_commit = plan.build.iter().any(|step| step.on_sources);
            let owner = if of_commit { &*name } else { "" };
            let made_by = MadeBy { owner, sandbox, toolchains: &toolchains.directories };
            let kept = KeptEnvironment::of(&environments.directory, &plan, &made_by);
            Planned { plan: Arc::new(plan), there: kept.read(), kept }
        };
        let fetched = plans.into_iter().map(kept).collect();
        Ok(PlannedEnvironment { toolchains, fetched })
    };
    blocking(planning).await?.map_err(EnvironmentError::Failed)
}

fn plans(
    paths: &[String],
    read: &ReadFile,
    python_asked_in: Option<&str>,
) -> Result<Vec<FetchPlan>, String> {
    // A tree may hold names that lead out of it.
    let plain = |path: &&str| path.parse::<RepoPath>().is_ok();
    let paths: Vec<&str> = paths.iter().map(String::as_str).filter(plain).collect();
    let (files, bytes) = (Cell::new(0), Cell::new(0));
    let is_too_much = || files.get() > MOST_FILES || bytes.get() > MOST_BYTES;
    let bounded = |path: &str| {
        files.set(files.get() + 1);
        let text = if is_too_much() { None } else { read(path) }?;
        bytes.set(bytes.get() + text.len());
        (!is_too_much()).then_some(text)
    };
    let of_python = python::plan(&paths, &bounded, python_asked_in);
    let plans = [
        cargo::plan(&paths, &bounded),
        go::plan(&paths, &bounded),
        node::plan(&paths, &bounded)?,
        of_python?,
    ];
    if is_too_much() {
        return Err(format!(
            "the packages of this commit could not be worked out: its manifests and lockfiles \
             (`Cargo.toml`, `package.json`, requirements files and the like) are more than \
             {MOST_FILES} or have more than {} MiB. Take those out of the repository that are not \
             its own, such as copies and examples, or have nothing fetched: `registries = []` \
             under `[fetch]` in Gander's settings",
            MOST_BYTES >> 20
        ));
    }
    Ok(plans.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(files: usize, content: &str) -> Result<usize, String> {
        let mut paths: Vec<String> = (1..files).map(|i| format!("m{i}/Cargo.toml")).collect();
        paths.push("Cargo.toml".to_owned());
        let content = content.to_owned();
        let read: ReadFile = Arc::new(move |path| path.ends_with(".toml").then(|| content.clone()));
        plans(&paths, &read, None).map(|plans| plans[0].files.values().map(Vec::len).sum())
    }

    #[test]
    fn a_commit_with_manifests_without_end_is_told_so_and_they_are_not_kept_in_memory() {
        let one = format!("[dependencies]\n# {}", "x".repeat(1 << 20));
        for (files, content) in [(400, &*one), (5_000, "[dependencies]\n")] {
            let why = planned(files, content).unwrap_err();
            assert!(why.contains("more than 2000 or have more than 16 MiB"), "{why}");
            assert!(why.contains("registries = []"), "{why}");
        }
        assert_eq!(planned(1_000, "[dependencies]\n"), Ok(15_000));
    }
}

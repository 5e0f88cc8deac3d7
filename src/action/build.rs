//! *build*: what is released, made from the checked-out commit.
//!
//! Invariants: the checkout is the commit that was asked for; every file is bound by name, size and
//! SHA-256 to this commit, run and attempt; nothing that two files could mean is taken.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

use super::commands::{self, Purpose, SourcePosition};
use super::{ActionEnd, ActionError, ActionReport, Checkout, Log, files, leftovers};
use crate::core::bill_of_materials::{BILL_FILE, belongs, bill_of_materials};
use crate::core::changelog::latest;
use crate::core::github::RepoRef;
use crate::core::manifest::{Artifact, BuildManifest, Digest, FileName, MANIFEST, SUMS};
use crate::core::policy::{RULES_PATH, ReleaseRules, ReleaseScope, ScopeError, ScopedRules};
use crate::core::release_gate::ReleaseRequest;
use crate::core::report::publication::{RanResult, built_summary, ran_summary};

/// Builds the release of a checkout into `directory`.
///
/// # Errors
/// When there is nothing that could be released, or it could not be tried.
pub async fn build(
    checkout: Checkout<'_>,
    directory: &Path,
    repository: &RepoRef,
    (asked, package): (&ReleaseRequest, Option<&str>),
    log: Log<'_>,
) -> Result<ActionReport, ActionError> {
    let tree = checkout.tree;
    is_checked_out(tree, asked)?;
    let rules = files::rules(tree)?;
    let ScopedRules { scope, rules: release, .. } = scoped(&rules.release, package)?;
    let (version, tag) = version_and_tag(tree, &scope, &release)?;
    let time = Duration::from_secs(u64::from(rules.verify.minutes) * 60);
    let repo = SourcePosition { checkout, time, python: None, purpose: Purpose::Build };
    let mut all = Vec::new();
    for line in &release.build {
        let (ran, points) = commands::run(&repo, line, log).await?;
        points.iter().for_each(|point| log(&point.command()));
        let passed = ran.result != RanResult::Failed;
        all.push(ran);
        if !passed {
            let summary = ran_summary("Build", &all);
            return Ok(ActionReport { end: ActionEnd::Failed, summary, outputs: Vec::new() });
        }
    }
    // Nothing changes the files while they are taken.
    leftovers::end().await.map_err(ActionError::Leftovers)?;
    let mut files = collect(tree, directory, &release.artifacts)?;
    if release.sbom {
        let name = scope.package.as_deref().unwrap_or(repository.name.name());
        files.push(list_packages(tree, directory, (name, &version), &files)?);
        files.sort();
    }
    let manifest = BuildManifest {
        repository_id: repository.repo_id,
        commit: asked.commit.clone(),
        pull: asked.pull,
        release_id: asked.release_id,
        run: asked.run,
        tag,
        files,
    };
    let text = serde_json::to_string_pretty(&manifest)
        .map_err(|bad| ActionError::Manifest(bad.to_string()))?
        + "\n";
    files::write(directory, SUMS, &manifest.sums())?;
    files::write(directory, MANIFEST, &text)?;
    let outputs = vec![
        ("tag", manifest.tag.clone()),
        ("manifest", Digest::of(text.as_bytes()).to_string()),
        ("directory", directory.display().to_string()),
        ("files", manifest.files.len().to_string()),
    ];
    Ok(ActionReport { end: ActionEnd::Done, summary: built_summary(&manifest), outputs })
}

/// Git is not asked: its settings in a checkout could run anything.
fn is_checked_out(tree: &Path, asked: &ReleaseRequest) -> Result<(), ActionError> {
    const HEAD: &str = ".git/HEAD";
    let head = files::text(tree, HEAD).map_err(|error| files::unreadable(HEAD, &error))?;
    if head.trim() == asked.commit.as_str() {
        return Ok(());
    }
    Err(ActionError::Checkout(format!(
        "the checkout is not at {}: give actions/checkout the commit itself as `ref`, not a branch",
        asked.commit
    )))
}

/// What is built. `publish` asks GitHub whether that is what was approved.
fn scoped(rules: &ReleaseRules, package: Option<&str>) -> Result<ScopedRules, ActionError> {
    rules.of_package(package).map_err(|ScopeError { said, known }| {
        let what = match said {
            Some(said) => format!("`[[release.packages]]` names no package {said}"),
            None => "there are several packages with versions of their own".to_owned(),
        };
        let next = match known.is_empty() {
            true => "leave the input `package` out".to_owned(),
            false => format!("say which as the input `package`: {}", known.join(", ")),
        };
        ActionError::Rules(format!("{RULES_PATH}: {what}: {next}"))
    })
}

fn version_and_tag(
    tree: &Path,
    scope: &ReleaseScope,
    release: &ReleaseRules,
) -> Result<(String, String), ActionError> {
    let path = scope.changelog();
    let text = files::text(tree, &path).map_err(|error| files::unreadable(&path, &error))?;
    let section = latest(&text).ok_or_else(|| {
        ActionError::Checkout(format!(
            "{path} has no section with a version: its newest, as `## 1.2.0`, names the \
             release"
        ))
    })?;
    let tag = release.tag_of(&section.version).ok_or_else(|| {
        ActionError::Rules(format!("{RULES_PATH}: `[release] tag` does not make a tag"))
    })?;
    Ok((section.version, tag))
}

/// Lists what the lockfiles of a checkout pin, as a file of the release.
fn list_packages(
    tree: &Path,
    directory: &Path,
    release: (&str, &str),
    taken: &[Artifact],
) -> Result<Artifact, ActionError> {
    const KEY: &str = "`[release] sbom`";
    let name_of_file: FileName =
        BILL_FILE.parse().map_err(|bad| ActionError::Artifact(format!("{bad}")))?;
    if taken.iter().any(|file| file.name.folded() == name_of_file.folded()) {
        let words = format!("{KEY} makes a file {BILL_FILE}, and the build made one as well");
        return Err(ActionError::Artifact(words));
    }
    let mut lockfiles = Vec::new();
    for path in files::paths(tree)?.into_iter().filter(|path| belongs(path)) {
        let text = files::text(tree, &path).map_err(|error| files::unreadable(&path, &error))?;
        lockfiles.push((path, text));
    }
    if lockfiles.is_empty() {
        return Err(ActionError::Artifact(format!(
            "{KEY} lists the packages that lockfiles pin, and the checkout has none: commit one, or \
             leave the key out"
        )));
    }
    let text = bill_of_materials(release, &lockfiles);
    let text = text.map_err(|bad| ActionError::Artifact(format!("{KEY}: {bad}")))?;
    files::write(directory, BILL_FILE, &text)?;
    let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
    Ok(Artifact { name: name_of_file, size, sha256: Digest::of(text.as_bytes()) })
}

/// Copies what the patterns name, flat, into an empty directory.
fn collect(
    tree: &Path,
    directory: &Path,
    patterns: &[String],
) -> Result<Vec<Artifact>, ActionError> {
    let failed = |error| ActionError::Disk(directory.to_owned(), error);
    let paths = files::paths(tree)?;
    if directory.is_symlink() {
        let words = format!("{} is a symbolic link: name a directory", directory.display());
        return Err(ActionError::Artifact(words));
    }
    std::fs::create_dir_all(directory).map_err(failed)?;
    if std::fs::read_dir(directory).map_err(failed)?.next().is_some() {
        let words = format!("{} is not empty: name another `directory`", directory.display());
        return Err(ActionError::Artifact(words));
    }
    let mut taken: BTreeMap<String, &str> = BTreeMap::new();
    for pattern in patterns {
        let glob = glob(pattern)?;
        let mut matched = false;
        for path in paths.iter().filter(|path| glob.is_match(path)) {
            matched = true;
            let name = plain_name(path)?;
            match taken.insert(name.folded(), path) {
                Some(other) if other != path => {
                    return Err(ActionError::Artifact(format!(
                        "`{other}` and `{path}` would have the same name in the release: rename \
                         one of them in `[release] build`"
                    )));
                }
                _ => {}
            }
        }
        if !matched {
            return Err(ActionError::Artifact(format!(
                "`[release] artifacts` names `{pattern}`, but the build made no such file"
            )));
        }
    }
    let mut files = Vec::new();
    for path in taken.values() {
        let file = files::take(tree, path, plain_name(path)?, directory)?;
        if file.size == 0 {
            let words = format!("`{path}` is empty: a build that failed unseen leaves such files");
            return Err(ActionError::Artifact(words));
        }
        files.push(file);
    }
    files.sort();
    Ok(files)
}

fn glob(pattern: &str) -> Result<GlobMatcher, ActionError> {
    let glob = GlobBuilder::new(pattern).literal_separator(true).build();
    let glob = glob.map_err(|bad| ActionError::Rules(format!("`[release] artifacts`: {bad}")))?;
    Ok(glob.compile_matcher())
}

fn plain_name(path: &str) -> Result<FileName, ActionError> {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.parse().map_err(|bad| ActionError::Artifact(format!("`{path}` cannot be released: {bad}")))
}

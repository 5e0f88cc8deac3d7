//! What is done in place of `actions/upload-artifact` and `actions/download-artifact`.
//!
//! Invariants: an artifact belongs to one run and is never overwritten; hidden files stay behind
//! unless asked for, and permissions are lost, as on GitHub.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use super::bench::Bench;
use crate::state::Artifact;
use crate::{Trouble, acts};

/// What a step hands on, or why it failed.
type Outputs = Result<BTreeMap<String, String>, String>;

/// One line of `path`.
struct Search {
    /// What stands before the first wildcard.
    root: PathBuf,
    /// `None`: the root itself, with all that is below.
    pattern: Option<GlobMatcher>,
}

pub(crate) fn upload(
    bench: &mut Bench<'_>,
    given: &BTreeMap<String, String>,
) -> Result<Outputs, Trouble> {
    let input = |name: &str| given.get(name).map_or("", |text| text.trim());
    let name = if input("name").is_empty() { "artifact" } else { input("name") };
    if name.contains(['"', ':', '<', '>', '|', '*', '?', '\r', '\n', '\\', '/']) {
        return Ok(Err(format!("The artifact name is not valid: {name}")));
    }
    if !input("retention-days").is_empty() && input("retention-days").parse::<u32>().is_err() {
        return Ok(Err("retention-days must be a number".to_owned()));
    }
    let hidden = match input("include-hidden-files") {
        "" | "false" => false,
        "true" => true,
        other => return Ok(Err(format!("include-hidden-files is {other}"))),
    };
    let mut searches = Vec::new();
    for line in input("path").lines().map(str::trim).filter(|line| !line.is_empty()) {
        match Search::new(&bench.folders.workspace, line) {
            Ok(search) => searches.push(search),
            Err(says) => return Ok(Err(says)),
        }
    }
    if searches.is_empty() {
        return Ok(Err("Input required and not supplied: path".to_owned()));
    }
    let mut found = Vec::new();
    for search in &searches {
        search.walk(&search.root, hidden, &mut found);
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        let says = format!("No files were found with the provided path: {}.", input("path"));
        match input("if-no-files-found") {
            "error" => return Ok(Err(says)),
            "" | "warn" => bench.journal.write(&format!("##[warning]{says}")),
            "ignore" => bench.journal.write(&says),
            other => return Ok(Err(format!("if-no-files-found is {other}"))),
        }
        return Ok(Ok(BTreeMap::new()));
    }
    let root = root_of(&searches, &found);
    let mut files = BTreeMap::new();
    for path in found {
        let bytes = std::fs::read(&path);
        let bytes = bytes.map_err(|source| Trouble::Disk { doing: "read an artifact", source })?;
        let inside = path.strip_prefix(&root).unwrap_or(&path);
        files.insert(inside.to_string_lossy().into_owned(), bytes);
    }
    let (repository, run) = (bench.repository, bench.run.id);
    let kept = acts::keep_artifact(&mut bench.emulator.lock(), repository, run, name, files)?;
    let Some(kept) = kept else {
        let says = "an artifact with this name already exists on the workflow run";
        return Ok(Err(format!("Failed to CreateArtifact: (409) Conflict: {says}")));
    };
    let says = format!("Artifact {name} has {} files, SHA-256 {}", kept.files.len(), kept.digest);
    bench.journal.write(&says);
    let page = format!("/actions/runs/{run}/artifacts/{}", kept.id);
    let state = bench.emulator.lock();
    let url = crate::shapes::repository_page(&state, repository, &page);
    let outputs = [
        ("artifact-id", kept.id.to_string()),
        ("artifact-digest", kept.digest),
        ("artifact-url", url),
    ];
    Ok(Ok(outputs.map(|(name, value)| (name.to_owned(), value)).into()))
}

impl Search {
    fn new(workspace: &Path, line: &str) -> Result<Self, String> {
        if line.starts_with(['!', '~']) || line.contains("..") {
            return Err(format!("the runner does not understand the path {line}"));
        }
        let whole = workspace.join(line.trim_start_matches("./"));
        let wild =
            |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
        let root: PathBuf = whole.components().take_while(|part| !wild(part)).collect();
        let has_wildcard = whole.components().any(|part| wild(&part));
        let glob = GlobBuilder::new(&whole.to_string_lossy()).literal_separator(true).build();
        let pattern = has_wildcard.then(|| glob.map(|glob| glob.compile_matcher())).transpose();
        Ok(Self { root, pattern: pattern.map_err(|error| error.to_string())? })
    }

    /// Collects the files at or below `at`; what a pattern fits is taken whole.
    fn walk(&self, at: &Path, hidden: bool, found: &mut Vec<PathBuf>) {
        let fits = |path: &Path| {
            let inside = path.strip_prefix(&self.root).unwrap_or(path);
            let shown = hidden
                || inside
                    .components()
                    .all(|part| !part.as_os_str().to_string_lossy().starts_with('.'));
            let mut above = path.ancestors().take_while(|above| above.starts_with(&self.root));
            shown && self.pattern.as_ref().is_none_or(|glob| above.any(|path| glob.is_match(path)))
        };
        if at.is_file() {
            if fits(at) {
                found.push(at.to_owned());
            }
            return;
        }
        for entry in std::fs::read_dir(at).into_iter().flatten().flatten() {
            self.walk(&entry.path(), hidden, found);
        }
    }
}

/// What all paths in an artifact are relative to.
fn root_of(searches: &[Search], found: &[PathBuf]) -> PathBuf {
    if let [one] = searches {
        let single = found.len() == 1 && found.first() == Some(&one.root);
        let above = one.root.parent().filter(|_| single);
        return above.unwrap_or(&one.root).to_owned();
    }
    let mut roots = searches.iter().map(|search| search.root.clone());
    let mut common = roots.next().unwrap_or_default();
    for root in roots {
        while !root.starts_with(&common) && common.pop() {}
    }
    if common.is_file() {
        common.pop();
    }
    common
}

pub(crate) fn download(
    bench: &mut Bench<'_>,
    given: &BTreeMap<String, String>,
) -> Result<Outputs, Trouble> {
    let input = |name: &str| given.get(name).map_or("", |text| text.trim());
    let place = input("path");
    let outside = Path::new(place)
        .components()
        .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir));
    let folder = bench.folders.workspace.join(place);
    if outside && !folder.starts_with(&bench.folders.temp) {
        return Ok(Err(format!("path {place} leads out of the workspace")));
    }
    let of_this_run: Vec<Artifact> = {
        let state = bench.emulator.lock();
        let all = state.repository(bench.repository)?.artifacts.iter();
        all.filter(|artifact| artifact.run == bench.run.id).cloned().collect()
    };
    let name = input("name");
    if name.is_empty() {
        for artifact in &of_this_run {
            unpack(artifact, &folder.join(&artifact.name))?;
        }
    } else {
        let Some(artifact) = of_this_run.iter().find(|artifact| artifact.name == name) else {
            return Ok(Err(format!(
                "Unable to download artifact(s): Artifact not found for name: {name}"
            )));
        };
        unpack(artifact, &folder)?;
    }
    let path = folder.to_string_lossy().into_owned();
    bench.journal.write(&format!("Downloaded to {path}"));
    Ok(Ok(BTreeMap::from([("download-path".to_owned(), path)])))
}

fn unpack(artifact: &Artifact, folder: &Path) -> Result<(), Trouble> {
    let disk = |source| Trouble::Disk { doing: "write an artifact", source };
    for (path, bytes) in &artifact.files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(disk)?;
        }
        std::fs::write(path, bytes).map_err(disk)?;
    }
    Ok(())
}

//! What the checks of a commit built, kept for the checks of changes on it.
//!
//! Cargo decides by the times of files and by what compilers and scripts tell it what to build
//! again, and nobody tells it all. So only what was built from the packages of others is kept: the
//! packages that lie in the tree are built from nothing in each check.
//!
//! Invariants: only what was built from a branch's own commits is kept, never from a change; no
//! tree shares anything with what is kept or with another tree; nothing that a test or a package of
//! the tree left is in it, by name; whatever goes wrong with a kept build, the next check builds
//! from nothing.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::copy::copy;
use super::kept::{KeepError, KeptBounds, KeptStore};
use super::scratch::Scratch;
use super::tree::Workspace;
use super::{confined, room};
use crate::core::id::{Sha, Timestamp};

const BOUNDS: KeptBounds = KeptBounds { many: 50, bytes: 24 << 30, largest: 4 << 30 };
/// So many builds may be made one from the other: each leaves something that nobody needs any more.
const MOST_GENERATIONS: u32 = 10;
/// What is kept of a build directory: what cargo made, which compares what it made it from.
const OUTPUT: &str = "cargo";
/// Where it keeps, in the directory of a profile, what it knows, and what packages became.
const FINGERPRINTS: &str = ".fingerprint";
const SCRIPTS: &str = "build";
const LIBRARIES: &str = "deps";
/// The file by which a package is known, and how large it may be.
const MANIFEST: &[u8] = b"Cargo.toml";
const LARGEST_MANIFEST: u64 = 1 << 20;

/// The kept builds of one branch.
#[derive(Clone)]
pub struct Builds {
    store: KeptStore,
    scratch: Scratch,
    /// Repository and branch.
    line: String,
}

/// A build directory, and how many builds lie between what it began with and one from nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildDirectory {
    /// Where it is.
    pub path: PathBuf,
    generation: u32,
    /// The packages that lie in the tree, by name, before anything ran there.
    own: BTreeSet<String>,
}

/// What is known of a kept build.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct BuildRecord {
    line: String,
    /// What made it: each command has its own, lest one decides what another comes to.
    command: String,
    commit: Sha,
    at: Timestamp,
    generation: u32,
}

impl Builds {
    /// Kept below this directory of ours. `line` is the same for commits that follow one another,
    /// such as a repository and a branch: nothing of another is used.
    pub fn of(data: &Path, line: String) -> Self {
        let store = KeptStore::new(data.join("builds"), BOUNDS);
        Self { store, scratch: Scratch::below(data), line }
    }

    /// Makes a build directory for a command in a tree where none ran yet. Where a build is kept,
    /// it begins with a copy of that.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub async fn lay(
        &self,
        workspace: &Arc<Workspace>,
        command: &str,
        directory: PathBuf,
    ) -> io::Result<BuildDirectory> {
        let (builds, tree, command) = (self.clone(), Arc::clone(workspace), command.to_owned());
        let laying = move || {
            std::fs::create_dir(&directory)?;
            let laid = builds.lay_now(tree.commit(), &command, &directory)?;
            let generation = laid.map_or(0, |laid| laid + 1);
            Ok(BuildDirectory { path: directory, generation, own: own_packages(&tree) })
        };
        tokio::task::spawn_blocking(laying).await.map_err(io::Error::other)?
    }

    fn lay_now(&self, commit: &Sha, command: &str, directory: &Path) -> io::Result<Option<u32>> {
        let order = |it: &BuildRecord| {
            let is_same = it.commit == *commit;
            let is_ours = it.line == self.line && it.command == command;
            let fits = is_ours && (is_same || it.generation < MOST_GENERATIONS);
            fits.then_some((is_same, it.at))
        };
        let kept = self.store.best(order).and_then(|place| place.read::<BuildRecord>());
        let Some(kept) = kept else { return Ok(None) };
        if room::left(directory, room::SPARE).is_some_and(|room| room < kept.bytes) {
            return Ok(None);
        }
        let output = directory.join(OUTPUT);
        let Err(error) = copy(&kept.path.join(OUTPUT), &output) else {
            return Ok(Some(kept.what.generation));
        };
        let path = kept.path.display();
        tracing::warn!(%path, %error, "a kept build could not be used");
        if output.symlink_metadata().is_ok() {
            std::fs::remove_dir_all(&output)?;
        }
        Ok(None)
    }

    /// Keeps what a command built of a commit without any change, unless that is kept already. It
    /// is taken out of its directory.
    pub async fn keep(
        &self,
        workspace: &Workspace,
        command: &str,
        built: &BuildDirectory,
        at: Timestamp,
    ) {
        if let Err(error) = self.try_to_keep(workspace, command, built, at).await {
            let commit = workspace.commit().short();
            tracing::warn!(%commit, %error, "what was built is not kept");
        }
    }

    async fn try_to_keep(
        &self,
        workspace: &Workspace,
        command: &str,
        built: &BuildDirectory,
        at: Timestamp,
    ) -> Result<(), KeepError> {
        let output = built.path.join(OUTPUT);
        let is_there = output.symlink_metadata().is_ok_and(|found| found.is_dir());
        let place = self.store.place(&serde_json::json!({
            "gander": env!("CARGO_PKG_VERSION"),
            "line": self.line,
            "command": command,
            "commit": workspace.commit(),
        }));
        if !is_there || place.is_taken() {
            return Ok(());
        }
        let making = place.begin(&self.scratch).await?;
        let made = making.made();
        let own = built.own.clone();
        let moving = move || {
            prune(&output, &own)?;
            match std::fs::rename(&output, made.join(OUTPUT)) {
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    copy(&output, &made.join(OUTPUT))
                }
                moved => moved,
            }
        };
        tokio::task::spawn_blocking(moving).await.map_err(io::Error::other)??;
        let record = BuildRecord {
            line: self.line.clone(),
            command: command.to_owned(),
            commit: workspace.commit().clone(),
            at,
            generation: built.generation,
        };
        making.finish(record).await?;
        Ok(())
    }
}

/// The names of the packages that lie in a tree, vendored ones too. One whose manifest cannot be
/// read has the name of its directory, which most have anyway.
fn own_packages(tree: &Workspace) -> BTreeSet<String> {
    let manifests = tree.entries().iter().filter(|it| confined::split(&it.path).1 == MANIFEST);
    let name = |path: &[u8]| {
        let (mut file, _) = confined::open_file(tree.root(), path).ok()?;
        let text = confined::read_all(&mut file, LARGEST_MANIFEST).ok()?;
        let manifest: toml::Table = String::from_utf8(text).ok()?.parse().ok()?;
        Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
    };
    let directory = |path: &[u8]| {
        let directory = confined::split(path).0;
        String::from_utf8_lossy(confined::split(directory).1).into_owned()
    };
    manifests.map(|it| name(&it.path).unwrap_or_else(|| directory(&it.path))).collect()
}

/// Takes out of cargo's output all but what packages of others became.
fn prune(output: &Path, own: &BTreeSet<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(output)? {
        let entry = entry?;
        // The directory of a profile, such as `debug`, holds these.
        let is_kept = match entry.file_type()?.is_dir() {
            false => entry.file_name() == ".rustc_info.json",
            true if entry.path().join(FINGERPRINTS).is_dir() => {
                prune_profile(&entry.path(), own)?;
                true
            }
            true => false,
        };
        if !is_kept {
            take_out(&entry.path())?;
        }
    }
    Ok(())
}

fn prune_profile(profile: &Path, own: &BTreeSet<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(profile)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_whole = [FINGERPRINTS, SCRIPTS, LIBRARIES].iter().any(|part| name == *part);
        if !is_whole || !entry.file_type()?.is_dir() {
            take_out(&entry.path())?;
            continue;
        }
        for entry in std::fs::read_dir(entry.path())? {
            let entry = entry?;
            let is_program = name == LIBRARIES && is_program(&entry)?;
            if is_program || is_of(own, &entry.file_name()) {
                take_out(&entry.path())?;
            }
        }
    }
    Ok(())
}

/// Tests and programs: each belongs to a package of the tree.
fn is_program(entry: &std::fs::DirEntry) -> io::Result<bool> {
    let is_library = entry.path().extension().is_some_and(|it| it == "so");
    Ok(!is_library && entry.metadata()?.permissions().mode() & 0o111 != 0)
}

/// Whether a file or directory of cargo's, such as `a-1f2e` or `liba_b-1f2e.rlib`, is of one of
/// these packages.
fn is_of(own: &BTreeSet<String>, name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return true };
    let Some((stem, _)) = name.rsplit_once('-') else { return true };
    let folded = |name: &str| name.replace('-', "_");
    let (stem, library) = (folded(stem), folded(stem.strip_prefix("lib").unwrap_or(stem)));
    own.iter().map(|own| folded(own)).any(|own| own == stem || own == library)
}

fn take_out(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

//! Compilers and interpreters of the host that commands may use.
//!
//! Holds: nothing is run to find them, and only directories that hold a toolchain and nothing else
//! are shown; never a home, `~/.cargo` or a package manager's settings.

use std::path::{Path, PathBuf};

/// A directory of the host, shown read-only at a neutral path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// What it is, such as `rust`.
    pub name: String,
    /// Where it is on the host.
    pub host_dir: PathBuf,
    /// Where commands see it.
    pub mount_at: String,
    /// Where commands find its programs; first in their `PATH`.
    pub bin: String,
}

/// Where to look; each is what the environment variable of that name says.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `HOME`
    pub home: Option<PathBuf>,
    /// `RUSTUP_HOME`
    pub rustup_home: Option<PathBuf>,
    /// `PYENV_ROOT`
    pub pyenv_root: Option<PathBuf>,
    /// `NVM_DIR`
    pub nvm_dir: Option<PathBuf>,
    /// `VOLTA_HOME`
    pub volta_home: Option<PathBuf>,
}

impl Toolchain {
    /// A toolchain whose programs are in its `bin` directory.
    pub fn new(name: &str, host_dir: impl Into<PathBuf>) -> Self {
        let mount_at = format!("/opt/toolchains/{name}");
        let bin = format!("{mount_at}/bin");
        Self { name: name.into(), host_dir: host_dir.into(), mount_at, bin }
    }
}

/// The default toolchain of each version manager. What stands in `/usr` needs no finding.
pub fn find(places: &Places) -> Vec<Toolchain> {
    [
        ("rust", "cargo", rust(places)),
        ("python", "python3", python(places)),
        ("node", "node", node(places)),
    ]
    .into_iter()
    .filter_map(|(name, program, directory)| {
        let directory = directory?.canonicalize().ok()?;
        directory.join("bin").join(program).is_file().then(|| Toolchain::new(name, directory))
    })
    .collect()
}

fn rust(places: &Places) -> Option<PathBuf> {
    let root = place(places.rustup_home.as_deref(), places, ".rustup")?;
    let settings: toml::Table = read(&root.join("settings.toml"))?.parse().ok()?;
    let default = settings.get("default_toolchain")?.as_str()?;
    version_in(&root.join("toolchains"), default)
}

fn python(places: &Places) -> Option<PathBuf> {
    let root = place(places.pyenv_root.as_deref(), places, ".pyenv")?;
    let default = read(&root.join("version"))?;
    version_in(&root.join("versions"), default.lines().next()?.trim())
}

fn node(places: &Places) -> Option<PathBuf> {
    let nvm = || {
        let root = place(places.nvm_dir.as_deref(), places, ".nvm")?;
        let default = read(&root.join("alias/default"))?;
        let default = default.trim().trim_start_matches('v');
        version_in(&root.join("versions/node"), &format!("v{default}"))
    };
    let volta = || {
        let root = place(places.volta_home.as_deref(), places, ".volta")?;
        let platform = read(&root.join("tools/user/platform.json"))?;
        let platform: serde_json::Value = serde_json::from_str(&platform).ok()?;
        let default = platform.get("node")?.get("runtime")?.as_str()?;
        version_in(&root.join("tools/image/node"), default)
    };
    nvm().or_else(volta)
}

fn place(named: Option<&Path>, places: &Places, in_home: &str) -> Option<PathBuf> {
    named.map(PathBuf::from).or_else(|| Some(places.home.as_ref()?.join(in_home)))
}

/// The directory of a version: of that name, or the last whose name goes on after it.
fn version_in(directory: &Path, version: &str) -> Option<PathBuf> {
    if version.is_empty() || version.contains('/') || version.starts_with('.') {
        return None;
    }
    let exact = directory.join(version);
    if exact.is_dir() {
        return Some(exact);
    }
    let goes_on =
        |name: &str| name.strip_prefix(version).is_some_and(|rest| rest.starts_with(['.', '-']));
    let names = directory
        .read_dir()
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let last = names.filter(|name| goes_on(name)).max_by_key(|name| numbers(name))?;
    Some(directory.join(last))
}

/// For the order of versions: 3.9 comes before 3.11.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|part| part.parse().ok())
        .collect()
}

fn read(file: &Path) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

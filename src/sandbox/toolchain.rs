//! Compilers and interpreters of the host that commands may use.
//!
//! Invariants: nothing is run to find them, and only directories that hold a toolchain and nothing
//! else are shown; never a home, `~/.cargo` or a package manager's settings.

use std::ffi::OsString;
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
pub struct ToolchainPaths {
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

impl ToolchainPaths {
    /// Asks for each variable by name.
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let place = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            home: place("HOME"),
            rustup_home: place("RUSTUP_HOME"),
            pyenv_root: place("PYENV_ROOT"),
            nvm_dir: place("NVM_DIR"),
            volta_home: place("VOLTA_HOME"),
        }
    }
}

impl Toolchain {
    /// Whether it brings this program.
    pub fn has(&self, program: &str) -> bool {
        let inside = self.bin.strip_prefix(&self.mount_at).unwrap_or(&self.bin);
        self.host_dir.join(inside.trim_start_matches('/')).join(program).exists()
    }

    /// Where its programs find libraries that they know by their place on the host only. A Python
    /// that was built as a shared library would take the system's, of another version, and say
    /// nothing until a module does not load.
    pub fn libraries(&self) -> Option<String> {
        let mut names = self.host_dir.join("lib").read_dir().ok()?.flatten();
        let is_shared = |name: &str| name.starts_with("libpython") && name.contains(".so");
        names
            .any(|entry| entry.file_name().to_str().is_some_and(is_shared))
            .then(|| format!("{}/lib", self.mount_at))
    }

    /// A toolchain whose programs are in its `bin` directory.
    pub fn new(name: &str, host_dir: impl Into<PathBuf>) -> Self {
        let mount_at = format!("/opt/toolchains/{name}");
        let bin = format!("{mount_at}/bin");
        Self { name: name.into(), host_dir: host_dir.into(), mount_at, bin }
    }
}

/// The default toolchain of each version manager. What stands in `/usr` needs no finding.
pub fn find(places: &ToolchainPaths) -> Vec<Toolchain> {
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

fn rust(places: &ToolchainPaths) -> Option<PathBuf> {
    let root = place(places.rustup_home.as_deref(), places, ".rustup")?;
    let settings: toml::Table = read(&root.join("settings.toml"))?.parse().ok()?;
    let default = settings.get("default_toolchain")?.as_str()?;
    version_in(&root.join("toolchains"), default)
}

fn python(places: &ToolchainPaths) -> Option<PathBuf> {
    let root = place(places.pyenv_root.as_deref(), places, ".pyenv")?;
    let default = read(&root.join("version"))?;
    version_in(&root.join("versions"), default.lines().next()?.trim())
}

fn node(places: &ToolchainPaths) -> Option<PathBuf> {
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

fn place(named: Option<&Path>, places: &ToolchainPaths, in_home: &str) -> Option<PathBuf> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, ToolchainPaths) {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let places = ToolchainPaths { home: Some(home.path().into()), ..ToolchainPaths::default() };
        (home, places)
    }

    /// The names found, with their directories below the home.
    fn found(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let (home, places) = home(files);
        let root = home.path().canonicalize().unwrap();
        let below = |toolchain: Toolchain| {
            let directory = toolchain.host_dir.strip_prefix(&root).unwrap();
            (toolchain.name, directory.to_str().unwrap().to_owned())
        };
        find(&places).into_iter().map(below).collect()
    }

    fn pair(name: &str, directory: &str) -> (String, String) {
        (name.into(), directory.into())
    }

    #[test]
    fn the_default_of_every_version_manager_is_found() {
        let found = found(&[
            (".rustup/settings.toml", "version = \"12\"\ndefault_toolchain = \"stable-x86_64\"\n"),
            (".rustup/toolchains/stable-x86_64/bin/cargo", ""),
            (".rustup/toolchains/nightly-x86_64/bin/cargo", ""),
            (".pyenv/version", "3.11.7\n3.9.18\n"),
            (".pyenv/versions/3.11.7/bin/python3", ""),
            (".nvm/alias/default", "20\n"),
            (".nvm/versions/node/v20.9.0/bin/node", ""),
            (".nvm/versions/node/v20.11.0/bin/node", ""),
            (".nvm/versions/node/v200.0.0/bin/node", ""),
        ]);
        let rust = pair("rust", ".rustup/toolchains/stable-x86_64");
        let python = pair("python", ".pyenv/versions/3.11.7");
        assert_eq!(found, [rust, python, pair("node", ".nvm/versions/node/v20.11.0")]);
    }

    #[test]
    fn volta_is_asked_when_there_is_no_nvm() {
        let found = found(&[
            (".volta/tools/user/platform.json", r#"{"node": {"runtime": "20.1.0", "npm": null}}"#),
            (".volta/tools/image/node/20.1.0/bin/node", ""),
        ]);
        assert_eq!(found, [pair("node", ".volta/tools/image/node/20.1.0")]);
    }

    #[test]
    fn a_short_name_finds_the_toolchain_of_this_machine() {
        let found = found(&[
            (".rustup/settings.toml", "default_toolchain = \"stable\"\n"),
            (".rustup/toolchains/stable-aarch64-unknown-linux-gnu/bin/cargo", ""),
        ]);
        let directory = ".rustup/toolchains/stable-aarch64-unknown-linux-gnu";
        assert_eq!(found, [pair("rust", directory)]);
    }

    #[test]
    fn a_named_place_comes_before_the_home() {
        let (elsewhere, _) = home(&[("version", "3.12.1"), ("versions/3.12.1/bin/python3", "")]);
        let (_home, mut places) =
            home(&[(".pyenv/version", "3.9.18"), (".pyenv/versions/3.9.18/bin/python3", "")]);
        places.pyenv_root = Some(elsewhere.path().into());
        let directory = elsewhere.path().canonicalize().unwrap().join("versions/3.12.1");
        assert_eq!(find(&places), [Toolchain::new("python", directory)]);
    }

    #[test]
    fn it_is_shown_at_a_path_that_tells_nothing_about_the_host() {
        let rust = Toolchain::new("rust", "/home/jane/.rustup/toolchains/stable");
        assert_eq!(rust.mount_at, "/opt/toolchains/rust");
        assert_eq!(rust.bin, "/opt/toolchains/rust/bin");
    }

    #[test]
    fn a_python_that_is_a_shared_library_finds_its_own() {
        let (home, _) = home(&[("shared/lib/libpython3.11.so.1.0", ""), ("whole/lib/x.a", "")]);
        let of = |name: &str| Toolchain::new("python", home.path().join(name)).libraries();
        assert_eq!(of("shared").as_deref(), Some("/opt/toolchains/python/lib"));
        assert_eq!(of("whole"), None);
    }

    #[test]
    fn nothing_is_shown_that_is_no_toolchain() {
        for files in [
            &[][..],
            &[(".pyenv/version", "system\n"), (".pyenv/versions/3.9.18/bin/python3", "")],
            &[(".pyenv/version", "\n"), (".pyenv/versions/bin/python3", "")],
            &[(".pyenv/version", "..\n"), (".pyenv/bin/python3", "")],
            &[(".pyenv/version", "../..\n"), ("bin/python3", "")],
            &[(".pyenv/version", "3.9.18\n"), (".pyenv/versions/3.9.18/secret", "")],
            &[(".rustup/settings.toml", "not toml"), (".rustup/toolchains/stable/bin/cargo", "")],
            &[(".cargo/bin/cargo", ""), (".cargo/credentials.toml", "")],
        ] {
            assert_eq!(found(files), [], "{files:?}");
        }
    }
}

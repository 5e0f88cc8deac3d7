//! Every version of a compiler or interpreter that version managers keep on the host.
//!
//! Invariants: as for toolchains: nothing is run to find them, and a directory counts only if it
//! holds the program.

use std::path::{Path, PathBuf};

use super::ShownDirectory;
use super::toolchain::{Toolchain, ToolchainPaths};

/// One installed version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledToolchain {
    /// What it is, and where.
    pub toolchain: Toolchain,
    /// As its manager calls it: `3.11.7`, `v20.9.0`, `nightly-x86_64-unknown-linux-gnu`.
    pub version: String,
    /// Whether every command finds it, if nothing else is asked for.
    pub is_default: bool,
}

/// Where a manager keeps versions of a language: below the home, and inside each version.
const MANAGERS: [(&str, &str, &str); 13] = [
    ("rust", ".rustup/toolchains", ""),
    ("python", ".pyenv/versions", ""),
    ("python", ".local/share/uv/python", ""),
    ("python", ".asdf/installs/python", ""),
    ("python", ".local/share/mise/installs/python", ""),
    ("node", ".nvm/versions/node", ""),
    ("node", ".volta/tools/image/node", ""),
    ("node", ".local/share/fnm/node-versions", "installation"),
    ("node", ".asdf/installs/nodejs", ""),
    ("node", ".local/share/mise/installs/node", ""),
    ("ruby", ".rbenv/versions", ""),
    ("ruby", ".asdf/installs/ruby", ""),
    ("ruby", ".local/share/mise/installs/ruby", ""),
];

/// The program by which a version is known to be whole.
fn program(language: &str) -> &str {
    match language {
        "rust" => "cargo",
        "python" => "python3",
        other => other,
    }
}

/// All of them; `defaults` are those that every command finds.
pub fn installed(places: &ToolchainPaths, defaults: &[Toolchain]) -> Vec<InstalledToolchain> {
    let mut all: Vec<InstalledToolchain> = Vec::new();
    for (language, below, inside) in MANAGERS {
        let Some(directory) = place(places, below) else { continue };
        for entry in directory.read_dir().into_iter().flatten().flatten() {
            let Ok(version) = entry.file_name().into_string() else { continue };
            let Ok(directory) = entry.path().join(inside).canonicalize() else { continue };
            let toolchain = Toolchain::new(language, directory);
            let is_known = all.iter().any(|it| it.toolchain == toolchain);
            if toolchain.has(program(language)) && !is_known {
                let is_default = defaults.contains(&toolchain);
                all.push(InstalledToolchain { toolchain, version, is_default });
            }
        }
    }
    all
}

/// A manager's directory: where its own variable says, else below the home.
fn place(places: &ToolchainPaths, below: &str) -> Option<PathBuf> {
    let named = [
        (".rustup/", &places.rustup_home),
        (".pyenv/", &places.pyenv_root),
        (".nvm/", &places.nvm_dir),
        (".volta/", &places.volta_home),
    ];
    let named = named
        .into_iter()
        .find_map(|(start, directory)| Some(directory.as_ref()?.join(below.strip_prefix(start)?)));
    named.or_else(|| Some(places.home.as_ref()?.join(below)))
}

impl InstalledToolchain {
    /// As a command sees it that has asked for it: it takes the default's place.
    pub fn shown(&self) -> ShownDirectory {
        ShownDirectory {
            host_dir: self.toolchain.host_dir.clone(),
            mount_at: self.toolchain.mount_at.clone(),
            writable: false,
            programs: Some(self.toolchain.bin.clone()),
            temporary: Vec::new(),
            above: None,
        }
    }

    /// What a command has to be told that uses it.
    pub fn env(&self) -> Vec<(String, String)> {
        let libraries = self.toolchain.libraries();
        libraries.map(|path| ("LD_LIBRARY_PATH".to_owned(), path)).into_iter().collect()
    }

    /// Its directory on the host.
    pub fn directory(&self) -> &Path {
        &self.toolchain.host_dir
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_versions_of_all_managers_are_found_and_what_holds_no_program_is_none() {
        let home = tempfile::tempdir().unwrap();
        for path in [
            ".pyenv/versions/3.8.18/bin/python3",
            ".pyenv/versions/3.11.7/bin/python3",
            ".pyenv/versions/broken/readme",
            ".local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu/bin/python3",
            ".local/share/fnm/node-versions/v18.1.0/installation/bin/node",
            ".rustup/toolchains/1.70.0-x86_64-unknown-linux-gnu/bin/cargo",
            ".rbenv/versions/3.2.2/bin/ruby",
        ] {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink("3.11.7", home.path().join(".pyenv/versions/3.11")).unwrap();
        let places = ToolchainPaths { home: Some(home.path().into()), ..ToolchainPaths::default() };
        let root = home.path().canonicalize().unwrap();
        let default = Toolchain::new("python", root.join(".pyenv/versions/3.11.7"));
        let mut found: Vec<(String, bool)> = installed(&places, &[default])
            .into_iter()
            .map(|it| {
                (format!("{} {}", it.toolchain.name, it.directory().display()), it.is_default)
            })
            .map(|(name, is)| (name.replace(&format!("{}/", root.display()), ""), is))
            .collect();
        found.sort();
        let expected = [
            ("node .local/share/fnm/node-versions/v18.1.0/installation", false),
            ("python .local/share/uv/python/cpython-3.12.1-linux-x86_64-gnu", false),
            ("python .pyenv/versions/3.11.7", true),
            ("python .pyenv/versions/3.8.18", false),
            ("ruby .rbenv/versions/3.2.2", false),
            ("rust .rustup/toolchains/1.70.0-x86_64-unknown-linux-gnu", false),
        ];
        assert_eq!(found, expected.map(|(name, is)| (name.to_owned(), is)));
    }
}

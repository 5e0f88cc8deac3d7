//! What a red run says is not there, which no change could bring.
//!
//! Invariants: it speaks only of a run in which no test passed; a module counts as a missing
//! package only if the project itself names it, for any other name may be a slip that a change
//! mends.

use std::collections::BTreeSet;

use super::results::{EndedCommand, TestOutput};
use crate::core::text::first_of;
use crate::workspace::confined;
use crate::workspace::mirror::EntryMode;
use crate::workspace::tree::Workspace;

/// Files in which projects name the packages that they need.
const DECLARATIONS: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "tox.ini",
    "environment.yml",
    "go.mod",
];
/// Packages whose modules have another name.
const ALIASES: &[(&str, &str)] = &[
    ("bs4", "beautifulsoup"),
    ("cv2", "opencv"),
    ("pil", "pillow"),
    ("sklearn", "scikit-learn"),
    ("skimage", "scikit-image"),
    ("git", "gitpython"),
    ("attr", "attrs"),
    ("crypto", "pycryptodome"),
    ("pkg_resources", "setuptools"),
];
const LARGEST: u64 = 1 << 20;

/// So many missing packages are named.
const MOST_NAMED: usize = 5;

/// Why a red run in which no test passed could not begin here, whatever it tests. `None`: nothing
/// like that is known.
pub(super) fn cannot_begin(
    output: &TestOutput<'_>,
    ended: &EndedCommand<'_>,
    tree: &Workspace,
) -> Option<String> {
    let missing = needed(output.missing(), ended.line, tree);
    if !missing.is_empty() {
        return Some(format!(
            "what the project needs is not installed where checks run: {}. There is no network in \
             the sandbox: install it on Gander's machine, or name commands that do without it under \
             `[verify] commands`",
            first_of(&missing, MOST_NAMED).join(", ")
        ));
    }
    if output.shows_tests() {
        return None;
    }
    if let Some(code) = not_runnable_in_make(ended.output) {
        return Some(format!(
            "a command of the makefile cannot be run in the sandbox (Error {code}): install what it \
             needs on Gander's machine, or name another command under `[verify] commands`"
        ));
    }
    let mut submodules = tree.entries().iter().filter(|it| it.mode == EntryMode::Submodule);
    let first = String::from_utf8_lossy(&submodules.next()?.path).into_owned();
    let others = if submodules.next().is_some() { " and others" } else { "" };
    Some(format!(
        "no test ran, and the repository's submodules are not fetched (`{first}`{others}): name \
         commands that do without them under `[verify] commands`"
    ))
}

/// Of these modules those that the project itself names, or that the command is about.
fn needed(modules: BTreeSet<String>, line: &str, tree: &Workspace) -> Vec<String> {
    if modules.is_empty() {
        return Vec::new();
    }
    let declared = declared(tree);
    let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let is_needed = |name: &String| words.contains(&name.as_str()) || names(&declared, name);
    modules.into_iter().filter(is_needed).map(|name| format!("`{name}`")).collect()
}

/// The code 126 or 127 with which a recipe ended: `make: *** [Makefile:2: test] Error 127`.
fn not_runnable_in_make(output: &str) -> Option<&'static str> {
    let stops = output.lines().filter(|line| line.contains("make") && line.contains(": *** ["));
    let ends =
        |line: &str| ["126", "127"].into_iter().find(|it| line.ends_with(&format!("] Error {it}")));
    stops.filter_map(ends).next()
}

/// Everything in which the tree names packages, in one text.
fn declared(tree: &Workspace) -> String {
    let mut text = String::new();
    for entry in tree.entries().iter() {
        let Ok(path) = std::str::from_utf8(&entry.path) else { continue };
        let name = path.rsplit('/').next().unwrap_or(path);
        let requirements = name.contains("requirements") && name.ends_with(".txt");
        if !(requirements || DECLARATIONS.contains(&name)) {
            continue;
        }
        let read = confined::open_file(tree.root(), path.as_bytes());
        let read = read.and_then(|(mut file, _)| confined::read_all(&mut file, LARGEST));
        if let Ok(bytes) = read {
            text.push_str(&folded(&String::from_utf8_lossy(&bytes)));
            text.push('\n');
        }
    }
    text
}

/// Whether the packages that a project names have one for this module.
fn names(declared: &str, module: &str) -> bool {
    let module = folded(module);
    let alias = ALIASES.iter().find(|(name, _)| folded(name) == module);
    declared.contains(&module) || alias.is_some_and(|(_, it)| declared.contains(&folded(it)))
}

/// As package names are compared: `-` and `_` are one, and so are capitals.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_needed_if_the_project_names_its_package() {
        let declared = folded("PyYAML>=6\npython-dateutil\nBeautifulSoup4\nflask_login = \"*\"\n");
        for module in ["yaml", "dateutil", "bs4", "flask_login"] {
            assert!(names(&declared, module), "{module}");
        }
        for module in ["requests", "calcc", "cv2"] {
            assert!(!names(&declared, module), "{module}");
        }
    }
}

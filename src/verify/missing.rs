//! What a red run says is not there, which no change could bring.
//!
//! Invariants: only a run in which no test passed could not begin; a module counts as a missing
//! package only if the project names it as one and has nothing of that name itself, for any other
//! name may be a slip that a change mends. However much the project says of what it needs, only so
//! much of it is read, what stands nearest to its top first, and only what is asked for is kept.

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
/// Test runners that are started by name, as in `python -m pytest`.
const RUNNERS: &[&str] = &["pytest", "nose2", "tox", "nox", "coverage", "trial", "behave"];
/// Options of pytest that a plugin brings, and its package.
const PLUGINS: &[(&str, &str)] = &[
    ("-n", "pytest-xdist"),
    ("--numprocesses", "pytest-xdist"),
    ("--dist", "pytest-xdist"),
    ("--cov", "pytest-cov"),
    ("--no-cov", "pytest-cov"),
    ("--timeout", "pytest-timeout"),
    ("--reruns", "pytest-rerunfailures"),
    ("--asyncio-mode", "pytest-asyncio"),
    ("--benchmark", "pytest-benchmark"),
    ("--random-order", "pytest-random-order"),
];
/// What package managers say where a package is not there and nothing can be asked. Maven 3.8,
/// Gradle 8, Bundler 2.
const OFFLINE: &[(&str, &[&str])] = &[
    ("mvn", &[" in offline mode"]),
    ("gradle", &["available for offline mode", "UnknownHostException"]),
    ("gradlew", &["available for offline mode", "UnknownHostException"]),
    ("bundle", &["Could not find gem ", "in locally installed gems", "bundler: command not found"]),
];
/// So many characters of such a line are told.
const LONGEST_TOLD: usize = 300;
const LARGEST: u64 = 1 << 20;
/// Of all files in which a project names what it needs, so much is read.
const MOST_READ: usize = 4 << 20;
const MOST_FILES: usize = 1_000;

/// So many missing packages are named.
const MOST_NAMED: usize = 5;

/// Why a red run could not begin here, whatever it tests. `None`: nothing like that is known.
pub(super) fn cannot_begin(
    output: &TestOutput<'_>,
    ended: &EndedCommand<'_>,
    tree: &Workspace,
) -> Option<String> {
    if output.shows_passed_tests() {
        return None;
    }
    if let Some(missing) = not_installed(output, ended, tree) {
        return Some(format!(
            "{missing}. There is no network in the sandbox: install it on Gander's machine, or name \
             commands that do without it under `[verify] commands`"
        ));
    }
    if output.shows_tests() {
        return None;
    }
    if let Some(line) = refused_offline(ended) {
        return Some(format!(
            "packages are missing, and there is no network in the sandbox (`{line}`): Gander does \
             not fetch those of this package manager. Install them on Gander's machine, or vendor \
             them"
        ));
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

/// What a red run says is not there, of what the project needs. In words for people.
pub(super) fn not_installed(
    output: &TestOutput<'_>,
    ended: &EndedCommand<'_>,
    tree: &Workspace,
) -> Option<String> {
    let (modules, options) = (output.missing(), unknown_options(ended.output));
    if modules.is_empty() && options.is_empty() {
        return None;
    }
    let needs = Needs::of(tree, &modules);
    let words: Vec<&str> = ended.line.split_whitespace().collect();
    let is_runner = |name: &str| RUNNERS.contains(&name) && words.contains(&name);
    let modules = modules.into_iter().filter(|it| is_runner(it) || needs.has(it));
    let plugin = |option: &&str| PLUGINS.iter().find(|it| option.starts_with(it.0));
    let plugins = options.iter().filter_map(plugin).map(|(_, package)| (*package).to_owned());
    let missing: Vec<String> = modules.chain(plugins).map(|name| format!("`{name}`")).collect();
    (!missing.is_empty()).then(|| {
        let named = first_of(&missing, MOST_NAMED).join(", ");
        format!("what the project needs is not installed where checks run: {named}")
    })
}

/// What a package manager says that would have to ask a registry: the first such line.
fn refused_offline(ended: &EndedCommand<'_>) -> Option<String> {
    let (_, signs) = OFFLINE.iter().find(|(program, _)| {
        ended.line.split_whitespace().any(|word| word.rsplit('/').next() == Some(program))
    })?;
    let line = ended.output.lines().find(|line| signs.iter().any(|sign| line.contains(sign)))?;
    Some(line.trim().chars().take(LONGEST_TOLD).collect::<String>().replace('`', "'"))
}

/// The options in pytest's `error: unrecognized arguments: -n --cov=a`.
fn unknown_options(output: &str) -> Vec<&str> {
    let lists =
        output.lines().filter_map(|line| line.split_once("error: unrecognized arguments: "));
    let words = lists.flat_map(|(_, list)| list.split_whitespace());
    let options = words.filter_map(|word| word.split('=').next());
    options.filter(|word| word.starts_with('-')).collect()
}

/// The code 126 or 127 with which a recipe ended: `make: *** [Makefile:2: test] Error 127`.
fn not_runnable_in_make(output: &str) -> Option<&'static str> {
    let stops = output.lines().filter(|line| line.contains("make") && line.contains(": *** ["));
    let ends =
        |line: &str| ["126", "127"].into_iter().find(|it| line.ends_with(&format!("] Error {it}")));
    stops.filter_map(ends).next()
}

/// Which of the modules that are asked for a project names the package of, and which are its own.
struct Needs {
    /// Modules whose package stands in the files in which it names packages.
    declared: BTreeSet<String>,
    /// What it calls itself and its files and directories.
    own: BTreeSet<String>,
}

impl Needs {
    /// What a project has to say of these modules.
    fn of(tree: &Workspace, modules: &BTreeSet<String>) -> Self {
        let wanted: BTreeSet<String> = modules.iter().map(|module| folded(module)).collect();
        let is_wanted = |module: &String| wanted.contains(module);
        let (mut declared, mut own) = (BTreeSet::new(), BTreeSet::new());
        let mut files: Vec<&str> = Vec::new();
        for entry in tree.entries().iter() {
            let Ok(path) = std::str::from_utf8(&entry.path) else { continue };
            let parts = path.split('/').map(|part| part.split('.').next().unwrap_or(part));
            own.extend(parts.map(folded).filter(is_wanted));
            let name = path.rsplit('/').next().unwrap_or(path);
            let requirements = name.contains("requirements") && name.ends_with(".txt");
            if requirements || DECLARATIONS.contains(&name) {
                files.push(path);
            }
        }
        files.sort_by_key(|path| path.matches('/').count());
        let mut room = MOST_READ;
        for path in files.into_iter().take(MOST_FILES) {
            let read = confined::open_file(tree.root(), path.as_bytes());
            let read = read.and_then(|(mut file, _)| confined::read_all(&mut file, LARGEST));
            let Ok(bytes) = read else { continue };
            let Some(rest) = room.checked_sub(bytes.len()) else { break };
            room = rest;
            let text = String::from_utf8_lossy(&bytes);
            declared.extend(words(&text).flat_map(modules_of).filter(is_wanted));
            own.extend(names_given(&text).filter(is_wanted));
        }
        Self { declared, own }
    }

    /// Whether the packages that it names have one for this module.
    fn has(&self, module: &str) -> bool {
        let module = folded(module);
        !self.own.contains(&module) && self.declared.contains(&module)
    }
}

/// The modules that a package of this name may have.
fn modules_of(word: String) -> impl Iterator<Item = String> {
    let bare = word.strip_prefix("python-").or_else(|| word.strip_prefix("py"));
    let bare = [bare, word.strip_suffix("-python")].into_iter().flatten().map(str::to_owned);
    let aliases = ALIASES.iter().filter(|(_, package)| word.starts_with(package));
    let mut found: Vec<String> = aliases.map(|(module, _)| folded(module)).chain(bare).collect();
    found.push(word);
    found.into_iter()
}

/// The words that may be names of packages.
fn words(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split(|c: char| !(c.is_alphanumeric() || "_-./@".contains(c)));
    parts.filter(|word| !word.is_empty()).map(folded)
}

/// What a project calls itself: `name = "x"`, `name="x"`, `"name": "x"`.
fn names_given(text: &str) -> impl Iterator<Item = String> {
    text.match_indices("name").filter_map(|(at, word)| {
        let rest = text.get(at + word.len()..)?.trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix(['=', ':'])?.trim_start();
        let value = value.strip_prefix(['"', '\'']).unwrap_or(value);
        let ends = |c: char| !(c.is_alphanumeric() || "_-./@".contains(c));
        Some(folded(value.split(ends).next()?))
    })
}

/// As package names are compared: `-` and `_` are one, and so are capitals.
fn folded(text: &str) -> String {
    text.to_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str, own: &[&str]) -> Needs {
        let mut own: BTreeSet<String> = own.iter().map(|name| folded(name)).collect();
        own.extend(names_given(text));
        Needs { declared: words(text).flat_map(modules_of).collect(), own }
    }

    #[test]
    fn a_module_is_needed_if_the_project_names_its_package() {
        let named = needs(
            "PyYAML>=6\npython-dateutil\nBeautifulSoup4\nflask_login = \"*\"\nsetuptools\n",
            &[],
        );
        for module in ["yaml", "dateutil", "bs4", "flask_login"] {
            assert!(named.has(module), "{module}");
        }
        for module in ["requests", "calcc", "cv2", "tools", "log"] {
            assert!(!named.has(module), "{module}");
        }
    }

    #[test]
    fn what_is_the_projects_own_is_no_package() {
        for text in [
            "[project]\nname = \"widget_x\"\noptional = [\"widget-x[more]\"]\n",
            "setup(name='widget-x', version='1')\n",
            "[metadata]\nname = widget_x\n",
            "{\n  \"name\": \"widget-x\"\n}\n",
        ] {
            assert!(!needs(text, &[]).has("widget_x"), "{text}");
        }
        assert!(!needs("widget-x\n", &["widget_x"]).has("widget_x"), "a directory");
        assert!(needs("widget-x\n", &["other"]).has("widget_x"));
    }

    #[test]
    fn a_hostile_number_of_modules_and_requirements_is_read_once() {
        let text: String = (0..200_000).map(|i| format!("python-m{i}\n")).collect();
        let named = needs(&text, &[]);
        let modules = (0..200_000).map(|i| format!("m{i}"));
        assert!(modules.into_iter().all(|module| named.has(&module)));
    }

    #[test]
    fn options_that_pytest_does_not_know_are_read() {
        let said = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: -n \
                    auto --cov=a\n  inifile: None\n";
        assert_eq!(unknown_options(said), ["-n", "--cov"]);
    }
}

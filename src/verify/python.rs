//! Which copy of a Python package the tests import.
//!
//! Invariants: commands in a Python project look in the tree first, `src` before the top; where a
//! package of the tree would be imported from somewhere else all the same, this is found out, and
//! no code of the repository runs for that.

use std::collections::BTreeSet;
use std::path::Path;

use tokio_util::sync::CancellationToken;

use super::detect::is_pytest_file;
use super::distill::distill;
use crate::sandbox::{Exit, Sandbox, SandboxCommand, SandboxError, SandboxLimits};

/// Files at the top that only a Python project has.
const SIGNS: &[&str] = &["pyproject.toml", "setup.py", "setup.cfg", "pytest.ini"];
/// Modules at the top that are no part of what is tested.
const HELPERS: &[&str] = &["setup", "conftest", "noxfile"];
/// Characters of an answer that cannot be used.
const DISTILLED: usize = 1_000;
/// How `WHERE` ends when something lies elsewhere.
const ELSEWHERE: i32 = 40;

/// Starts the interpreter that `pytest` runs in: it need not be the `python3` of the path. A script
/// whose interpreter is not there, such as one of pyenv's on a machine where that lies elsewhere,
/// is passed over, as a shell does.
const START: &str = r#"
code=$1
shift
starts() {
  IFS= read -r first <"$1" || first=
  case $first in
    '#!'*) words=${first#??}; words=${words# }; [ -x "${words%% *}" ] ;;
  esac
}
pytest=
rest=$PATH:
while [ -n "$rest" ] && [ -z "$pytest" ]; do
  place=${rest%%:*}
  rest=${rest#*:}
  [ -x "$place/pytest" ] && starts "$place/pytest" && pytest=$place/pytest
done
[ -n "$pytest" ] || { first=; pytest=$(command -v python3) || exit 127; }
case $first in
  '#!'*python*) exec ${first#??} -S -c "$code" "$pytest" "$@" ;;
  *) exec python3 -S -c "$code" "$pytest" "$@" ;;
esac
"#;

/// Asks Python's own finders, with the path that tests have. Only what the machine has installed
/// runs: the tree's entries are off the path until all modules that this needs are there.
const WHERE: &str = r"
import sys
script, tree, names = sys.argv[1], sys.argv[2], sys.argv[3:]
path = [entry for entry in sys.path if entry]
sys.path[:] = [entry for entry in path if entry != tree and not entry.startswith(tree + '/')]
import os, site, importlib.machinery
if not getattr(sys.flags, 'safe_path', False):
    path.insert(0, os.path.dirname(os.path.realpath(script)))
sys.path[:] = path
site.execsitecustomize = site.execusercustomize = lambda: None
site.main()
root = os.path.realpath(tree) + os.sep
def inside(place):
    return (os.path.realpath(place) + os.sep).startswith(root)
elsewhere = False
for name in names:
    specs = (finder.find_spec(name, None) for finder in sys.meta_path if hasattr(finder, 'find_spec'))
    spec = next((spec for spec in specs if spec is not None), None)
    if spec is None or spec.origin in ('built-in', 'frozen'):
        continue
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or [])
    if places and not any(inside(place) for place in places):
        print(name, places[0])
        elsewhere = True
sys.exit(40 if elsewhere else 0)
";

/// A tree's Python packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    has_src: bool,
    packages: BTreeSet<String>,
}

impl Layout {
    /// What these paths of files show. `None`: it is no Python project.
    pub fn of<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> Option<Self> {
        let python = |path: &str| is_pytest_file(path) || SIGNS.contains(&path);
        if !paths.clone().any(python) {
            return None;
        }
        let has_src = paths.clone().any(|path| path.starts_with("src/"));
        let packages = paths.filter_map(package).map(str::to_owned).collect();
        Some(Self { has_src, packages })
    }

    /// The variables that have Python look in the tree first, and pytest say when it is through.
    pub fn environment(&self, sandbox: &dyn Sandbox, tree: &Path) -> Vec<(String, String)> {
        let top = sandbox.shows(tree).display().to_string();
        let path = if self.has_src { format!("{top}/src:{top}") } else { top };
        vec![("PYTHONPATH".to_owned(), path), closing_line(sandbox)]
    }

    /// Why green tests say nothing about this tree. `None`: they import its own packages.
    ///
    /// # Errors
    /// When it could not be asked.
    pub async fn imported_from_elsewhere(
        &self,
        sandbox: &dyn Sandbox,
        tree: &Path,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<Option<String>, SandboxError> {
        if self.packages.is_empty() {
            return Ok(None);
        }
        let shown = sandbox.shows(tree).display().to_string();
        let words = ["/bin/sh", "-c", START, "sh", WHERE, &shown].map(str::to_owned);
        let mut command =
            SandboxCommand::argv(words.into_iter().chain(self.packages.clone()), tree);
        command.env = self.environment(sandbox, tree);
        let output = sandbox.run(&command, limits, stop).await?;
        let said = output.stdout.text.trim();
        let first = said.lines().next().and_then(|line| line.split_once(' '));
        Ok(match (output.exit, first) {
            (Exit::Code(0), _) => None,
            (Exit::Code(ELSEWHERE), Some((name, place))) => Some(format!(
                "the command passed, but its tests import `{name}` from {place}, which is not in \
                 this tree: another copy was tested than the one that is checked here. It is \
                 installed on the machine that ran the command: take it away there, or name \
                 commands that test the tree under `[verify] commands`"
            )),
            _ => Some(format!(
                "the command passed, but it could not be found out whether its tests import this \
                 tree's packages or other copies of them: Python gave no answer. Name commands \
                 that do not need pytest under `[verify] commands`, or mend Python on the machine \
                 that ran the command\n{}",
                distill(&output.stderr.text, DISTILLED)
            )),
        })
    }
}

/// The variable that makes pytest print its closing line, though the project's own settings ask for
/// `-q` and the command does once more. What stands on the command line counts more than it does.
pub fn closing_line(sandbox: &dyn Sandbox) -> (String, String) {
    let options = match sandbox.name() {
        "none" => "--verbosity=0",
        // The sandbox's own variable of this name has the first.
        _ => "-p no:cacheprovider --verbosity=0",
    };
    ("PYTEST_ADDOPTS".to_owned(), options.to_owned())
}

/// Whether a command line starts pytest.
pub fn starts_pytest(line: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    line.split(|c| !word(c)).any(|word| word == "pytest")
}

/// The name under which a file, or the package it is part of, is imported.
///
/// Below `src` that is any directory: without `__init__.py` a package of that name elsewhere hides
/// it. At the top only what says that it is a package, lest every folder count.
fn package(path: &str) -> Option<&str> {
    if !path.ends_with(".py") || is_pytest_file(path) {
        return None;
    }
    let (inside, in_src) = path.strip_prefix("src/").map_or((path, false), |rest| (rest, true));
    let name = match inside.split_once('/') {
        Some((folder, rest)) if in_src || rest == "__init__.py" => folder,
        Some(_) => return None,
        None => inside.strip_suffix(".py")?,
    };
    let mut letters = name.bytes();
    let plain = letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let tests = ["test", "tests"].contains(&name) || name == "__init__";
    (plain && !tests && !HELPERS.contains(&name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packages(paths: &[&str]) -> Vec<String> {
        let layout = Layout::of(paths.iter().copied());
        layout.map_or(Vec::new(), |layout| layout.packages.into_iter().collect())
    }

    /// What the interpreter that is found is called, with scripts of these first lines in the path.
    #[allow(clippy::disallowed_methods)] // runs the shell, as a sandbox would
    fn started_by(first_lines: &[&str]) -> String {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let mut path = Vec::new();
        for (n, first) in first_lines.iter().enumerate() {
            let place = home.path().join(format!("bin-{n}"));
            std::fs::create_dir(&place).unwrap();
            let first = first.replace("HERE", &place.display().to_string());
            for (name, text) in [
                ("pytest", format!("{first}\n")),
                ("python3", format!("#!/bin/sh\necho python of bin-{n}\n")),
            ] {
                let file = place.join(name);
                std::fs::write(&file, text).unwrap();
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            path.push(place.display().to_string());
        }
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", START, "sh", "code"]).env("PATH", path.join(":"));
        String::from_utf8(shell.output().unwrap().stdout).unwrap()
    }

    #[test]
    fn the_interpreter_is_that_of_the_first_pytest_that_can_be_started() {
        let gone = "#!/nowhere/.pyenv/versions/3.11.7/bin/python3.11";
        assert_eq!(started_by(&["#!HERE/python3"]), "python of bin-0\n");
        assert_eq!(started_by(&[gone, "#!HERE/python3"]), "python of bin-1\n");
        assert_eq!(started_by(&["#! HERE/python3 -E", gone]), "python of bin-0\n");
        // None can be started: whatever Python is there.
        assert_eq!(started_by(&[gone]), "python of bin-0\n");
    }

    #[test]
    fn the_packages_of_a_tree_are_found_from_its_files() {
        let files = [
            "pyproject.toml",
            "src/widget/__init__.py",
            "src/space/deep/mod.py",
            "src/alone.py",
            "src/data/readme.txt",
            "flat/__init__.py",
            "flat/deep/__init__.py",
            "module.py",
            "scripts/run.py",
            "tests/__init__.py",
            "conftest.py",
            "setup.py",
            "test_module.py",
            "src/not-a-name/x.py",
            "src/__init__.py",
        ];
        assert_eq!(packages(&files), ["alone", "flat", "module", "space", "widget"]);
        assert_eq!(Layout::of(["tools/build.py", "Cargo.toml"].into_iter()), None);
    }

    #[test]
    fn pytest_is_recognised_as_a_word() {
        for line in ["pytest -q", "python3 -m pytest", "cd x && .venv/bin/pytest", "pytest"] {
            assert!(starts_pytest(line), "{line}");
        }
        for line in ["make test", "sh my_pytest.sh", "pytests"] {
            assert!(!starts_pytest(line), "{line}");
        }
    }
}

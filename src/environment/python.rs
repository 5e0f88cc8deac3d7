//! Packages of Python, for pip.
//!
//! Invariants: what pip fetches are wheels, for anything else would run code to tell what it needs;
//! source archives are fetched as data, and built without a network; a requirement with an address
//! of its own, and every option of a requirements file, is left out: either could name another
//! host. What is read is read once, and of more than [`MOST_REQUIREMENTS`] none is taken.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::{FetchPlan, PACKAGES, PlannedCommand};

/// Extras, groups and files with these words hold what tests need.
const OF_TESTS: [&str; 6] = ["test", "tests", "testing", "dev", "develop", "development"];
/// What each kind of project is built with, where it does not say.
const BUILT_WITH: [&str; 2] = ["setuptools", "wheel"];
/// The requirements, as pip is given them.
const REQUIREMENTS: &str = "gander-requirements.txt";
/// The versions that the project locked, as pip is given them.
const CONSTRAINTS: &str = "gander-constraints.txt";
/// So often a name is looked for in `setup.py`, and so long a list may be there, in bytes.
const MOST_PLACES: usize = 20;
const LONGEST_LIST: usize = 64 << 10;
/// What fetches and installs them; see its own words.
const FETCHER: &str = "gander-wheels.py";
/// Where that puts what it fetches, below the packages.
const FETCHED: &str = "python/fetched";
/// Where it names what cannot be had, in the directory of Python's packages.
pub(super) const LEFT_OUT: &str = "fetched/left-out";
/// So many a project may have.
const MOST_REQUIREMENTS: usize = 20_000;
const MANIFESTS: [&str; 4] = ["pyproject.toml", "setup.cfg", "setup.py", "Pipfile"];
/// What uv, poetry, pdm and pipenv lock with; the first that is there counts.
const LOCKS: [&str; 4] = ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"];

/// Whether pip is told what such a file says.
pub(super) fn is_manifest(path: &str) -> bool {
    MANIFESTS.contains(&path) || LOCKS.contains(&path) || is_requirements(path)
}

/// What is fetched for a Python project, if it has dependencies. `asked_in`: the file that asks for
/// another Python than the usual one, in which a test runner may be.
///
/// # Errors
/// In words for people: it names too many.
pub(super) fn plan(
    paths: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
    asked_in: Option<&str>,
) -> Result<Option<FetchPlan>, String> {
    let mut needs = needs_of(paths, read);
    if let Some(file) = asked_in {
        needs.add(file, ["pytest"]);
    }
    if needs.left_out {
        return Err(format!(
            "the packages that the Python project names could not be worked out: there are more \
             than {MOST_REQUIREMENTS}. Take out of the repository the requirements files that its \
             tests do without"
        ));
    }
    Ok(planned(needs, paths, read))
}

fn needs_of(paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> PythonNeeds {
    let mut needs = PythonNeeds::default();
    if let Some(project) = read("pyproject.toml").and_then(|text| text.parse::<Table>().ok()) {
        needs.of_pyproject(&project);
    }
    if let Some(text) = read("setup.cfg") {
        needs.of_setup_cfg(&text);
    }
    if let Some(text) = read("setup.py") {
        needs.of_setup_py(&text);
    }
    if let Some(pipfile) = read("Pipfile").and_then(|text| text.parse::<Table>().ok()) {
        for table in ["packages", "dev-packages"].iter().filter_map(|name| pipfile.get(*name)) {
            let table = table.as_table().into_iter().flatten();
            let lines: Vec<String> = table.filter_map(|(name, is)| of_poetry(name, is)).collect();
            needs.add("Pipfile", lines.iter().map(String::as_str));
        }
    }
    for path in paths.iter().filter(|path| is_requirements(path)) {
        if let Some(text) = read(path) {
            needs.add(path, text.lines());
        }
    }
    needs
}

fn planned(
    mut needs: PythonNeeds,
    paths: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
) -> Option<FetchPlan> {
    if needs.from.is_empty() || needs.all.is_empty() {
        return None;
    }
    let is_project = paths.iter().any(|path| ["pyproject.toml", "setup.py"].contains(path));
    needs.all.insert("pytest".to_owned());
    needs.all.extend(BUILT_WITH.map(str::to_owned));
    let lines: Vec<&str> = needs.all.iter().map(String::as_str).collect();
    let mut files = BTreeMap::from([(REQUIREMENTS.to_owned(), lines.join("\n").into_bytes())]);
    let lock = LOCKS.into_iter().find_map(|lock| Some((lock, read(lock)?)));
    if let Some((lock, text)) = &lock {
        needs.from.insert((*lock).to_owned());
        files.insert(CONSTRAINTS.to_owned(), locked(lock, text).join("\n").into_bytes());
    }
    files.insert(FETCHER.to_owned(), include_bytes!("gander-wheels.py").to_vec());
    let (home, fetched) = (format!("{PACKAGES}/python/venv"), format!("{PACKAGES}/{FETCHED}"));
    let python = format!("{home}/bin/python");
    let fetcher = |what: &str| PlannedCommand::new(&[&python, "-I", FETCHER, what, &fetched], &[]);
    let mut build = vec![fetcher("install")];
    if is_project {
        let pip = [&*python, "-m", "pip", "--quiet", "--no-input", "install", "--no-index"];
        let in_place = ["--no-deps", "--no-build-isolation", "-e", "/work"];
        let install = PlannedCommand::new(&[&pip[..], &in_place].concat(), &[]);
        build.push(install.on_sources().optional());
    }
    let used_up = ["wheels", "sources", "stubs"].map(|name| format!("{fetched}/{name}"));
    let [wheels, sources, stubs] = &used_up;
    build.push(PlannedCommand::new(&["rm", "-rf", wheels, sources, stubs], &[]));
    Some(FetchPlan {
        manager: "python",
        from: needs.from.into_iter().collect(),
        files,
        fetch: vec![PlannedCommand::new(&["python3", "-m", "venv", &home], &[]), fetcher("fetch")],
        build,
        env: vec![
            ("VIRTUAL_ENV".to_owned(), home.clone()),
            ("SETUPTOOLS_SCM_PRETEND_VERSION".to_owned(), "0.1.0".to_owned()),
        ],
        programs: Some(format!("{home}/bin")),
    })
}

/// A requirements file at the top, or one for tests.
pub(super) fn is_requirements(path: &str) -> bool {
    let Some(stem) = path.strip_suffix(".txt") else { return false };
    let words: Vec<&str> = stem.split(['-', '_', '/', '.']).collect();
    let named = words.contains(&"requirements") && words.len() <= 3;
    let for_others = ["doc", "docs", "lint", "ci", "release", "benchmark"];
    named && !words.iter().any(|word| for_others.contains(word))
}

/// What a project says that it needs.
#[derive(Default)]
struct PythonNeeds {
    all: BTreeSet<String>,
    /// The files that said so.
    from: BTreeSet<String>,
    /// Whether there were more of them than are taken.
    left_out: bool,
}

impl PythonNeeds {
    fn add<'l>(&mut self, from: &str, lines: impl IntoIterator<Item = &'l str>) {
        for line in lines.into_iter().filter_map(plain) {
            if self.all.len() == MOST_REQUIREMENTS {
                self.left_out = true;
                return;
            }
            if !self.from.contains(from) {
                self.from.insert(from.to_owned());
            }
            self.all.insert(line);
        }
    }

    fn of_pyproject(&mut self, project: &Table) {
        const FROM: &str = "pyproject.toml";
        let texts = |value: Option<&Value>| -> Vec<String> {
            let list = value.and_then(Value::as_array).into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let table = |value: Option<&Value>| value.and_then(Value::as_table).cloned();
        let add = |needs: &mut Self, lines: Vec<String>| {
            needs.add(FROM, lines.iter().map(String::as_str));
        };
        if let Some(build) = table(project.get("build-system")) {
            let requires = texts(build.get("requires"));
            // It asks for this only when it is about to install a tree in place.
            let more = requires.iter().any(|line| line.starts_with("hatchling"));
            add(self, requires);
            add(self, more.then(|| "editables".to_owned()).into_iter().collect());
        }
        let groups = table(project.get("dependency-groups")).unwrap_or_default();
        let mut open: Vec<&str> =
            groups.keys().map(String::as_str).filter(|name| is_of_tests(name)).collect();
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            let Some(group) = groups.get(name).filter(|_| seen.insert(name)) else { continue };
            add(self, texts(Some(group)));
            // `{include-group = "typing"}`
            let included = group.as_array().into_iter().flatten();
            open.extend(included.filter_map(|it| it.get("include-group")?.as_str()));
        }
        if let Some(project) = table(project.get("project")) {
            add(self, texts(project.get("dependencies")));
            let own = project.get("name").and_then(Value::as_str).unwrap_or_default();
            let extras = table(project.get("optional-dependencies")).unwrap_or_default();
            let mut open: Vec<&str> =
                extras.keys().map(String::as_str).filter(|name| is_of_tests(name)).collect();
            let mut seen = BTreeSet::new();
            while let Some(name) = open.pop() {
                if !seen.insert(name) {
                    continue;
                }
                for line in texts(extras.get(name)) {
                    match extras_of(&line, own) {
                        // `widget[cli]` in widget itself.
                        Some(named) => {
                            let named = named.split(',').map(str::trim);
                            let known = named.filter_map(|it| extras.get_key_value(it));
                            open.extend(known.map(|(name, _)| name.as_str()));
                        }
                        None => add(self, vec![line]),
                    }
                }
            }
        }
        let poetry = table(project.get("tool").and_then(|tool| tool.get("poetry")));
        let Some(poetry) = poetry else { return };
        let mut tables = vec![poetry.get("dependencies").cloned()];
        tables.push(poetry.get("dev-dependencies").cloned());
        for (name, group) in table(poetry.get("group")).unwrap_or_default() {
            if is_of_tests(&name) {
                tables.push(group.get("dependencies").cloned());
            }
        }
        for dependencies in tables.into_iter().flatten() {
            let dependencies = dependencies.as_table().cloned().unwrap_or_default();
            add(self, dependencies.iter().filter_map(|(name, is)| of_poetry(name, is)).collect());
        }
    }

    fn of_setup_cfg(&mut self, text: &str) {
        let mut section = "";
        let mut wanted = false;
        for line in text.lines() {
            if let Some(name) = line.trim().strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
                (section, wanted) = (name, false);
            } else if !line.starts_with([' ', '\t']) {
                let (key, value) = line.split_once('=').unwrap_or((line, ""));
                wanted = match section {
                    "options" => ["install_requires", "tests_require"].contains(&key.trim()),
                    "options.extras_require" => is_of_tests(key.trim()),
                    _ => false,
                };
                if wanted {
                    self.add("setup.cfg", [value]);
                }
            } else if wanted {
                self.add("setup.cfg", [line]);
            }
        }
    }

    /// Takes lists of texts by their names; what is computed is not known without running it.
    fn of_setup_py(&mut self, text: &str) {
        // `install_requires=[…]`, and `"tests": […]` as extras are written.
        let extras = OF_TESTS.iter().flat_map(|name| [format!("\"{name}\""), format!("'{name}'")]);
        let keys = ["install_requires", "tests_require"].map(str::to_owned);
        for key in keys.into_iter().chain(extras) {
            let found = text.match_indices(&key).take(MOST_PLACES);
            for (at, _) in found {
                // `EXTRAS["tests"] = […]`, too.
                let value = text[at + key.len()..].trim_start_matches([']', ' ']);
                if let Some(value) = value.strip_prefix(['=', ':']) {
                    let listed = list_at(value, text);
                    self.add("setup.py", listed.iter().map(String::as_str));
                }
            }
        }
    }
}

/// The texts of the list that begins a text of Python, or of the one that its name stands for.
fn list_at(value: &str, all: &str) -> Vec<String> {
    let value = value.trim_start();
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = &value[..value.find(|c| !of_name(c)).unwrap_or(value.len())];
    if name.is_empty() {
        return value.strip_prefix(['[', '(']).map_or(Vec::new(), texts_of_list);
    }
    let begins_line = |&(at, _): &(usize, &str)| at == 0 || all[..at].ends_with('\n');
    let mut lines = all.match_indices(name).filter(begins_line).take(MOST_PLACES);
    let list = lines.find_map(|(at, _)| {
        let rest = all[at + name.len()..].trim_start().strip_prefix('=')?;
        rest.trim_start().strip_prefix(['[', '('])
    });
    list.map_or(Vec::new(), texts_of_list)
}

/// The texts of a list whose bracket was opened before; comments may hold anything.
fn texts_of_list(list: &str) -> Vec<String> {
    let (mut texts, mut depth) = (Vec::new(), 0);
    let mut rest = &list[..list.floor_char_boundary(LONGEST_LIST)];
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '#' => rest = rest.split_once('\n').map_or("", |(_, rest)| rest),
            '"' | '\'' => {
                let Some((text, after)) = rest.split_once(first) else { break };
                texts.push(text.to_owned());
                rest = after;
            }
            '[' | '(' => depth += 1,
            ']' | ')' if depth == 0 => break,
            ']' | ')' => depth -= 1,
            _ => {}
        }
    }
    texts
}

/// Whether a name, such as `test` or `dev-py3`, is one of what tests need.
fn is_of_tests(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.split(['-', '_']).any(|word| OF_TESTS.contains(&word))
}

/// The extras in `widget[cli,all]`, if it is this project's own name.
fn extras_of<'l>(line: &'l str, own: &str) -> Option<&'l str> {
    let (name, rest) = line.split_once('[')?;
    let folded = |name: &str| name.trim().to_ascii_lowercase().replace('_', "-");
    (!own.is_empty() && folded(name) == folded(own)).then(|| rest.split(']').next()).flatten()
}

/// What pip takes for a file, whatever it looks like otherwise.
const ARCHIVES: [&str; 9] = [".whl", ".zip", ".gz", ".tgz", ".tar", ".bz2", ".xz", ".egg", ".txt"];

/// A line as pip takes it, if it is a name with extras, bounds and a condition, and nothing else:
/// an address, a file or an option could have pip run code.
fn plain(line: &str) -> Option<String> {
    let line = line.split(" #").next().unwrap_or(line).split(" --").next().unwrap_or(line);
    let line = line.trim().trim_end_matches('\\').trim();
    let (wanted, condition) = line.split_once(';').unwrap_or((line, ""));
    let of_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let (name, rest) = wanted.split_at(wanted.find(|c| !of_name(c)).unwrap_or(wanted.len()));
    let (extras, bounds) = match rest.trim_start().strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let lower = name.to_ascii_lowercase();
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && !ARCHIVES.iter().any(|end| lower.ends_with(end));
    let all = |text: &str, more: &str| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let is_plain = all(extras, "._-, ")
        && all(bounds, ".*+!,<>=~() ")
        && all(condition, "._<>=!()'\",-+* ")
        && !line.split(' ').any(|word| word.starts_with('-'));
    (is_name && is_plain).then(|| line.to_owned())
}

/// The versions in a lockfile, as pip is told them: those of packages that are there once and come
/// from a registry.
fn locked(lock: &str, text: &str) -> Vec<String> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |name: &str, version: &str| {
        let of_version = |c: char| c.is_ascii_alphanumeric() || ".!".contains(c);
        if !version.chars().all(of_version) {
            return;
        }
        if let Some(line) = plain(&format!("{name}=={version}")) {
            found.entry(name.to_ascii_lowercase()).or_default().insert(line);
        }
    };
    if lock == "Pipfile.lock" {
        let all: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        for part in ["default", "develop"] {
            for (name, is) in all.get(part).and_then(|it| it.as_object()).into_iter().flatten() {
                let version = is.get("version").and_then(|it| it.as_str()).unwrap_or_default();
                version.strip_prefix("==").into_iter().for_each(|version| add(name, version));
            }
        }
    }
    let all = text.parse::<Table>().unwrap_or_default();
    for package in all.get("package").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| package.get(key).and_then(Value::as_str);
        let source = package.get("source").and_then(Value::as_table);
        let from_registry = source.is_none_or(|source| source.contains_key("registry"));
        if let (Some(name), Some(version), true) = (text("name"), text("version"), from_registry) {
            add(name, version);
        }
    }
    found.into_values().filter(|all| all.len() == 1).flatten().collect()
}

/// `requests = "^2.1"` and `{version = "~1.2", extras = ["x"]}`, as pip writes it.
fn of_poetry(name: &str, is: &Value) -> Option<String> {
    let version = is.as_str().or_else(|| is.get("version")?.as_str())?;
    let optional = is.get("optional").and_then(Value::as_bool).unwrap_or(false);
    if name == "python" || optional {
        return None;
    }
    let extras = is.get("extras").and_then(Value::as_array).into_iter().flatten();
    let extras: Vec<&str> = extras.filter_map(Value::as_str).collect();
    let extras = if extras.is_empty() { String::new() } else { format!("[{}]", extras.join(",")) };
    Some(format!("{name}{extras}{}", bounds(version)?))
}

/// All bounds of a version in pip's words. `None`: they cannot be said so.
pub(super) fn bounds(version: &str) -> Option<String> {
    let all: Option<Vec<String>> = version.split(',').map(|one| bound(one.trim())).collect();
    Some(all?.join(","))
}

/// One bound of a version in pip's words. `None`: it cannot be said so.
fn bound(of: &str) -> Option<String> {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    if of == "*" || of.is_empty() {
        return Some(String::new());
    }
    let joined = |all: &[u64]| all.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
    let (text, place) = match (of.strip_prefix('^'), of.strip_prefix('~')) {
        (Some(text), _) => {
            let all = numbers(text)?;
            let place = all.iter().position(|number| *number > 0).unwrap_or(all.len() - 1);
            (text, place)
        }
        (_, Some(text)) if !text.starts_with('=') => (text, 1.min(numbers(text)?.len() - 1)),
        _ if of.starts_with(|first: char| first.is_ascii_digit()) => {
            return Some(format!("=={of}"));
        }
        _ => return Some(of.to_owned()),
    };
    let mut next = numbers(text)?;
    next.truncate(place + 1);
    *next.last_mut()? += 1;
    Some(format!(">={text},<{}", joined(&next)))
}

#[cfg(test)]
#[path = "python_tests.rs"]
mod tests;

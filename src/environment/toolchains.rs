//! Which version of a compiler or interpreter a commit asks for, of those on this machine.
//!
//! Invariants: nothing is fetched or run for it; where the version that every command finds is one
//! that is asked for, that is used; where none that is asked for is here, that is said.

use std::str::FromStr;

use pep440_rs::{Version as PythonVersion, VersionSpecifiers};
use semver::{Version, VersionReq};
use toml::{Table, Value};

use crate::sandbox::{InstalledToolchain, ShownDirectory};

/// Files that ask for a version and for nothing else.
pub(super) const FILES: [&str; 7] = [
    ".node-version",
    ".nvmrc",
    ".python-version",
    ".ruby-version",
    ".tool-versions",
    "rust-toolchain",
    "rust-toolchain.toml",
];

/// The names that Node gives to its long-term lines.
const NODE_LINES: [(&str, u64); 10] = [
    ("argon", 4),
    ("boron", 6),
    ("carbon", 8),
    ("dubnium", 10),
    ("erbium", 12),
    ("fermium", 14),
    ("gallium", 16),
    ("hydrogen", 18),
    ("iron", 20),
    ("jod", 22),
];

/// What commands of a commit work with, where that is not what every command finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ChosenToolchains {
    pub(super) shown: Vec<ShownDirectory>,
    pub(super) env: Vec<(String, String)>,
    /// For people: `python 3.8.18, as .python-version asks`.
    pub(super) told: Vec<String>,
    /// Which directory each language has in the end.
    pub(super) directories: Vec<String>,
    /// The file that asks for another Python than the usual one.
    pub(super) python_asked_in: Option<&'static str>,
}

/// A wish, and the file that has it.
struct Wish {
    from: &'static str,
    /// As it stands there.
    text: String,
    /// Whether people are told where nothing here fits.
    is_firm: bool,
    fits: Box<dyn Fn(&str) -> bool>,
}

type ReadText<'r> = &'r dyn Fn(&str) -> Option<String>;

/// Chooses for each language.
pub(super) fn choose(installed: &[InstalledToolchain], read: ReadText<'_>) -> ChosenToolchains {
    let mut chosen = ChosenToolchains::default();
    for (language, wishes) in [
        ("rust", Vec::from_iter(rust(read))),
        ("python", python(read)),
        ("node", Vec::from_iter(node(read))),
        ("ruby", Vec::from_iter(ruby(read))),
    ] {
        let all: Vec<_> = installed.iter().filter(|it| it.toolchain.name == language).collect();
        let default = all.iter().find(|it| it.is_default).copied();
        let one = wishes.iter().find_map(|wish| Some((best(&all, default, wish)?, wish)));
        let used = one.map(|(one, _)| one).or(default);
        chosen.directories.extend(used.map(|it| it.directory().display().to_string()));
        match (one, default, wishes.last()) {
            (Some((one, wish)), ..) if !one.is_default => {
                if language == "python" {
                    chosen.python_asked_in = Some(wish.from);
                }
                chosen.shown.push(one.shown());
                chosen.env.extend(one.env());
                let version = plain(&one.version);
                chosen.told.push(format!("{language} {version}, as {} asks", wish.from));
            }
            (None, Some(default), Some(Wish { from, text, is_firm: true, .. })) => {
                chosen.told.push(format!(
                    "{language} {}: {from} asks for {text}, which is not on Gander's machine",
                    plain(&default.version)
                ));
            }
            _ => {}
        }
    }
    chosen
}

/// The default where it fits, else the newest that does.
fn best<'i>(
    all: &[&'i InstalledToolchain],
    default: Option<&'i InstalledToolchain>,
    wish: &Wish,
) -> Option<&'i InstalledToolchain> {
    let fits = |it: &&InstalledToolchain| (wish.fits)(plain(&it.version));
    let newest = || {
        let fitting = all.iter().copied().filter(|it| fits(it));
        fitting.max_by_key(|it| numbers(plain(&it.version)))
    };
    default.filter(|it| fits(it)).or_else(newest)
}

/// A version without what managers write around it: `cpython-3.12.1-linux-x86_64-gnu`, `v20.1.0`.
fn plain(version: &str) -> &str {
    let version = version.strip_prefix("cpython-").unwrap_or(version);
    let version = version.strip_prefix('v').unwrap_or(version);
    let systems = ["-linux", "-x86_64", "-aarch64", "+freethreaded"];
    systems.iter().filter_map(|sign| version.find(sign)).min().map_or(version, |at| &version[..at])
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

/// A version, or the beginning of one: `3.8` is fulfilled by `3.8.18`.
fn beginning(from: &'static str, text: &str) -> Option<Wish> {
    let wanted = text.trim().trim_start_matches('v').to_owned();
    if !wanted.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let text = wanted.clone();
    let fits = move |version: &str| {
        version.strip_prefix(&*wanted).is_some_and(|rest| !rest.starts_with(char::is_numeric))
    };
    Some(Wish { from, text, is_firm: true, fits: Box::new(fits) })
}

/// The first line that is no comment.
fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
}

/// What asdf and mise are told.
fn tool_version(read: ReadText<'_>, names: [&str; 2]) -> Option<Wish> {
    const FROM: &str = ".tool-versions";
    let text = read(FROM)?;
    let mut lines = text.lines().map(|line| line.split_ascii_whitespace());
    lines.find_map(|mut words| {
        words.next().filter(|name| names.contains(name))?;
        beginning(FROM, words.next()?)
    })
}

fn rust(read: ReadText<'_>) -> Option<Wish> {
    let plain = read("rust-toolchain").and_then(|text| Some(first_line(&text)?.to_owned()));
    let (from, text) = match (read("rust-toolchain.toml"), plain) {
        (Some(text), _) => ("rust-toolchain.toml", text),
        (None, Some(line)) if !line.starts_with('[') => {
            return channel("rust-toolchain", &line);
        }
        (None, Some(_)) => ("rust-toolchain", read("rust-toolchain")?),
        (None, None) => return tool_version(read, ["rust", "rust"]),
    };
    let table: Table = text.parse().ok()?;
    channel(from, table.get("toolchain")?.get("channel")?.as_str()?)
}

fn channel(from: &'static str, text: &str) -> Option<Wish> {
    let wanted = text.trim().to_owned();
    // The usual one is a stable one.
    if wanted == "stable" || wanted.contains('/') {
        return None;
    }
    let text = wanted.clone();
    let fits = move |version: &str| {
        version
            .strip_prefix(&*wanted)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-']))
    };
    Some(Wish { from, text, is_firm: true, fits: Box::new(fits) })
}

fn ruby(read: ReadText<'_>) -> Option<Wish> {
    let own = read(".ruby-version").and_then(|text| {
        beginning(".ruby-version", first_line(&text)?.trim_start_matches("ruby-"))
    });
    own.or_else(|| tool_version(read, ["ruby", "ruby"]))
}

fn node(read: ReadText<'_>) -> Option<Wish> {
    for from in [".nvmrc", ".node-version"] {
        if let Some(wish) = read(from).and_then(|text| node_line(from, first_line(&text)?)) {
            return Some(wish);
        }
    }
    if let Some(wish) = tool_version(read, ["nodejs", "node"]) {
        return Some(wish);
    }
    let package: serde_json::Value = serde_json::from_str(&read("package.json")?).ok()?;
    let from = "package.json";
    let exact = package.pointer("/volta/node").and_then(|it| beginning(from, it.as_str()?));
    exact.or_else(|| {
        let text = package.pointer("/engines/node")?.as_str()?.to_owned();
        let ranges = npm_ranges(&text)?;
        let fits = move |version: &str| {
            let version = Version::parse(version);
            version.is_ok_and(|version| ranges.iter().any(|range| range.matches(&version)))
        };
        Some(Wish { from, text, is_firm: true, fits: Box::new(fits) })
    })
}

/// `18`, `v18.1.0`, `lts/hydrogen`; `None` for `lts/*` and `node`, which any is.
fn node_line(from: &'static str, text: &str) -> Option<Wish> {
    let Some(line) = text.trim().to_ascii_lowercase().strip_prefix("lts/").map(str::to_owned)
    else {
        return beginning(from, text);
    };
    let (_, number) = NODE_LINES.into_iter().find(|(name, _)| *name == line)?;
    beginning(from, &number.to_string())
}

/// npm's ranges: those of cargo, with `||` between them and spaces where cargo has commas.
fn npm_ranges(text: &str) -> Option<Vec<VersionReq>> {
    const LONGEST: usize = 200;
    if text.len() > LONGEST {
        return None;
    }
    text.split("||").map(npm_range).collect()
}

fn npm_range(text: &str) -> Option<VersionReq> {
    if let Some((from, to)) = text.split_once(" - ") {
        return VersionReq::parse(&format!(">={}, <={}", from.trim(), to.trim())).ok();
    }
    let mut bounds: Vec<String> = Vec::new();
    let mut open = String::new();
    for word in text.split_ascii_whitespace() {
        // `>= 18` is one bound.
        open.push_str(word.trim_start_matches('v'));
        if open.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '*') {
            bounds.push(std::mem::take(&mut open));
        }
    }
    let bounds = bounds.join(", ");
    VersionReq::parse(if bounds.is_empty() { "*" } else { &bounds }).ok()
}

/// What Python's files say: a version; or bounds, first together with the newest version that the
/// project was tried with, then alone.
fn python(read: ReadText<'_>) -> Vec<Wish> {
    let own =
        read(".python-version").and_then(|text| beginning(".python-version", first_line(&text)?));
    if let Some(wish) = own.or_else(|| tool_version(read, ["python", "python"])) {
        return vec![wish];
    }
    let project = read("pyproject.toml").unwrap_or_default();
    let parsed: Option<Table> = project.parse().ok();
    let (config, script) =
        (read("setup.cfg").unwrap_or_default(), read("setup.py").unwrap_or_default());
    let bounds = parsed.as_ref().and_then(of_pyproject).map(|text| ("pyproject.toml", text));
    let bounds = bounds
        .or_else(|| Some(("setup.cfg", after(&config, "python_requires")?)))
        .or_else(|| Some(("setup.py", after(&script, "python_requires")?)))
        .and_then(|(from, text)| Some((from, VersionSpecifiers::from_str(&text).ok()?, text)));
    let texts = [("pyproject.toml", &project), ("setup.cfg", &config), ("setup.py", &script)];
    let tried = texts.into_iter().find_map(|(from, text)| Some((from, newest_tried(text)?)));
    let mut wishes = Vec::new();
    if let Some((from, newest)) = tried {
        let bounds = bounds.as_ref().map(|(_, bounds, _)| bounds.clone());
        let fits = move |version: &PythonVersion| {
            let minor = version.release().get(1).copied().unwrap_or_default();
            minor <= newest && bounds.as_ref().is_none_or(|bounds| bounds.contains(version))
        };
        let text = format!("up to 3.{newest}");
        wishes.push(Wish { from, text, is_firm: false, fits: of_python_3(fits) });
    }
    if let Some((from, bounds, text)) = bounds {
        let fits = of_python_3(move |version| bounds.contains(version));
        wishes.push(Wish { from, text, is_firm: true, fits });
    }
    wishes
}

/// Only a Python 3 fits: nothing here works with an older one.
fn of_python_3(fits: impl Fn(&PythonVersion) -> bool + 'static) -> Box<dyn Fn(&str) -> bool> {
    Box::new(move |version| {
        let version = PythonVersion::from_str(version);
        version.is_ok_and(|version| version.release().first() == Some(&3) && fits(&version))
    })
}

fn of_pyproject(project: &Table) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let own = project.get("project").and_then(|it| text(it.get("requires-python")?));
    own.or_else(|| {
        let poetry = project.get("tool")?.get("poetry")?.get("dependencies")?;
        super::python::bounds(poetry.get("python")?.as_str()?)
    })
}

/// The text in quotes, or to the end of the line, after `key =`.
fn after(text: &str, key: &str) -> Option<String> {
    let rest = text.split_once(key)?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|first| ['"', '\''].contains(first));
    let value = match quote {
        Some(quote) => rest[1..].split(quote).next()?,
        None => rest.lines().next()?,
    };
    Some(value.trim().to_owned())
}

/// The newest Python 3 that a project's classifiers name.
fn newest_tried(text: &str) -> Option<u64> {
    let named = text.split("Programming Language :: Python :: 3.").skip(1);
    let minor = |rest: &str| -> Option<u64> {
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    named.filter_map(minor).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Toolchain;

    const HERE: [(&str, &str, bool); 12] = [
        ("rust", "stable-x86_64-unknown-linux-gnu", true),
        ("rust", "1.70.0-x86_64-unknown-linux-gnu", false),
        ("rust", "nightly-x86_64-unknown-linux-gnu", false),
        ("python", "2.7.18", false),
        ("python", "3.7.16", false),
        ("python", "3.9.18", false),
        ("python", "3.11.7", true),
        ("python", "3.13.0", false),
        ("python", "cpython-3.12.1-linux-x86_64-gnu", false),
        ("node", "v20.9.0", true),
        ("node", "v18.17.1", false),
        ("node", "v16.20.2", false),
    ];

    /// What people are told for these files.
    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let installed: Vec<InstalledToolchain> = HERE
            .iter()
            .map(|(name, version, is_default)| InstalledToolchain {
                toolchain: Toolchain::new(name, format!("/at/{version}")),
                version: (*version).to_owned(),
                is_default: *is_default,
            })
            .collect();
        let read =
            |path: &str| files.iter().find(|(name, _)| *name == path).map(|it| it.1.to_owned());
        let chosen = choose(&installed, &read);
        assert_eq!(chosen.directories.len(), 3, "ruby is not here");
        chosen.told
    }

    #[test]
    fn the_version_that_a_file_names_is_used() {
        for (file, text, expected) in [
            (".python-version", "3.9\n", "python 3.9.18, as .python-version asks"),
            (".python-version", "3.12\n", "python 3.12.1, as .python-version asks"),
            (".tool-versions", "nodejs 16.20.2\npython 3.7.16\n", "python 3.7.16, as"),
            (".nvmrc", "lts/hydrogen\n", "node 18.17.1, as .nvmrc asks"),
            (".node-version", "v16\n", "node 16.20.2, as .node-version asks"),
            ("rust-toolchain", "nightly\n", "rust nightly, as rust-toolchain asks"),
            (
                "rust-toolchain.toml",
                "[toolchain]\nchannel = \"1.70\"\n",
                "rust 1.70.0, as rust-toolchain.toml asks",
            ),
            ("package.json", r#"{"volta":{"node":"18.17.1"}}"#, "node 18.17.1, as package.json"),
        ] {
            let told = told(&[(file, text)]);
            assert!(told.iter().any(|it| it.starts_with(expected)), "{file} {text:?}: {told:?}");
        }
    }

    #[test]
    fn bounds_leave_the_usual_one_where_it_is_within_them_and_take_the_newest_that_is_else() {
        let project = |bounds: &str| format!("[project]\nrequires-python = \"{bounds}\"\n");
        for (bounds, expected) in [
            (">=3.8", None),
            (">=3.8,<4", None),
            ("~=3.9.2", Some("python 3.9.18")),
            (">=3.6,<3.11", Some("python 3.9.18")),
            (">=3.12", Some("python 3.13.0")),
            ("==3.12.*", Some("python 3.12.1")),
        ] {
            let told = told(&[("pyproject.toml", &project(bounds))]);
            let expected = expected.map(|it| format!("{it}, as pyproject.toml asks"));
            assert_eq!(told, Vec::from_iter(expected), "{bounds}");
        }
        for (engines, expected) in [
            (">=14", None),
            ("^18.17.0 || >=20.5.0", None),
            ("^16 || ^18", Some("node 18.17.1")),
            (">= 16.0.0 < 17", Some("node 16.20.2")),
            ("16.x", Some("node 16.20.2")),
            ("16 - 18", Some("node 18.17.1")),
            ("*", None),
        ] {
            let told =
                told(&[("package.json", &format!(r#"{{"engines":{{"node":"{engines}"}}}}"#))]);
            let expected = expected.map(|it| format!("{it}, as package.json asks"));
            assert_eq!(told, Vec::from_iter(expected), "{engines}");
        }
    }

    #[test]
    fn an_old_project_is_checked_with_a_python_that_it_was_tried_with() {
        let classifiers = "classifiers=['Programming Language :: Python :: 2.7',\n\
                           'Programming Language :: Python :: 3.6',\n\
                           'Programming Language :: Python :: 3.9']";
        assert_eq!(told(&[("setup.py", classifiers)]), ["python 3.9.18, as setup.py asks"]);
        let newer = format!("{classifiers}\n'Programming Language :: Python :: 3.12'");
        assert!(told(&[("setup.py", &newer)]).is_empty(), "the usual one is older");
        let bound = format!("python_requires='>=3.6, <3.8',\n{classifiers}");
        assert_eq!(told(&[("setup.py", &bound)]), ["python 3.7.16, as setup.py asks"]);
        let poetry = "[tool.poetry.dependencies]\npython = \"~3.9\"\n";
        assert_eq!(told(&[("pyproject.toml", poetry)]), ["python 3.9.18, as pyproject.toml asks"]);
        let ancient = "'Programming Language :: Python :: 3.4'";
        assert!(told(&[("setup.py", ancient)]).is_empty(), "none is here, and it may work");
        let ancient = format!("python_requires='>=3.4',{ancient}");
        assert!(told(&[("setup.py", &ancient)]).is_empty(), "the usual one is within its bounds");
    }

    #[test]
    fn what_is_not_here_is_said_and_what_nobody_understands_asks_for_nothing() {
        let missing = told(&[(".python-version", "3.5.2\n")]);
        assert_eq!(
            missing,
            ["python 3.11.7: .python-version asks for 3.5.2, which is not on Gander's machine"]
        );
        for (file, text) in [
            (".python-version", "pypy3.9-7.3.11\n"),
            (".python-version", ""),
            (".nvmrc", "lts/*\n"),
            (".nvmrc", "node\n"),
            ("rust-toolchain", "stable\n"),
            ("rust-toolchain.toml", "[toolchain]\npath = \"/evil\"\n"),
            ("package.json", r#"{"engines":{"node":"whatever works"}}"#),
            ("pyproject.toml", "[project]\nrequires-python = \"soon\"\n"),
            (".tool-versions", "python\n"),
        ] {
            assert!(told(&[(file, text)]).is_empty(), "{file} {text:?}");
        }
    }
}

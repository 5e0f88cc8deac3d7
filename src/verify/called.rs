//! Which files decide what the check commands do: those that a command names, and one level behind
//! it those that a Makefile's recipes, a package's scripts or a shell script run.
//!
//! Invariants: read from the base commit, so that a change cannot hide what it touches; nothing is
//! run, and a shell's language is only read as far as names go. What is worked out by variables or
//! by programs is not seen. However much there is to follow, only so much is read; where there is
//! more, every changed file counts as called.

mod makefile;
mod settings;
mod shell;

use std::collections::BTreeSet;

use serde_json::Value;

use makefile::Makefile;
use shell::{Call, calls, without_values};

const PACKAGE: &str = "package.json";
const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
/// More scripts of one package than this are not followed from one to the next.
const MOST_SCRIPTS: usize = 50;
/// So many bytes of files are read.
const MOST_READ: usize = 16 << 20;

/// Whether a script is followed into, or only named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// It stands in the command itself.
    Command,
    /// It stands in what the command runs.
    Behind,
}

/// The changed files that the commands run or are told by. `changed` are the paths of a change,
/// beside which packages are looked for, too; `read` gives the text of a file at the base, if it is
/// there.
///
/// # Errors
/// What `read` could not do.
pub fn called_files<E>(
    commands: &[String],
    changed: &[&str],
    read: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<BTreeSet<String>, E> {
    let asked = changed.iter().copied().collect();
    let mut follow = Follow { changed: asked, read, room: MOST_READ, found: BTreeSet::new() };
    for command in commands {
        // Whatever a command itself names, it was named on purpose.
        let named = command.split(|c: char| c.is_whitespace() || ";&|()'\"=<>".contains(c));
        named.for_each(|word| follow.find("", word));
        for call in calls(command) {
            follow.call(&call, "", Depth::Command)?;
        }
    }
    follow.settings()?;
    Ok(follow.found)
}

struct Follow<'a, R> {
    changed: BTreeSet<&'a str>,
    read: R,
    /// How many bytes may still be read.
    room: usize,
    /// Some of what changed.
    found: BTreeSet<String>,
}

impl<E, R: FnMut(&str) -> Result<Option<String>, E>> Follow<'_, R> {
    fn call(&mut self, call: &Call<'_>, directory: &str, depth: Depth) -> Result<(), E> {
        for word in call.runs() {
            self.find(directory, word);
            // Scripts name their neighbours, and what stands at the top.
            self.find("", word);
        }
        if depth == Depth::Behind {
            return Ok(());
        }
        match call.program() {
            "make" | "gmake" => self.make(call),
            "npm" | "pnpm" | "yarn" | "bun" => self.packages(call),
            _ => match call.runs().find_map(|word| joined("", word)) {
                Some(script) => self.script(&script),
                None => Ok(()),
            },
        }
    }

    /// Takes a word for a path.
    fn find(&mut self, directory: &str, word: &str) {
        let path = joined(directory, word);
        self.found.extend(path.filter(|path| self.changed.contains(&**path)));
    }

    fn text(&mut self, path: &str) -> Result<Option<String>, E> {
        if self.room == 0 {
            return Ok(None);
        }
        let text = (self.read)(path)?;
        self.room = self.room.saturating_sub(text.as_ref().map_or(0, String::len));
        if self.room == 0 {
            self.found.extend(self.changed.iter().map(|path| (*path).to_owned()));
        }
        Ok(text)
    }

    /// What a shell script runs.
    fn script(&mut self, path: &str) -> Result<(), E> {
        let Some(text) = self.text(path)? else { return Ok(()) };
        let by_name = path.ends_with(".sh") || path.ends_with(".bash");
        let first = text.lines().next().unwrap_or_default();
        if by_name || (first.starts_with("#!") && first.contains("sh")) {
            let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
            self.behind(&text, directory)?;
        }
        Ok(())
    }

    /// What the recipes of the goals run.
    fn make(&mut self, call: &Call<'_>) -> Result<(), E> {
        let directory = call.value_of(&["-C", "--directory"]).unwrap_or_default();
        let named = call.value_of(&["-f", "--file", "--makefile"]);
        let names = named.map_or(MAKEFILES.to_vec(), |name| vec![name]);
        for path in names.into_iter().filter_map(|name| joined(directory, name)) {
            let Some(text) = self.text(&path)? else { continue };
            let goals: Vec<&str> = call.operands(&["-C", "-f", "-j", "-o", "-W", "-I"]).collect();
            for line in Makefile::of(&text).recipes(&goals) {
                self.behind(&line, directory)?;
            }
            self.find("", &path);
            break;
        }
        Ok(())
    }

    /// What the scripts of packages run.
    fn packages(&mut self, call: &Call<'_>) -> Result<(), E> {
        let mut operands = call.operands(&["-C", "--prefix", "--workspace", "-w", "--filter"]);
        let name = match operands.find(|word| !matches!(*word, "workspaces" | "foreach")) {
            Some("run" | "run-script") => operands.next().unwrap_or("test"),
            Some("t" | "tst") | None => "test",
            Some(name) => name,
        };
        let of_members = call.words().any(|word| {
            word.contains("workspace") || word == "foreach" || word.starts_with("--filter")
        }) || call.words().any(|word| matches!(word, "-r" | "-w" | "--recursive"));
        let at = call.value_of(&["-C", "--prefix"]).unwrap_or_default();
        let mut directories = BTreeSet::from([at.trim_start_matches("./").to_owned()]);
        if of_members {
            directories.extend(self.changed.iter().flat_map(|path| above(path)).map(str::to_owned));
        }
        for directory in directories {
            let Some(path) = joined(&directory, PACKAGE) else { continue };
            let Some(text) = self.text(&path)? else { continue };
            let package: Value = serde_json::from_str(&text).unwrap_or_default();
            let scripts = scripts(&package, name);
            if scripts.is_empty() {
                continue;
            }
            self.find("", &path);
            for script in scripts {
                self.behind(&script, &directory)?;
            }
        }
        Ok(())
    }

    /// What the settings of runners and builds name, beside what changed and at the top.
    fn settings(&mut self) -> Result<(), E> {
        let above = self.changed.iter().flat_map(|path| above(path));
        let directories: BTreeSet<&str> = above.chain([""]).collect();
        for settings in settings::KNOWN {
            let language = |path: &&&str| {
                let end = path.rsplit_once('.').map_or("", |(_, end)| end);
                settings.languages.contains(&end)
            };
            if !self.changed.iter().any(|path| language(&path)) {
                continue;
            }
            for directory in &directories {
                let Some(manifest) = joined(directory, settings.manifest) else { continue };
                let Some(text) = self.text(&manifest)? else { continue };
                let mut named = (settings.in_manifest)(&text);
                for name in settings.files {
                    let Some(path) = joined(directory, name) else { continue };
                    let text = self.text(&path)?;
                    named.extend(text.iter().flat_map(|text| settings::paths(text)));
                }
                for path in named {
                    let ends = settings.languages.iter().map(|end| format!("{path}.{end}"));
                    ends.chain([path.clone()]).for_each(|path| self.find(directory, &path));
                }
            }
        }
        Ok(())
    }

    fn behind(&mut self, text: &str, directory: &str) -> Result<(), E> {
        let text = without_values(text);
        calls(&text).iter().try_for_each(|call| self.call(call, directory, Depth::Behind))
    }
}

/// A script of a package with those around it, and the scripts of the same package it runs.
fn scripts(package: &Value, name: &str) -> Vec<String> {
    let mut waiting = vec![name.to_owned()];
    let (mut known, mut found) = (BTreeSet::new(), Vec::new());
    while let Some(name) = waiting.pop() {
        if known.len() > MOST_SCRIPTS || !known.insert(name.clone()) {
            continue;
        }
        for name in [format!("pre{name}"), name.clone(), format!("post{name}")] {
            let text = package.get("scripts").and_then(|scripts| scripts.get(&name)?.as_str());
            let Some(text) = text else { continue };
            let further = calls(text);
            let further = further.iter().filter(|call| {
                matches!(call.program(), "npm" | "pnpm" | "yarn" | "bun" | "run-s" | "run-p")
            });
            let named = further.flat_map(|call| call.operands(&[]).filter(|word| *word != "run"));
            waiting.extend(named.map(str::to_owned));
            found.push(text.to_owned());
        }
    }
    found
}

/// The directories that a path is in, the top excluded.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// A word as a path from the root. `None`: it leads out, or is no path.
fn joined(directory: &str, word: &str) -> Option<String> {
    // `$DIR/x.sh` most often is a neighbour.
    let word = match word.strip_prefix('$') {
        Some(variable) => variable.split_once('/')?.1,
        None => word,
    };
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in word.split('/') {
        match part {
            "" if word.starts_with('/') => return None,
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
#[path = "called_tests.rs"]
mod tests;

//! Repositories in which each change brings a file of its own for the changelog.
//!
//! Invariants: found from the settings of the tools that read such files, or from the directory
//! that they are in; what to write is said to the agent, and nothing is written without it.

use serde::{Deserialize, Serialize};

use crate::core::kind::Kind;

/// How such files are kept here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fragments {
    /// What reads them.
    pub tool: FragmentTool,
    /// Where they are, without a `/` at the end.
    pub directory: String,
    /// Some that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
}

/// A tool that makes a changelog of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FragmentTool {
    /// <https://towncrier.readthedocs.io>: `123.bugfix.md`.
    Towncrier,
    /// <https://github.com/changesets/changesets>: front matter with packages and steps.
    Changesets,
    /// Another, by the files that are there.
    Other,
}

/// Directories in which such files are known to lie.
const DIRECTORIES: &[&str] = &[
    "newsfragments",
    "changelog.d",
    "changes",
    "CHANGES",
    "changelog",
    "news",
    "docs/changelog",
    "doc/changelog.d",
    "releasenotes/notes",
    ".changes",
    "unreleased",
];

/// How such files are kept among these, if they are. `settings` reads a file.
pub fn fragments(paths: &[&str], settings: impl Fn(&str) -> Option<String>) -> Option<Fragments> {
    let has = |name: &str| paths.contains(&name);
    let below = |directory: &str| -> Vec<String> {
        let inside = paths.iter().filter_map(|path| {
            path.strip_prefix(directory)?.strip_prefix('/').filter(|name| is_fragment(name))
        });
        inside.map(str::to_owned).collect()
    };
    let named = |tool, directory: &str| {
        let examples = below(directory).into_iter().take(3).collect();
        Some(Fragments { tool, directory: directory.to_owned(), examples })
    };
    if has(".changeset/config.json") {
        return named(FragmentTool::Changesets, ".changeset");
    }
    let towncrier = ["towncrier.toml", "pyproject.toml"].iter().find_map(|path| {
        let text = if has(path) { settings(path) } else { None }?;
        let table: toml::Table = text.parse().ok()?;
        let tool = table.get("tool").and_then(|tool| tool.get("towncrier"));
        let own = tool.or_else(|| table.get("towncrier")).cloned()?;
        Some(own.get("directory").and_then(|it| it.as_str()).map(str::to_owned))
    });
    if let Some(directory) = towncrier {
        let known =
            || DIRECTORIES.iter().find(|it| !below(it).is_empty()).map(|it| (*it).to_owned());
        let directory = directory.or_else(known).unwrap_or_else(|| "newsfragments".to_owned());
        return named(FragmentTool::Towncrier, directory.trim_matches(['/', '.']));
    }
    let other = DIRECTORIES.iter().find(|directory| below(directory).len() > 1)?;
    named(FragmentTool::Other, other)
}

/// Whether the name of a file is that of one change, and of no version.
fn is_fragment(name: &str) -> bool {
    let small = name.to_lowercase();
    let (stem, end) = small.rsplit_once('.').unwrap_or((&small, ""));
    let text = ["md", "rst", "txt", "yml", "yaml", "toml", "json"].contains(&end);
    let other = ["readme", "template", "config", "changelog", "index", "."];
    let version = stem.trim_start_matches(|c: char| c.is_alphabetic() || c == '-');
    let version = version.split('.').count() > 1
        && version.split('.').all(|part| part.bytes().all(|b| b.is_ascii_digit()));
    text && !name.contains('/') && !version && !other.iter().any(|it| stem.starts_with(it))
}

impl Fragments {
    /// What the agent is told: where the file for this change goes and what it is like.
    pub fn for_the_agent(&self, kind: Kind, issue: u64) -> String {
        let directory = &self.directory;
        let like = match self.examples.is_empty() {
            true => String::new(),
            false => format!(" Files that are there: {}.", self.examples.join(", ")),
        };
        let what = match self.tool {
            FragmentTool::Towncrier => {
                let type_ = match kind {
                    Kind::Fix => "bugfix",
                    Kind::Build => "feature",
                    Kind::Revert => "misc",
                };
                format!(
                    "a file `{directory}/{issue}.{type_}.EXT`, or with the type and the ending \
                     that the others there have: one or two sentences for users, and nothing else"
                )
            }
            FragmentTool::Changesets => format!(
                "a file `{directory}/SOME-NAME.md`: between two lines `---` each package that \
                 changes with its step, as `\"name\": {}`, then a sentence for users",
                match kind {
                    Kind::Fix | Kind::Revert => "patch",
                    Kind::Build => "minor",
                }
            ),
            FragmentTool::Other => {
                format!("a file in `{directory}/`, named and written as the others there are")
            }
        };
        format!(
            "Each change to this repository that users notice brings an entry of the changelog: \
             {what}.{like} Look at one of them before you write it."
        )
    }

    /// Whether a change brings one.
    pub fn is_in<'a>(&self, mut paths: impl Iterator<Item = &'a str>) -> bool {
        paths.any(|path| {
            let name = path.strip_prefix(&*self.directory).and_then(|it| it.strip_prefix('/'));
            name.is_some_and(is_fragment)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&'static str], settings: &str) -> Option<Fragments> {
        fragments(paths, |_| Some(settings.to_owned()))
    }

    #[test]
    fn towncrier_changesets_and_directories_of_others_are_found() {
        let of = |found: Option<Fragments>| found.map(|it| (it.tool, it.directory));
        let towncrier = "[tool.towncrier]\ndirectory = \"docs/changes\"\n";
        let wanted = Some((FragmentTool::Towncrier, "docs/changes".to_owned()));
        assert_eq!(of(found(&["pyproject.toml"], towncrier)), wanted);
        let wanted = Some((FragmentTool::Towncrier, "CHANGES".to_owned()));
        let paths = ["towncrier.toml", "CHANGES/12.bugfix.rst"];
        assert_eq!(of(found(&paths, "[towncrier]\n")), wanted);
        let wanted = Some((FragmentTool::Changesets, ".changeset".to_owned()));
        assert_eq!(of(found(&[".changeset/config.json"], "")), wanted);
        let wanted = Some((FragmentTool::Other, "changelog".to_owned()));
        assert_eq!(of(found(&["changelog/fix_a.md", "changelog/new_b.md"], "")), wanted);
    }

    #[test]
    fn files_of_versions_are_none() {
        assert_eq!(found(&["changelog/1.2.0.md", "changelog/v1.3.0.md"], ""), None);
        assert_eq!(found(&["CHANGELOG.md", "pyproject.toml"], "[project]\n"), None);
    }

    #[test]
    fn a_change_brings_one_where_one_is_added() {
        let own = found(&[".changeset/config.json"], "").unwrap();
        assert!(own.is_in([".changeset/brave-dogs-run.md"].into_iter()));
        assert!(!own.is_in([".changeset/README.md", "src/a.ts"].into_iter()));
        let told = own.for_the_agent(Kind::Fix, 12);
        assert!(told.contains("`\"name\": patch`"), "{told}");
    }
}

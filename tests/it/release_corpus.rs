//! How often a release of a real repository is planned as its maintainers made it.
//!
//! Bare repositories with their tags are named by `RELEASES_DIR`, one directory each; without it
//! this is skipped, loudly. The measure is the newest release whose commit moves the version in a
//! manifest: the version is what the commits since the tag before ask for, and every line that
//! people moved from the old version to the new one is moved as well, or named.

#![allow(clippy::disallowed_methods)] // runs git on repositories that a person named

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::config::variable;
use gander::core::policy::ReleaseScope;
use gander::release::manifests::{self, Edits, FileSet};
use gander::release::version::{Before, next};
use gander::release::{ReleasedCommit, mentions};
use semver::Version;

const WHOLE: ReleaseScope =
    ReleaseScope { package: None, directory: String::new(), apart: Vec::new() };

fn is_wanted(path: &str) -> bool {
    manifests::is_wanted(path, &WHOLE)
}

/// So many commits before a tag may hold its version.
const LOOKED_BACK: usize = 3;

struct Git(PathBuf);

impl Git {
    fn bytes(&self, arguments: &[&str]) -> Vec<u8> {
        let mut git = Command::new("git");
        git.args(["-c", "safe.directory=*", "-c", "core.quotePath=false", "-C"]);
        git.arg(&self.0).args(arguments).output().unwrap().stdout
    }

    fn say(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.bytes(arguments)).trim_end().to_owned()
    }

    fn files(&self, commit: &str, is_wanted: impl Fn(&str) -> bool) -> FileSet {
        let listed = self.say(&["ls-tree", "-r", "--name-only", commit]);
        let paths = listed.lines().filter(|path| is_wanted(path));
        paths
            .map(|path| (path.to_owned(), self.bytes(&["show", &format!("{commit}:{path}")])))
            .collect()
    }
}

/// A release as its maintainers made it.
struct Made {
    tag: String,
    version: Version,
    commit: String,
    parent: String,
}

fn version_of(tag: &str) -> Option<(String, Version)> {
    let at = tag.find(|c: char| c.is_ascii_digit())?;
    let prefix = &tag[..at];
    let plain = prefix.is_empty()
        || prefix == "v"
        || prefix.ends_with(['-', '_', '/'])
        || prefix.ends_with("-v");
    Some((prefix.to_owned(), Version::parse(&tag[at..]).ok()?)).filter(|_| plain)
}

/// The newest release whose commit moves a manifest's version.
fn newest(git: &Git) -> Option<Made> {
    let tags =
        git.say(&["for-each-ref", "--sort=-creatordate", "--format=%(refname:short)", "refs/tags"]);
    for tag in tags.lines().take(40) {
        let Some((prefix, version)) = version_of(tag) else { continue };
        let mut commit = git.say(&["rev-parse", &format!("{tag}^{{commit}}")]);
        for _ in 0..LOOKED_BACK {
            let parent = git.say(&["rev-parse", "--verify", "-q", &format!("{commit}^1")]);
            if parent.is_empty() {
                break;
            }
            let before = release_before(git, &parent, &prefix).map(|(version, _)| version);
            let said = |at: &str, last: Option<&Version>| {
                manifests::current(&git.files(at, is_wanted), &WHOLE, last)
            };
            if said(&commit, Some(&version)).is_some_and(|(said, _)| said == version)
                && said(&parent, before.as_ref()).is_some_and(|(said, _)| said != version)
            {
                return Some(Made { tag: tag.to_owned(), version, commit, parent });
            }
            commit = parent;
        }
    }
    None
}

/// The release before a commit: its version and tag.
fn release_before(git: &Git, commit: &str, prefix: &str) -> Option<(Version, String)> {
    let merged = git.say(&["tag", "--merged", commit]);
    let before = merged.lines().filter_map(|tag| {
        let (other, version) = version_of(tag)?;
        (other == prefix).then(|| (version, tag.to_owned()))
    });
    before.max()
}

/// The version that the commits since the tag before ask for, and whether most of them follow the
/// convention by which they ask.
fn planned(git: &Git, made: &Made, last: Option<&(Version, String)>) -> (String, bool) {
    let prefix = version_of(&made.tag).unwrap().0;
    let range = last.map_or(made.parent.clone(), |(_, tag)| format!("{tag}..{}", made.parent));
    let log = git.say(&["log", "--reverse", "--no-merges", "--format=%H%x01%B%x00", &range]);
    let changes: Vec<ReleasedCommit> = log
        .split('\0')
        .filter_map(|entry| entry.trim_start().split_once('\x01'))
        .map(|(sha, message)| ReleasedCommit {
            sha: sha.parse().unwrap(),
            message: message.to_owned(),
            pull: None,
            author: None,
            by_model: false,
        })
        .collect();
    let follows = |change: &&ReleasedCommit| {
        let kind = change.title().split_once(':').map_or("", |(kind, _)| kind);
        let kind = kind.split('(').next().unwrap_or_default().trim_end_matches('!');
        let kinds =
            ["feat", "fix", "docs", "chore", "refactor", "perf", "test", "ci", "build", "style"];
        kinds.contains(&kind)
    };
    let convention = changes.iter().filter(follows).count() * 2 >= changes.len();
    let last = last.map(|(version, _)| version);
    let files = git.files(&made.parent, is_wanted);
    let manifest = manifests::current(&files, &WHOLE, last);
    let before = Before {
        last,
        manifest: manifest.as_ref().map(|(version, path)| (version, path.as_str())),
        changes: &changes,
    };
    // Only what was tagged before this release was taken then.
    let time = |rev: &str| git.say(&["log", "-1", "--format=%ct", rev]).parse::<u64>().unwrap_or(0);
    let released = time(&made.parent);
    let taken = |tag: &str| {
        !git.say(&["rev-parse", "-q", "--verify", &format!("refs/tags/{tag}")]).is_empty()
            && time(tag) < released
    };
    let next = next(before, None, |version| Some(format!("{prefix}{version}")), taken);
    (next.map_or_else(|why| format!("{why:?}"), |next| next.version.to_string()), convention)
}

/// Lines that people moved and we do not, and that we move and people did not.
fn differing(git: &Git, made: &Made, last: Option<&Version>) -> (Vec<String>, Edits) {
    let files = git.files(&made.parent, is_wanted);
    let Some((old, _)) = manifests::current(&files, &WHOLE, last) else {
        return (vec!["no version was found".to_owned()], Edits::default());
    };
    let edits = manifests::with_version(&files, &WHOLE, Some(&old), &made.version);
    let mut names = manifests::names(&files, &WHOLE);
    names.insert(git.0.file_name().unwrap().to_string_lossy().to_lowercase());
    let mut differ = Vec::new();
    for (path, ours) in &edits.changed {
        let theirs = String::from_utf8(git.bytes(&["show", &format!("{}:{path}", made.commit)]));
        let theirs = theirs.unwrap_or_default();
        let theirs: BTreeSet<&str> = theirs.lines().collect();
        let before = String::from_utf8_lossy(&files[path]).into_owned();
        let missed = before.lines().zip(ours.lines()).find(|(before, after)| {
            let moved = before.replace(&old.to_string(), &made.version.to_string());
            before == after
                && moved != **before
                && !theirs.contains(before)
                && theirs.contains(&*moved)
        });
        differ.extend(missed.map(|(it, _)| format!("{path}: only theirs: {}", it.trim())));
        let moved = before.lines().zip(ours.lines()).filter(|(before, after)| before != after);
        let other = moved.filter(|(_, after)| !theirs.contains(after));
        differ.extend(other.map(|(_, after)| format!("{path}: only ours: {}", after.trim())));
    }
    let changed = git.say(&["diff", "--name-only", &made.parent, &made.commit]);
    for path in changed.lines().filter(|path| !edits.changed.contains_key(*path)) {
        let read = |at: &str| {
            let bytes = git.bytes(&["show", &format!("{at}:{path}")]);
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (before, after) = (read(&made.parent), read(&made.commit));
        let is_log = path.to_ascii_lowercase().contains("change") || path.contains("HISTORY");
        if before.contains('\0') || is_log {
            continue;
        }
        let (old, new) = (old.to_string(), made.version.to_string());
        let after: BTreeSet<&str> = after.lines().collect();
        let moved = before.lines().find(|line| {
            line.contains(&old)
                && !after.contains(line)
                && after.contains(&*line.replace(&old, &new))
        });
        let Some(line) = moved else { continue };
        let size = u64::try_from(before.len()).unwrap();
        let named = mentions::is_read(path, size)
            && mentions::line_of(path, before.as_bytes(), &old, &names).is_some();
        let told = edits.left.iter().any(|left| left.contains(path));
        if named {
            println!("    named: {path}");
        }
        if !named && !told {
            differ.push(format!("{path}: only theirs: {}", line.trim()));
        }
    }
    (differ, edits)
}

#[test]
fn releases_of_real_repositories_are_planned_as_they_were_made() {
    let Some(directory) = variable("RELEASES_DIR") else {
        eprintln!("\nSKIPPED: set RELEASES_DIR to plan the releases of real repositories\n");
        return;
    };
    let mut repositories: Vec<PathBuf> =
        std::fs::read_dir(Path::new(&directory)).unwrap().map(|it| it.unwrap().path()).collect();
    repositories.sort();
    let (mut all, mut same_files, mut by_convention, mut same_version) = (0, 0, 0, 0);
    for repository in repositories {
        let name = repository.file_name().unwrap().to_string_lossy().into_owned();
        let git = Git(repository);
        let Some(made) = newest(&git) else {
            println!("{name}: no release moves a version in a manifest that is known");
            continue;
        };
        let prefix = version_of(&made.tag).unwrap().0;
        let last = release_before(&git, &made.parent, &prefix);
        let (differ, edits) = differing(&git, &made, last.as_ref().map(|(version, _)| version));
        let (version, convention) = planned(&git, &made, last.as_ref());
        let same = version == made.version.to_string();
        all += 1;
        same_files += usize::from(differ.is_empty());
        by_convention += usize::from(convention);
        same_version += usize::from(convention && same);
        println!(
            "{name}: {} after {}: version {}{}, files {} ({} changed, {} left)",
            made.tag,
            last.as_ref().map_or("nothing", |(_, tag)| tag),
            if same { "same".to_owned() } else { format!("OTHER: {version}") },
            if convention { "" } else { " (free titles)" },
            if differ.is_empty() { "same" } else { "OTHER" },
            edits.changed.len(),
            edits.left.len(),
        );
        differ.iter().take(12).for_each(|line| println!("    {line}"));
        edits.left.iter().take(6).for_each(|line| println!("    left: {line}"));
    }
    println!(
        "files as made: {same_files} of {all}; version as made, where titles follow the \
         convention: {same_version} of {by_convention}"
    );
}

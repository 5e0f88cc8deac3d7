//! How often a release of a real repository is planned as its maintainers made it.
//!
//! Bare repositories with their tags are named by `RELEASES_DIR`, one directory each; without it
//! this is skipped, loudly. The measure is the newest release whose commit moves the version in a
//! manifest: the version is what the commits since the tag before ask for, and every line that
//! people moved from the old version to the new one is moved as well, or named.

#![allow(clippy::disallowed_methods)] // runs git on repositories that a person named

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::config::variable;
use gander::release::manifests::{self, Edits, FileSet};
use gander::release::version::{Before, next};
use gander::release::{ReleasedCommit, mentions};
use semver::Version;

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
        let Some((_, version)) = version_of(tag) else { continue };
        let mut commit = git.say(&["rev-parse", &format!("{tag}^{{commit}}")]);
        for _ in 0..LOOKED_BACK {
            let parent = git.say(&["rev-parse", "--verify", "-q", &format!("{commit}^1")]);
            if parent.is_empty() {
                break;
            }
            let said = |at: &str| manifests::current(&git.files(at, manifests::is_wanted));
            if said(&commit).is_some_and(|(said, _)| said == version)
                && said(&parent).is_some_and(|(said, _)| said != version)
            {
                return Some(Made { tag: tag.to_owned(), version, commit, parent });
            }
            commit = parent;
        }
    }
    None
}

/// The version that the commits since the tag before ask for.
fn planned(git: &Git, made: &Made) -> Result<(String, Option<String>), String> {
    let prefix = version_of(&made.tag).unwrap().0;
    let merged = git.say(&["tag", "--merged", &made.parent]);
    let before = merged.lines().filter_map(|tag| {
        let (other, version) = version_of(tag)?;
        (other == prefix).then_some((version, tag))
    });
    let last = before.max();
    let range =
        last.as_ref().map_or(made.parent.clone(), |(_, tag)| format!("{tag}..{}", made.parent));
    let log = git.say(&["log", "--format=%H%x01%B%x00", &range]);
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
    let manifest = manifests::current(&git.files(&made.parent, manifests::is_wanted));
    let before = Before {
        last: last.as_ref().map(|(version, _)| version),
        manifest: manifest.as_ref().map(|(version, path)| (version, path.as_str())),
        changes: &changes,
    };
    let next = next(before, None, |version| Some(format!("{prefix}{version}")), |_| false);
    let next = next.map_err(|why| format!("{why:?}"))?;
    Ok((next.version.to_string(), last.map(|(_, tag)| tag.to_owned())))
}

/// Lines that people moved and we do not, and that we move and people did not.
fn differing(git: &Git, made: &Made) -> (Vec<String>, Edits) {
    let files = git.files(&made.parent, manifests::is_wanted);
    let (old, _) = manifests::current(&files).unwrap();
    let edits = manifests::with_version(&files, &made.version);
    let mut names = manifests::names(&files);
    names.insert(git.0.file_name().unwrap().to_string_lossy().to_lowercase());
    let mut differ = Vec::new();
    for (path, ours) in &edits.changed {
        let theirs = String::from_utf8(git.bytes(&["show", &format!("{}:{path}", made.commit)]));
        let theirs = theirs.unwrap_or_default();
        let theirs: BTreeSet<&str> = theirs.lines().collect();
        let before = String::from_utf8_lossy(&files[path]).into_owned();
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
            && mentions::line_of(before.as_bytes(), &old, &names).is_some();
        let told = edits.left.iter().any(|left| left.contains(path));
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
    let mut good: BTreeMap<bool, usize> = BTreeMap::new();
    for repository in repositories {
        let name = repository.file_name().unwrap().to_string_lossy().into_owned();
        let git = Git(repository);
        let Some(made) = newest(&git) else {
            println!("{name}: no release moves a version in a manifest that is known");
            continue;
        };
        let (differ, edits) = differing(&git, &made);
        let (version, last) = planned(&git, &made).unwrap_or_else(|why| (why, None));
        let same = version == made.version.to_string();
        *good.entry(differ.is_empty() && same).or_default() += 1;
        println!(
            "{name}: {} after {}: version {}, files {} ({} changed, {} left)",
            made.tag,
            last.as_deref().unwrap_or("nothing"),
            if same { "same".to_owned() } else { format!("OTHER: {version}") },
            if differ.is_empty() { "same" } else { "OTHER" },
            edits.changed.len(),
            edits.left.len(),
        );
        differ.iter().take(12).for_each(|line| println!("    {line}"));
        edits.left.iter().take(6).for_each(|line| println!("    left: {line}"));
    }
    println!("as made: {:?}, otherwise: {:?}", good.get(&true), good.get(&false));
}

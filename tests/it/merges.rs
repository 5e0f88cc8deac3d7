//! How merges come out that people made: on real histories, beside git's own merge.
//!
//! Bare repositories with their history are named by `MERGES_DIR`, one directory each
//! (`NAME/repo`); without it this is skipped, loudly. Of each at most so many merges are taken,
//! spread over its history. The second parent is merged into the first.

#![allow(clippy::disallowed_methods)] // runs git on repositories that a person named

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use gander::config::variable;
use gander::core::id::Sha;
use gander::core::patch::{Change, FileMode, Patch};
use gander::workspace::between::{Between, between};
use gander::workspace::merge::{LostLines, MergeResult, lost_lines, unresolved};
use gander::workspace::mirror::Mirror;

/// Merges taken of each repository.
const OF_EACH: usize = 8;
/// So many are wanted in all.
const WANTED: usize = 200;

fn git(place: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git").arg("-C").arg(place).args(arguments).output().unwrap();
    output.stdout
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A mirror that finds the objects of a repository where they are, and writes its own elsewhere.
async fn mirror_of(repository: &Path, cache: &Path, key: &str) -> (Mirror, std::path::PathBuf) {
    let place = cache.join(format!("{key}.git"));
    Mirror::open(cache, key).await.unwrap();
    let objects = fs::canonicalize(repository.join("objects")).unwrap();
    fs::write(place.join("objects/info/alternates"), format!("{}\n", objects.display())).unwrap();
    (Mirror::open(cache, key).await.unwrap(), place)
}

/// The files of a tree: their modes and the names of their contents.
fn files(place: &Path, tree: &str) -> BTreeMap<String, (String, String)> {
    let listing = git(place, &["ls-tree", "-r", "-z", tree]);
    let lines = listing.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let line = text(line);
            let (about, path) = line.split_once('\t').unwrap();
            let about: Vec<&str> = about.split(' ').collect();
            (path.to_owned(), (about[0].to_owned(), about[2].to_owned()))
        })
        .collect()
}

/// The files of a commit after a change.
fn changed(place: &Path, commit: &str, patch: &Patch) -> BTreeMap<String, (String, String)> {
    let mut all = files(place, commit);
    let contents = tempfile::tempdir().unwrap();
    let (mut paths, mut written) = (String::new(), Vec::new());
    for (path, change) in &patch.changes {
        let Change::Write { mode, content, .. } = change else {
            all.remove(path.as_str());
            continue;
        };
        let file = contents.path().join(written.len().to_string());
        fs::write(&file, content).unwrap();
        paths.push_str(&format!("{}\n", file.display()));
        let mode = if *mode == FileMode::Executable { "100755" } else { "100644" };
        written.push((path.to_string(), mode.to_owned()));
    }
    let list = contents.path().join("list");
    fs::write(&list, paths).unwrap();
    let hashed = Command::new("git")
        .args(["hash-object", "--no-filters", "--stdin-paths"])
        .stdin(fs::File::open(list).unwrap())
        .output()
        .unwrap();
    for ((path, mode), oid) in written.into_iter().zip(text(&hashed.stdout).lines()) {
        all.insert(path, (mode, oid.to_owned()));
    }
    all
}

#[derive(Default, Debug)]
struct Counts {
    merges: usize,
    incomplete: usize,
    up_to_date: usize,
    clean: usize,
    equal: usize,
    as_people: usize,
    conflicts: usize,
    same_conflicts: usize,
    links: usize,
    lost_when_clean: usize,
    resolved_by_people: usize,
    people_lost: usize,
    people_contested: usize,
    millis: u128,
}

/// `None`: the snapshot lacks some of the contents.
async fn side(mirror: &Mirror, old: &Sha, new: &Sha) -> Option<Between> {
    let (old, new) = (mirror.list(old).await.ok()?, mirror.list(new).await.ok()?);
    between(mirror, &old, &new).ok()
}

/// One merge that people made: commit and parents.
async fn merge(
    mirror: &Mirror,
    place: &Path,
    [made, into, from]: [&Sha; 3],
    counts: &mut Counts,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if side(mirror, into, made).await.is_none() || side(mirror, from, made).await.is_none() {
        counts.incomplete += 1;
        return wrong;
    }
    let began = Instant::now();
    let merged = match mirror.merge(into, from).await.unwrap() {
        MergeResult::Tree(merged) => merged,
        MergeResult::UpToDate | MergeResult::Unrelated | MergeResult::Directories => {
            counts.up_to_date += 1;
            return wrong;
        }
    };
    counts.millis += began.elapsed().as_millis();
    counts.merges += 1;
    let plain = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z"];
    let own = git(place, &[&plain[..], &[into.as_str(), from.as_str()]].concat());
    let own: Vec<String> = own.split(|byte| *byte == 0).map(text).collect();
    let conflicts: BTreeSet<&str> = own[1..].iter().map(String::as_str).collect();
    let conflicts: BTreeSet<&str> = conflicts.into_iter().filter(|it| !it.is_empty()).collect();
    let ours: BTreeSet<String> = merged.conflicts.iter().map(|it| text(it)).collect();
    let laid = side(mirror, from, &merged.tree).await.unwrap();
    let origin = &merged.origin;
    let (Some(theirs), Some(mine)) =
        (side(mirror, origin, from).await, side(mirror, origin, into).await)
    else {
        counts.incomplete += 1;
        counts.merges -= 1;
        return wrong;
    };
    let lost = |change: &Between| -> LostLines {
        let change = (&change.patch, &change.base);
        lost_lines(change, &theirs, &mine, (&laid.patch, &merged.conflicts), (into, from))
    };
    if conflicts.is_empty() && ours.is_empty() {
        counts.clean += 1;
        if laid.left_out > 0 {
            counts.links += 1;
        } else if changed(place, from.as_str(), &laid.patch) == files(place, &own[0]) {
            counts.equal += 1;
        } else {
            wrong.push(format!("{made}: not what git makes of it"));
        }
        let people = text(&git(place, &["rev-parse", &format!("{made}^{{tree}}")]));
        counts.as_people += usize::from(people.trim() == own[0]);
        let lost = lost(&laid);
        if lost != LostLines::default() {
            counts.lost_when_clean += 1;
            wrong.push(format!("{made}: said to have lost {lost:?}"));
        }
        return wrong;
    }
    counts.conflicts += 1;
    if ours.iter().map(String::as_str).eq(conflicts.iter().copied()) {
        counts.same_conflicts += 1;
    } else {
        wrong.push(format!("{made}: other conflicts: {ours:?} {conflicts:?}"));
    }
    let people = side(mirror, from, made).await.unwrap();
    if !unresolved(&people.patch, into, from).is_empty() {
        wrong.push(format!("{made}: marks of ours where people left none"));
    }
    counts.resolved_by_people += 1;
    let lost = lost(&people);
    counts.people_contested += usize::from(!lost.contested.is_empty());
    if !lost.uncontested.is_empty() {
        counts.people_lost += 1;
        println!("{made}: people lost, in their resolution, {:?}", lost.uncontested);
    }
    wrong
}

#[tokio::test]
async fn merges_that_people_made_come_out_as_gits_own() {
    let Some(directory) = variable("MERGES_DIR") else {
        println!("SKIPPED: MERGES_DIR names no directory of repositories");
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let (mut counts, mut wrong) = (Counts::default(), Vec::new());
    let mut all: Vec<_> = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()).collect();
    all.sort();
    let mut repositories = 0;
    for repository in all.iter().map(|it| it.join("repo")).filter(|it| it.is_dir()) {
        let log = ["log", "--all", "--merges", "--min-parents=2", "--max-parents=2", "-4000"];
        let log = text(&git(&repository, &[&log[..], &["--format=%H %P"]].concat()));
        let merges: Vec<&str> = log.lines().collect();
        let step = (merges.len() / OF_EACH).max(1);
        let key = format!("r{repositories}");
        let (mirror, place) = mirror_of(&repository, cache.path(), &key).await;
        let before = counts.merges;
        for line in merges.iter().step_by(step).take(OF_EACH) {
            let names: Vec<Sha> = line.split(' ').map(|it| it.parse().unwrap()).collect();
            if let [made, into, from] = &names[..] {
                let these = [made, into, from];
                wrong.extend(merge(&mirror, &place, these, &mut counts).await);
            }
        }
        repositories += usize::from(counts.merges > before);
    }
    println!("{repositories} repositories: {counts:#?}");
    assert!(counts.merges >= WANTED, "only {} merges were found", counts.merges);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

//! How often the ways of real repositories are found right, by what was merged there last.
//!
//! Bare repositories with their history are named by `CONVENTIONS_DIR`, one directory each
//! (`NAME/repo`); without it this is skipped, loudly. The last ten titles of people are the
//! measure, and the fifty before them are what the form is found from.

#![allow(clippy::disallowed_methods)] // runs git on repositories that a person named

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gander::config::variable;
use gander::core::conventions::{KnownOfChange, TitleStyle, fill};
use gander::core::job::Kind;
use gander::forge::RecentHistory;
use gander::worker::conventions;
use gander::workspace::mirror::{History, Mirror, Source, Want};

/// So many titles are the measure.
const MEASURED: usize = 10;

fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git").arg("-C").arg(repository).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn is_program(name: &str) -> bool {
    let names = ["[bot]", "dependabot", "renovate", "pre-commit-ci", "github-actions", "asf-ci"];
    names.iter().any(|it| name.to_lowercase().contains(it))
}

/// The titles of merged pull requests of people, newest first, and the messages of commits.
fn history(repository: &Path) -> (Vec<String>, Vec<String>) {
    let log = git(repository, &["log", "--first-parent", "-2000", "--format=%an%x01%s%x01%b%x00"]);
    let mut titles = Vec::new();
    for entry in log.split('\0') {
        let mut parts = entry.trim_start().split('\x01');
        let (Some(by), Some(subject), Some(body)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let merge = subject.starts_with("Merge pull request #");
        let title = match (merge, subject.rsplit_once(" (#")) {
            (true, _) => body.trim().lines().next().unwrap_or_default(),
            (false, Some((title, _))) => title,
            (false, None) => continue,
        };
        if !(title.is_empty() || is_program(by) || is_program(subject)) {
            titles.push(title.trim().to_owned());
        }
    }
    let log = git(repository, &["log", "--no-merges", "-60", "--format=%an%x01%B%x00"]);
    let messages = log.split('\0').filter_map(|entry| entry.trim_start().split_once('\x01'));
    let messages = messages.filter(|(by, _)| !is_program(by)).map(|it| it.1.to_owned());
    (titles, messages.collect())
}

/// A template as it is filled in, for whoever wants to look.
fn show(template: &str) {
    let known = KnownOfChange {
        kind: Kind::Fix,
        issue: 12,
        title: "Panic on an empty list",
        tests_pass: true,
        has_test: true,
        commands: &[],
        signed_off: false,
        has_changelog: false,
    };
    let filled = fill(template, &known);
    println!("----\n{}\n----", filled.map_or_else(|| "nothing".to_owned(), |it| it.text));
}

#[tokio::test]
async fn the_ways_of_real_repositories_are_found_right_in_seven_of_eight() {
    let Some(directory) = variable("CONVENTIONS_DIR") else {
        eprintln!("\nSKIPPED: set CONVENTIONS_DIR to measure the ways of real repositories\n");
        return;
    };
    let cache = tempfile::tempdir().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let (mut measured, mut right) = (0, 0);
    for name in names {
        let repository = Path::new(&directory).join(&name).join("repo");
        if !repository.is_dir() {
            continue;
        }
        let (titles, messages) = history(&repository);
        if titles.len() < 2 * MEASURED || messages.len() < 2 * MEASURED {
            continue;
        }
        let (last, before) = titles.split_at(MEASURED);
        let (signed_last, signed_before) = messages.split_at(MEASURED);
        let mirror = Mirror::open(cache.path(), &name.replace('+', "_")).await.unwrap();
        let source = Source::Path(&repository);
        let time = Duration::from_secs(300);
        let fetched = mirror.fetch(source, Want::Head, History::Tip, time).await;
        let Ok(commit) = fetched.inspect_err(|error| println!("left out: {name}: {error}")) else {
            continue;
        };
        measured += 1;
        let known = RecentHistory {
            titles: before.iter().take(50).cloned().collect(),
            messages: signed_before.to_vec(),
            ..RecentHistory::default()
        };
        let found = conventions(&mirror, &commit, &known, Kind::Fix).await.unwrap();
        let is = TitleStyle::of(last.iter().map(String::as_str), false);
        // In some repositories half write one way and half another: four of ten are no stranger.
        let same = |title: &&String| {
            let one = TitleStyle::of([title.as_str()], false);
            let both = one.is_conventional() && found.titles.is_conventional();
            both || one.form == found.titles.form
        };
        let share = last.iter().filter(same).count();
        let both = is.is_conventional() && found.titles.is_conventional();
        let alike = both || is.form == found.titles.form || share * 10 >= MEASURED * 4;
        let signed = |message: &&String| message.to_lowercase().contains("signed-off-by:");
        let signs = signed_last.iter().filter(signed).count() * 2 > MEASURED;
        let signs_alike = signs == found.sign_off.is_some();
        let listed = git(&repository, &["ls-tree", "-r", "--name-only", "HEAD"]);
        let has_template = listed.lines().any(|path| {
            let path = path.to_lowercase();
            let path = [".github/", "docs/"]
                .iter()
                .fold(&*path, |path, it| path.strip_prefix(it).unwrap_or(path));
            path.starts_with("pull_request_template")
        });
        let template_alike = has_template == found.template.is_some();
        let all = alike && signs_alike && template_alike;
        right += usize::from(all);
        let title = found.titles.write(Kind::Fix, "Panic on an empty list", 12, None);
        println!(
            "{} {name}: {} (last ten: {}; {share} like that), sign-off {:?} (last ten: {signs}), template {:?}, \
             fragments {:?}, guides {:?}; {title}",
            if all { "right" } else { "WRONG" },
            found.titles.describe(),
            is.describe(),
            found.sign_off.as_ref().map(|it| it.words()),
            found.template.as_ref().map(|it| &it.path),
            found.fragments.as_ref().map(|it| &it.directory),
            found.guides.whole.iter().map(|it| (&it.path, it.text.len())).collect::<Vec<_>>(),
        );
        if let (Some(template), true) = (&found.template, variable("CONVENTIONS_SHOW").is_some()) {
            show(&template.text);
        }
    }
    println!("{right} of {measured} right in all three");
    assert!(measured >= 20 && right * 8 >= measured * 7, "{right} of {measured}");
}

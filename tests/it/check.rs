//! `gander check`: would Gander work here?

// A test's helpers start the program.
#![allow(clippy::disallowed_methods)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::Local;

fn check(at: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    command.arg("check").arg("--offline").args(more).arg(at);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(both).unwrap()
}

const MAKEFILE: (&str, &str) = ("Makefile", "test:\n\t@sh t.sh\n");

#[test]
fn a_project_with_a_test_command_can_be_worked_on_from_any_directory_of_it() {
    let local = Local::with(&[MAKEFILE, ("t.sh", "true\n"), ("src/deep/a.c", "")]);
    let output = check(&local.repository().join("src/deep"), &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for words in ["make test", "found by Makefile", "passes", "Gander can work here"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_fails_already_is_shown_and_is_no_reason_not_to_work() {
    let local = Local::with(&[MAKEFILE, ("t.sh", "echo expected 4, got 5\nexit 1\n")]);
    let output = check(&local.repository(), &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("fails") && text.contains("| expected 4, got 5"), "{text}");
    assert!(text.contains("a change passes only if all of it passes with it"), "{text}");
}

#[test]
fn where_nothing_can_be_checked_it_says_why_and_what_to_write() {
    let nothing = Local::with(&[("README.md", "# x\n")]);
    let output = check(&nothing.repository(), &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(7), "{text}");
    assert!(text.contains("no command was found") && text.contains("[verify]"), "{text}");
    let missing = Local::with(&[("Makefile", "test:\n\tno-such-tool\n")]);
    let output = check(&missing.repository(), &["--json"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(seen["can_work"], false);
    assert_eq!(seen["commands"][0]["found_by"], "Makefile");
    assert!(seen["problem"].as_str().unwrap().contains("no-such-tool"), "{seen}");
}

#[test]
fn the_rules_file_is_written_once_and_is_what_was_found() {
    let local = Local::with(&[MAKEFILE, ("t.sh", "true\n")]);
    let output = check(&local.repository(), &["--fix"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let path = local.repository().join(".github/gander.toml");
    let rules = std::fs::read_to_string(&path).unwrap();
    assert!(rules.contains("\"make test\""), "{rules}");
    std::fs::write(&path, "# ours\n").unwrap();
    let again = said(&check(&local.repository(), &["--fix"]));
    assert!(again.contains("is there already and was left alone"), "{again}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# ours\n");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::remove_dir_all(local.repository().join(".github")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), local.repository().join(".github")).unwrap();
    let text = said(&check(&local.repository(), &["--fix"]));
    assert!(text.contains("cannot be written"), "{text}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "not through a link");
    let nothing = Local::with(&[("README.md", "# x\n")]);
    let text = said(&check(&nothing.repository(), &["--fix"]));
    assert!(text.contains("No file was written"), "{text}");
    assert!(!nothing.repository().join(".github").exists());
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let place = tempfile::tempdir().unwrap();
    let output = check(place.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is in no git repository"), "{}", said(&output));
}

#[test]
fn a_project_is_checked_with_the_version_that_it_asks_for_and_that_is_told() {
    let host = tempfile::tempdir().unwrap();
    for version in ["3.7.99", "3.11.99"] {
        let bin = host.path().join(format!("versions/{version}/bin"));
        std::fs::create_dir_all(&bin).unwrap();
        std::os::unix::fs::symlink("/usr/bin/python3", bin.join("python3")).unwrap();
        let tool = format!("#!/bin/sh\necho this is {version}\nexit 1\n");
        std::fs::write(bin.join("which-version"), tool).unwrap();
        let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bin.join("which-version"), may_run).unwrap();
    }
    std::fs::write(host.path().join("version"), "3.11.99\n").unwrap();
    let makefile = ("Makefile", "test:\n\t@which-version\n");
    for (asked, expected) in [
        (Some("3.7\n"), ["this is 3.7.99", "Tools      python 3.7.99, as .python-version asks"]),
        (None, ["this is 3.11.99", "fails"]),
        (
            Some("3.4\n"),
            [
                "this is 3.11.99",
                "Tools      python 3.11.99: .python-version asks for 3.4, which is not on Gander's",
            ],
        ),
    ] {
        let version = asked.map(|text| (".python-version", text));
        let files: Vec<_> = [makefile].into_iter().chain(version).collect();
        let local = Local::with(&files);
        let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
        command.env("PYENV_ROOT", host.path()).args(["check", "--offline"]);
        let text = said(&command.arg(local.repository()).output().unwrap());
        for words in expected {
            assert!(text.contains(words), "{asked:?} {words}: {text}");
        }
    }
}

//! What the guides tell people to type and to copy is what the program takes, and what is shipped.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what is missing here fails the test")]

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use gander::core::yaml::{self, Node};

/// What stands for something in a command line, and one such thing.
const PLACEHOLDERS: [(&str, &str); 4] = [
    ("RULE=REASON", "tautology=because"),
    ("'$2'", "$2"),
    ("…", ""),
    ("${CREDENTIALS_DIRECTORY}", "/run/credentials"),
];

/// Not built yet, or for programs alone.
const NO_COMMANDS: [&str; 3] = ["gander doctor", "gander sandbox-init", "gander unprivileged --"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn guides() -> Vec<(String, String)> {
    let top =
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "action/README.md"].map(PathBuf::from);
    let docs = std::fs::read_dir(root().join("docs")).unwrap();
    let docs = docs.map(|entry| Path::new("docs").join(entry.unwrap().file_name()));
    let pages =
        top.into_iter().chain(docs).filter(|it| it.extension().is_some_and(|it| it == "md"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        (path.display().to_string(), text)
    };
    pages.map(read).collect()
}

/// The code of a page: blocks with what stands right before each, and words in code marks.
fn code(text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let (mut blocks, mut prose, mut before) = (Vec::new(), String::new(), String::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        if !line.trim_start().starts_with("```") {
            if !line.trim().is_empty() {
                before = line.trim().to_owned();
            }
            prose.push_str(line.trim());
            prose.push('\n');
            continue;
        }
        let inside = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```"));
        let inside = inside.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()));
        blocks.push((std::mem::take(&mut before), inside.collect()));
    }
    let marked = prose.split('`').skip(1).step_by(2).map(|words| words.replace('\n', " "));
    (blocks, marked.collect())
}

/// The words of each command of `gander` in shell text.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let parts = lines.flat_map(|line| line.split(['|', ';', '&', '(', ')']));
    let words = parts.filter_map(|part| {
        // Where it is written to is the shell's.
        let mut words: Vec<&str> =
            part.split_whitespace().take_while(|word| *word != ">").collect();
        while let Some(first) = words.first() {
            let is_before = first.contains('=') || ["sudo", "exec", "\"exec"].contains(first);
            match *first {
                "-u" | "--user" => drop(words.drain(..2.min(words.len()))),
                "ExecStart" => drop(words.remove(0)),
                _ if first.starts_with("ExecStart=") => words[0] = &words[0]["ExecStart=".len()..],
                _ if is_before => drop(words.remove(0)),
                _ => break,
            }
        }
        let first = words.first()?.trim_start_matches(['[', '"']);
        // What people write in comments.
        let program = if first == "/gander" { None } else { first.rsplit('/').next() }?;
        (program == "gander" && words.len() > 1)
            .then(|| words.into_iter().map(str::to_owned).collect())
    });
    words.collect()
}

/// Why the program would not take these words. What is left out in prose is no mistake there.
fn mistake(words: &[String], is_whole: bool) -> Option<String> {
    let words = words.iter().map(|word| {
        let filled =
            PLACEHOLDERS.iter().fold(word.clone(), |word, (it, one)| word.replace(it, one));
        filled.trim_matches(['"', '\'']).to_owned()
    });
    let error =
        gander::cli::command().try_get_matches_from(words.filter(|it| !it.is_empty())).err()?;
    let is_left_out =
        matches!(error.kind(), ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand);
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    (!is_help && (is_whole || !is_left_out)).then(|| error.to_string())
}

#[test]
fn every_command_line_in_the_guides_is_one_that_the_program_takes() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (page, text) in guides() {
        let (blocks, marked) = code(&text);
        let typed = blocks.iter().flat_map(|(_, block)| commands(block)).map(|it| (it, true));
        let marked = marked.iter().filter(|it| it.starts_with("gander "));
        let marked = marked.filter(|it| !NO_COMMANDS.contains(&it.as_str()));
        let named = marked.flat_map(|words| commands(words)).map(|it| (it, false));
        for (words, is_whole) in typed.chain(named) {
            seen += 1;
            if let Some(error) = mistake(&words, is_whole) {
                wrong.push(format!("{page}: {}\n{error}", words.join(" ")));
            }
        }
    }
    assert!(seen > 40, "the commands are not found: {seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_command_that_the_program_does_not_take_is_found() {
    let page = "See `gander run --quick`.\n\n```sh\nsudo -u gander gander serv\nA=b gander check \\\n  \
                --fix # writes\nuseradd gander\n```\n";
    let (blocks, marked) = code(page);
    assert_eq!(marked, ["gander run --quick"]);
    let typed = commands(&blocks[0].1);
    assert_eq!(typed, [vec!["gander", "serv"], vec!["gander", "check", "--fix"]]);
    assert!(mistake(&typed[0], true).is_some_and(|error| error.contains("serv")));
    assert_eq!(mistake(&typed[1], true), None);
    assert!(mistake(&commands(&marked[0])[0], false).is_some_and(|it| it.contains("--quick")));
    assert!(mistake(&["gander".to_owned(), "run".to_owned()], true).is_some());
    assert_eq!(mistake(&["gander".to_owned(), "run".to_owned()], false), None);
}

#[test]
fn every_file_that_a_guide_shows_is_the_one_that_is_shipped() {
    let mut shown = Vec::new();
    for (page, text) in guides() {
        for (before, block) in code(&text).0 {
            let Some(path) =
                before.strip_prefix("<!-- file: ").and_then(|it| it.strip_suffix(" -->"))
            else {
                continue;
            };
            let file = std::fs::read_to_string(root().join(path)).unwrap();
            assert!(block == file, "{page} shows another {path} than there is:\n{block}");
            shown.push(path.to_owned());
        }
    }
    shown.sort();
    let shipped = [
        "packaging/apparmor/gander",
        "packaging/caddy/Caddyfile",
        "packaging/compose.yaml",
        "packaging/nginx/gander.conf",
        "packaging/systemd/gander.service",
    ];
    assert_eq!(shown, shipped);
}

/// A value that is reached by these keys.
fn at<'a>(node: &'a Node, keys: &[&str]) -> &'a Node {
    keys.iter()
        .fold(node, |node, key| node.get(key).unwrap_or_else(|| panic!("no {key}: {node:?}")))
}

#[test]
fn the_containers_are_fixed_by_whoever_starts_them_and_get_what_a_sandbox_needs_and_no_more() {
    let file = std::fs::read(root().join("packaging/compose.yaml")).unwrap();
    let compose = yaml::read(&file).unwrap();
    let Node::Map(services) = at(&compose, &["services"]) else { panic!("{compose:?}") };
    for (name, service) in services {
        let image = at(service, &["image"]).text().unwrap();
        assert!(image.starts_with("${") && image.contains(":?"), "{name} floats: {image}");
    }
    let gander = at(&compose, &["services", "gander"]);
    assert_eq!(at(gander, &["cap_drop"]).texts().unwrap(), ["ALL"]);
    let options = at(gander, &["security_opt"]).texts().unwrap();
    let needed = ["no-new-privileges:true", "seccomp=./seccomp.json", "systempaths=unconfined"];
    assert_eq!(options[..3], needed);
    assert!(options[3].starts_with("apparmor=${"), "{options:?}");
    assert!(gander.get("privileged").is_none() && gander.get("ports").is_none());
    assert!(root().join("packaging/seccomp.json").is_file());
}

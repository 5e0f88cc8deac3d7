//! Real edits of real models, replayed through our edit tool on real files.
//!
//! The recordings are not part of the repository: `TRANSCRIPTS_DIR` names the directory they were
//! unpacked into. What the other tools did differently by design is translated here, by the fields
//! of the recording, never by its name. Any set of recordings in this form will do: what is in it
//! is counted and printed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // Helpers of tests are tests.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gander::agent::edit::{EditError, edit, edit_everywhere, insert_after};
use gander::agent::files::{FileError, Root};
use gander::core::path::RepoPath;
use serde_json::{Value, json};

/// What came of one edit, in the recordings' words.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Refused(&'static str, String),
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    complaints: Vec<String>,
}

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn of(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or(0)
    }

    fn complain(&mut self, what: &'static str, about: impl std::fmt::Display) {
        self.count(what);
        self.complaints.push(format!("{what}: {about}"));
    }

    fn print(&self, title: &str) {
        println!("{title}");
        for (what, count) in &self.counts {
            println!("  {count:5} {what}");
        }
        for complaint in &self.complaints {
            println!("  - {complaint}");
        }
    }
}

/// One recording in a directory of its own.
struct Replay<'a> {
    data: &'a Path,
    id: String,
    directory: tempfile::TempDir,
    root: Root,
    forgotten: HashSet<String>,
    tally: &'a mut Tally,
}

#[test]
fn recorded_sessions_end_in_the_recorded_files() {
    let Some(data) = transcripts() else { return };
    let mut tally = Tally::default();
    let listed = fs::read_to_string(data.join("transcripts.txt")).unwrap();
    for name in listed.split_whitespace() {
        let recording: Value = serde_json::from_slice(&fs::read(data.join(name)).unwrap()).unwrap();
        tally.count("recordings");
        if Replay::new(&data, name, &recording, &mut tally).run(&recording) {
            tally.count("recordings whose final files are equal");
        }
    }
    tally.print("recorded sessions");
    let all = tally.of("recordings");
    let equal = tally.of("recordings whose final files are equal");
    assert!(all > 0, "there is no recording in {}", data.display());
    assert!(equal * 100 >= all * 99, "only {equal} of {all} end in the recorded files");
}

#[test]
fn fuzzy_cases_are_applied_only_where_there_is_no_doubt() {
    let Some(data) = transcripts() else { return };
    let mut tally = Tally::default();
    let cases = fs::read_to_string(data.join("fuzzy.jsonl")).unwrap();
    for line in cases.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let before = blob(&data, &case["text_blob"]).unwrap();
        let before = String::from_utf8(before).unwrap();
        let result = edit(&before, text(&case["search"]), text(&case["replace"]));
        let id = format!("{} ({})", text(&case["id"]), text(&case["why"]));
        tally.count("cases");
        match (text(&case["kind"]), result) {
            ("apply", result) => {
                tally.count("apply");
                let expected = blob(&data, &case["expected_blob"]).unwrap();
                let expected = String::from_utf8(expected).unwrap();
                match result {
                    Ok(edited) if edited.text == expected => tally.count("apply: equal"),
                    Ok(_) => tally.complain("apply: other result", id),
                    Err(EditError::AlreadyApplied { .. } | EditError::NoChange)
                        if before == expected =>
                    {
                        tally.count("apply: nothing to do, and said so");
                    }
                    Err(refusal) => {
                        let refusal = refusal.to_string();
                        let start = refusal.lines().next().unwrap_or_default();
                        tally.complain("apply: refused", format!("{id}: {start}"));
                    }
                }
            }
            (kind @ ("reject" | "ambiguous"), Ok(edited)) => {
                let note = edited.note.unwrap_or_default();
                tally.complain("changed, though it must not", format!("{id} {kind}: {note}"));
            }
            ("reject" | "ambiguous", Err(refusal)) => {
                tally.count("reject and ambiguous: refused");
                assert!(refusal.to_string().contains("Nothing was done"), "{id}: {refusal}");
            }
            ("open", Ok(edited)) => {
                tally.count("open: taken");
                assert!(edited.note.is_some(), "{id}: taken without saying how");
            }
            ("open", Err(_)) => tally.count("open: refused"),
            ("retry_only", Ok(_)) => tally.complain("retry_only: taken", id),
            ("retry_only", Err(_)) => tally.count("retry_only: refused"),
            (kind, _) => tally.complain("cases of a kind unknown here", format!("{id} {kind}")),
        }
    }
    tally.print("fuzzy cases");
    assert!(tally.of("cases") > 0, "there is no case in {}", data.display());
    assert_eq!(tally.of("changed, though it must not"), 0);
    assert_eq!(tally.of("retry_only: taken"), 0);
    // Some replace lines that the file does not have, or expect what nobody asked for there.
    assert!(tally.of("apply: other result") * 20 <= tally.of("apply"));
}

#[test]
fn an_absolute_path_in_a_recording_is_answered_like_any_other_mistake() {
    let data = tempfile::tempdir().unwrap();
    let patch = "*** Begin Patch\n*** Add File: /tmp/x\n+new\n*** Update File: gone\n@@\n-a\n+b\n\
                 *** End Patch\n";
    let recording = json!({
        "agent": "codex",
        "base_blobs": {"a": null},
        "edits": [
            {"tool": "apply_patch", "patch": patch, "ok": false,
             "files": [{"rel": "/tmp/x"}, {"rel": "gone"}]},
            {"tool": "apply_patch", "patch": patch, "ok": true, "files": [{"rel": "gone"}]},
            {"tool": "str_replace", "path": "/etc/passwd", "old_str": "a", "new_str": "b", "ok": false},
            {"tool": "insert", "path": "../x", "new_str": "b", "ok": false},
        ],
        "final_blobs": {"a": null},
    });
    let mut tally = Tally::default();
    assert!(Replay::new(data.path(), "absolute", &recording, &mut tally).run(&recording));
    tally.print("absolute paths");
    assert_eq!(tally.of("refused, as recorded"), 1);
    assert_eq!(tally.of("refused, though the recorded tool did it"), 1);
}

impl<'a> Replay<'a> {
    fn new(data: &'a Path, name: &str, recording: &Value, tally: &'a mut Tally) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(File::open(directory.path()).unwrap());
        let replay =
            Self { data, id: name.to_owned(), directory, root, forgotten: HashSet::new(), tally };
        for (path, content) in recording["base_blobs"].as_object().unwrap() {
            replay.set(path, content);
        }
        replay
    }

    /// Whether all final files are the recorded ones.
    fn run(mut self, recording: &Value) -> bool {
        for (number, edit) in recording["edits"].as_array().unwrap().iter().enumerate() {
            self.step(number, edit);
        }
        let agent = text(&recording["agent"]).to_lowercase();
        let loose = ["openhands", "aider"].iter().any(|loose| agent.starts_with(loose));
        let diff_added_break = recording["replay_final_equals_recorded_modulo_eof_newline"] == true;
        let mut equal = true;
        for (path, content) in recording["final_blobs"].as_object().unwrap() {
            if self.forgotten.contains(path) {
                self.tally.count("final files that nobody knows");
                continue;
            }
            let expected = blob(self.data, content);
            let found = self.current(path);
            let same = match (&expected, &found) {
                (Some(a), Some(b)) if loose => {
                    without_trailing_space(a) == without_trailing_space(b)
                }
                (Some(a), Some(b)) if diff_added_break => a.trim_ascii_end() == b.trim_ascii_end(),
                (a, b) => a == b,
            };
            if !same {
                equal = false;
                let sizes = (expected.map(|e| e.len()), found.map(|f| f.len()));
                self.tally.complain("final file differs", format!("{} {path} {sizes:?}", self.id));
            }
        }
        equal
    }

    fn step(&mut self, number: usize, call: &Value) {
        match text(&call["tool"]) {
            "str_replace" | "create" | "insert" | "Edit" | "Write" | "search_replace_block" => {}
            "apply_patch" => return self.apply_patch(number, call),
            _ => return self.tally.count("other calls"),
        }
        let Some(path) = self.path_of(call) else {
            return self.tally.count("edits outside the repository");
        };
        if call["recorded_failure_not_reproducible"] == true {
            return self.tally.count("edits whose recorded failure nobody can explain");
        }
        if call["pre_unknown"] == true || call["state_unknown"] == true {
            self.forgotten.insert(path);
            return self.tally.count("edits of a file nobody knows");
        }
        self.set_if_given(&path, call);
        if call["tool"] == "create" && call["ok"] == true && self.current(&path).is_some() {
            // It was there, and it could be created: a command in between removed it.
            self.tally.count("files that a command removed in between");
            self.put(&path, None);
        }
        let before = self.current(&path);
        let outcome = self.perform(&path, call);
        self.judge(number, call, &path, before, outcome);
        if let Some(after) = call.get("post_blob") {
            self.set(&path, after);
        }
    }

    fn perform(&self, path: &str, call: &Value) -> Outcome {
        let Ok(path) = path.parse::<RepoPath>() else {
            return Outcome::Refused("path", path.to_owned());
        };
        match text(&call["tool"]) {
            "create" => self.created(&path, text(&call["file_text"])),
            // That tool overwrites; ours wants an edit, or to see the file go first.
            "Write" => {
                let gone = self.root.delete(&path);
                assert!(matches!(gone, Ok(()) | Err(FileError::Missing { .. })), "{gone:?}");
                self.created(&path, text(&call["content"]))
            }
            "insert" => {
                let Some(line) = call["insert_line"].as_u64() else {
                    return Outcome::Refused("arguments", "there is no line".to_owned());
                };
                self.edited(&path, |old| insert_after(old, line as usize, text(&call["new_str"])))
            }
            "Edit" => {
                let (old, new) = (text(&call["old_string"]), text(&call["new_string"]));
                if old.is_empty() && !self.directory.path().join(path.as_str()).exists() {
                    return self.created(&path, new);
                }
                let everywhere = call["replace_all"] == true;
                self.edited(&path, |text| {
                    // That tool takes the line break along when it deletes.
                    let with_break = format!("{old}\n");
                    let deletes = new.is_empty() && !old.ends_with('\n');
                    let old = if deletes && text.contains(&with_break) { &with_break } else { old };
                    if everywhere { edit_everywhere(text, old, new) } else { edit(text, old, new) }
                })
            }
            "search_replace_block" => {
                let (old, new) = (text(&call["search"]), text(&call["replace"]));
                let empty = self.root.read(&path).is_ok_and(|text| text.trim().is_empty());
                if old.trim().is_empty() && (empty || self.root.read(&path).is_err()) {
                    let _ = self.root.delete(&path);
                    return self.created(&path, new);
                }
                self.edited(&path, |text| edit(text, old, new))
            }
            _ => {
                let (old, new) = (text(&call["old_str"]), text(&call["new_str"]));
                self.edited(&path, |text| edit(text, old, new))
            }
        }
    }

    fn created(&self, path: &RepoPath, content: &str) -> Outcome {
        match self.root.create(path, content.as_bytes()) {
            Ok(()) => Outcome::Done,
            Err(e @ FileError::Exists { .. }) => Outcome::Refused("exists", e.to_string()),
            Err(e) => Outcome::Refused("file", e.to_string()),
        }
    }

    fn edited(
        &self,
        path: &RepoPath,
        change: impl FnOnce(&str) -> Result<gander::agent::edit::Edited, EditError>,
    ) -> Outcome {
        let before = match self.root.read(path) {
            Ok(before) => before,
            Err(refusal) => return Outcome::Refused("file", refusal.to_string()),
        };
        match change(&before) {
            Ok(edited) => match self.root.write(path, edited.text.as_bytes()) {
                Ok(()) => Outcome::Done,
                Err(refusal) => Outcome::Refused("file", refusal.to_string()),
            },
            Err(refusal) => Outcome::Refused(kind_of(&refusal), refusal.to_string()),
        }
    }

    /// Compares with what the recorded tool did, and puts the file where the recording goes on.
    fn judge(
        &mut self,
        number: usize,
        call: &Value,
        path: &str,
        before: Option<Vec<u8>>,
        outcome: Outcome,
    ) {
        let about = format!("{} edit {number} {path}", self.id);
        let error =
            call["error"].as_str().or(call["error"]["kind"].as_str()).unwrap_or("not_found");
        let by_policy = ["user_rejected", "not_read", "modified_since_read", "sibling_error"];
        // Another block of the same turn failed; this one was written all the same.
        let ok = call["ok"] == true || call["recorded"] == "turn_failed";
        match (ok, outcome) {
            (false, _) if by_policy.contains(&error) => {
                self.tally.count("edits withheld by the other tool's own rules");
                self.put(path, before.as_deref());
            }
            (true, Outcome::Refused("multiple", _)) if call["multiple_first_taken"] == true => {
                self.tally.count("refused as ambiguous, where the other tool took the first place");
                // What a model does when told the lines: it names the first place.
                let text = String::from_utf8(before.unwrap()).unwrap();
                let (old, new) = (call["search"].as_str(), call["replace"].as_str());
                let first = text.replacen(old.unwrap(), new.unwrap(), 1);
                self.put(path, Some(first.as_bytes()));
            }
            (true, Outcome::Refused("no_change", _)) => {
                self.tally.count("asked for what is there, and told so");
            }
            (true, Outcome::Refused("already_applied", _)) => {
                let what = "refused as made before, where the other tool did it twice";
                self.tally.complain(what, about);
            }
            (true, Outcome::Done) => self.tally.count("done, as recorded"),
            (true, Outcome::Refused(_, words)) => {
                let words = words.lines().next().unwrap_or_default().to_owned();
                self.tally.complain(
                    "refused, though the recorded tool did it",
                    format!("{about}: {words}"),
                );
            }
            (false, Outcome::Done) => {
                self.tally.complain("done, where the recorded tool could not", about);
                // The recording goes on as if it had not been.
                self.put(path, before.as_deref());
            }
            (false, Outcome::Refused(kind, words)) => {
                let recorded = match error {
                    "string_not_found" | "string_already_exists" => "not_found",
                    "multiple_occurrences" => "multiple",
                    "other" => call["replay"].as_str().unwrap_or("other"),
                    other => other,
                };
                // "Already there" and "the same" are our finer words for "not found".
                let same = kind == recorded || matches!(kind, "already_applied" | "no_change");
                if same {
                    self.tally.count("refused, as recorded");
                } else {
                    let about = format!("{about}: {kind}, not {recorded}: {words}");
                    self.tally.complain("refused for another reason", about);
                }
            }
        }
    }

    /// Several files, all or none. A hunk is: these lines, those lines.
    fn apply_patch(&mut self, number: usize, call: &Value) {
        let files = call["files"].as_array().map_or(&[][..], Vec::as_slice);
        for file in files {
            self.set_if_given(text(&file["rel"]), file);
        }
        let results = match self.results_of(text(&call["patch"]), files) {
            Ok(results) => results,
            Err(refusal) if call["ok"] == true => {
                let about = format!("{} edit {number}: {refusal}", self.id);
                return self.tally.complain("refused, though the recorded tool did it", about);
            }
            Err(_) => return self.tally.count("refused, as recorded"),
        };
        for (path, result) in results {
            let done = match result {
                None => self.root.delete(&path),
                Some(text) if self.directory.path().join(path.as_str()).exists() => {
                    self.root.write(&path, text.as_bytes())
                }
                Some(text) => self.root.create(&path, text.as_bytes()),
            };
            if let Err(refusal) = done {
                let about = format!("{} edit {number}: {refusal}", self.id);
                self.tally.complain("a change that could not be made", about);
            }
        }
        for file in files.iter().filter(|file| file.get("post_blob").is_some()) {
            self.set(text(&file["rel"]), &file["post_blob"]);
        }
        self.tally.count("done, as recorded");
    }

    /// What each file becomes, or what our tool answers.
    fn results_of(
        &self,
        patch: &str,
        files: &[Value],
    ) -> Result<Vec<(RepoPath, Option<String>)>, String> {
        let sections = patch_sections(patch);
        if sections.len() != files.len() {
            return Err(format!("{} sections for {} files", sections.len(), files.len()));
        }
        let result = |(section, file): (&Section<'_>, &Value)| {
            let path: RepoPath = text(&file["rel"]).parse().map_err(|e| format!("{file}: {e}"))?;
            let result = match section.operation {
                "Delete" => None,
                "Add" => Some(section.added()),
                _ => {
                    let before = self.root.read(&path).map_err(|refusal| refusal.to_string())?;
                    Some(section.updated(before).map_err(|refusal| format!("{path}: {refusal}"))?)
                }
            };
            Ok((path, result))
        };
        sections.iter().zip(files).map(result).collect()
    }

    fn path_of(&self, call: &Value) -> Option<String> {
        // Claude Code also keeps plans elsewhere; of those the full path is known.
        let elsewhere = matches!(text(&call["tool"]), "Edit" | "Write");
        if call.get("rel").is_some() && !(call["rel"].is_null() && elsewhere) {
            return call["rel"].as_str().map(below);
        }
        let path = call["resolved_path"].as_str().or(call["path"].as_str())?;
        Some(below(path))
    }

    fn set_if_given(&self, path: &str, call: &Value) {
        if let Some(content) = call.get("pre_blob") {
            self.set(path, content);
        }
    }

    fn set(&self, path: &str, content: &Value) {
        self.put(path, blob(self.data, content).as_deref());
    }

    fn put(&self, path: &str, content: Option<&[u8]>) {
        let file = self.directory.path().join(below(path));
        match content {
            Some(content) => {
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
            None if file.exists() => fs::remove_file(file).unwrap(),
            None => {}
        }
    }

    fn current(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.directory.path().join(below(path))).ok()
    }
}

struct Section<'a> {
    operation: &'a str,
    lines: Vec<&'a str>,
}

impl Section<'_> {
    fn added(&self) -> String {
        self.lines
            .iter()
            .filter_map(|line| line.strip_prefix('+'))
            .map(|l| format!("{l}\n"))
            .collect()
    }

    fn updated(&self, mut content: String) -> Result<String, EditError> {
        for hunk in self.lines.split(|line| line.starts_with("@@")) {
            let side = |marks: [char; 2]| -> String {
                let lines = hunk.iter().filter(|line| !line.starts_with("***"));
                let lines = lines.filter_map(|line| match line.strip_prefix(marks) {
                    Some(rest) => Some(rest),
                    None if line.is_empty() => Some(""),
                    None => None,
                });
                lines.map(|line| format!("{line}\n")).collect()
            };
            let (old, new) = (side([' ', '-']), side([' ', '+']));
            // A hunk of context alone.
            if old == new {
                continue;
            }
            content = edit(&content, &old, &new)?.text;
        }
        Ok(content)
    }
}

fn patch_sections(patch: &str) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    for line in patch.lines() {
        let operation =
            line.strip_prefix("*** ").and_then(|rest| rest.split_once(" File: ")).map(|(op, _)| op);
        match (operation, sections.last_mut()) {
            (Some(operation), _) => sections.push(Section { operation, lines: Vec::new() }),
            (None, Some(section)) if line != "*** End Patch" => section.lines.push(line),
            _ => {}
        }
    }
    sections
}

fn kind_of(refusal: &EditError) -> &'static str {
    match refusal {
        EditError::NoChange => "no_change",
        EditError::EmptyOld => "empty_old",
        EditError::NotFound { .. } => "not_found",
        EditError::Multiple { .. } => "multiple",
        EditError::AlreadyApplied { .. } => "already_applied",
        EditError::NoSuchLine { .. } => "no_such_line",
    }
}

fn without_trailing_space(content: &[u8]) -> Vec<&[u8]> {
    content.trim_ascii_end().split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end).collect()
}

/// Plans and notes that lay elsewhere on the recorded machine get a place here as well.
fn below(path: &str) -> String {
    path.trim_start_matches('/').to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn blob(data: &Path, name: &Value) -> Option<Vec<u8>> {
    let name = name.as_str()?;
    Some(fs::read(data.join("blobs").join(&name[..2]).join(name)).unwrap())
}

#[allow(clippy::disallowed_methods)] // Where the recordings are is a matter of the machine.
fn transcripts() -> Option<PathBuf> {
    let directory = std::env::var_os("TRANSCRIPTS_DIR").map(PathBuf::from);
    if directory.is_none() {
        println!("SKIPPED: set TRANSCRIPTS_DIR to the unpacked recordings to replay them");
    }
    directory
}

//! What the model can use: `read`, `search`, `edit`, `run`, and `finish`. (`verify` is handed in.)
//!
//! Invariants: file tools never leave the tree or follow a link (files.rs); commands run in the
//! sandbox; results are capped and say so; a wrong call is answered, not fatal; no call computes or
//! waits on a thread that serves others (aside.rs), and each takes time in proportion to its input.
//! What an edit writes is what git would keep (attributes.rs), and is remembered as an edit's own.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::arguments::{directory, parse, repo_path, told};
use super::aside::{aside, too_long};
use super::edit::{edit, edit_everywhere, insert_after};
use super::files::{FileError, Root};
use super::nearest::numbered;
use super::search::{SearchArguments, search};
use super::{Finished, Tool, ToolFault};
use crate::core::job::ThreadAnswer;
use crate::core::path::RepoPath;
use crate::model::ToolSpec;
use crate::sandbox::{
    CommandOutput, Exit, Sandbox, SandboxCommand, SandboxError, SandboxLimits, ShownDirectory,
};
use crate::workspace::attributes::{Attributes, has_dos_line, is_lfs_pointer};
use crate::workspace::origins::Origins;
use crate::workspace::patience::Patience;

/// Characters of one result that the model gets to see.
const RESULT_CAP: usize = 24_000;
/// Lines `read` shows unless asked for others.
const READ_LINES: usize = 600;
/// Characters of a listing; the rest of it is asked for by number.
const LIST_CAP: usize = 20_000;

/// Cuts a result in its middle, where least is lost, and says so.
pub fn capped(text: String) -> String {
    let characters = text.chars().count();
    if characters <= RESULT_CAP {
        return text;
    }
    let half = RESULT_CAP / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(characters - half).collect();
    format!("{head}\n[… {} characters cut here …]\n{tail}", characters - RESULT_CAP)
}

/// The files a tool works on.
#[derive(Clone)]
pub struct FilesContext {
    /// Where they are.
    pub root: Arc<Root>,
    /// What git would make of them.
    pub attributes: Arc<Attributes>,
    /// Learns which files an edit wrote.
    pub origins: Arc<Origins>,
    /// Ends a call early.
    pub stop: CancellationToken,
}

/// Looks at a file or directory.
pub struct Read(pub FilesContext);

/// Finds lines by regular expression.
pub struct Search(pub FilesContext);

/// Changes files.
pub struct Edit(pub FilesContext);

/// Runs a command in the sandbox.
pub struct RunTool {
    /// Where the command runs. It may be another one later, with other packages.
    pub sandbox: watch::Receiver<Arc<dyn Sandbox>>,
    /// The tree it works on.
    pub tree: PathBuf,
    /// Where what it builds stays for the next command. `None`: nowhere.
    pub build: Option<PathBuf>,
    /// Its limits.
    pub limits: SandboxLimits,
    /// Variables for each command. Never a secret.
    pub env: Vec<(String, String)>,
    /// Ends it early.
    pub stop: CancellationToken,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadArguments {
    #[serde(default)]
    path: String,
    from: Option<usize>,
    to: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditArguments {
    path: String,
    #[serde(default)]
    action: EditAction,
    old: Option<String>,
    new: Option<String>,
    line: Option<usize>,
    to: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum EditAction {
    #[default]
    Replace,
    ReplaceAll,
    Insert,
    Create,
    Delete,
    Rename,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RunArguments {
    command: String,
    #[serde(default)]
    directory: String,
}

#[async_trait]
impl Tool for Read {
    fn spec(&self) -> ToolSpec {
        spec(
            "read",
            "Shows a text file with line numbers (`12| text`), or lists a directory. Long ones are \
             shown in part: give `from` and `to` for other lines or names.",
            &json!({
                "path": {"type": "string", "description": "relative to the top; empty for the top itself"},
                "from": {"type": "integer", "minimum": 1, "description": "first line, or name of a listing"},
                "to": {"type": "integer", "minimum": 1, "description": "last line, or name of a listing"},
            }),
            &[],
        )
    }

    async fn call(&self, arguments: Value) -> Result<String, ToolFault> {
        let arguments: ReadArguments = parse(arguments)?;
        let root = Arc::clone(&self.0.root);
        aside(&self.0.stop, move |_| shown_part(&root, &arguments)).await
    }
}

#[async_trait]
impl Tool for Search {
    fn spec(&self) -> ToolSpec {
        spec(
            "search",
            "Finds lines that match a regular expression in all files below `path`.",
            &json!({
                "pattern": {"type": "string", "description": "regular expression, as Rust's regex crate reads it"},
                "path": {"type": "string", "description": "file or directory; empty for everything"},
                "ignore_case": {"type": "boolean"},
            }),
            &["pattern"],
        )
    }

    async fn call(&self, arguments: Value) -> Result<String, ToolFault> {
        let arguments: SearchArguments = parse(arguments)?;
        let root = Arc::clone(&self.0.root);
        aside(&self.0.stop, move |patience| search(&root, &arguments, patience)).await
    }
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> ToolSpec {
        spec(
            "edit",
            "Changes one file. `replace` (the default) puts `new` where `old` stands; `old` must be \
             exact and occur once, so give enough lines around it. `replace_all` replaces every \
             exact occurrence. `insert` puts `new` after line `line` (0: at the top). `create` makes \
             a file from `new`. `delete` removes the file. `rename` moves it to `to`.",
            &json!({
                "path": {"type": "string"},
                "action": {"type": "string", "enum": ["replace", "replace_all", "insert", "create", "delete", "rename"]},
                "old": {"type": "string", "description": "text to be replaced, without line numbers"},
                "new": {"type": "string", "description": "text to stand there"},
                "line": {"type": "integer", "minimum": 0},
                "to": {"type": "string", "description": "new path"},
            }),
            &["path"],
        )
    }

    async fn call(&self, arguments: Value) -> Result<String, ToolFault> {
        let arguments: EditArguments = parse(arguments)?;
        let files = self.0.clone();
        aside(&self.0.stop, move |patience| changed(&files, &arguments, patience)).await
    }
}

#[async_trait]
impl Tool for RunTool {
    fn spec(&self) -> ToolSpec {
        spec(
            "run",
            "Runs a shell command in the tree, in a sandbox without network. Output is capped.",
            &json!({
                "command": {"type": "string"},
                "directory": {"type": "string", "description": "where to run it; empty for the top"},
            }),
            &["command"],
        )
    }

    async fn call(&self, arguments: Value) -> Result<String, ToolFault> {
        let arguments: RunArguments = parse(arguments)?;
        let sandbox = Arc::clone(&self.sandbox.borrow());
        let workdir = directory(&arguments.directory, Some(&sandbox.shows(&self.tree)))?;
        let mut command = SandboxCommand::shell(arguments.command, self.tree.clone())
            .in_directory(workdir.map_or(String::new(), |path| path.to_string()));
        command.env.clone_from(&self.env);
        command.shown.extend(self.build.clone().map(ShownDirectory::of_builds));
        match sandbox.run(&command, &self.limits, &self.stop).await {
            // What it wrote is still there, and goes only with the whole tree.
            Ok(CommandOutput { exit: Exit::DiskFull, .. }) => Err(ToolFault::EndsAttempt(
                "a command that the model ran filled the disk".to_owned(),
            )),
            Ok(output) => Ok(shown(&output)),
            Err(SandboxError::Malformed) => {
                Err(ToolFault::ForModel("The command is empty or holds a NUL byte.".to_owned()))
            }
            Err(error @ SandboxError::WorkDirectory(_)) => {
                Err(ToolFault::ForModel(error.to_string()))
            }
            Err(error) => Err(ToolFault::fatal(error)),
        }
    }
}

/// So much of the model's own words is kept, in bytes.
pub(super) const MOST_WORDS: usize = 64 * 1024;

/// How the model ends its work.
pub struct Finish {
    summary: String,
    nothing_to_fix: bool,
    no_test: Option<String>,
    answers: Vec<ThreadAnswer>,
}

/// `finish`, for the model.
pub fn finish_spec() -> ToolSpec {
    spec(
        "finish",
        "Ends the work. `summary` is for the maintainer: what was wrong and what you changed, or why \
         nothing needs to change.",
        &json!({
            "summary": {"type": "string"},
            "nothing_to_fix": {"type": "boolean", "description": "true when no change is needed"},
            "no_test": {
                "type": "string",
                "description": "only if no test can show the bug: why",
            },
            "answers": {
                "type": "array",
                "description": "one for each numbered review thread of the task, if it has any",
                "items": {
                    "type": "object",
                    "properties": {
                        "thread": {"type": "integer"},
                        "fixed": {"type": "boolean", "description": "true when your change does what the thread asks"},
                        "words": {"type": "string", "description": "what you did, or why not"},
                    },
                    "required": ["thread", "fixed", "words"],
                },
            },
        }),
        &["summary"],
    )
}

impl Finish {
    /// `None`: another tool was called.
    pub fn read(tool: &str, arguments: &Value) -> Option<Result<Self, String>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Arguments {
            summary: String,
            #[serde(default)]
            nothing_to_fix: bool,
            #[serde(default)]
            no_test: Option<String>,
            #[serde(default)]
            answers: Vec<ThreadAnswer>,
        }
        (tool == "finish").then(|| {
            let arguments: Arguments =
                serde_json::from_value(arguments.clone()).map_err(|error| error.to_string())?;
            if arguments.summary.trim().is_empty() {
                return Err("`summary` must not be empty.".to_owned());
            }
            let no_test = arguments.no_test.filter(|why| !why.trim().is_empty());
            let words = arguments.answers.iter().map(|answer| answer.words.len());
            let words = words.chain(no_test.as_ref().map(String::len));
            if arguments.summary.len() + words.sum::<usize>() > MOST_WORDS {
                return Err(format!(
                    "`summary`, `no_test` and `answers` may have {MOST_WORDS} bytes together."
                ));
            }
            Ok(Self {
                summary: arguments.summary,
                nothing_to_fix: arguments.nothing_to_fix,
                no_test,
                answers: arguments.answers,
            })
        })
    }
}

impl From<Finish> for Finished {
    fn from(finish: Finish) -> Self {
        if finish.nothing_to_fix {
            Self::NothingToFix { why: finish.summary }
        } else {
            let Finish { summary, answers, no_test, .. } = finish;
            Self::Changed { summary, answers, no_test }
        }
    }
}

/// A command's outcome, as a person at a terminal would want to be told.
pub fn shown(output: &CommandOutput) -> String {
    let end = match output.exit {
        Exit::Code(0) => "[exit code 0]".to_owned(),
        Exit::Code(code) => format!("[exit code {code}]"),
        Exit::Signal(signal) => format!("[killed by signal {signal}]"),
        Exit::TimedOut => format!("[killed after {} s: it took too long]", output.wall.as_secs()),
        Exit::DiskFull => "[killed: it filled the disk]".to_owned(),
        Exit::OutOfMemory => "[killed: it took too much memory]".to_owned(),
        Exit::Stopped => "[stopped]".to_owned(),
    };
    let mut text = output.stdout.text.trim_end().to_owned();
    let errors = output.stderr.text.trim_end();
    if !errors.is_empty() {
        if !text.is_empty() {
            text.push_str("\n[standard error]\n");
        }
        text.push_str(errors);
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text + &end
}

fn shown_part(root: &Root, arguments: &ReadArguments) -> Result<String, ToolFault> {
    let Some(path) = directory(&arguments.path, root.top())? else {
        return list(root, None, arguments);
    };
    let text = match root.read(&path) {
        Ok(text) => text,
        Err(FileError::IsADirectory { .. }) => return list(root, Some(&path), arguments),
        Err(refusal) => return Err(told(refusal)),
    };
    let lines = text.lines().count();
    if lines == 0 {
        return Ok("[the file is empty]".to_owned());
    }
    let from = arguments.from.unwrap_or(1).max(1);
    let to = arguments.to.unwrap_or(from.saturating_add(READ_LINES - 1)).min(lines);
    if from > lines {
        return Err(ToolFault::ForModel(format!("The file has only {lines} lines.")));
    }
    let mut shown = numbered(&text, from, to);
    if to < lines || from > 1 {
        let _ = write!(shown, "\n[lines {from} to {to} of {lines}]");
    }
    if is_lfs_pointer(text.as_bytes()) {
        shown.push_str(
            "\n[This is a pointer of Git LFS. The content it stands for is not here, so it can be \
             neither read nor changed.]",
        );
    }
    Ok(shown)
}

fn changed(
    files: &FilesContext,
    arguments: &EditArguments,
    patience: &Patience,
) -> Result<String, ToolFault> {
    let root = &files.root;
    let path = repo_path(&arguments.path, root.top())?;
    let edited = match arguments.action {
        EditAction::Create => {
            let new = needed(arguments.new.as_ref(), "new")?.as_bytes();
            files.allows(&path, new, b"")?;
            root.create(&path, new).map_err(told)?;
            return files.done(&path, format!("Created {path}."));
        }
        EditAction::Delete => {
            root.delete(&path).map_err(told)?;
            return Ok(format!("Deleted {path}."));
        }
        EditAction::Rename => {
            let to = repo_path(needed(arguments.to.as_ref(), "to")?, root.top())?;
            files.attributes.moves(&path, &to).map_err(ToolFault::ForModel)?;
            root.rename(&path, &to).map_err(told)?;
            return files.done(&to, format!("Renamed {path} to {to}."));
        }
        EditAction::Replace | EditAction::ReplaceAll => {
            let old = needed(arguments.old.as_ref(), "old")?;
            let new = needed(arguments.new.as_ref(), "new")?;
            let text = root.read(&path).map_err(told)?;
            let edited = if arguments.action == EditAction::ReplaceAll {
                edit_everywhere(&text, old, new)
            } else {
                edit(&text, old, new)
            };
            (text, edited)
        }
        EditAction::Insert => {
            let line = arguments
                .line
                .ok_or_else(|| ToolFault::ForModel("This action needs `line`.".to_owned()))?;
            let text = root.read(&path).map_err(told)?;
            let edited = insert_after(&text, line, needed(arguments.new.as_ref(), "new")?);
            (text, edited)
        }
    };
    if patience.is_over() {
        // Nothing is changed behind the back of a model that was told otherwise.
        return Err(too_long());
    }
    let (text, edited) = edited;
    let edited = edited.map_err(|refusal| ToolFault::ForModel(refusal.to_string()))?;
    files.allows(&path, edited.text.as_bytes(), text.as_bytes())?;
    root.write(&path, edited.text.as_bytes()).map_err(told)?;
    let note = edited.note.map_or(String::new(), |note| format!(" {note}"));
    files.done(&path, format!("Changed {path}.{note}"))
}

fn needed<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, ToolFault> {
    let missing = || ToolFault::ForModel(format!("This action needs `{name}`."));
    value.map(String::as_str).ok_or_else(missing)
}

impl FilesContext {
    /// Refuses what git would not keep as it is written.
    fn allows(&self, path: &RepoPath, content: &[u8], before: &[u8]) -> Result<(), ToolFault> {
        match self.attributes.conversion(path, content, || has_dos_line(before)) {
            None => Ok(()),
            Some(conversion) => Err(ToolFault::ForModel(format!(
                "{path} must not be written here: {conversion}. Nothing was done."
            ))),
        }
    }

    /// Remembers that this file is wanted, whatever its name.
    fn done(&self, path: &RepoPath, words: String) -> Result<String, ToolFault> {
        self.origins.edited(path).map_err(ToolFault::fatal)?;
        Ok(words)
    }
}

fn list(
    root: &Root,
    path: Option<&RepoPath>,
    arguments: &ReadArguments,
) -> Result<String, ToolFault> {
    let names = root.list(path).map_err(told)?;
    let count = names.len();
    if count == 0 {
        return Ok("[the directory is empty]".to_owned());
    }
    let from = arguments.from.unwrap_or(1).max(1);
    if from > count {
        return Err(ToolFault::ForModel(format!("The directory has only {count} names.")));
    }
    let most = arguments.to.unwrap_or(count).clamp(from, count) - from + 1;
    let (mut shown, mut last) = (String::new(), from - 1);
    for listed in names.iter().skip(from - 1).take(most) {
        if last >= from && shown.len() + listed.name.len() > LIST_CAP {
            break;
        }
        shown.push_str(&listed.name);
        shown.push('\n');
        last += 1;
    }
    if last - from + 1 < count {
        let _ = write!(
            shown,
            "[names {from} to {last} of {count}: give `from` and `to` for the others]"
        );
    }
    Ok(shown.trim_end().to_owned())
}

pub(super) fn spec(
    name: &str,
    description: &str,
    properties: &Value,
    required: &[&str],
) -> ToolSpec {
    ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        }),
    }
}

#[cfg(test)]
#[path = "tools_tests.rs"]
mod tests;

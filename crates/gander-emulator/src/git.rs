//! Real git: the bare repositories behind the emulator, and smart HTTP over them.
//!
//! Invariants: this is the only file of the emulator that starts git for itself; no revision or
//! path from a request can become an option; no configuration of the machine is read.

mod parse;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

pub(crate) use self::parse::{CgiAnswer, Commit, Entry, Signature, find_line};
use self::parse::{moved_line, parse_cgi, parse_commit, parse_entry};
use super::Trouble;

#[derive(Clone)]
pub(crate) struct Git {
    dir: PathBuf,
    /// What git said of objects by their names, which never changes.
    known: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

/// So many answers are kept, and none of more bytes.
const MOST_KNOWN: usize = 4_000;
const LONGEST_KNOWN: usize = 64 * 1024;

/// Whether git is asked something of objects by their whole names, so that the answer stays right.
fn is_about_objects(args: &[&str]) -> bool {
    const ASKS: &[&str] =
        &["cat-file", "ls-tree", "diff-tree", "rev-list", "merge-base", "rev-parse"];
    const KINDS: &[&str] = &["commit", "tree", "blob", "tag"];
    let is_name = |text: &str| {
        let text = text.split("^{").next().unwrap_or(text);
        text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let mut words = args.iter().filter(|word| !word.starts_with('-'));
    let asks = words.next().is_some_and(|verb| ASKS.contains(verb));
    // What follows `--` are paths.
    let before_paths = args.iter().take_while(|word| **word != "--");
    let mut objects = before_paths.filter(|word| !word.starts_with('-')).skip(1).peekable();
    asks && objects.peek().is_some()
        && objects.all(|word| KINDS.contains(word) || word.split("..").all(is_name))
}

/// A change to one path of a tree.
pub(crate) enum Edit {
    /// Put this object at this path.
    Put {
        mode: String,
        sha: String,
        path: String,
    },
    /// Put a whole directory at this path.
    PutTree {
        sha: String,
        path: String,
    },
    Delete {
        path: String,
    },
}

/// One file of a diff.
#[derive(Debug, Clone)]
pub(crate) struct FileChange {
    pub(crate) status: &'static str,
    pub(crate) path: String,
    pub(crate) previous: Option<String>,
    pub(crate) sha: String,
    pub(crate) additions: u64,
    pub(crate) deletions: u64,
    pub(crate) patch: Option<String>,
}

/// The parts of a smart HTTP request that `git http-backend` wants to know.
pub(crate) struct CgiRequest {
    pub(crate) method: String,
    /// What follows the repository, as `/info/refs`.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) content_type: String,
    pub(crate) content_encoding: String,
    pub(crate) protocol: String,
    pub(crate) user: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// Says whether `rev` may be given to git: a name or an object, never an option or a range.
pub(crate) fn is_plain_revision(rev: &str) -> bool {
    !rev.is_empty()
        && !rev.starts_with('-')
        && !rev.contains("..")
        && !rev.contains("@{")
        && !rev.chars().any(|c| c.is_whitespace() || c.is_control() || "~^:?*[\\".contains(c))
}

impl Git {
    /// Makes an empty bare repository in `dir`.
    pub(crate) fn create(dir: PathBuf, default_branch: &str) -> Result<Self, Trouble> {
        std::fs::create_dir_all(&dir)
            .map_err(|source| Trouble::Disk { doing: "make a repository", source })?;
        let git = Self { dir, known: Arc::default() };
        let head = format!("--initial-branch={default_branch}");
        git.text(&["init", "--quiet", "--bare", &head, "."])?;
        for (key, value) in [
            ("http.receivepack", "true"),
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("gc.auto", "0"),
            ("core.logAllRefUpdates", "false"),
        ] {
            git.text(&["config", key, value])?;
        }
        Ok(git)
    }

    /// The same repository, where a copy of all of them lies.
    pub(crate) fn copied(&self, from: &Path, to: &Path) -> Self {
        let below = self.dir.strip_prefix(from).unwrap_or(&self.dir);
        Self { dir: to.join(below), known: Arc::default() }
    }

    /// Copies all branches and tags of another repository into this one.
    pub(crate) fn mirror(&self, from: &Path) -> Result<(), Trouble> {
        let from = from.to_string_lossy().into_owned();
        let heads = "+refs/heads/*:refs/heads/*";
        self.text(&["fetch", "--quiet", "--no-tags", &from, heads, "+refs/tags/*:refs/tags/*"])?;
        Ok(())
    }

    /// Fetches one branch of another repository of the emulator into a ref of this one.
    pub(crate) fn fetch(&self, from: &Self, branch: &str, into: &str) -> Result<(), Trouble> {
        let from = from.dir.to_string_lossy().into_owned();
        let spec = format!("+refs/heads/{branch}:{into}");
        self.text(&["fetch", "--quiet", "--no-tags", &from, &spec])?;
        Ok(())
    }

    pub(crate) fn set_head(&self, branch: &str) -> Result<(), Trouble> {
        self.text(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])?;
        Ok(())
    }

    pub(crate) fn refs(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let lines = self.text(&["for-each-ref", "--format=%(objectname) %(refname)"])?;
        Ok(lines
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(sha, name)| (name.to_owned(), sha.to_owned()))
            .collect())
    }

    /// The full name of the object `rev` names, peeled to `kind` (`commit`, `tree`, `object`).
    pub(crate) fn resolve(&self, rev: &str, kind: &str) -> Option<String> {
        if !is_plain_revision(rev) {
            return None;
        }
        let wanted = format!("{rev}^{{{kind}}}");
        let sha = self.text(&["rev-parse", "--quiet", "--verify", "--end-of-options", &wanted]);
        sha.ok().map(|sha| sha.trim().to_owned())
    }

    /// `blob`, `tree`, `commit` or `tag`.
    pub(crate) fn kind(&self, sha: &str) -> Option<String> {
        if !is_plain_revision(sha) {
            return None;
        }
        self.text(&["cat-file", "-t", sha]).ok().map(|kind| kind.trim().to_owned())
    }

    pub(crate) fn read(&self, kind: &str, sha: &str) -> Option<Vec<u8>> {
        if !is_plain_revision(sha) {
            return None;
        }
        self.run(&["cat-file", kind, sha], b"").ok()
    }

    pub(crate) fn write(&self, kind: &str, content: &[u8]) -> Result<String, Trouble> {
        let sha = self.run(&["hash-object", "-t", kind, "-w", "--stdin"], content)?;
        Ok(String::from_utf8_lossy(&sha).trim().to_owned())
    }

    pub(crate) fn list(&self, tree: &str, depth: Depth) -> Result<Vec<Entry>, Trouble> {
        let mut args = vec!["ls-tree", "-z", "-l"];
        if depth == Depth::Everything {
            args.extend(["-r", "-t"]);
        }
        args.push(tree);
        let output = self.text(&args)?;
        Ok(output.split_terminator('\0').filter_map(parse_entry).collect())
    }

    /// The entry at `path` of `tree`; `None` when there is nothing.
    pub(crate) fn entry(&self, tree: &str, path: &str) -> Option<Entry> {
        let args = ["--literal-pathspecs", "ls-tree", "-z", "-l", tree, "--", path];
        let output = self.text(&args).ok()?;
        output.split_terminator('\0').filter_map(parse_entry).find(|entry| entry.path == path)
    }

    /// Writes `base` with `edits` applied.
    pub(crate) fn write_tree(&self, base: Option<&str>, edits: &[Edit]) -> Result<String, Trouble> {
        let scratch = tempfile::tempdir_in(&self.dir)
            .map_err(|source| Trouble::Disk { doing: "make an index", source })?;
        let index = scratch.path().join("index");
        let run = |args: &[&str], input: &[u8]| {
            let mut command = self.command(args);
            command.env("GIT_INDEX_FILE", &index);
            finish(command, args, input)
        };
        match base {
            Some(base) => run(&["read-tree", base], b"")?,
            None => run(&["read-tree", "--empty"], b"")?,
        };
        let mut lines = Vec::new();
        for edit in edits {
            match edit {
                Edit::Put { mode, sha, path } => {
                    lines.extend_from_slice(format!("{mode} {sha}\t{path}\0").as_bytes());
                }
                Edit::Delete { path } => {
                    let none = "0".repeat(40);
                    lines.extend_from_slice(format!("0 {none}\t{path}\0").as_bytes());
                }
                Edit::PutTree { sha, path } => {
                    let below = ["rm", "-r", "-f", "--quiet", "--cached", "--ignore-unmatch"];
                    let mut remove = vec!["--literal-pathspecs"];
                    remove.extend(below);
                    remove.extend(["--", path]);
                    run(&remove, b"")?;
                    run(&["read-tree", &format!("--prefix={path}/"), sha], b"")?;
                }
            }
        }
        run(&["update-index", "-z", "--replace", "--index-info"], &lines)?;
        let sha = run(&["write-tree"], b"")?;
        Ok(String::from_utf8_lossy(&sha).trim().to_owned())
    }

    pub(crate) fn commit(&self, sha: &str) -> Result<Commit, Trouble> {
        let raw = self.run(&["cat-file", "commit", sha], b"")?;
        Ok(parse_commit(sha, &String::from_utf8_lossy(&raw)))
    }

    /// Moves a ref. Fails when it is not at `expected` (`None`: it must not exist).
    pub(crate) fn update_ref(
        &self,
        name: &str,
        to: &str,
        expected: Option<&str>,
    ) -> Result<(), Trouble> {
        let none = "0".repeat(40);
        self.text(&["update-ref", "--no-deref", name, to, expected.unwrap_or(&none)])?;
        Ok(())
    }

    /// Points a ref somewhere, wherever it was.
    pub(crate) fn point_ref(&self, name: &str, to: &str) -> Result<(), Trouble> {
        self.text(&["update-ref", "--no-deref", name, to])?;
        Ok(())
    }

    pub(crate) fn delete_ref(&self, name: &str) -> Result<(), Trouble> {
        self.text(&["update-ref", "--no-deref", "-d", name])?;
        Ok(())
    }

    pub(crate) fn is_good_ref_name(&self, name: &str) -> bool {
        is_plain_revision(name) && self.text(&["check-ref-format", name]).is_ok()
    }

    pub(crate) fn is_ancestor(&self, older: &str, newer: &str) -> bool {
        self.text(&["merge-base", "--is-ancestor", older, newer]).is_ok()
    }

    pub(crate) fn merge_base(&self, one: &str, other: &str) -> Option<String> {
        self.text(&["merge-base", one, other]).ok().map(|sha| sha.trim().to_owned())
    }

    /// The commits in `head` that are not in `base`, oldest first.
    pub(crate) fn commits_between(&self, base: &str, head: &str) -> Result<Vec<String>, Trouble> {
        let range = format!("{base}..{head}");
        let output = self.text(&["rev-list", "--reverse", "--topo-order", &range])?;
        Ok(output.lines().map(str::to_owned).collect())
    }

    /// The tree that merging both gives; `None` when they conflict.
    pub(crate) fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        let output = self.text(&["merge-tree", "--write-tree", base, head]).ok()?;
        output.lines().next().map(str::to_owned)
    }

    /// The tree that carrying the change `from`..`to` over to `onto` gives; `None` when they
    /// conflict.
    pub(crate) fn replayed_tree(&self, from: &str, onto: &str, to: &str) -> Option<String> {
        let base = format!("--merge-base={from}");
        let output = self.text(&["merge-tree", "--write-tree", &base, onto, to]).ok()?;
        output.lines().next().map(str::to_owned)
    }

    /// What changed from `old` (a tree-ish) to `new`.
    pub(crate) fn diff(&self, old: &str, new: &str) -> Result<Vec<FileChange>, Trouble> {
        let raw = self.text(&["diff-tree", "-r", "-M", "-z", "--raw", "--no-abbrev", old, new])?;
        let mut fields = raw.split_terminator('\0');
        let mut changes = Vec::new();
        while let Some(head) = fields.next() {
            let mut parts = head.split(' ').skip(3);
            let (Some(sha), Some(letter)) = (parts.next(), parts.next()) else { continue };
            let first = fields.next().unwrap_or_default().to_owned();
            let (path, previous) = if letter.starts_with(['R', 'C']) {
                (fields.next().unwrap_or_default().to_owned(), Some(first))
            } else {
                (first, None)
            };
            let status = match letter.chars().next() {
                Some('A') => "added",
                Some('D') => "removed",
                Some('R') => "renamed",
                Some('C') => "copied",
                _ => "modified",
            };
            let mut change = FileChange {
                status,
                path,
                previous,
                sha: sha.to_owned(),
                additions: 0,
                deletions: 0,
                patch: None,
            };
            self.fill_patch(old, new, &mut change)?;
            changes.push(change);
        }
        Ok(changes)
    }

    fn fill_patch(&self, old: &str, new: &str, change: &mut FileChange) -> Result<(), Trouble> {
        let mut args = vec!["--literal-pathspecs", "diff-tree", "-r", "-M", "-p", old, new, "--"];
        args.push(&change.path);
        args.extend(change.previous.as_deref());
        let text = self.text(&args)?;
        let Some(start) = text.find("\n@@ ") else { return Ok(()) };
        let patch = text[start + 1..].trim_end_matches('\n').to_owned();
        let count = |sign: char| patch.lines().filter(|line| line.starts_with(sign)).count() as u64;
        (change.additions, change.deletions) = (count('+'), count('-'));
        // A removed file keeps naming the blob it had.
        if change.status == "removed" {
            change.sha = self.entry(old, &change.path).map(|entry| entry.sha).unwrap_or_default();
        }
        change.patch = Some(patch);
        Ok(())
    }

    /// Where a line of a file went from one commit to another; `None` when it was touched.
    pub(crate) fn follow_line(
        &self,
        (old, new): (&str, &str),
        path: &str,
        line: u64,
    ) -> Option<u64> {
        let args = ["--literal-pathspecs", "diff-tree", "-r", "-p", "-U0", old, new, "--", path];
        moved_line(&self.text(&args).ok()?, line)
    }

    /// Answers one smart HTTP request.
    pub(crate) async fn serve(&self, request: CgiRequest) -> Result<CgiAnswer, Trouble> {
        let root = self.dir.parent().unwrap_or(&self.dir).to_owned();
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut command = self.command(&["http-backend"]);
        command
            .env("GIT_PROJECT_ROOT", root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("PATH_INFO", format!("/{name}{}", request.path))
            .env("REQUEST_METHOD", &request.method)
            .env("QUERY_STRING", &request.query)
            .env("CONTENT_TYPE", &request.content_type)
            .env("CONTENT_LENGTH", request.body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", &request.content_encoding)
            .env("GIT_PROTOCOL", &request.protocol)
            .env("REMOTE_ADDR", "127.0.0.1");
        if let Some(user) = &request.user {
            command.env("REMOTE_USER", user);
        }
        let work = move || finish(command, &["http-backend"], &request.body);
        let output = tokio::task::spawn_blocking(work).await.map_err(Trouble::Interrupted)??;
        Ok(parse_cgi(&output))
    }

    pub(crate) fn text(&self, args: &[&str]) -> Result<String, Trouble> {
        Ok(String::from_utf8_lossy(&self.run(args, b"")?).into_owned())
    }

    fn run(&self, args: &[&str], input: &[u8]) -> Result<Vec<u8>, Trouble> {
        let key = args.join("\0");
        let keeps = input.is_empty() && is_about_objects(args);
        if keeps
            && let Ok(known) = self.known.lock()
            && let Some(answer) = known.get(&key)
        {
            return Ok(answer.clone());
        }
        let answer = finish(self.command(args), args, input)?;
        if keeps
            && answer.len() <= LONGEST_KNOWN
            && let Ok(mut known) = self.known.lock()
            && known.len() < MOST_KNOWN
        {
            known.insert(key, answer.clone());
        }
        Ok(answer)
    }

    fn command(&self, args: &[&str]) -> Command {
        #[allow(clippy::disallowed_methods, reason = "the emulator's git processes start here")]
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(&self.dir)
            .env("GIT_DIR", ".")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_CONFIG_COUNT", "GIT_OBJECT_DIRECTORY"]
        {
            command.env_remove(name);
        }
        command
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    OneLevel,
    Everything,
}

/// Runs a command to its end, feeding it `input`.
fn finish(mut command: Command, args: &[&str], input: &[u8]) -> Result<Vec<u8>, Trouble> {
    let start = |source| Trouble::Disk { doing: "run git", source };
    if input.is_empty() {
        command.stdin(Stdio::null());
    }
    let mut child = command.spawn().map_err(start)?;
    let stdin = child.stdin.take();
    let output: Output = std::thread::scope(|scope| {
        // A process that ends before it read everything is judged by its exit, not by the pipe.
        stdin.map(|mut stdin| scope.spawn(move || stdin.write_all(input)));
        child.wait_with_output()
    })
    .map_err(start)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Trouble::Git {
        command: args.join(" "),
        says: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

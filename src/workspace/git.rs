//! Starts git: the only file that does.
//!
//! Invariants: git works on our bare mirror; in a repository that a person names it only looks up a
//! commit or reads what is fetched. Its environment is made from nothing, no configuration of the
//! machine or of a person is read, hooks, credential helpers, redirects, proxies and unwanted
//! transports are off, a server is where `egress.rs` found it, and a
//! token travels only in the environment of the one process that needs it: never in an argument, an
//! address, a file or an error.

use std::ffi::OsStr;
use std::io::{BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt};
use url::Url;

/// What git may answer at most, in bytes. Listings of a million files fit.
const LARGEST_ANSWER: usize = 256 * 1024 * 1024;
/// Entries that end with a NUL, as those of a list of files do: more than an export takes. A commit
/// of a few objects can have as many files as there are atoms, and listing them takes its time.
const MOST_ENTRIES: usize = 600_000;
/// What is kept of git's complaints, in bytes.
const LARGEST_COMPLAINT: u64 = 16 * 1024;

/// A git process that did not do what it was started for.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum GitError {
    /// It could not be started, or talking to it failed.
    #[error("could not run git to {doing}; git 2.39 or newer must be installed")]
    Start {
        /// The purpose, as in "could not …".
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// It took too long and was stopped.
    #[error("git took longer than {seconds} s to {doing} and was stopped; try again later")]
    Timeout { doing: &'static str, seconds: u64 },
    /// It said no. What it wrote is for people; nothing may depend on its words.
    #[error("git could not {doing}: {complaint}")]
    Refused {
        doing: &'static str,
        /// Its own words, without secrets.
        complaint: String,
    },
    /// It answered with more than any repository we work on has.
    #[error("git's answer to {doing} is too long; the repository is too large")]
    TooLarge { doing: &'static str },
}

impl GitError {
    /// Whether the repository is too large, which no other try changes.
    pub fn is_too_large(&self) -> bool {
        matches!(self, Self::TooLarge { .. })
    }

    /// Commits never change: one that took too long to be listed does so the next time.
    pub(crate) fn of_a_listing(self) -> Self {
        match self {
            Self::Timeout { doing, .. } => Self::TooLarge { doing },
            other => other,
        }
    }
}

/// Whom one git process may talk to.
#[derive(Clone, Copy)]
pub(crate) enum Peer<'a> {
    /// Nobody: objects that are already here.
    Nobody,
    /// One HTTP server.
    Server(Server<'a>),
    /// One repository on this machine, named by a person. Whoever owns it: git's own question is
    /// answered by this configuration file, as git hears it in no other way.
    Directory(&'a Path),
}

/// A server to fetch from.
#[derive(Clone, Copy)]
pub(crate) struct Server<'a> {
    pub(crate) url: &'a Url,
    /// Where it is, by the rules of `egress.rs`.
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) token: Option<&'a SecretString>,
}

/// Git on one bare repository of ours.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    directory: PathBuf,
}

/// A `cat-file --batch` process: names in, contents out.
pub(crate) struct Batch {
    child: Child,
    feeder: Option<std::thread::JoinHandle<()>>,
    /// Where it is asked, if one name at a time.
    questions: Option<ChildStdin>,
    /// What git answers.
    pub(crate) answers: BufReader<ChildStdout>,
}

impl Git {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runs git to its end and returns what it wrote. Dropping the future kills the process and
    /// its children.
    pub(crate) async fn run<S: AsRef<OsStr>>(
        &self,
        doing: &'static str,
        peer: Peer<'_>,
        limit: Duration,
        arguments: &[S],
    ) -> Result<Vec<u8>, GitError> {
        let mut command = self.command(peer);
        command.args(arguments);
        finish(command, doing, peer, limit).await
    }

    /// The same of a question that git answers with its status: 0 is yes, 1 is no.
    pub(crate) async fn ask<S: AsRef<OsStr>>(
        &self,
        doing: &'static str,
        limit: Duration,
        arguments: &[S],
    ) -> Result<(bool, Vec<u8>), GitError> {
        let mut command = self.command(Peer::Nobody);
        command.args(arguments);
        let ended = end(command, doing, limit).await?;
        match ended.status.code() {
            Some(code @ (0 | 1)) => Ok((code == 0, ended.answer)),
            _ => Err(ended.refused(doing, Peer::Nobody)),
        }
    }

    /// What a repository elsewhere has: lines of name, tab, ref. Needs no repository here.
    pub(crate) async fn refs_of(
        place: &str,
        peer: Peer<'_>,
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = scrubbed(peer);
        command.env("GIT_CEILING_DIRECTORIES", "/").args(["ls-remote", "--quiet", "--", place]);
        finish(command, "ask the repository for its branches", peer, limit).await
    }

    /// What a person calls a commit of a repository on this machine, as git itself reads names.
    pub(crate) async fn commit_called(
        revision: &str,
        place: &str,
        peer: Peer<'_>,
        limit: Duration,
    ) -> Result<Vec<u8>, GitError> {
        let mut command = scrubbed(peer);
        command.args(["-C", place, "rev-parse", "--verify", "--quiet", "--end-of-options"]);
        command.arg(format!("{revision}^{{commit}}"));
        finish(command, "look up a commit", peer, limit).await
    }

    /// Starts reading objects; `names` are asked for in order, one answer each.
    pub(crate) fn read_objects(&self, names: Vec<String>) -> Result<Batch, GitError> {
        let mut batch = self.batch(&["cat-file", "--batch", "--buffer"])?;
        let Some(mut questions) = batch.questions.take() else { return Ok(batch) };
        // Asking and reading in one thread would block for ever once both pipes are full.
        batch.feeder = Some(std::thread::spawn(move || {
            let text = names.join("\n") + "\n";
            // A process that went away is noticed by whoever reads its answers.
            let _ = questions.write_all(text.as_bytes());
        }));
        Ok(batch)
    }

    /// The same for names that are not known yet: each is asked for by [`Batch::ask`].
    pub(crate) fn answer_objects(&self) -> Result<Batch, GitError> {
        self.batch(&["cat-file", "--batch"])
    }

    fn batch(&self, arguments: &[&str]) -> Result<Batch, GitError> {
        let failed = |source| GitError::Start { doing: "read objects", source };
        let mut child = self
            .command(Peer::Nobody)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let questions = child.stdin.take();
        let no_pipe = || failed(std::io::ErrorKind::BrokenPipe.into());
        let answers = child.stdout.take().ok_or_else(no_pipe)?;
        let answers = BufReader::with_capacity(256 * 1024, answers);
        Ok(Batch { child, feeder: None, questions, answers })
    }

    fn command(&self, peer: Peer<'_>) -> std::process::Command {
        let mut command = scrubbed(peer);
        command.env("GIT_DIR", &self.directory);
        command
    }
}

impl Batch {
    /// Asks for one more object. It is answered at once.
    pub(crate) fn ask(&mut self, name: &str) -> std::io::Result<()> {
        let questions = self.questions.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        questions.write_all(format!("{name}\n").as_bytes())
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(feeder) = self.feeder.take() {
            let _ = feeder.join();
        }
    }
}

impl Peer<'_> {
    fn transports(&self) -> &'static str {
        match self {
            Peer::Nobody => "none",
            Peer::Server(server) if server.url.scheme() == "http" => "http",
            Peer::Server(_) => "https",
            Peer::Directory(_) => "file",
        }
    }
}

/// Git and the transport helpers it started, as one group.
struct KilledOnDrop(Option<Pid>);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It fails only when the group is gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "git starts here and nowhere else")]
fn scrubbed(peer: Peer<'_>) -> std::process::Command {
    let mut command = std::process::Command::new("git");
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_ALLOW_PROTOCOL", peer.transports())
        .current_dir("/")
        .process_group(0);
    if let Peer::Directory(trust) = peer {
        command.env("GIT_CONFIG_GLOBAL", trust);
    }
    let settings = settings(peer);
    command.env("GIT_CONFIG_COUNT", settings.len().to_string());
    for (at, (key, value)) in settings.iter().enumerate() {
        command.env(format!("GIT_CONFIG_KEY_{at}"), key);
        command.env(format!("GIT_CONFIG_VALUE_{at}"), value);
    }
    command
}

/// How a git process ended, and what it wrote.
struct GitEnd {
    status: ExitStatus,
    answer: Vec<u8>,
    complaint: Vec<u8>,
}

impl GitEnd {
    fn refused(&self, doing: &'static str, peer: Peer<'_>) -> GitError {
        GitError::Refused { doing, complaint: presentable(&self.complaint, peer) }
    }
}

async fn finish(
    command: std::process::Command,
    doing: &'static str,
    peer: Peer<'_>,
    limit: Duration,
) -> Result<Vec<u8>, GitError> {
    let ended = end(command, doing, limit).await?;
    if ended.status.success() { Ok(ended.answer) } else { Err(ended.refused(doing, peer)) }
}

async fn end(
    mut command: std::process::Command,
    doing: &'static str,
    limit: Duration,
) -> Result<GitEnd, GitError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |source| GitError::Start { doing, source };
    let mut child = tokio::process::Command::from(command).spawn().map_err(failed)?;
    let mut group = KilledOnDrop(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (answer, complaint) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let read = tokio::try_join!(read_bounded(answer), drain(complaint))?;
        Ok::<_, std::io::Error>((read, child.wait().await?))
    };
    let ((answer, complaint), status) = tokio::time::timeout(limit, work)
        .await
        .map_err(|_| GitError::Timeout { doing, seconds: limit.as_secs() })?
        .map_err(failed)?;
    // It is gone; its number may belong to another process soon.
    group.0 = None;
    let answer = answer.ok_or(GitError::TooLarge { doing })?;
    Ok(GitEnd { status, answer, complaint })
}

fn settings(peer: Peer<'_>) -> Vec<(String, String)> {
    let file = if matches!(peer, Peer::Directory(_)) { "always" } else { "never" };
    let mut settings: Vec<(String, String)> = [
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.askPass", ""),
        ("credential.helper", ""),
        ("protocol.ext.allow", "never"),
        ("protocol.file.allow", file),
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("fetch.recurseSubmodules", "false"),
        ("transfer.bundleURI", "false"),
        // A redirect would carry the token to a host nobody named.
        ("http.followRedirects", "false"),
        // No proxy from anywhere.
        ("http.proxy", ""),
        ("http.lowSpeedLimit", "1000"),
        ("http.lowSpeedTime", "60"),
        ("http.userAgent", concat!("gander/", env!("CARGO_PKG_VERSION"))),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    if let Peer::Server(server) = peer {
        settings.extend(resolved(server).map(|at| ("http.curloptResolve".to_owned(), at)));
    }
    if let Peer::Server(Server { url, token: Some(token), .. }) = peer {
        let origin = url.origin().ascii_serialization();
        let header = format!("Authorization: Basic {}", basic_credentials(token));
        settings.push((format!("http.{origin}/.extraHeader"), header));
    }
    settings
}

/// The host's addresses as curl takes them, so that no name is looked up once more.
fn resolved(server: Server<'_>) -> Option<String> {
    let (host, port) = (server.url.domain()?, server.url.port_or_known_default()?);
    let addresses: Vec<String> = server
        .addresses
        .iter()
        .map(|address| match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        })
        .collect();
    Some(format!("{host}:{port}:{}", addresses.join(",")))
}

fn basic_credentials(token: &SecretString) -> String {
    BASE64.encode(format!("x-access-token:{}", token.expose_secret()))
}

/// `None`: it is too much, and was not read to its end.
async fn read_bounded(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut entries, mut buffer) = (Vec::new(), 0, vec![0; 64 * 1024]);
    let Some(mut pipe) = pipe else { return Ok(Some(bytes)) };
    loop {
        let read = pipe.read(&mut buffer).await?;
        let fresh = &buffer[..read];
        entries += fresh.iter().filter(|byte| **byte == 0).count();
        bytes.extend_from_slice(fresh);
        if read == 0 {
            return Ok(Some(bytes));
        }
        if bytes.len() > LARGEST_ANSWER || entries > MOST_ENTRIES {
            return Ok(None);
        }
    }
}

/// Keeps the beginning, reads on to the end: a process that complains a lot must not block.
async fn drain(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(LARGEST_COMPLAINT).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

fn presentable(complaint: &[u8], peer: Peer<'_>) -> String {
    let mut text = String::from_utf8_lossy(complaint).into_owned();
    if let Peer::Server(Server { token: Some(token), .. }) = peer {
        text = text.replace(&basic_credentials(token), "[removed]");
        if !token.expose_secret().is_empty() {
            text = text.replace(token.expose_secret(), "[removed]");
        }
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ").chars().filter(|c| !c.is_control()).collect()
}

/// Reads exactly up to a line feed, at most `limit` bytes; without the line feed.
pub(crate) fn read_line(from: &mut impl Read, limit: usize) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < limit {
        from.read_exact(&mut byte)?;
        if byte[0] == b'\n' {
            return Ok(line);
        }
        line.push(byte[0]);
    }
    Err(std::io::ErrorKind::InvalidData.into())
}

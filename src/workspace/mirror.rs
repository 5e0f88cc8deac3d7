//! The bare mirror of a repository: what was fetched once is here for every later job.
//!
//! Invariants: nothing but git writes into a mirror, and nobody but us can reach it. Fetches of the
//! same mirror wait for each other. A mirror that is half made or damaged is thrown away and made
//! again; readers of the old one get an error and may try again.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ChildStdout;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::git::{Batch, Git, GitError, Peer, read_line};
use super::remove::remove_aside;
use super::room;
pub use super::source::Source;
use super::tree_entry::parse_entry;
pub use super::tree_entry::{EntryMode, TreeEntry};
use crate::core::id::{Branch, Sha};
use crate::core::path::RepoPath;

/// How long questions about objects that are here may take.
pub(super) const LOCAL_LIMIT: Duration = Duration::from_secs(120);
/// A listing of more files is not kept in memory.
const MOST_KEPT: usize = 10_000;
/// Says that the mirror was made to its end. Named so that git has no use for it.
const COMPLETE: &str = "gander-complete";

/// A bare repository in our cache.
#[derive(Debug, Clone)]
pub struct Mirror {
    pub(super) git: Git,
    lock: PathBuf,
    /// Git's answer to "may I read a repository that belongs to another user?".
    trust: PathBuf,
    /// Bytes of the disk that are left to others.
    pub(super) spare: u64,
    /// The files of the commit that was listed last.
    listed: Arc<Mutex<Option<Listing>>>,
}

/// A commit with all of its files.
type Listing = (Sha, Vec<TreeEntry>);

/// What to fetch.
#[derive(Clone, Copy)]
pub enum Want<'a> {
    /// The tip of a branch.
    Branch(&'a Branch),
    /// One commit. Costs nothing when it is here already.
    Commit(&'a Sha),
    /// Whatever the source has checked out, or calls its default.
    Head,
}

/// How much history to bring along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// The commit alone: cheapest, and enough to work on it.
    Tip,
    /// Everything that leads to it, for log and blame.
    Full,
}

/// A mirror that could not be made, filled or read.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MirrorError {
    /// The name for a mirror is not one of ours.
    #[error("{0:?} cannot name a mirror; letters, digits, `-`, `_` and `.` can")]
    BadKey(String),
    /// The address carries credentials or has a scheme we do not speak.
    #[error("cannot fetch from this address: {0}")]
    BadUrl(&'static str),
    /// There is no commit in the repository.
    #[error("the repository is empty: it has no commit yet; push one and try again")]
    Empty,
    /// The repository has commits, but not this.
    #[error("the repository has no {0}; it may have been renamed or deleted")]
    NotThere(String),
    /// The cache's own files.
    #[error("could not prepare the mirror in {}", path.display())]
    Cache {
        /// The file or directory.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Git failed.
    #[error("the mirror's git failed")]
    Git(#[from] GitError),
    /// There is too little room for what comes.
    #[error(
        "the disk is nearly full, so fetching was stopped: make room where {} is",
        .0.display()
    )]
    NoRoom(PathBuf),
    /// An object that must be there is not, or git's answer makes no sense.
    #[error("the mirror is damaged ({0}); the next fetch makes it again")]
    Damaged(&'static str),
    /// A file is larger than the reader takes.
    #[error("{path} has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
}

/// Contents of many objects, one after the other, none held in memory.
pub struct Blobs {
    batch: Batch,
    unread: Option<u64>,
}

/// One object's content.
pub struct Blob<'a> {
    /// In bytes.
    pub size: u64,
    content: std::io::Take<&'a mut BufReader<ChildStdout>>,
    unread: &'a mut Option<u64>,
}

impl Mirror {
    /// The mirror called `key` (the repository's number) under `cache`, made if need be.
    ///
    /// # Errors
    /// When the key is no plain name or the directory cannot be made.
    pub async fn open(cache: &Path, key: &str) -> Result<Self, MirrorError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if key.is_empty() || key.len() > 100 || key.starts_with('.') || !key.bytes().all(plain) {
            return Err(MirrorError::BadKey(key.to_owned()));
        }
        std::fs::create_dir_all(cache)
            .map_err(|source| MirrorError::Cache { path: cache.to_owned(), source })?;
        let cache = std::path::absolute(cache)
            .map_err(|source| MirrorError::Cache { path: cache.to_owned(), source })?;
        let mirror = Self {
            git: Git::new(cache.join(format!("{key}.git"))),
            lock: cache.join(format!("{key}.lock")),
            trust: cache.join(format!("{key}.trust")),
            spare: room::SPARE,
            listed: Arc::default(),
        };
        if !mirror.is_complete() {
            let _lock = mirror.locked().await?;
            if !mirror.is_complete() {
                mirror.make().await?;
            }
        }
        Ok(mirror)
    }

    /// The same mirror, which leaves so many bytes of the disk to others.
    #[must_use]
    pub fn leaving(mut self, bytes: u64) -> Self {
        self.spare = bytes;
        self
    }

    /// Brings a commit here and returns its name. Stops after `limit`.
    ///
    /// # Errors
    /// [`MirrorError::Empty`] and [`MirrorError::NotThere`] are the source's state; others may
    /// pass.
    pub async fn fetch(
        &self,
        source: Source<'_>,
        want: Want<'_>,
        history: History,
        limit: Duration,
    ) -> Result<Sha, MirrorError> {
        let place = source.place().map_err(MirrorError::BadUrl)?;
        let _lock = self.locked().await?;
        if matches!(source, Source::Path(_)) {
            self.trust_directories()?;
        }
        if !self.is_complete() {
            self.make().await?;
        }
        if let (Want::Commit(sha), History::Tip) = (want, history)
            && self.resolve(sha.as_str()).await.is_ok()
        {
            // A commit arrives together with its whole tree or not at all.
            return Ok(sha.clone());
        }
        match self.fetch_within_room(source, &place, want, history, limit).await {
            Ok(sha) => Ok(sha),
            Err(MirrorError::Git(GitError::Refused { .. })) => {
                self.ask_why(source, &place, want, limit).await?;
                // The source is fine, so it must be us: once more from nothing.
                self.make().await?;
                self.fetch_within_room(source, &place, want, history, limit).await
            }
            Err(other) => Err(other),
        }
    }

    /// Nobody says beforehand how much will come.
    async fn fetch_within_room(
        &self,
        source: Source<'_>,
        place: &str,
        want: Want<'_>,
        history: History,
        limit: Duration,
    ) -> Result<Sha, MirrorError> {
        let directory = self.git.directory();
        let fetched = tokio::select! {
            fetched = self.fetch_once(source, place, want, history, limit) => Some(fetched),
            () = room::runs_out(directory, self.spare) => None,
        };
        let Some(fetched) = fetched else {
            // What had come by then is of no use, and takes the room.
            self.make().await?;
            return Err(MirrorError::NoRoom(directory.to_owned()));
        };
        fetched
    }

    /// Removes it: nobody needs it for now.
    ///
    /// # Errors
    /// When it cannot be locked, or not be removed.
    pub(super) async fn remove(self) -> Result<(), MirrorError> {
        let _lock = self.locked().await?;
        self.distrust();
        let directory = self.git.directory();
        let failed = |source| MirrorError::Cache { path: directory.to_owned(), source };
        remove_aside(directory, LOCAL_LIMIT).await.map_err(failed)
    }

    /// The commit that a branch, a tag or a shortened name stands for in a repository on this
    /// machine. Fetches nothing.
    ///
    /// # Errors
    /// [`MirrorError::Empty`] and [`MirrorError::NotThere`] are the source's state.
    pub async fn commit_called(&self, revision: &str, path: &Path) -> Result<Sha, MirrorError> {
        let source = Source::Path(path);
        let place = source.place().map_err(MirrorError::BadUrl)?;
        let _lock = self.locked().await?;
        self.trust_directories()?;
        let peer = source.peer(&self.trust);
        match Git::commit_called(revision, &place, peer, LOCAL_LIMIT).await {
            Ok(name) => sha_of(&name),
            Err(GitError::Refused { .. }) => {
                let refs = Git::refs_of(&place, peer, LOCAL_LIMIT).await?;
                if refs.is_empty() {
                    return Err(MirrorError::Empty);
                }
                Err(MirrorError::NotThere(format!("branch, tag or commit {revision:?}")))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Whether this commit is here already.
    pub async fn has(&self, commit: &Sha) -> bool {
        self.is_complete() && self.resolve(commit.as_str()).await.is_ok()
    }

    /// Every file of a commit, in git's order.
    ///
    /// # Errors
    /// When the commit is not here or too large, or the mirror is damaged.
    pub async fn list(&self, commit: &Sha) -> Result<Vec<TreeEntry>, MirrorError> {
        if let Ok(listed) = self.listed.lock()
            && let Some((_, known)) = listed.as_ref().filter(|it| it.0 == *commit)
        {
            return Ok(known.clone());
        }
        let arguments = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit.as_str()];
        let listed = self.git.run("list a commit", Peer::Nobody, LOCAL_LIMIT, &arguments).await;
        let listing = listed.map_err(GitError::of_a_listing)?;
        let entries = listing
            .split(|byte| *byte == 0)
            .filter(|line| !line.is_empty())
            .map(|line| parse_entry(line).ok_or(MirrorError::Damaged("a listing makes no sense")))
            .collect::<Result<Vec<_>, _>>()?;
        if entries.len() <= MOST_KEPT
            && let Ok(mut listed) = self.listed.lock()
        {
            *listed = Some((commit.clone(), entries.clone()));
        }
        Ok(entries)
    }

    /// The name of a commit's tree.
    ///
    /// # Errors
    /// When the commit is not here.
    pub async fn tree_of(&self, commit: &Sha) -> Result<Sha, MirrorError> {
        self.object_name(&format!("{commit}^{{tree}}")).await
    }

    /// One file of a commit; `None` when there is none. Runs git, blocks the thread shortly.
    ///
    /// # Errors
    /// When it has more than `limit` bytes, or the mirror is damaged.
    pub fn read_file(
        &self,
        commit: &Sha,
        path: &RepoPath,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let mut blobs = self.objects(vec![format!("{commit}:{path}")])?;
        match blobs.next_blob()? {
            None => Ok(None),
            Some(blob) if blob.size > limit => {
                Err(MirrorError::TooLarge { path: path.to_string(), size: blob.size, limit })
            }
            Some(blob) => blob.into_bytes().map(Some),
        }
    }

    /// Reads these contents in order. The caller's thread waits for git.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn blobs(&self, names: impl Iterator<Item = Sha>) -> Result<Blobs, MirrorError> {
        self.objects(names.map(String::from).collect())
    }

    /// Reads contents one after the other, each when it is asked for. The caller's thread waits.
    pub(super) fn answers(&self) -> Result<Blobs, MirrorError> {
        Ok(Blobs { batch: self.git.answer_objects()?, unread: None })
    }

    /// Marks the mirror for making it again at the next fetch.
    pub fn distrust(&self) {
        // If even this fails the next reader comes to the same verdict.
        let _ = std::fs::remove_file(self.git.directory().join(COMPLETE));
    }

    /// Whoever owns a directory that a person names may be read from.
    fn trust_directories(&self) -> Result<(), MirrorError> {
        std::fs::write(&self.trust, "[safe]\n\tdirectory = *\n")
            .map_err(|source| MirrorError::Cache { path: self.trust.clone(), source })
    }

    fn objects(&self, names: Vec<String>) -> Result<Blobs, MirrorError> {
        Ok(Blobs { batch: self.git.read_objects(names)?, unread: None })
    }

    fn is_complete(&self) -> bool {
        ["HEAD", "objects", "refs", COMPLETE]
            .iter()
            .all(|part| self.git.directory().join(part).exists())
    }

    async fn make(&self) -> Result<(), MirrorError> {
        let directory = self.git.directory();
        let failed = |source| MirrorError::Cache { path: directory.to_owned(), source };
        remove_aside(directory, LOCAL_LIMIT).await.map_err(failed)?;
        let arguments = ["init", "--quiet", "--bare", "--template="];
        self.git.run("make a mirror", Peer::Nobody, LOCAL_LIMIT, &arguments).await?;
        std::fs::write(directory.join(COMPLETE), "").map_err(failed)
    }

    pub(super) async fn locked(&self) -> Result<File, MirrorError> {
        let path = self.lock.clone();
        let failed = |source| MirrorError::Cache { path: self.lock.clone(), source };
        let locking = tokio::task::spawn_blocking(move || {
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            file.lock()?;
            Ok(file)
        });
        locking.await.map_err(|e| failed(e.into()))?.map_err(failed)
    }

    async fn fetch_once(
        &self,
        source: Source<'_>,
        place: &str,
        want: Want<'_>,
        history: History,
        limit: Duration,
    ) -> Result<Sha, MirrorError> {
        let shallow = self.git.directory().join("shallow").exists();
        let kept_as = want.kept_as();
        let refspec = format!("+{}:{kept_as}", want.remote_name());
        let mut arguments =
            vec!["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"];
        match history {
            History::Full if shallow => arguments.push("--unshallow"),
            // A mirror with history keeps it: a depth would cut it off.
            History::Tip if shallow || !self.has_history() => arguments.push("--depth=1"),
            History::Full | History::Tip => {}
        }
        arguments.extend(["--", place, &refspec]);
        self.git
            .run("fetch from the repository", source.peer(&self.trust), limit, &arguments)
            .await?;
        self.resolve(&kept_as).await
    }

    /// Whether something was fetched in full before.
    fn has_history(&self) -> bool {
        self.git.directory().join("refs/gander").exists()
            || self.git.directory().join("packed-refs").exists()
    }

    /// A fetch failed. Is it the source? The answer comes from what it has, not from git's words.
    async fn ask_why(
        &self,
        source: Source<'_>,
        place: &str,
        want: Want<'_>,
        limit: Duration,
    ) -> Result<(), MirrorError> {
        let refs = Git::refs_of(place, source.peer(&self.trust), limit).await?;
        let refs = String::from_utf8_lossy(&refs).into_owned();
        let has = |name: &str| refs.lines().any(|line| line.split('\t').nth(1) == Some(name));
        if refs.trim().is_empty() {
            return Err(MirrorError::Empty);
        }
        match want {
            Want::Branch(branch) if !has(&want.remote_name()) => {
                Err(MirrorError::NotThere(format!("branch {branch}")))
            }
            Want::Head if !has("HEAD") => Err(MirrorError::Empty),
            // A commit need not be the tip of anything to be there, but then we had got it.
            Want::Commit(sha) if !refs.contains(sha.as_str()) => {
                Err(MirrorError::NotThere(format!("commit {}", sha.short())))
            }
            Want::Branch(_) | Want::Commit(_) | Want::Head => Ok(()),
        }
    }

    async fn resolve(&self, name: &str) -> Result<Sha, MirrorError> {
        self.object_name(&format!("{name}^{{commit}}")).await
    }

    async fn object_name(&self, expression: &str) -> Result<Sha, MirrorError> {
        let arguments = ["rev-parse", "--verify", "--quiet", expression];
        sha_of(&self.git.run("name an object", Peer::Nobody, LOCAL_LIMIT, &arguments).await?)
    }
}

pub(super) fn sha_of(answer: &[u8]) -> Result<Sha, MirrorError> {
    std::str::from_utf8(answer)
        .ok()
        .and_then(|name| name.trim().parse().ok())
        .ok_or(MirrorError::Damaged("git named no object"))
}

impl Want<'_> {
    fn remote_name(&self) -> String {
        match self {
            Want::Branch(branch) => format!("refs/heads/{branch}"),
            Want::Commit(sha) => sha.to_string(),
            Want::Head => "HEAD".to_owned(),
        }
    }

    fn kept_as(&self) -> String {
        match self {
            // Not by its own name: `a` and `a/b` may follow each other, but not stand together.
            Want::Branch(branch) => {
                let digest = hex::encode(Sha256::digest(branch.as_str()));
                format!("refs/gander/branch/{digest}")
            }
            Want::Commit(sha) => format!("refs/gander/commit/{sha}"),
            Want::Head => "refs/gander/head".to_owned(),
        }
    }
}

impl Blobs {
    /// The object of this name; `None` when it is not here. For [`Mirror::answers`].
    pub(super) fn ask(&mut self, name: &str) -> Result<Option<Blob<'_>>, MirrorError> {
        self.batch.ask(name).map_err(|_| MirrorError::Damaged("git stopped answering"))?;
        self.next_blob()
    }

    /// The next content; `None` when no such object is here. What was left unread is skipped.
    ///
    /// # Errors
    /// When git stops answering.
    pub fn next_blob(&mut self) -> Result<Option<Blob<'_>>, MirrorError> {
        let lost = |_| MirrorError::Damaged("git stopped answering");
        if let Some(unread) = self.unread.take() {
            let mut rest = (&mut self.batch.answers).take(unread + 1);
            let skipped = io::copy(&mut rest, &mut io::sink()).map_err(lost)?;
            if skipped != unread + 1 {
                return Err(MirrorError::Damaged("git stopped answering"));
            }
        }
        let header = read_line(&mut self.batch.answers, 16 * 1024).map_err(lost)?;
        let header = String::from_utf8_lossy(&header);
        let mut words = header.rsplit(' ');
        let Some(size) = words.next().filter(|word| *word != "missing") else {
            return Ok(None);
        };
        let size = size.parse().map_err(|_| MirrorError::Damaged("git's answer makes no sense"))?;
        self.unread = Some(size);
        let content = (&mut self.batch.answers).take(size);
        Ok(Some(Blob { size, content, unread: &mut self.unread }))
    }
}

impl Blob<'_> {
    /// All of it, in memory.
    ///
    /// # Errors
    /// When git stops answering.
    pub fn into_bytes(mut self) -> Result<Vec<u8>, MirrorError> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or(0));
        let read = self.read_to_end(&mut bytes);
        match read {
            Ok(count) if count as u64 == self.size => Ok(bytes),
            _ => Err(MirrorError::Damaged("git stopped answering")),
        }
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        *self.unread = Some(self.content.limit());
        Ok(count)
    }
}

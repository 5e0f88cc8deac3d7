//! The agent's file tools: reading and writing below one directory, and nowhere else.
//!
//! Invariants: no path leads out of the directory, through a symbolic link or to anything that is
//! not an ordinary file with one name; nothing waits, and nothing large is held in memory. A
//! listing is complete or an error. Writing puts a whole new file in the old one's place. Every
//! error is a sentence for the model.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, RenameFlags};

use crate::core::path::RepoPath;
use crate::workspace::confined::{self, ConfinedError};

/// The largest file that is read as text, in bytes.
pub const LARGEST_TEXT: u64 = 2 * 1024 * 1024;
/// Names that one directory may have; no directory of a project has a tenth of it.
const MOST_NAMES: usize = 1_000_000;
/// Names that are compared with a missing one.
const MOST_COMPARED: usize = 10_000;
/// Characters of a link's target that are shown.
const LONGEST_TARGET: usize = 200;
/// Bytes of a name that is compared with a missing one.
const LONGEST_SIMILAR: usize = 80;

/// The directory the agent works in.
pub struct Root {
    directory: File,
    seen_at: Option<PathBuf>,
}

/// Why a file could not be read or changed, in words for the model.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing is there.
    #[error("There is no {path}.{similar}")]
    Missing {
        /// As asked for.
        path: String,
        /// A sentence about what is there instead, or nothing.
        similar: String,
    },
    /// Something is there already.
    #[error(
        "{path} exists already, so it was not created. Edit it instead: read it, then replace the \
         part you want to change; or delete it first if all of it must go."
    )]
    Exists {
        /// As asked for.
        path: String,
    },
    /// It is something else.
    #[error("{path} cannot be used: {what}.")]
    NotAFile {
        /// As asked for.
        path: String,
        /// What stands in the way, as in "it is a named pipe".
        what: String,
    },
    /// It has more names than can be looked through.
    #[error("{path} has more than {MOST_NAMES} names, too many to be listed. Use a command.")]
    TooMany {
        /// As asked for.
        path: String,
    },
    /// It is a directory.
    #[error("{path} is a directory. List it, or name a file in it.")]
    IsADirectory {
        /// As asked for.
        path: String,
    },
    /// It is too large for one look.
    #[error(
        "{path} is larger than {} MiB, too large to be read or edited here. Search in it, or use a \
         command.",
        LARGEST_TEXT / 1024 / 1024
    )]
    TooLarge {
        /// As asked for.
        path: String,
    },
    /// It is not text.
    #[error("{path} is not UTF-8 text, so it can be neither read nor edited here.")]
    NotText {
        /// As asked for.
        path: String,
    },
    /// The system said no.
    #[error("{path} could not be {verb} ({source}).")]
    Io {
        /// As asked for.
        path: String,
        /// What was tried, in the past.
        verb: &'static str,
        /// The cause; part of the sentence, as the model sees only that.
        source: std::io::Error,
    },
}

/// One name in a directory.
#[derive(Debug, Clone)]
pub struct Listed {
    /// As far as it can be shown; directories end in `/`, links in `@`.
    pub name: String,
    /// Where it is; `None` when its name cannot be part of a path.
    pub path: Option<RepoPath>,
    /// Links are shown, and not followed.
    pub is_link: bool,
}

impl Root {
    /// Over a directory that is open already.
    pub fn new(directory: File) -> Self {
        Self { directory, seen_at: None }
    }

    /// The same, where commands see the directory at this absolute path: models use it in calls.
    #[must_use]
    pub fn seen_at(mut self, path: PathBuf) -> Self {
        self.seen_at = Some(path);
        self
    }

    /// Where commands see the directory, if anywhere.
    pub fn top(&self) -> Option<&Path> {
        self.seen_at.as_deref()
    }

    /// A file's text.
    ///
    /// # Errors
    /// When it is no ordinary text file of at most [`LARGEST_TEXT`] bytes.
    pub fn read(&self, path: &RepoPath) -> Result<String, FileError> {
        let bytes = self.read_bytes(path)?;
        String::from_utf8(bytes).map_err(|_| FileError::NotText { path: path.to_string() })
    }

    /// A file's bytes.
    ///
    /// # Errors
    /// When it is no ordinary file of at most [`LARGEST_TEXT`] bytes.
    pub fn read_bytes(&self, path: &RepoPath) -> Result<Vec<u8>, FileError> {
        confined::open_file(&self.directory, path.as_str().as_bytes())
            .and_then(|(mut file, _)| confined::read_all(&mut file, LARGEST_TEXT))
            .map_err(|problem| self.refusal(path, "read", problem))
    }

    /// A file for reading, however large.
    ///
    /// # Errors
    /// When it is no ordinary file.
    pub fn open(&self, path: &RepoPath) -> Result<File, FileError> {
        confined::open_file(&self.directory, path.as_str().as_bytes())
            .map(|(file, _)| file)
            .map_err(|problem| self.refusal(path, "read", problem))
    }

    /// Puts new content into an existing file, keeping its mode.
    ///
    /// # Errors
    /// When there is no such ordinary file; it is then as it was.
    pub fn write(&self, path: &RepoPath, content: &[u8]) -> Result<(), FileError> {
        let written = (|| {
            let (_, stat) = confined::open_file(&self.directory, path.as_str().as_bytes())?;
            let (parent, name) = self.parent(path)?;
            let temporary = write_beside(&parent, content, Mode::from_raw_mode(stat.st_mode))?;
            let replaced = rustix::fs::renameat(&parent, temporary.as_str(), &parent, name);
            cleaned(&parent, &temporary, replaced)
        })();
        written.map_err(|problem| self.refusal(path, "written", problem))
    }

    /// Makes a new file and the directories it needs.
    ///
    /// # Errors
    /// [`FileRefusal::Exists`] when anything is there.
    pub fn create(&self, path: &RepoPath, content: &[u8]) -> Result<(), FileError> {
        let created = (|| {
            confined::make_parents(&self.directory, path.as_str().as_bytes(), &mut Vec::new())?;
            let (parent, name) = self.parent(path)?;
            let temporary = write_beside(&parent, content, Mode::from_raw_mode(0o644))?;
            let never_over = RenameFlags::NOREPLACE;
            let placed =
                rustix::fs::renameat_with(&parent, temporary.as_str(), &parent, name, never_over);
            cleaned(&parent, &temporary, placed)
        })();
        created.map_err(|problem| self.refusal(path, "created", problem))
    }

    /// Removes a file, and the directories it leaves empty.
    ///
    /// # Errors
    /// When there is none, or it is a directory.
    pub fn delete(&self, path: &RepoPath) -> Result<(), FileError> {
        let deleted = (|| {
            let (parent, name) = self.parent(path)?;
            Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?)
        })();
        deleted.map_err(|problem| self.refusal(path, "deleted", problem))?;
        let mut directory = path.parent();
        while let Some(empty) = directory {
            let Ok((parent, name)) = self.parent(&empty) else { break };
            if rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR).is_err() {
                break;
            }
            directory = empty.parent();
        }
        Ok(())
    }

    /// Gives a file another path; never over something.
    ///
    /// # Errors
    /// When there is no such file or the new path is taken.
    pub fn rename(&self, from: &RepoPath, to: &RepoPath) -> Result<(), FileError> {
        let opened = confined::open_file(&self.directory, from.as_str().as_bytes());
        opened.map_err(|problem| self.refusal(from, "renamed", problem))?;
        let renamed = (|| {
            confined::make_parents(&self.directory, to.as_str().as_bytes(), &mut Vec::new())?;
            let (old_parent, old_name) = self.parent(from)?;
            let (parent, name) = self.parent(to)?;
            let never_over = RenameFlags::NOREPLACE;
            Ok(rustix::fs::renameat_with(&old_parent, old_name, &parent, name, never_over)?)
        })();
        renamed.map_err(|problem| self.refusal(to, "created", problem))
    }

    /// All that is in a directory, sorted; `None` is the top.
    ///
    /// # Errors
    /// When there is no such directory, or it has too many names.
    pub fn list(&self, directory: Option<&RepoPath>) -> Result<Vec<Listed>, FileError> {
        match self.listed(directory) {
            Ok(names) if names.len() > MOST_NAMES => Err(FileError::TooMany {
                path: directory.map_or("The top".to_owned(), ToString::to_string),
            }),
            Ok(mut names) => {
                names.sort_by(|a, b| a.name.cmp(&b.name));
                Ok(names)
            }
            Err(problem) => Err(match directory {
                Some(path) => self.refusal(path, "listed", problem),
                None => FileError::Io {
                    path: "The workspace".to_owned(),
                    verb: "listed",
                    source: std::io::Error::other(problem),
                },
            }),
        }
    }

    /// One more than may be is enough to know.
    fn listed(&self, below: Option<&RepoPath>) -> Result<Vec<Listed>, ConfinedError> {
        let path = below.map_or("", RepoPath::as_str);
        let directory = confined::open_directory(&self.directory, path.as_bytes())?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&directory)? {
            let entry = entry?;
            let bytes = entry.file_name().to_bytes();
            if matches!(bytes, b"." | b".." | b".git") {
                continue;
            }
            let mark = match entry.file_type() {
                FileType::Directory => "/",
                FileType::Symlink => "@",
                _ => "",
            };
            let whole = if path.is_empty() { Vec::new() } else { format!("{path}/").into_bytes() };
            names.push(Listed {
                name: confined::shown(bytes) + mark,
                path: RepoPath::from_bytes(&[&whole, bytes].concat()).ok(),
                is_link: entry.file_type() == FileType::Symlink,
            });
            if names.len() > MOST_NAMES {
                break;
            }
        }
        Ok(names)
    }

    fn parent<'p>(&self, path: &'p RepoPath) -> Result<(OwnedFd, &'p str), ConfinedError> {
        let (parent, _) = confined::split(path.as_str().as_bytes());
        Ok((confined::open_directory(&self.directory, parent)?, path.name()))
    }

    fn refusal(&self, path: &RepoPath, verb: &'static str, problem: ConfinedError) -> FileError {
        let shown = path.to_string();
        let kind = confined::look(&self.directory, path.as_str().as_bytes())
            .ok()
            .flatten()
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        match problem {
            ConfinedError::TooLarge { .. } => FileError::TooLarge { path: shown },
            _ if kind == Some(FileType::Directory) && verb != "created" => {
                FileError::IsADirectory { path: shown }
            }
            ConfinedError::Special(_) | ConfinedError::Io(_)
                if kind != Some(FileType::RegularFile)
                    && let Some(what) = self.link_on_the_way(path).filter(|_| !taken(&problem)) =>
            {
                FileError::NotAFile { path: shown, what }
            }
            ConfinedError::Special(what) => {
                FileError::NotAFile { path: shown, what: format!("it is {what}") }
            }
            ConfinedError::Io(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                FileError::Exists { path: shown }
            }
            ConfinedError::Io(e) if confined::is_absence(&e) => {
                FileError::Missing { similar: self.similar(path), path: shown }
            }
            ConfinedError::Io(source) => FileError::Io { path: shown, verb, source },
        }
    }

    /// The first symbolic link that the path meets: which, to where, and what to use instead.
    fn link_on_the_way(&self, path: &RepoPath) -> Option<String> {
        let whole = path.as_str();
        let ends = whole.match_indices('/').map(|(at, _)| at).chain([whole.len()]);
        let is_link = |part: &str| {
            let stat = confined::look(&self.directory, part.as_bytes()).ok().flatten();
            stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
        };
        let link: RepoPath =
            ends.map(|end| &whole[..end]).find(|part| is_link(part))?.parse().ok()?;
        let (parent, name) = self.parent(&link).ok()?;
        let target = rustix::fs::readlinkat(&parent, name, Vec::new()).ok()?;
        let target: String =
            confined::shown(target.as_bytes()).chars().take(LONGEST_TARGET).collect();
        let rest = whole[link.as_str().len()..].trim_start_matches('/');
        let instead = lead_by(&link, &target, rest)
            .filter(|other| {
                let found = confined::look(&self.directory, other.as_str().as_bytes());
                matches!(found, Ok(Some(_)))
            })
            .map_or(String::new(), |other| format!(": use {other} instead"));
        let which = if link == *path { "it".to_owned() } else { link.to_string() };
        Some(format!("{which} is a symbolic link to {target}{instead}"))
    }

    /// A path that only differs in letter case, or the names beside the missing one.
    fn similar(&self, path: &RepoPath) -> String {
        let Some(parent) = path.parent() else {
            return self.beside(None, path.name());
        };
        match confined::open_directory(&self.directory, parent.as_str().as_bytes()) {
            Ok(_) => self.beside(Some(&parent), path.name()),
            Err(_) => format!(" There is no directory {parent} either."),
        }
    }

    fn beside(&self, directory: Option<&RepoPath>, name: &str) -> String {
        // Comparing takes as long as both names multiplied, and nobody mistypes very long ones.
        let short = |name: &str| name.len() <= LONGEST_SIMILAR;
        let wanted = name.to_lowercase();
        let names = if short(name) { self.list(directory).unwrap_or_default() } else { Vec::new() };
        let compared = names.iter().filter(|listed| short(&listed.name)).take(MOST_COMPARED);
        let likenesses = compared.map(|listed| {
            let other = listed.name.trim_end_matches(['/', '@']).to_lowercase();
            (strsim::normalized_levenshtein(&other, &wanted), listed)
        });
        match likenesses.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((likeness, best)) if likeness > 0.6 => format!(" Beside it is {}.", best.name),
            _ => String::new(),
        }
    }
}

fn taken(problem: &ConfinedError) -> bool {
    matches!(problem, ConfinedError::Io(e) if e.kind() == std::io::ErrorKind::AlreadyExists)
}

/// Where a link leads with the rest of the path, by its words alone, if that is inside.
fn lead_by(link: &RepoPath, target: &str, rest: &str) -> Option<RepoPath> {
    let mut parts: Vec<&str> = link.components().collect();
    parts.pop();
    if target.starts_with('/') {
        return None;
    }
    for part in target.split('/').chain(rest.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    parts.join("/").parse().ok()
}

/// A complete file under a name of ours, to be moved into place.
fn write_beside(parent: &OwnedFd, content: &[u8], mode: Mode) -> Result<String, ConfinedError> {
    for number in 0..100 {
        let name = format!(".gander-new-{number}");
        let mut file = match confined::create_file(parent, name.as_bytes(), mode) {
            Ok(file) => file,
            Err(ConfinedError::Io(e)) if e.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(other) => return Err(other),
        };
        return match file.write_all(content) {
            Ok(()) => Ok(name),
            Err(error) => {
                // The cause is the write; that the rest stays behind is the smaller harm.
                let _ = rustix::fs::unlinkat(parent, name.as_str(), AtFlags::empty());
                Err(error.into())
            }
        };
    }
    Err(ConfinedError::Io(std::io::ErrorKind::AlreadyExists.into()))
}

fn cleaned(
    parent: &OwnedFd,
    name: &str,
    moved: rustix::io::Result<()>,
) -> Result<(), ConfinedError> {
    moved.map_err(|errno| {
        let _ = rustix::fs::unlinkat(parent, name, AtFlags::empty());
        errno.into()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn root() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        let root = Root::new(File::open(directory.path()).unwrap());
        (directory, root)
    }

    fn path(text: &str) -> RepoPath {
        text.parse().unwrap()
    }

    #[test]
    fn a_file_is_made_read_changed_moved_and_removed() {
        let (directory, root) = root();
        let at = |name: &str| directory.path().join(name);
        root.create(&path("a/b/c.sh"), b"one").unwrap();
        assert_eq!(root.read(&path("a/b/c.sh")).unwrap(), "one");
        fs::set_permissions(at("a/b/c.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        root.write(&path("a/b/c.sh"), b"two").unwrap();
        assert_eq!(fs::read(at("a/b/c.sh")).unwrap(), b"two");
        assert_eq!(fs::metadata(at("a/b/c.sh")).unwrap().permissions().mode() & 0o777, 0o755);
        root.rename(&path("a/b/c.sh"), &path("x/y.sh")).unwrap();
        let names = |path: Option<&RepoPath>| -> Vec<String> {
            root.list(path).unwrap().into_iter().map(|listed| listed.name).collect()
        };
        assert_eq!(names(None), ["a/", "x/"]);
        assert_eq!(names(Some(&path("x"))), ["y.sh"], "nothing temporary is left");
        root.delete(&path("x/y.sh")).unwrap();
        assert_eq!(names(None), ["a/"]);
    }

    #[test]
    fn every_refusal_says_what_to_do() {
        let (directory, root) = root();
        fs::create_dir(directory.path().join("src")).unwrap();
        fs::write(directory.path().join("src/parser.rs"), "x").unwrap();
        fs::write(directory.path().join("latin"), b"caf\xe9").unwrap();
        let words = |refusal: FileError| refusal.to_string();
        let taken = words(root.create(&path("src/parser.rs"), b"y").unwrap_err());
        assert!(taken.starts_with("src/parser.rs exists already") && taken.contains("Edit it"));
        assert_eq!(root.read(&path("src/parser.rs")).unwrap(), "x");
        assert_eq!(
            words(root.read(&path("src/Parser.rs")).unwrap_err()),
            "There is no src/Parser.rs. Beside it is parser.rs."
        );
        assert_eq!(
            words(root.read(&path("lib/parser.rs")).unwrap_err()),
            "There is no lib/parser.rs. There is no directory lib either."
        );
        let directory_words = "src is a directory. List it, or name a file in it.";
        assert_eq!(words(root.read(&path("src")).unwrap_err()), directory_words);
        assert_eq!(words(root.delete(&path("src")).unwrap_err()), directory_words);
        assert!(matches!(root.create(&path("src"), b""), Err(FileError::Exists { .. })));
        assert!(words(root.read(&path("latin")).unwrap_err()).contains("not UTF-8 text"));
        let over = root.rename(&path("latin"), &path("src/parser.rs")).unwrap_err();
        assert!(matches!(over, FileError::Exists { .. }), "{over}");
        assert!(matches!(root.write(&path("new"), b""), Err(FileError::Missing { .. })));
        let below_a_file = root.create(&path("latin/x"), b"").unwrap_err();
        assert!(!words(below_a_file).contains("exists already"));
    }

    #[test]
    fn a_refused_link_says_where_it_leads() {
        let (directory, root) = root();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir_all(at("src/deep")).unwrap();
        fs::write(at("src/a.rs"), "x").unwrap();
        std::os::unix::fs::symlink("../a.rs", at("src/deep/link")).unwrap();
        std::os::unix::fs::symlink("src", at("lib")).unwrap();
        std::os::unix::fs::symlink("/etc", at("out")).unwrap();
        let words = |name: &str| root.read(&path(name)).unwrap_err().to_string();
        let link = words("src/deep/link");
        assert!(link.contains("a symbolic link to ../a.rs: use src/a.rs instead"), "{link}");
        let below = words("lib/a.rs");
        assert!(below.contains("lib is a symbolic link to src: use src/a.rs instead"), "{below}");
        let out = words("out/passwd");
        assert!(out.contains("a symbolic link to /etc") && !out.contains("instead"), "{out}");
        let listed = root.list(Some(&path("lib"))).unwrap_err().to_string();
        assert!(listed.contains("a symbolic link to src: use src instead"), "{listed}");
    }
}

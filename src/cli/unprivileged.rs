//! Root hands its work to a throw-away user.
//!
//! Invariants: the program runs without root's rights, yet finds the toolchains, its own binary and
//! the current directory under their usual paths, even where root's home is closed to others. All
//! else below a closed directory is hidden. Only a private mount namespace changes; the file system
//! does not, and everything made here vanishes with the last process.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, Metadata};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountFlags;

use crate::sandbox::Identity;
use crate::sandbox::toolchain::ToolchainPaths;

/// Runs a program without root's rights.
#[derive(Debug, clap::Args)]
pub struct Unprivileged {
    /// The user to become, by name or number; by default one that nobody uses
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// A directory that the program needs to see, wherever it is
    #[arg(long, value_name = "DIR")]
    pub show: Vec<PathBuf>,
    /// Where what can be got again is kept for the next time
    #[arg(long, value_name = "DIR", hide = true)]
    pub cache: Option<PathBuf>,
    /// Set when the private mount namespace is there
    #[arg(long, hide = true)]
    pub inside: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub command: Vec<OsString>,
}

/// Why the program could not be started.
#[derive(Debug, thiserror::Error)]
pub enum UnprivilegedError {
    /// No such user.
    #[error("there is no user {0:?} other than root in /etc/passwd")]
    NoSuchUser(String),
    /// Nothing to run.
    #[error("no program was named")]
    NoProgram,
    /// A program did not start.
    #[error("could not start {}", .0.display())]
    Start(PathBuf, #[source] io::Error),
    /// Our own binary is not known.
    #[error("could not find Gander's own binary")]
    OwnBinary(#[source] io::Error),
    /// A directory that is needed is closed to other users.
    #[error(
        "{} is closed to other users; run `chmod o+rx` on it, or start as an ordinary user",
        .0.display()
    )]
    Closed(PathBuf),
    /// The private view of the file system could not be made.
    #[error("could not make a private view of {}", .0.display())]
    View(PathBuf, #[source] io::Error),
}

/// A user that no system gives to anybody.
pub const NOBODY_ELSE: Identity = Identity { uid: 65532, gid: 65532 };
const TEMPORARY: &str = "/tmp";
const HOME: &str = "/tmp/home";
/// Where what root started keeps packages and builds.
const CACHE: &str = "/var/cache/gander";

/// Whether there are rights to give up.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Becomes the named program, without root's rights. Returns only to report an error.
///
/// # Errors
/// The program cannot be started, or not without root's rights.
pub fn run(
    request: &Unprivileged,
    places: &ToolchainPaths,
) -> Result<Infallible, UnprivilegedError> {
    let (program, arguments) = request.command.split_first().ok_or(UnprivilegedError::NoProgram)?;
    if !is_root() {
        return become_program(command(program).args(arguments));
    }
    if !request.inside {
        return rerun(request.user.as_deref(), &request.show, None, &request.command);
    }
    let identity = request.user.as_deref().map_or(Ok(NOBODY_ELSE), account)?;
    let managers = version_managers(places);
    let view = FilesystemView::of(program, &managers, &request.show)?;
    view.mount(identity)?;
    let mut program = command(program);
    program.args(arguments).current_dir(&view.current).uid(identity.uid).gid(identity.gid);
    program.env("HOME", HOME).env("TMPDIR", TEMPORARY).env("USER", "gander");
    for gone in ["CARGO_HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
        program.env_remove(gone);
    }
    program.envs(request.cache.iter().map(|cache| ("XDG_CACHE_HOME", cache)));
    // The home is another one now, so what used to be found through it needs a name.
    program.envs(managers.iter().map(|(name, directory)| (name, directory)));
    become_program(&mut program)
}

/// Becomes this same binary with these arguments, as a user without rights. For root only.
///
/// # Errors
/// It cannot be started.
pub fn rerun_unprivileged(
    arguments: impl IntoIterator<Item = OsString>,
    user: Option<&str>,
    show: &[PathBuf],
) -> Result<Infallible, UnprivilegedError> {
    rerun(user, show, None, &own_command(arguments)?)
}

/// The same, as a user that nobody uses, for whom packages and builds are kept for the next time.
/// For root only.
///
/// # Errors
/// It cannot be started.
pub fn rerun_with_cache(
    arguments: impl IntoIterator<Item = OsString>,
    show: &[PathBuf],
) -> Result<Infallible, UnprivilegedError> {
    let cache = match make_cache(Path::new(CACHE)) {
        Ok(()) => Path::new(CACHE).parent(),
        Err(error) => {
            tracing::warn!(path = CACHE, %error, "nothing is kept for the next time");
            None
        }
    };
    rerun(None, show, cache, &own_command(arguments)?)
}

/// A directory of that user's alone: packages and builds may be private.
fn make_cache(directory: &Path) -> io::Result<()> {
    give_directory(directory)?;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
}

/// This same binary with these arguments.
fn own_command(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, UnprivilegedError> {
    let own = std::env::current_exe().map_err(UnprivilegedError::OwnBinary)?;
    Ok(std::iter::once(own.into_os_string()).chain(arguments).collect())
}

/// Becomes this same binary with these arguments, and with no other environment than this.
///
/// # Errors
/// It cannot be started.
pub fn rerun_with(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Infallible, UnprivilegedError> {
    let own = std::env::current_exe().map_err(UnprivilegedError::OwnBinary)?;
    become_program(command(own.as_os_str()).args(arguments).env_clear().envs(environment))
}

/// Whether every user can get to a directory.
///
/// # Errors
/// The topmost one on the way that is closed.
pub fn is_reachable(directory: &Path) -> Result<(), UnprivilegedError> {
    closed_above(directory).map_or(Ok(()), |closed| Err(UnprivilegedError::Closed(closed.into())))
}

/// Makes a directory that the user without rights may write to. For root only.
///
/// # Errors
/// It cannot be made or given away.
pub fn give_directory(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::os::unix::fs::chown(directory, Some(NOBODY_ELSE.uid), Some(NOBODY_ELSE.gid))
}

/// The user of a name or a number, other than root.
///
/// # Errors
/// There is none.
pub fn account(wanted: &str) -> Result<Identity, UnprivilegedError> {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    account_in(&known, wanted)
        .filter(|identity| identity.uid != 0 && identity.gid != 0)
        .ok_or_else(|| UnprivilegedError::NoSuchUser(wanted.to_owned()))
}

fn account_in(passwd: &str, wanted: &str) -> Option<Identity> {
    let listed = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let identity = Identity { uid: uid.parse().ok()?, gid: gid.parse().ok()? };
        (name == wanted || uid == wanted).then_some(identity)
    });
    listed.or_else(|| wanted.parse().ok().map(|number| Identity { uid: number, gid: number }))
}

fn rerun(
    user: Option<&str>,
    show: &[PathBuf],
    cache: Option<&Path>,
    command_line: &[OsString],
) -> Result<Infallible, UnprivilegedError> {
    let own = std::env::current_exe().map_err(UnprivilegedError::OwnBinary)?;
    let mut unshare = command(OsStr::new("/usr/bin/unshare"));
    unshare.args(["--mount", "--propagation", "private", "--"]);
    unshare.arg(own).args(["unprivileged", "--inside"]);
    if let Some(user) = user {
        unshare.args(["--user", user]);
    }
    for directory in show {
        unshare.arg("--show").arg(directory);
    }
    if let Some(directory) = cache {
        unshare.arg("--cache").arg(directory);
    }
    become_program(unshare.arg("--").args(command_line))
}

/// What the program will see of the directories that are covered.
struct FilesystemView {
    /// Directories to cover with an empty one.
    covers: BTreeSet<PathBuf>,
    /// Directories to show again, held open before anything is covered.
    shown: Vec<(PathBuf, OwnedFd)>,
    current: PathBuf,
}

impl FilesystemView {
    fn of(
        program: &OsStr,
        managers: &[(&str, PathBuf)],
        show: &[PathBuf],
    ) -> Result<Self, UnprivilegedError> {
        let own = std::env::current_exe().map_err(UnprivilegedError::OwnBinary)?;
        let current = std::env::current_dir().unwrap_or_else(|_| TEMPORARY.into());
        let binaries = [own.as_path(), Path::new(program)].map(|file| {
            file.canonicalize().ok().and_then(|file| file.parent().map(Path::to_owned))
        });
        let mut wanted: BTreeSet<PathBuf> = binaries.into_iter().flatten().collect();
        wanted.extend(managers.iter().filter_map(|(_, directory)| directory.canonicalize().ok()));
        wanted.extend(show.iter().filter_map(|directory| directory.canonicalize().ok()));
        // A closed directory is no place to stay in; root's own home is the common case.
        let current = if is_open(&current) { current } else { TEMPORARY.into() };
        wanted.insert(current.clone());

        let mut view = Self { covers: [TEMPORARY.into()].into(), shown: Vec::new(), current };
        for directory in wanted {
            if !directory.starts_with(TEMPORARY) {
                match closed_above(&directory) {
                    Some(closed) => view.covers.insert(closed.to_owned()),
                    None => continue,
                };
            }
            if directory == Path::new(TEMPORARY) || view.shows(&directory) {
                continue;
            }
            if !is_open(&directory) {
                return Err(UnprivilegedError::Closed(directory));
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let held = rustix::fs::open(&directory, flags, Mode::empty())
                .map_err(|error| UnprivilegedError::View(directory.clone(), error.into()))?;
            view.shown.push((directory, held));
        }
        Ok(view)
    }

    /// Parents come before children in the order of paths, so a shown parent shows the child.
    fn shows(&self, directory: &Path) -> bool {
        self.shown.iter().any(|(shown, _)| directory.starts_with(shown))
    }

    fn mount(&self, identity: Identity) -> Result<(), UnprivilegedError> {
        for covered in &self.covers {
            let options = if covered == Path::new(TEMPORARY) { c"mode=1777" } else { c"mode=0755" };
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            rustix::mount::mount("tmpfs", covered, "tmpfs", flags, options)
                .map_err(|error| UnprivilegedError::View(covered.clone(), error.into()))?;
        }
        for (directory, held) in &self.shown {
            let source = format!("/proc/self/fd/{}", held.as_raw_fd());
            DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(directory)
                .and_then(|()| Ok(rustix::mount::mount_bind_recursive(source, directory)?))
                .map_err(|error| UnprivilegedError::View(directory.clone(), error))?;
        }
        DirBuilder::new()
            .mode(0o700)
            .create(HOME)
            .and_then(|()| std::os::unix::fs::chown(HOME, Some(identity.uid), Some(identity.gid)))
            .map_err(|error| UnprivilegedError::View(HOME.into(), error))
    }
}

/// The version managers that are there, by the variable that names each.
pub fn version_managers(places: &ToolchainPaths) -> Vec<(&'static str, PathBuf)> {
    let in_home = |name: &str| places.home.as_ref().map(|home| home.join(name));
    [
        ("RUSTUP_HOME", places.rustup_home.clone().or_else(|| in_home(".rustup"))),
        ("PYENV_ROOT", places.pyenv_root.clone().or_else(|| in_home(".pyenv"))),
        ("NVM_DIR", places.nvm_dir.clone().or_else(|| in_home(".nvm"))),
        ("VOLTA_HOME", places.volta_home.clone().or_else(|| in_home(".volta"))),
    ]
    .into_iter()
    .filter_map(|(name, directory)| Some((name, directory?)))
    .filter(|(_, directory)| is_open(directory))
    .collect()
}

/// The topmost directory on the way that other users cannot pass.
fn closed_above(directory: &Path) -> Option<&Path> {
    let mut above: Vec<&Path> = directory.ancestors().skip(1).collect();
    above.reverse();
    above.into_iter().find(|ancestor| !allows_others(ancestor, 0o001))
}

/// Whether other users can list a directory and pass it.
fn is_open(directory: &Path) -> bool {
    directory.is_dir() && allows_others(directory, 0o005)
}

fn allows_others(path: &Path, rights: u32) -> bool {
    let mode = |metadata: Metadata| metadata.permissions().mode();
    path.metadata().map(mode).is_ok_and(|mode| mode & rights == rights)
}

/// What becomes this process, or, where this is the first one, stands in front of it.
pub(super) fn command(program: &OsStr) -> Command {
    #[expect(clippy::disallowed_methods, reason = "Gander itself, in another surrounding")]
    Command::new(program)
}

fn become_program(command: &mut Command) -> Result<Infallible, UnprivilegedError> {
    let error = command.exec();
    Err(UnprivilegedError::Start(command.get_program().into(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nbot:x:105:110::/var/lib/bot:/bin/false\n";

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        let bot = Some(Identity { uid: 105, gid: 110 });
        assert_eq!(account_in(PASSWD, "bot"), bot);
        assert_eq!(account_in(PASSWD, "105"), bot);
    }

    #[test]
    fn a_number_without_a_name_is_a_user_too() {
        assert_eq!(account_in(PASSWD, "4711"), Some(Identity { uid: 4711, gid: 4711 }));
        assert_eq!(account_in(PASSWD, "stranger"), None);
    }

    #[test]
    fn root_is_nobody_to_become() {
        for root in ["root", "0", "00"] {
            assert!(matches!(account(root), Err(UnprivilegedError::NoSuchUser(_))), "{root}");
        }
    }

    #[test]
    fn the_topmost_closed_directory_is_the_one_to_cover() {
        let base = tempfile::tempdir().unwrap();
        let checkout = base.path().join("home/private/checkout");
        std::fs::create_dir_all(&checkout).unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(base.path(), 0o755);
        assert_eq!(closed_above(&checkout), None);
        mode(&base.path().join("home/private"), 0o700);
        assert_eq!(closed_above(&checkout), Some(&*base.path().join("home/private")));
        mode(&base.path().join("home"), 0o750);
        assert_eq!(closed_above(&checkout), Some(&*base.path().join("home")));
    }
}

//! Directories of which a run has a copy of its own: what it writes lies above them.
//!
//! Bubblewrap cannot mount an overlay with what a distribution ships, and nothing can once it has
//! begun. So Gander's own program makes a user namespace, mounts in it, and becomes bubblewrap.
//!
//! Invariants: nothing that a run writes is seen by another, or changes what lies below; whoever
//! mounts has no right outside of the namespace made for it.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags};
use rustix::process::{
    DumpableBehavior, Signal, getegid, geteuid, getppid, set_dumpable_behavior,
    set_parent_process_death_signal,
};

use super::{ShownDirectory, spawn};

/// The subcommand's name.
pub const SUBCOMMAND: &str = "sandbox-overlay";
/// The words that have Gander mount the overlays of these directories and become this program.
/// `None`: none is asked for.
pub(super) fn command_line(shown: &[ShownDirectory], program: &Path) -> Option<Vec<OsString>> {
    let pairs = shown.iter().filter_map(|shown| Some([&shown.host_dir, shown.above.as_ref()?]));
    let pairs: Vec<OsString> = pairs.flatten().map(Into::into).collect();
    if pairs.is_empty() {
        return None;
    }
    let mut words: Vec<OsString> = vec![SUBCOMMAND.into(), (pairs.len() / 2).to_string().into()];
    words.extend(pairs);
    words.push(program.into());
    Some(words)
}

/// Makes what an overlay needs, in a directory of its own on a disk.
///
/// # Errors
/// When it cannot be made.
pub fn prepare(above: &Path) -> io::Result<()> {
    [ABOVE, WORK, SEEN].iter().try_for_each(|part| std::fs::create_dir_all(above.join(part)))
}

/// Where both are seen as one.
pub(super) fn seen(above: &Path) -> PathBuf {
    above.join(SEEN)
}

/// What is written, what the kernel needs for it, and where it is seen with what lies below.
const ABOVE: &str = "above";
const WORK: &str = "work";
const SEEN: &str = "seen";

/// Whether this is how the program was started; then these are the words that follow.
pub fn is_wanted(arguments: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    let mut words = arguments.into_iter().skip(1);
    words.next().filter(|word| word == SUBCOMMAND)?;
    Some(words.collect())
}

/// Mounts the overlays and becomes the program. Returns only to report an error.
///
/// # Errors
/// When the system allows no namespace or no overlay.
pub fn run(words: &[OsString]) -> io::Result<Infallible> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
    let [many, rest @ ..] = words else { return Err(invalid()) };
    let many: usize = many.to_str().and_then(|it| it.parse().ok()).ok_or_else(invalid)?;
    let (pairs, rest) = rest.split_at_checked(many.saturating_mul(2)).ok_or_else(invalid)?;
    let [program, arguments @ ..] = rest else { return Err(invalid()) };
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let parent = getppid();
    spawn::enter_own_namespaces()?;
    // Both are lost with the new rights: that the kernel ends this when Gander is gone, and that
    // its own entry in `/proc` is its own.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != parent {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    rustix::mount::mount_change("/", private)?;
    for pair in pairs.chunks_exact(2) {
        mount(Path::new(&pair[0]), Path::new(&pair[1]))?;
    }
    Err(spawn::plain_command(program).args(arguments).exec())
}

fn mount(lower: &Path, own: &Path) -> io::Result<()> {
    let named = |name: &str, path: &Path| [name.as_bytes(), &escaped(path)].concat();
    let options = [
        named("lowerdir=", lower),
        named(",upperdir=", &own.join(ABOVE)),
        named(",workdir=", &own.join(WORK)),
        b",userxattr".to_vec(),
    ];
    let options = std::ffi::CString::new(options.concat()).map_err(io::Error::other)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    Ok(rustix::mount::mount("overlay", own.join(SEEN), "overlay", flags, &*options)?)
}

/// A path as the options of an overlay take it.
fn escaped(path: &Path) -> Vec<u8> {
    let special = |byte: &u8| matches!(byte, b'\\' | b':' | b',');
    let bytes = path.as_os_str().as_bytes().iter();
    bytes.flat_map(|byte| special(byte).then_some(b'\\').into_iter().chain([*byte])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_one_path_whatever_signs_it_has() {
        assert_eq!(escaped(Path::new("/a:b,c\\d/é")), "/a\\:b\\,c\\\\d/é".as_bytes());
    }
}

//! The kernel's keyrings, which no namespace and no mount keeps apart.
//!
//! Holds: a run begins with a session keyring of its own that is empty and dies with it, so that it
//! finds neither what its starter keeps there nor what a former run left.

use rustix::io::Errno;

use super::SandboxError;
use super::spawn::keyctl;

/// "Mine of the session", instead of a number.
const SESSION: libc::c_long = -3;

/// Gives the calling thread, and what it starts from now on, a new session keyring.
///
/// The kernel keeps this per thread: call it on one that starts a single run and nothing else.
///
/// # Errors
/// When there is none to be had; nothing may be started then.
pub(super) fn join_new_session() -> Result<(), SandboxError> {
    let Err(error) = keyctl(libc::KEYCTL_JOIN_SESSION_KEYRING, 0) else { return Ok(()) };
    match Errno::from_io_error(&error) {
        // A kernel without keyrings, or a filter that says so: a run inherits either.
        Some(Errno::NOSYS) => Ok(()),
        // The kernel itself never answers this. A filter (that of Docker, say) closes keyrings to
        // us and to what we start, which shows in a question that is always allowed.
        Some(Errno::PERM) if is_closed() => Ok(()),
        _ => Err(SandboxError::Keyring(error)),
    }
}

fn is_closed() -> bool {
    let asked = keyctl(libc::KEYCTL_GET_KEYRING_ID, SESSION);
    asked.is_err_and(|error| Errno::from_io_error(&error) == Some(Errno::PERM))
}

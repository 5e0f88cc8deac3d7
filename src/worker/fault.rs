//! What went wrong, reduced to the two things the worker needs: what to do, and words for the log.

use crate::agent::AgentError;
use crate::core::fault::ErrorKind;
use crate::forge::ForgeError;
use crate::publish::PublishError;
use crate::slack::SlackError;
use crate::store::StoreError;
use crate::verify::VerifyError;
use crate::workspace::mirror::MirrorError;
use crate::workspace::scratch::ScratchError;
use crate::workspace::tree::ExportError;

/// A failure of an adapter while performing a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkError {
    /// What to do about it.
    pub kind: ErrorKind,
    /// The error and its causes.
    pub text: String,
}

impl WorkError {
    /// Something a person has to mend.
    pub fn permanent(error: &dyn std::error::Error) -> Self {
        Self { kind: ErrorKind::Permanent, text: chain(error) }
    }

    /// Something that must not happen.
    pub fn bug(text: &str) -> Self {
        Self { kind: ErrorKind::Bug, text: text.to_owned() }
    }

    /// Work on one and the same task whose worker was gone without a word so many times.
    pub fn abandoned(times: u32) -> Self {
        let text = format!(
            "Gander was killed, or got stuck, {times} times while it worked on this, so it is not \
             tried again: what this is about may be the cause. The server's log has more"
        );
        Self { kind: ErrorKind::Permanent, text }
    }

    /// Something that may pass, in words.
    pub fn later(text: String) -> Self {
        Self { kind: ErrorKind::Retry { after_seconds: None }, text }
    }

    /// Something that may pass.
    pub fn passing(error: &dyn std::error::Error) -> Self {
        Self { kind: ErrorKind::Retry { after_seconds: None }, text: chain(error) }
    }
}

/// An error and its causes in one line.
pub(in crate::worker) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

macro_rules! from_kind {
    ($($error:ty),*) => {$(
        impl From<$error> for WorkError {
            fn from(error: $error) -> Self {
                Self { kind: error.kind(), text: chain(&error) }
            }
        }
    )*};
}

from_kind!(AgentError, ForgeError, PublishError, SlackError, StoreError, VerifyError);

impl From<MirrorError> for WorkError {
    fn from(error: MirrorError) -> Self {
        match error {
            MirrorError::Git(ref git) if git.is_too_large() => Self::permanent(&error),
            MirrorError::Cache { .. }
            | MirrorError::Git(_)
            | MirrorError::NoRoom(_)
            | MirrorError::Damaged(_) => Self::passing(&error),
            MirrorError::BadKey(_)
            | MirrorError::BadUrl(_)
            | MirrorError::Empty
            | MirrorError::NotThere(_)
            | MirrorError::TooLarge { .. } => Self::permanent(&error),
        }
    }
}

impl From<ExportError> for WorkError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::TooLarge(_) | ExportError::Hostile { .. } => Self::permanent(&error),
            // The mirror knows whether another try may help.
            ExportError::Mirror(mirror) => mirror.into(),
            ExportError::Write { .. } | ExportError::Stopped => Self::passing(&error),
        }
    }
}

impl From<ScratchError> for WorkError {
    fn from(error: ScratchError) -> Self {
        // A disk gets room again, and the trash is emptied now and then.
        Self::passing(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::GitError;

    #[test]
    fn a_commit_that_is_too_large_is_tried_once() {
        let doing = "list a commit";
        let too_large = || MirrorError::from(GitError::TooLarge { doing });
        let refused = WorkError::from(too_large());
        assert_eq!(refused.kind, ErrorKind::Permanent);
        let refused = WorkError::from(ExportError::TooLarge("it has more than 500,000 files"));
        assert_eq!(refused.kind, ErrorKind::Permanent);
        let refused = WorkError::from(ExportError::Mirror(too_large()));
        assert_eq!(refused.kind, ErrorKind::Permanent);
        // The network, or a busy machine.
        let slow = MirrorError::from(GitError::Timeout { doing: "fetch", seconds: 120 });
        assert!(matches!(WorkError::from(slow).kind, ErrorKind::Retry { .. }));
    }
}

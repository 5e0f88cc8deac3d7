//! Between Gander and its first program inside: one message that all is prepared, one word to
//! begin.
//!
//! Invariants: whoever sends another version is told from one that is ready, whatever else it says.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};

use crate::Landlock;

/// What the first program tells when all is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its version, lest another program of this name was installed meanwhile.
    pub version: String,
    /// What it reached.
    pub landlock: Landlock,
}

/// The word to begin.
pub const BEGIN: &[u8] = b"g";
/// Tables of the kernel's that come with the message.
const TABLES: usize = 2;
const LONGEST_MESSAGE: usize = 512;

impl Ready {
    fn words(&self) -> String {
        format!("{} {}", self.version, self.landlock.word())
    }

    fn of(words: &str) -> Self {
        let (version, landlock) = words.split_once(' ').unwrap_or((words, ""));
        Self { version: version.to_owned(), landlock: Landlock::of(landlock) }
    }
}

/// The first program's side: says that all is prepared, hands over these files, and waits.
///
/// # Errors
/// When Gander is gone.
pub fn wait_at(mut gate: impl AsFd + Read, ready: &Ready, tables: &[File]) -> io::Result<()> {
    let tables: Vec<_> = tables.iter().take(TABLES).map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TABLES))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    if !tables.is_empty() {
        with.push(SendAncillaryMessage::ScmRights(&tables));
    }
    let words = ready.words();
    let words = [IoSlice::new(words.as_bytes())];
    rustix::net::sendmsg(&gate, &words, &mut with, SendFlags::NOSIGNAL)?;
    gate.read_exact(&mut [0])
}

/// Gander's side: takes the message.
///
/// # Errors
/// When there is none, or none yet.
pub fn receive(gate: impl AsFd) -> io::Result<(Ready, Vec<File>)> {
    let mut words = [0; LONGEST_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TABLES))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let read =
        rustix::net::recvmsg(gate, &mut [IoSliceMut::new(&mut words)], &mut with, flags)?.bytes;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let tables = with.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let tables = tables.flatten().map(|table: OwnedFd| table.into()).collect();
    Ok((Ready::of(&String::from_utf8_lossy(&words[..read])), tables))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_said_inside_is_heard_outside() {
        for landlock in [Landlock::Whole, Landlock::Part, Landlock::None] {
            let ready = Ready { version: "1.2.3".to_owned(), landlock };
            assert_eq!(Ready::of(&ready.words()), ready);
        }
    }

    #[test]
    fn another_programs_words_are_another_version_and_promise_nothing() {
        let heard = Ready::of(r#"{"version":"1.2.3","landlock":"whole"}"#);
        assert_ne!(heard.version, "1.2.3");
        assert_eq!(heard.landlock, Landlock::None);
        assert_eq!(Ready::of("1.2.3").landlock, Landlock::None);
    }

    #[test]
    fn who_is_gone_has_said_nothing() {
        let (gate, waiting) = UnixStream::pair().unwrap();
        drop(waiting);
        assert!(receive(gate).is_err());
    }
}

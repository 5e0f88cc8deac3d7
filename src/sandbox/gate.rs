//! Between Gander and its first program inside: one message that all is prepared, one word to
//! begin.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags,
};
use tokio::io::Interest;

use super::ruleset::Landlock;

/// What the first program tells when all is prepared.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Ready {
    /// Its version, lest another program of this name was installed meanwhile.
    pub(super) version: String,
    pub(super) landlock: Landlock,
}

/// Gander's side.
pub(super) struct SandboxGate(tokio::net::UnixStream);

/// Tables of the kernel's that come with the message.
const TABLES: usize = 2;
const LONGEST_MESSAGE: usize = 512;

impl SandboxGate {
    pub(super) fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(stream).map(Self)
    }

    /// Waits for the message. `None`: it will not come.
    pub(super) async fn ready(&self) -> Option<(Ready, Vec<File>)> {
        loop {
            self.0.readable().await.ok()?;
            match self.0.try_io(Interest::READABLE, || receive(&self.0)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                received => return received.ok(),
            }
        }
    }

    /// Lets the command begin.
    pub(super) fn open(self) -> io::Result<()> {
        self.0.try_write(b"g").map(drop)
    }
}

/// The first program's side: says that all is prepared, hands over these files, and waits.
pub(super) fn wait_at(gate: impl AsFd + Read, ready: &Ready, tables: &[File]) -> io::Result<()> {
    let tables: Vec<_> = tables.iter().take(TABLES).map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TABLES))];
    let mut with = SendAncillaryBuffer::new(&mut space);
    if !tables.is_empty() {
        with.push(SendAncillaryMessage::ScmRights(&tables));
    }
    let words = serde_json::to_vec(ready)?;
    rustix::net::sendmsg(&gate, &[IoSlice::new(&words)], &mut with, SendFlags::NOSIGNAL)?;
    { gate }.read_exact(&mut [0])
}

fn receive(gate: impl AsFd) -> io::Result<(Ready, Vec<File>)> {
    let mut words = [0; LONGEST_MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(TABLES))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let read =
        rustix::net::recvmsg(gate, &mut [IoSliceMut::new(&mut words)], &mut with, flags)?.bytes;
    let tables = with.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let tables = tables.flatten().map(|table: OwnedFd| table.into()).collect();
    Ok((serde_json::from_slice(&words[..read])?, tables))
}

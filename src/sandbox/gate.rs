//! Gander's side of the gate at which its first program inside waits.

use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;

use gander_sandbox_init::gate::{BEGIN, Ready, receive};
use tokio::io::Interest;

/// The gate of one run.
pub(super) struct SandboxGate(tokio::net::UnixStream);

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
        self.0.try_write(BEGIN).map(drop)
    }
}

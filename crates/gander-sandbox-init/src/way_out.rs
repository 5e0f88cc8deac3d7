//! The inner end of a fetch step's way out: package managers speak to a port, and the proxy of the
//! host listens at a socket in the file system.
//!
//! Invariants: it is there only where Gander has put a proxy's socket; it passes bytes on and reads
//! none of them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// Where the proxy's socket is inside.
pub const SOCKET: &str = "/proxy";
/// Where package managers find it.
pub const ADDRESS: &str = "http://127.0.0.1:3128";
const PORT: u16 = 3128;

/// Begins to pass on what comes to the port, if there is a way out.
///
/// # Errors
/// When the port cannot be had.
pub(crate) fn begin() -> io::Result<()> {
    if !Path::new(SOCKET).exists() {
        return Ok(());
    }
    let listener = TcpListener::bind(("127.0.0.1", PORT))?;
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || pass_on(&client));
        }
    });
    Ok(())
}

/// What goes wrong shows as a connection that ends.
fn pass_on(client: &TcpStream) -> Option<()> {
    let proxy = UnixStream::connect(SOCKET).ok()?;
    let (mut to_client, mut from_proxy) = (client.try_clone().ok()?, proxy.try_clone().ok()?);
    let back = std::thread::spawn(move || {
        copy(&mut from_proxy, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    copy(&mut &*client, &mut &proxy);
    let _ = proxy.shutdown(Shutdown::Write);
    back.join().ok()
}

fn copy(from: &mut impl Read, to: &mut impl Write) {
    let _ = io::copy(from, to);
}

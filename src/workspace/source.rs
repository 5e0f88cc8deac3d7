//! Where a mirror fetches from.
//!
//! Invariants: an address holds no credentials; a token is sent over https only, but to this
//! machine itself; a server is where the egress rules found it.

use std::net::IpAddr;
use std::path::Path;

use secrecy::SecretString;
use url::Url;

use super::git::{Peer, Server};

/// Where to fetch from.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// A server, over HTTP.
    Url {
        /// Without credentials in it.
        url: &'a Url,
        /// Where its host is: git looks up no name.
        addresses: &'a [IpAddr],
        /// Sent as GitHub wants it; leaves no trace.
        token: Option<&'a SecretString>,
    },
    /// A repository on this machine, named by a person.
    Path(&'a Path),
}

impl Source<'_> {
    pub(super) fn peer<'a>(&'a self, trust: &'a Path) -> Peer<'a> {
        match self {
            Source::Url { url, addresses, token } => {
                Peer::Server(Server { url, addresses, token: *token })
            }
            Source::Path(_) => Peer::Directory(trust),
        }
    }

    /// As git is told it; else why it cannot be fetched from.
    pub(super) fn place(&self) -> Result<String, &'static str> {
        match self {
            Source::Path(path) => std::path::absolute(path)
                .ok()
                .and_then(|path| path.into_os_string().into_string().ok())
                .ok_or("the path is not valid UTF-8"),
            Source::Url { url, .. } if !url.username().is_empty() || url.password().is_some() => {
                Err("it carries credentials; give the token beside it")
            }
            Source::Url { url, .. } if !matches!(url.scheme(), "http" | "https") => {
                Err("only http and https are spoken")
            }
            Source::Url { url, addresses: [], .. } if url.domain().is_some() => {
                Err("nobody looked up where its host is")
            }
            Source::Url { url, token: Some(_), .. } if url.scheme() == "http" && !is_local(url) => {
                Err("a token is sent over https only")
            }
            Source::Url { url, .. } => Ok(url.to_string()),
        }
    }
}

fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

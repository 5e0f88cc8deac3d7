//! Addresses of this machine, and hosts that may be reached.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::ConfigError;
use crate::egress::PinnedHost;
use crate::environment::REGISTRIES;

/// Where to listen.
pub(super) fn socket(name: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    let why = || format!("{text:?} is not ADDRESS:PORT, such as 127.0.0.1:8080");
    text.parse().map_err(|_| ConfigError::Bad { name, why: why() })
}

/// The hosts that packages are fetched from.
pub(super) fn registries(named: Option<Vec<String>>) -> Result<BTreeSet<PinnedHost>, ConfigError> {
    let named = named.unwrap_or_else(|| REGISTRIES.map(str::to_owned).into());
    let read = |host: String| {
        host.parse().map_err(|_| ConfigError::Bad {
            name: "fetch.registries",
            why: format!("{host:?} is no host, such as registry.npmjs.org or mirror.example:8443"),
        })
    };
    named.into_iter().map(read).collect()
}

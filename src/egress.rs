//! The one gate to the outside: every HTTP client of this program is made here.
//!
//! Invariants, for every connection: the host was pinned by the operator; a name resolves only to
//! addresses of the kind the operator allows; redirects are not followed; proxies from the
//! environment are ignored; nothing is sent twice on its own. No error shows a path, a query or
//! user information, since those may carry secrets.

use std::collections::BTreeSet;
use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::core::fault::ErrorKind;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may be silent before it is given up. Callers are usually stricter.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(300);

/// The same while something large is sent.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3600);

/// Installs the one TLS implementation of this program. Call it first thing in `main`; calling it
/// again changes nothing.
pub fn install_crypto() {
    // Fails only when one is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Where the program may connect to. Comes from the operator's configuration only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressPolicy {
    /// The hosts it may talk to.
    pub hosts: BTreeSet<PinnedHost>,
    /// Which addresses that are not on the internet it may talk to.
    pub private_addresses: PrivateAddresses,
}

/// Which addresses beside those of the internet are allowed. Link-local addresses, where clouds
/// keep their machine credentials, never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrivateAddresses {
    /// None.
    #[default]
    Refuse,
    /// This machine's own; plain `http` is allowed to it.
    AllowLoopback,
    /// Loopback and private networks; plain `http` is allowed to every pinned host.
    Allow,
}

/// A host, and the port when it is not the usual one: `api.github.com`, `ghe.corp:8443`,
/// `[::1]:80`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinnedHost {
    host: String,
    port: Option<u16>,
}

/// Why a connection is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum EgressDeniedError {
    /// Text that is no address at all.
    #[error("the address is not a URL")]
    NotAUrl,
    /// Neither `https` nor an allowed `http`.
    #[error("{host} may not be reached by {scheme}: use https")]
    Scheme { host: String, scheme: String },
    /// `https://user:password@host`.
    #[error("the address of {host} has a user name or password in it: remove it")]
    UserInformation { host: String },
    /// Nobody allowed it.
    #[error("{host} is not among the hosts that the configuration allows")]
    NotPinned { host: String },
    /// The host is allowed, its address is not.
    #[error(
        "{host} has the address {address}, which is not on the internet, \
         and the configuration does not allow that"
    )]
    PrivateAddress {
        host: String,
        /// The first address that was refused.
        address: IpAddr,
    },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum EgressError {
    /// The client cannot be made: usually there are no CA certificates on the machine.
    #[error("the HTTP client cannot be made: are CA certificates installed?")]
    Setup(#[source] reqwest::Error),
    /// The request may not leave.
    #[error("a request was not sent")]
    Denied(#[from] EgressDeniedError),
    /// The request cannot be sent as it is.
    #[error("a request to {host} is not well formed")]
    Request { host: String, source: reqwest::Error },
    /// Its address cannot be found out.
    #[error("the address of {host} cannot be found out")]
    NoSuchName { host: String, source: std::io::Error },
    /// No answer in time.
    #[error("{host} did not answer in time")]
    TimedOut { host: String, source: reqwest::Error },
    /// No connection, or a broken one.
    #[error("{host} cannot be reached")]
    Unreachable { host: String, source: reqwest::Error },
}

impl EgressError {
    /// What it means for the work.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Setup(_) | Self::Denied(_) => ErrorKind::Permanent,
            Self::Request { .. } => ErrorKind::Bug,
            Self::NoSuchName { .. } | Self::TimedOut { .. } | Self::Unreachable { .. } => {
                ErrorKind::Retry { after_seconds: None }
            }
        }
    }
}

/// The gate. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Egress {
    policy: Arc<EgressPolicy>,
    client: reqwest::Client,
}

impl Egress {
    /// Makes the one client that keeps to `policy`. Installs the TLS implementation too.
    ///
    /// # Errors
    /// When the machine has no CA certificates.
    pub fn new(policy: EgressPolicy) -> Result<Self, EgressError> {
        Self::silent_for(policy, SILENCE_TIMEOUT)
    }

    /// The same for large uploads: the other side is silent until all of one is there.
    ///
    /// # Errors
    /// When the machine has no CA certificates.
    pub fn for_uploads(policy: EgressPolicy) -> Result<Self, EgressError> {
        Self::silent_for(policy, UPLOAD_TIMEOUT)
    }

    fn silent_for(policy: EgressPolicy, silence: Duration) -> Result<Self, EgressError> {
        install_crypto();
        let policy = Arc::new(policy);
        #[expect(clippy::disallowed_methods, reason = "this is the one place that may")]
        let client = reqwest::Client::builder()
            .user_agent(concat!("gander/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_backend_rustls()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(silence)
            .dns_resolver(Arc::new(PinnedResolver { policy: Arc::clone(&policy) }))
            .build()
            .map_err(EgressError::Setup)?;
        Ok(Self { policy, client })
    }

    /// The client, for libraries that bring their own requests. It resolves only pinned names;
    /// a URL with a literal address is not resolved, so [`check`](Self::check) URLs first.
    pub fn client(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// Whether a request to `url` may leave, as far as can be told before resolving its name.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &str) -> Result<(), EgressDeniedError> {
        self.policy.check(&Url::parse(url).map_err(|_| EgressDeniedError::NotAUrl)?)
    }

    /// The addresses of the host of `url` that may be talked to, for a program that connects by
    /// itself. It must not look the name up again.
    ///
    /// # Errors
    /// When it may not be reached, or its name is not known.
    pub async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, EgressError> {
        self.policy.check(url)?;
        let name = match url.host() {
            Some(Host::Domain(name)) => name,
            Some(Host::Ipv4(address)) => return Ok(vec![address.into()]),
            Some(Host::Ipv6(address)) => return Ok(vec![address.into()]),
            None => return Err(EgressDeniedError::NotAUrl.into()),
        };
        let found = tokio::net::lookup_host((name, 0));
        let found = found
            .await
            .map_err(|source| EgressError::NoSuchName { host: name.to_owned(), source })?;
        let addresses = allowed(name, found, self.policy.private_addresses)?;
        Ok(addresses.iter().map(SocketAddr::ip).collect())
    }

    /// Checks where a request goes and sends it, once.
    ///
    /// # Errors
    /// When it may not leave, or there is no answer. An answer of any status is an answer.
    pub async fn send(
        &self,
        request: http::Request<reqwest::Body>,
    ) -> Result<http::Response<reqwest::Body>, EgressError> {
        let url = request.uri().to_string();
        self.check(&url)?;
        let host = request.uri().host().unwrap_or_default().to_owned();
        let request = match reqwest::Request::try_from(request) {
            Ok(request) => request,
            Err(source) => {
                return Err(EgressError::Request { host, source: source.without_url() });
            }
        };
        match self.client.execute(request).await {
            Ok(response) => Ok(response.into()),
            Err(error) => Err(failure(host, error.without_url())),
        }
    }
}

fn failure(host: String, source: reqwest::Error) -> EgressError {
    if let Some(denied) = denied_by(&source) {
        EgressError::Denied(denied.clone())
    } else if source.is_timeout() {
        EgressError::TimedOut { host, source }
    } else if source.is_builder() {
        EgressError::Request { host, source }
    } else {
        EgressError::Unreachable { host, source }
    }
}

/// The denial that caused `error`, when the resolver refused a name.
pub fn denied_by<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a EgressDeniedError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(denied) = error.downcast_ref() {
            return Some(denied);
        }
        cause = error.source();
    }
    None
}

impl EgressPolicy {
    fn check(&self, url: &Url) -> Result<(), EgressDeniedError> {
        let host = url.host().ok_or(EgressDeniedError::NotAUrl)?;
        let shown = || match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressDeniedError::UserInformation { host: shown() });
        }
        if url.scheme() != "https" && !(url.scheme() == "http" && self.allows_plain_http(&host)) {
            return Err(EgressDeniedError::Scheme {
                host: shown(),
                scheme: url.scheme().to_owned(),
            });
        }
        if !self.hosts.iter().any(|pinned| pinned.matches(url)) {
            return Err(EgressDeniedError::NotPinned { host: shown() });
        }
        let address = match host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => IpAddr::V4(address),
            Host::Ipv6(address) => IpAddr::V6(address),
        };
        if self.private_addresses.allow(address) {
            return Ok(());
        }
        Err(EgressDeniedError::PrivateAddress { host: shown(), address })
    }

    fn allows_plain_http(&self, host: &Host<&str>) -> bool {
        match self.private_addresses {
            PrivateAddresses::Refuse => false,
            PrivateAddresses::Allow => true,
            PrivateAddresses::AllowLoopback => match host {
                Host::Domain(name) => *name == "localhost",
                Host::Ipv4(address) => address.is_loopback(),
                Host::Ipv6(address) => address.is_loopback(),
            },
        }
    }

    fn pins_name(&self, name: &str) -> bool {
        self.hosts.iter().any(|pinned| pinned.host.eq_ignore_ascii_case(name))
    }
}

impl PinnedHost {
    /// The host and port of a URL, for an operator's setting that names a whole base URL.
    ///
    /// # Errors
    /// When the URL has no host.
    pub fn of_url(url: &Url) -> Result<Self, EgressDeniedError> {
        let host = url.host_str().ok_or(EgressDeniedError::NotAUrl)?;
        Ok(Self { host: host.to_ascii_lowercase(), port: url.port() })
    }

    fn matches(&self, url: &Url) -> bool {
        let same_port = match self.port {
            None => url.port().is_none(),
            Some(port) => url.port_or_known_default() == Some(port),
        };
        same_port && url.host_str().is_some_and(|host| host.eq_ignore_ascii_case(&self.host))
    }
}

impl FromStr for PinnedHost {
    type Err = EgressDeniedError;
    fn from_str(text: &str) -> Result<Self, EgressDeniedError> {
        let url =
            Url::parse(&format!("https://{text}/")).map_err(|_| EgressDeniedError::NotAUrl)?;
        let only_a_host = url.path() == "/"
            && url.username().is_empty()
            && url.password().is_none()
            && !text.contains(['/', '\\', '?', '#', '@']);
        if only_a_host { Self::of_url(&url) } else { Err(EgressDeniedError::NotAUrl) }
    }
}

impl fmt::Display for PinnedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

impl PrivateAddresses {
    fn allow(self, address: IpAddr) -> bool {
        let address = unwrapped(address);
        is_global(address)
            || match self {
                Self::Refuse => false,
                Self::AllowLoopback => address.is_loopback(),
                Self::Allow => address.is_loopback() || is_private_network(address),
            }
    }
}

/// The IPv4 address that an IPv6 address only carries: mapped, or translated by NAT64.
fn unwrapped(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if let Some(v4) = v6.to_ipv4_mapped() {
        return IpAddr::V4(v4);
    }
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_global_v4(v4),
        IpAddr::V6(v6) => is_global_v6(v6),
    }
}

/// Everything but the special-purpose blocks of the IANA registry.
fn is_global_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

/// Global unicast (2000::/3) without its special-purpose blocks.
fn is_global_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments and Teredo, documentation, 6to4, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn is_private_network(address: IpAddr) -> bool {
    match address {
        // Those for documentation are nobody's, so some networks use them inside.
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_documentation() || matches!(v4.octets(), [100, 64..=127, ..])
        }
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Resolves pinned names only, and answers with allowed addresses only.
struct PinnedResolver {
    policy: Arc<EgressPolicy>,
}

impl Resolve for PinnedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let host = name.as_str();
            if !policy.pins_name(host) {
                return Err(EgressDeniedError::NotPinned { host: host.to_owned() }.into());
            }
            let found = tokio::net::lookup_host((host, 0)).await?;
            let addresses = allowed(host, found, policy.private_addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The allowed ones among the addresses of `host`; an error when all are refused.
fn allowed(
    host: &str,
    found: impl Iterator<Item = SocketAddr>,
    private_addresses: PrivateAddresses,
) -> Result<Vec<SocketAddr>, EgressDeniedError> {
    let (allowed, refused): (Vec<_>, Vec<_>) =
        found.partition(|address| private_addresses.allow(address.ip()));
    match (allowed.is_empty(), refused.first()) {
        (true, Some(address)) => {
            Err(EgressDeniedError::PrivateAddress { host: host.to_owned(), address: address.ip() })
        }
        _ => Ok(allowed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    fn policy(hosts: &[&str], private_addresses: PrivateAddresses) -> EgressPolicy {
        let hosts = hosts.iter().map(|host| host.parse().unwrap()).collect();
        EgressPolicy { hosts, private_addresses }
    }

    fn check(policy: &EgressPolicy, url: &str) -> Result<(), EgressDeniedError> {
        policy.check(&Url::parse(url).unwrap())
    }

    #[test]
    fn only_pinned_hosts_are_reached() {
        let policy = policy(&["API.github.com", "ghe.corp:8443"], PrivateAddresses::AllowLoopback);
        for good in [
            "https://api.github.com/repos",
            "https://api.github.com:443/",
            "https://API.GITHUB.COM/",
            "https://ghe.corp:8443/api/v3",
        ] {
            assert_eq!(check(&policy, good), Ok(()), "{good}");
        }
        for bad in [
            "https://github.com/",
            "https://api.github.com:8443/",
            "https://api.github.com./",
            "https://api.github.com.evil.example/",
            "https://ghe.corp/",
            "https://uploads.api.github.com/",
        ] {
            let denied = check(&policy, bad).unwrap_err();
            assert!(matches!(denied, EgressDeniedError::NotPinned { .. }), "{bad}: {denied}");
        }
    }

    #[test]
    fn a_refusal_says_what_is_wrong_without_the_path_or_the_password() {
        let policy = policy(&["api.github.com", "127.0.0.1"], PrivateAddresses::Refuse);
        for (url, expected) in [
            (
                "https://evil.example:81/t?k=s3cret",
                "evil.example:81 is not among the hosts that the configuration allows",
            ),
            (
                "http://api.github.com/s3cret",
                "api.github.com may not be reached by http: use https",
            ),
            ("ftp://api.github.com/s3cret", "api.github.com may not be reached by ftp: use https"),
            (
                "https://s3cret@api.github.com/",
                "the address of api.github.com has a user name or password in it: remove it",
            ),
            (
                "https://u:s3cret@api.github.com/",
                "the address of api.github.com has a user name or password in it: remove it",
            ),
            (
                "https://127.0.0.1/s3cret",
                "127.0.0.1 has the address 127.0.0.1, which is not on the internet, and the configuration does not allow that",
            ),
            (
                "https://2130706433/",
                "127.0.0.1 has the address 127.0.0.1, which is not on the internet, and the configuration does not allow that",
            ),
            ("data:s3cret", "the address is not a URL"),
        ] {
            assert_eq!(check(&policy, url).unwrap_err().to_string(), expected, "{url}");
        }
    }

    #[test]
    fn a_pin_is_a_host_and_nothing_more() {
        for good in ["api.github.com", "[::1]:8080", "127.0.0.1:1", "localhost"] {
            assert_eq!(good.parse::<PinnedHost>().unwrap().to_string(), good);
        }
        for bad in
            ["", "https://x.example", "x.example/path", "u@x.example", "x?y", "a b", "x:99999"]
        {
            assert!(bad.parse::<PinnedHost>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn plain_http_stays_on_the_machine_unless_private_networks_are_allowed() {
        let hosts = ["127.0.0.1:9", "localhost:9", "[::1]:9", "llm.corp:9"];
        for (private, reached) in [
            (PrivateAddresses::Refuse, [false, false, false, false]),
            (PrivateAddresses::AllowLoopback, [true, true, true, false]),
            (PrivateAddresses::Allow, [true, true, true, true]),
        ] {
            let policy = policy(&hosts, private);
            let seen = hosts.map(|host| check(&policy, &format!("http://{host}/")).is_ok());
            assert_eq!(seen, reached, "{private:?}");
        }
    }

    #[test]
    fn addresses_are_allowed_by_their_kind() {
        use PrivateAddresses::{Allow, AllowLoopback, Refuse};
        let table: &[(&str, [bool; 3])] = &[
            ("140.82.121.6", [true, true, true]),
            ("2606:50c0:8000::153", [true, true, true]),
            ("64:ff9b::8c52:7906", [true, true, true]),
            ("127.0.0.1", [false, true, true]),
            ("127.9.9.9", [false, true, true]),
            ("::1", [false, true, true]),
            ("::ffff:127.0.0.1", [false, true, true]),
            ("10.1.2.3", [false, false, true]),
            ("172.31.0.1", [false, false, true]),
            ("192.168.0.1", [false, false, true]),
            ("100.64.0.1", [false, false, true]),
            ("fd00::1", [false, false, true]),
            ("::ffff:10.0.0.1", [false, false, true]),
            ("64:ff9b::a00:1", [false, false, true]),
            ("169.254.169.254", [false, false, false]),
            ("::ffff:169.254.169.254", [false, false, false]),
            ("fe80::1", [false, false, false]),
            ("0.0.0.0", [false, false, false]),
            ("::", [false, false, false]),
            ("255.255.255.255", [false, false, false]),
            ("224.0.0.1", [false, false, false]),
            ("ff02::1", [false, false, false]),
            ("192.0.2.1", [false, false, true]),
            ("203.0.113.7", [false, false, true]),
            ("198.18.0.1", [false, false, false]),
            ("2001:db8::1", [false, false, false]),
            ("2002:7f00:1::", [false, false, false]),
            ("2001:0:4136:e378::", [false, false, false]),
        ];
        for (address, expected) in table {
            let parsed: IpAddr = address.parse().unwrap();
            let seen = [Refuse, AllowLoopback, Allow].map(|private| private.allow(parsed));
            assert_eq!(seen, *expected, "{address}");
        }
    }

    #[test]
    fn of_a_name_with_public_and_private_addresses_only_the_public_are_used() {
        let public: SocketAddr = "140.82.121.6:0".parse().unwrap();
        let private: SocketAddr = "10.0.0.1:0".parse().unwrap();
        let use_of = |found: Vec<SocketAddr>| {
            allowed("rebound.example", found.into_iter(), PrivateAddresses::Refuse)
        };
        assert_eq!(use_of(vec![private, public]), Ok(vec![public]));
        assert_eq!(
            use_of(vec![private]),
            Err(EgressDeniedError::PrivateAddress {
                host: "rebound.example".to_owned(),
                address: private.ip()
            })
        );
    }

    #[tokio::test]
    async fn a_program_that_connects_by_itself_is_told_allowed_addresses_only() {
        let asked = async |private, url: &str| {
            let egress = Egress::new(policy(&["localhost:9", "10.1.2.3"], private)).unwrap();
            egress.addresses(&Url::parse(url).unwrap()).await
        };
        let local = asked(PrivateAddresses::AllowLoopback, "http://localhost:9/a.git").await;
        assert!(local.unwrap().iter().all(IpAddr::is_loopback));
        for url in ["https://localhost:9/", "https://10.1.2.3/", "https://unpinned.example/"] {
            let refused = asked(PrivateAddresses::Refuse, url).await.unwrap_err();
            assert!(matches!(refused, EgressError::Denied(_)), "{url}: {refused}");
        }
    }

    #[tokio::test]
    async fn the_client_itself_refuses_names_that_nobody_pinned() {
        let egress = Egress::new(policy(&["localhost:9"], PrivateAddresses::Refuse)).unwrap();
        for (url, expected) in [
            (
                "http://unpinned.example/",
                EgressDeniedError::NotPinned { host: "unpinned.example".into() },
            ),
            (
                "http://localhost:9/",
                EgressDeniedError::PrivateAddress {
                    host: "localhost".into(),
                    address: "127.0.0.1".parse().unwrap(),
                },
            ),
        ] {
            let error = egress.client().get(url).send().await.unwrap_err();
            let denied = denied_by(&error).unwrap();
            assert_eq!(std::mem::discriminant(denied), std::mem::discriminant(&expected), "{url}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn no_text_makes_a_pin_or_a_check_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<PinnedHost>();
            if let Ok(url) = Url::parse(&text) {
                let _ = policy(&["x.example"], PrivateAddresses::Allow).check(&url);
            }
        }
    }
}

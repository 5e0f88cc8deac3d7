//! The clients of package registries that a job of the Action works with.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{StartError, pinned};
use crate::action::{Registries, RegistryInputs};
use crate::core::id::RepoName;
use crate::core::target::ReleaseTarget;
use crate::egress::{Egress, EgressPolicy, PrivateAddresses};
use crate::registry::{
    ContainerRegistry, CratesIo, IdTokens, NpmRegistry, PyPi, PyPiAddresses, Registry,
};

/// GitHub's own registry of container images.
const IMAGES_HOST: &str = "ghcr.io";

/// The package registries that a job publishes to, where its workflow file says they are.
///
/// # Errors
/// When an address cannot be pinned or a client cannot be made.
///
/// `repository` is the job's own, and `job` the address of its API and its token: GitHub's registry
/// of images takes them.
pub fn registries_of_job(
    inputs: RegistryInputs,
    repository: &RepoName,
    job: (&Url, SecretString),
) -> Result<Registries, StartError> {
    let RegistryInputs { addresses, mut tokens, id_tokens } = inputs;
    let at = |name: &str, public: &str| {
        let named = addresses.get(name).cloned().map(|url| (url, PrivateAddresses::Allow));
        // Public ones are on the internet, whatever a name server says.
        named.or_else(|| Some((Url::parse(public).ok()?, PrivateAddresses::Refuse)))
    };
    let handed_in = tokens.clone();
    let reads_with = |target: ReleaseTarget| handed_in.get(&target).cloned();
    let mut all: Vec<Arc<Registry>> = Vec::new();
    if let (Some((index, private)), Some((api, _))) =
        (at("crates", "https://index.crates.io/"), at("crates-api", "https://crates.io/"))
    {
        let egress = uploads_to([index.clone(), api], private)?;
        all.push(Arc::new(Registry::Crates(CratesIo::new(
            index,
            reads_with(ReleaseTarget::Crates),
            egress,
        ))));
    }
    if let Some((address, private)) = at("npm", "https://registry.npmjs.org/") {
        let egress = uploads_to([address.clone()], private)?;
        all.push(Arc::new(Registry::Npm(NpmRegistry::new(
            address,
            reads_with(ReleaseTarget::Npm),
            egress,
        ))));
    }
    if let (Some((index, private)), Some((upload, _))) = (
        at("pypi", "https://pypi.org/simple/"),
        at("pypi-upload", "https://upload.pypi.org/legacy/"),
    ) {
        let egress = uploads_to([index.clone(), upload.clone()], private)?;
        all.push(Arc::new(Registry::PyPi(PyPi::new(
            PyPiAddresses { index, upload },
            reads_with(ReleaseTarget::Pypi),
            egress,
        ))));
    }
    // GitHub's own registry takes the token of a job on github.com, and of no other server.
    let (api, job_token) = job;
    let public = api.host_str() == Some("api.github.com");
    let own = format!("https://{IMAGES_HOST}/{repository}");
    let own = Url::parse(&own).ok().filter(|_| public).map(|own| (own, PrivateAddresses::Refuse));
    let named = addresses.get("container").cloned().map(|url| (url, PrivateAddresses::Allow));
    if let Some((image, private)) = named.or(own) {
        if public && image.host_str() == Some(IMAGES_HOST) {
            tokens.entry(ReleaseTarget::Container).or_insert(job_token);
        }
        let login = tokens.get(&ReleaseTarget::Container);
        let tokens_at = addresses.get("container-auth").cloned();
        all.push(Arc::new(Registry::Container(images(image, login, tokens_at, private)?)));
    }
    let id_tokens = id_tokens.map(|(url, token)| {
        // The runner names it, which may stand in a private network.
        let egress = uploads_to([url.clone()], PrivateAddresses::Allow)?;
        Ok::<_, StartError>(IdTokens::new(url, token, egress))
    });
    Ok(Registries { all, tokens, id_tokens: id_tokens.transpose()? })
}

/// A registry of container images.
fn images(
    mut image: Url,
    login: Option<&SecretString>,
    tokens_at: Option<Url>,
    private: PrivateAddresses,
) -> Result<ContainerRegistry, StartError> {
    const HUB: &str = "registry-1.docker.io";
    // Docker's hub goes by three names, and gives its tokens at a fourth.
    if image.host_str().is_some_and(|host| ["docker.io", "index.docker.io", HUB].contains(&host)) {
        let _ = image.set_host(Some(HUB));
    }
    let hub = image.host_str() == Some(HUB);
    let of_hub = || hub.then(|| Url::parse("https://auth.docker.io/").ok()).flatten();
    let hosts = [image.clone()].into_iter().chain(tokens_at.or_else(of_hub));
    let login = login.map(|secret| {
        let secret = secret.expose_secret();
        // Where the name does not matter, any will do.
        let named = secret.contains(':');
        SecretString::from(if named { secret.to_owned() } else { format!("gander:{secret}") })
    });
    Ok(ContainerRegistry::new(&image, login, uploads_to(hosts, private)?))
}

/// A way out for what may take long to send.
fn uploads_to(
    addresses: impl IntoIterator<Item = Url>,
    private_addresses: PrivateAddresses,
) -> Result<Egress, StartError> {
    let hosts = pinned(addresses)?;
    Ok(Egress::for_uploads(EgressPolicy { hosts, private_addresses })?)
}

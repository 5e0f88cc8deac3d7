//! Registries of container images, by the distribution specification of OCI.
//!
//! Invariants: an image goes as it was built, every part of it under its own digest; the tag of a
//! version is made once and last, after everything that it stands for; `latest` moves only to a
//! full release that no higher one precedes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use http::header::WWW_AUTHENTICATE;
use secrecy::{ExposeSecret, SecretString};
use semver::Version;
use serde::Deserialize;
use url::Url;

use super::archive::places;
use super::wire::{Ask, RegistryAnswer, Wire};
use super::{BuiltFile, FileStanding, RegistryError, UnfitFile, Upload, sha256};
use crate::egress::Egress;

const ENDING: &str = ".oci.tar";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DIGEST: &str = "docker-content-digest";
/// All shapes that a tag may have.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// So many pages of tags are read.
const MOST_PAGES: u32 = 100;
/// What a token is asked for.
const PULL: &str = "pull";
const PUSH: &str = "pull,push";
/// Images within images are followed so deep.
const MOST_DEPTH: u32 = 3;

/// A registry of container images, and the one repository in it that is published to.
#[derive(Debug)]
pub struct ContainerRegistry {
    wire: Wire,
    address: Url,
    /// `acme/widgets`
    repository: String,
    /// Name and secret.
    login: Option<SecretString>,
    /// What was shown last and taken.
    shown: Mutex<Option<String>>,
}

/// A part of an image, as others name it.
#[derive(Debug, Clone, Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    kind: String,
    digest: String,
}

/// What an index or a manifest names.
#[derive(Deserialize)]
struct ImageParts {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// An image in its archive.
struct Image<'a> {
    blobs: BTreeMap<String, &'a [u8]>,
    /// What the tag stands for.
    root: Descriptor,
    /// The bytes of the root.
    document: &'a [u8],
    /// The blobs that are sent.
    used: BTreeSet<String>,
    /// In the order in which they can be sent.
    manifests: Vec<(Descriptor, &'a [u8])>,
}

impl ContainerRegistry {
    /// The repository of this path below an address, such as `https://ghcr.io/acme/widgets`.
    /// `login` is `NAME:SECRET`.
    pub fn new(image: &Url, login: Option<SecretString>, egress: Egress) -> Self {
        let mut address = image.clone();
        address.set_path("/");
        let repository = image.path().trim_matches('/').to_lowercase();
        let registry = image.host_str().unwrap_or_default().to_owned();
        Self {
            wire: Wire { registry, egress },
            address,
            repository,
            login,
            shown: Mutex::default(),
        }
    }

    pub(super) fn uploads(
        &self,
        files: &[BuiltFile],
        version: &str,
    ) -> Result<Vec<Upload>, UnfitFile> {
        let mut images = files.iter().filter(|file| file.name.as_str().ends_with(ENDING));
        let Some(file) = images.next() else { return Ok(Vec::new()) };
        let unfit = |why: String| UnfitFile { file: file.name.to_string(), why };
        if let Some(other) = images.next() {
            return Err(unfit(format!("is not the only image: there is {} as well", other.name)));
        }
        let digest = Image::read(&file.content).map_err(unfit)?.root.digest;
        // A tag has no `+`.
        let version = version.replace('+', "_");
        let package = self.repository.clone();
        Ok(vec![Upload { package, version, digest, file: file.clone(), needs: Vec::new() }])
    }

    pub(super) async fn standing(&self, upload: &Upload) -> Result<FileStanding, RegistryError> {
        let doing = format!("looking for {}:{}", upload.package, upload.version);
        Ok(match self.digest_of(&doing, &upload.version).await? {
            None => FileStanding::Absent,
            Some(there) if there == upload.digest => FileStanding::Same,
            Some(there) => FileStanding::Other(there),
        })
    }

    /// What a tag stands for.
    async fn digest_of(&self, doing: &str, tag: &str) -> Result<Option<String>, RegistryError> {
        let url = self.at(&format!("manifests/{tag}"));
        let ask =
            || Ask { method: Method::HEAD, accept: MANIFESTS, ..Ask::get(doing, url.clone()) };
        let Some(reply) = self.ask(PULL, ask).await?.found()? else { return Ok(None) };
        if let Some(there) = reply.headers.get(DIGEST).and_then(|digest| digest.to_str().ok()) {
            return Ok(Some(there.to_owned()));
        }
        // It should name the digest, and need not.
        let ask = || Ask { accept: MANIFESTS, ..Ask::get(doing, url.clone()) };
        let whole = self.ask(PULL, ask).await?.found()?;
        Ok(whole.map(|whole| format!("sha256:{}", sha256(&whole.body))))
    }

    pub(super) async fn publish(&self, upload: &Upload) -> Result<(), RegistryError> {
        let doing = format!("publishing {}:{}", upload.package, upload.version);
        let image = Image::read(&upload.file.content).map_err(|why| {
            let (registry, doing) = (self.wire.registry.clone(), doing.clone());
            RegistryError::Unreadable { registry, doing, why }
        })?;
        for digest in &image.used {
            let content = image.blobs.get(digest).copied().unwrap_or_default();
            self.send_blob(&doing, digest, content).await?;
        }
        // Those that others name come first.
        for (manifest, content) in &image.manifests {
            self.send_manifest(&doing, &manifest.digest, manifest, content).await?;
        }
        let moves = self.is_newest(&doing, &upload.version).await?
            && self.digest_of(&doing, "latest").await?.as_ref() != Some(&image.root.digest);
        if moves {
            match self.send_manifest(&doing, "latest", &image.root, image.document).await {
                // Where no tag may move, the version's own is what counts.
                Err(RegistryError::Refused { status, .. }) if (400..429).contains(&status) => {}
                other => other?,
            }
        }
        // Nothing keeps others from having made it meanwhile, and a registry would replace it.
        match self.digest_of(&doing, &upload.version).await? {
            None => self.send_manifest(&doing, &upload.version, &image.root, image.document).await,
            Some(there) if there == image.root.digest => Ok(()),
            Some(theirs) => Err(RegistryError::Taken {
                registry: self.wire.registry.clone(),
                file: upload.file.name.to_string(),
                theirs,
            }),
        }
    }

    /// Whether the login may push: an upload is begun, and given up.
    pub(super) async fn may_push(&self) -> Result<(), RegistryError> {
        let doing = "asking whether images may be pushed";
        let place = self.begin_upload(doing).await?;
        let ask = || Ask { method: Method::DELETE, ..Ask::get(doing, place.clone()) };
        // Who does not know that lets it end by itself.
        let _ = self.ask(PUSH, ask).await;
        Ok(())
    }

    /// Whether no higher full release is there.
    async fn is_newest(&self, doing: &str, version: &str) -> Result<bool, RegistryError> {
        #[derive(Deserialize)]
        struct Tags {
            tags: Option<Vec<String>>,
        }
        let Some(version) = tagged(version).filter(|version| version.pre.is_empty()) else {
            return Ok(false);
        };
        let mut page = Some(self.at("tags/list?n=1000"));
        for _ in 0..MOST_PAGES {
            let Some(url) = page else { return Ok(true) };
            let found = self.ask(PULL, || Ask::get(doing, url.clone())).await?.found()?;
            let Some(reply) = found else { return Ok(true) };
            let tags: Tags = reply.json()?;
            let tags = tags.tags.unwrap_or_default();
            let mut full = tags.iter().filter_map(|tag| tagged(tag));
            if full.any(|other| other.pre.is_empty() && other > version) {
                return Ok(false);
            }
            page = self.next_page(&reply);
        }
        // Not all were looked at.
        Ok(false)
    }

    /// `</v2/acme/widgets/tags/list?last=x>; rel="next"`
    fn next_page(&self, reply: &RegistryAnswer) -> Option<Url> {
        let link = reply.headers.get(http::header::LINK)?.to_str().ok()?;
        let (address, relation) = link.strip_prefix('<')?.split_once('>')?;
        let url = self.secure(self.address.join(address).ok()?);
        (relation.contains("next") && url.origin() == self.address.origin()).then_some(url)
    }

    /// An address that the registry names, by no weaker way than its own.
    fn secure(&self, mut url: Url) -> Url {
        if self.address.scheme() == "https" && url.scheme() == "http" {
            let _ = url.set_scheme("https");
        }
        url
    }

    /// Where a blob is to be sent.
    async fn begin_upload(&self, doing: &str) -> Result<Url, RegistryError> {
        let url = self.at("blobs/uploads/");
        let ask = || Ask { method: Method::POST, ..Ask::get(doing, url.clone()) };
        let begun = self.ask(PUSH, ask).await?.accepted()?;
        let place = begun.headers.get(http::header::LOCATION).and_then(|it| it.to_str().ok());
        let place = place.and_then(|place| self.address.join(place).ok());
        let place = place.ok_or_else(|| begun.unreadable("it names no place".to_owned()))?;
        Ok(self.secure(place))
    }

    async fn send_blob(
        &self,
        doing: &str,
        digest: &str,
        content: &[u8],
    ) -> Result<(), RegistryError> {
        let url = self.at(&format!("blobs/{digest}"));
        let ask = || Ask { method: Method::HEAD, ..Ask::get(doing, url.clone()) };
        let there = self.ask(PUSH, ask).await?;
        // A registry that keeps its blobs elsewhere leads there.
        if there.status.is_redirection() || there.found()?.is_some() {
            return Ok(());
        }
        let mut place = self.begin_upload(doing).await?;
        place.query_pairs_mut().append_pair("digest", digest);
        let ask = || Ask {
            method: Method::PUT,
            kind: "application/octet-stream",
            body: content.to_vec(),
            ..Ask::get(doing, place.clone())
        };
        self.ask(PUSH, ask).await?.accepted()?;
        Ok(())
    }

    async fn send_manifest(
        &self,
        doing: &str,
        name: &str,
        manifest: &Descriptor,
        content: &[u8],
    ) -> Result<(), RegistryError> {
        let url = self.at(&format!("manifests/{name}"));
        let ask = || Ask {
            method: Method::PUT,
            kind: &manifest.kind,
            body: content.to_vec(),
            ..Ask::get(doing, url.clone())
        };
        self.ask(PUSH, ask).await?.accepted()?;
        Ok(())
    }

    fn at(&self, path: &str) -> Url {
        let address = format!("{}v2/{}/{path}", self.address, self.repository);
        Url::parse(&address).unwrap_or_else(|_| self.address.clone())
    }

    /// Asks, and once more with what the registry wants to be shown.
    async fn ask<'a>(
        &self,
        actions: &str,
        ask: impl Fn() -> Ask<'a>,
    ) -> Result<RegistryAnswer, RegistryError> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reply = self.wire.ask(Ask { authorization: shown, ..ask() }).await?;
        if reply.status != http::StatusCode::UNAUTHORIZED {
            return Ok(reply);
        }
        let challenge = reply.headers.get(WWW_AUTHENTICATE).and_then(|it| it.to_str().ok());
        let Some((scheme, words)) = challenge.and_then(|it| it.split_once(' ')) else {
            return Ok(reply);
        };
        let authorization = match scheme.to_ascii_lowercase().as_str() {
            "basic" => self.basic(),
            "bearer" => Some(self.bearer(&reply, words, actions).await?),
            _ => None,
        };
        let Some(authorization) = authorization else { return Ok(reply) };
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization.clone());
        self.wire.ask(Ask { authorization: Some(authorization), ..ask() }).await
    }

    fn basic(&self) -> Option<String> {
        let login = self.login.as_ref()?.expose_secret();
        Some(format!("Basic {}", STANDARD.encode(login)))
    }

    /// A token for this repository, from where the registry says. The way out allows no other host
    /// than those that the workflow file names, so the secret goes nowhere else.
    async fn bearer(
        &self,
        reply: &RegistryAnswer,
        words: &str,
        actions: &str,
    ) -> Result<String, RegistryError> {
        #[derive(Deserialize)]
        struct Granted {
            token: Option<SecretString>,
            access_token: Option<SecretString>,
        }
        let word = |key: &str| {
            let (_, rest) = words.split_once(&format!("{key}=\""))?;
            rest.split('"').next()
        };
        let realm = word("realm").and_then(|realm| Url::parse(realm).ok());
        let url = realm.ok_or_else(|| reply.unreadable("it names no realm".to_owned()))?;
        let mut url = self.secure(url);
        if let Some(service) = word("service") {
            url.query_pairs_mut().append_pair("service", service);
        }
        // With a login for all at once: for pulling alone, some know no repository before its first
        // image.
        let actions = if self.login.is_some() { PUSH } else { actions };
        let scope = format!("repository:{}:{actions}", self.repository);
        url.query_pairs_mut().append_pair("scope", &scope);
        let ask = Ask { authorization: self.basic(), ..Ask::get("asking for a token", url) };
        let granted = self.wire.ask(ask).await?.accepted()?;
        let said: Granted = granted.json()?;
        let token = said.token.or(said.access_token);
        let token = token.ok_or_else(|| granted.unreadable("it holds no token".to_owned()))?;
        Ok(format!("Bearer {}", token.expose_secret()))
    }
}

/// The version that a tag stands for, if it does.
fn tagged(tag: &str) -> Option<Version> {
    Version::parse(&tag.trim_start_matches('v').replace('_', "+")).ok()
}

impl<'a> Image<'a> {
    /// An image in its layout, every part of it there and as its digest says.
    fn read(archive: &'a [u8]) -> Result<Self, String> {
        let files = places(archive).ok_or("is no tar archive")?;
        let text = |path: &str| {
            files
                .get(path)
                .copied()
                .ok_or_else(|| format!("holds no {path}, so it is no OCI layout"))
        };
        text("oci-layout")?;
        let index = text("index.json")?;
        let parts: ImageParts = serde_json::from_slice(index)
            .map_err(|bad| format!("has an index.json that cannot be read: {bad}"))?;
        let blobs: BTreeMap<String, &[u8]> = files
            .iter()
            .filter_map(|(path, content)| {
                Some((format!("sha256:{}", path.strip_prefix("blobs/sha256/")?), *content))
            })
            .collect();
        // One image under two names is one image.
        let mut manifests = parts.manifests;
        manifests.sort_by(|a, b| a.digest.cmp(&b.digest));
        manifests.dedup_by(|a, b| a.digest == b.digest);
        let (root, document) = match manifests.as_slice() {
            [] => return Err("holds no image".to_owned()),
            [one] => (one.clone(), blobs.get(&one.digest).copied().unwrap_or_default()),
            _ => {
                let digest = format!("sha256:{}", sha256(index));
                (Descriptor { kind: INDEX.to_owned(), digest }, index)
            }
        };
        let (used, manifests) = (BTreeSet::new(), Vec::new());
        let mut image = Self { blobs, root: root.clone(), document, used, manifests };
        image.walk(&root, document, 0)?;
        Ok(image)
    }

    /// Keeps what is below a manifest, and then the manifest, when all of it is there.
    fn walk(&mut self, of: &Descriptor, document: &'a [u8], depth: u32) -> Result<(), String> {
        if depth > MOST_DEPTH {
            return Err("holds images within images without end".to_owned());
        }
        let is = |content: &[u8], digest: &str| format!("sha256:{}", sha256(content)) == digest;
        if !is(document, &of.digest) {
            return Err(format!("lacks {}, or holds something else there", of.digest));
        }
        let parts: ImageParts = serde_json::from_slice(document)
            .map_err(|bad| format!("holds {}, which cannot be read: {bad}", of.digest))?;
        for manifest in &parts.manifests {
            let document = self.blobs.get(&manifest.digest).copied().unwrap_or_default();
            self.walk(manifest, document, depth + 1)?;
        }
        // What may not be given away stays where it is.
        let ours = |layer: &&Descriptor| {
            !layer.kind.contains("nondistributable") && !layer.kind.contains("foreign")
        };
        for blob in parts.config.iter().chain(parts.layers.iter().filter(ours)) {
            let content = self.blobs.get(&blob.digest).copied();
            let known = self.used.contains(&blob.digest);
            if !known && !content.is_some_and(|content| is(content, &blob.digest)) {
                return Err(format!("lacks {}, or holds something else there", blob.digest));
            }
            self.used.insert(blob.digest.clone());
        }
        self.manifests.push((of.clone(), document));
        Ok(())
    }
}

//! The npm registry, and those that speak as it does.
//!
//! Invariants: a version that is not a full release never becomes `latest`, nor does one below the
//! present `latest`; the tarball goes as it was built.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use secrecy::SecretString;
use semver::Version;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::Digest as _;
use url::Url;

use super::archive::in_tar;
use super::wire::{Ask, Wire};
use super::{BuiltFile, FileStanding, IdTokens, RegistryError, UnfitFile, Upload};
use crate::core::target::ReleaseTarget;
use crate::egress::Egress;

const MANIFEST: &str = "package/package.json";
/// Characters of a readme that the registry keeps.
const README_CAP: usize = 64 * 1024;

/// A registry of JavaScript packages.
#[derive(Debug)]
pub struct NpmRegistry {
    wire: Wire,
    address: Url,
    /// What a package that not everybody may see wants to be shown for looking.
    reads_with: Option<SecretString>,
}

/// What the registry tells of a package.
#[derive(Default, Deserialize)]
struct NpmDocument {
    #[serde(default)]
    versions: Map<String, Value>,
    #[serde(default, rename = "dist-tags")]
    tags: Map<String, Value>,
}

impl NpmRegistry {
    /// At this address.
    pub fn new(address: Url, reads_with: Option<SecretString>, egress: Egress) -> Self {
        let wire = Wire { registry: ReleaseTarget::Npm.title().to_owned(), egress };
        Self { wire, address, reads_with }
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.address.clone();
        // The path is encoded already: a slash inside a name stays one part of it.
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url
    }

    /// `None`: there is no such package.
    async fn told(
        &self,
        upload: &Upload,
        credential: Option<&SecretString>,
    ) -> Result<Option<NpmDocument>, RegistryError> {
        let doing = format!("looking for {} {}", upload.package, upload.version);
        let url = self.at(&escaped(&upload.package));
        let ask = Ask::get(&doing, url);
        let ask = match credential.or(self.reads_with.as_ref()) {
            Some(credential) => ask.bearer(credential),
            None => ask,
        };
        self.wire.ask(ask).await?.found()?.map(|reply| reply.json()).transpose()
    }
}

impl NpmRegistry {
    pub(super) fn uploads(&self, files: &[BuiltFile]) -> Result<Vec<Upload>, UnfitFile> {
        let tarballs = files.iter().filter(|file| file.name.as_str().ends_with(".tgz"));
        tarballs.filter_map(|file| upload(file, &self.address)).collect()
    }

    pub(super) async fn standing(&self, upload: &Upload) -> Result<FileStanding, RegistryError> {
        let Some(told) = self.told(upload, None).await? else {
            return Ok(FileStanding::NewPackage);
        };
        let Some(version) = told.versions.get(&upload.version) else {
            return Ok(FileStanding::Absent);
        };
        let said = |key: &str| version.pointer(&format!("/dist/{key}")).and_then(Value::as_str);
        let same = match (said("integrity"), said("shasum")) {
            (Some(said), _) if said.split(' ').any(|it| it == upload.digest) => true,
            (None, Some(said)) => said == shasum(&upload.file),
            _ => false,
        };
        let other = said("integrity").or_else(|| said("shasum")).unwrap_or("no digest");
        Ok(if same { FileStanding::Same } else { FileStanding::Other(other.to_owned()) })
    }

    pub(super) async fn trusted(
        &self,
        tokens: &IdTokens,
        upload: &Upload,
    ) -> Result<SecretString, RegistryError> {
        let audience = format!("npm:{}", self.address.host_str().unwrap_or_default());
        let id = tokens.of(&audience).await?;
        let path = format!("-/npm/v1/oidc/token/exchange/package/{}", escaped(&upload.package));
        let doing = format!("asking for a token for {} by trusted publishing", upload.package);
        let ask = Ask::json(&doing, Method::POST, self.at(&path), &json!({})).bearer(&id);
        self.wire.token(ask).await
    }

    pub(super) async fn publish(
        &self,
        upload: &Upload,
        credential: &SecretString,
    ) -> Result<(), RegistryError> {
        let told = self.told(upload, Some(credential)).await?.unwrap_or_default();
        let document = document(&self.address, upload, &told);
        let doing = format!("publishing {} {}", upload.package, upload.version);
        let url = self.at(&escaped(&upload.package));
        let ask = Ask::json(&doing, Method::PUT, url, &document).bearer(credential);
        self.wire.ask(ask).await?.accepted()?;
        Ok(())
    }
}

/// `@scope%2fname`, as npm itself writes it.
fn escaped(name: &str) -> String {
    // What other characters names consist of stands in an address as it is.
    name.replace('/', "%2f")
}

fn integrity(file: &BuiltFile) -> String {
    format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(&file.content)))
}

fn shasum(file: &BuiltFile) -> String {
    hex::encode(sha1::Sha1::digest(&file.content))
}

fn manifest(file: &BuiltFile) -> Option<Map<String, Value>> {
    let (_, content) = in_tar(&file.content, |path| path == MANIFEST)?;
    serde_json::from_slice(&content).ok()
}

/// A tarball without the file that makes it a package is something else.
fn upload(file: &BuiltFile, address: &Url) -> Option<Result<Upload, UnfitFile>> {
    let (_, content) = in_tar(&file.content, |path| path == MANIFEST)?;
    let unfit = |why: String| UnfitFile { file: file.name.to_string(), why };
    let Ok(manifest) = serde_json::from_slice::<Map<String, Value>>(&content) else {
        return Some(Err(unfit("holds a package.json that cannot be read".to_owned())));
    };
    let text = |key: &str| manifest.get(key).and_then(Value::as_str).map(str::to_owned);
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        return Some(Err(unfit("names no package and version".to_owned())));
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@/".contains(&b);
    if name.is_empty() || !name.bytes().all(plain) || Version::parse(&version).is_err() {
        return Some(Err(unfit("has a name or version that no registry takes".to_owned())));
    }
    if manifest.get("private") == Some(&Value::Bool(true)) {
        return Some(Err(unfit(format!("holds {name}, which is private"))));
    }
    let registry = manifest.get("publishConfig").and_then(|it| it.get("registry")?.as_str());
    let elsewhere = |registry: &&str| {
        Url::parse(registry).map_or(true, |registry| registry.origin() != address.origin())
    };
    if let Some(registry) = registry.filter(elsewhere) {
        let why = format!("goes by its publishConfig to {registry} and nowhere else");
        return Some(Err(unfit(why)));
    }
    let asked = ["dependencies", "peerDependencies", "optionalDependencies"];
    let asked = asked.iter().filter_map(|key| manifest.get(*key)?.as_object());
    let local = asked.clone().flatten().find(|(_, range)| {
        let range = range.as_str().unwrap_or_default();
        ["workspace:", "file:", "link:"].iter().any(|start| range.starts_with(start))
    });
    if let Some((other, range)) = local {
        let why = format!(
            "asks for {other} {range}, which nobody else has: pack it with the \
                           project's own package manager"
        );
        return Some(Err(unfit(why)));
    }
    let needs = asked.flat_map(|list| list.keys().cloned()).collect();
    Some(Ok(Upload { package: name, version, needs, digest: integrity(file), file: file.clone() }))
}

/// What is sent: the manifest, the tag, and the tarball.
fn document(address: &Url, upload: &Upload, told: &NpmDocument) -> Value {
    let (name, version) = (&upload.package, &upload.version);
    let mut manifest = manifest(&upload.file).unwrap_or_default();
    let config = manifest.get("publishConfig").cloned().unwrap_or_default();
    let tag = tag(version, config.get("tag").and_then(Value::as_str), told);
    let file = format!("{name}-{version}.tgz");
    let tarball = format!("{}/{name}/-/{file}", address.as_str().trim_end_matches('/'));
    let readme = in_tar(&upload.file.content, |path| {
        let name = path.strip_prefix("package/").unwrap_or_default().to_ascii_lowercase();
        !name.contains('/') && (name == "readme" || name.starts_with("readme."))
    });
    if let Some((path, content)) = readme {
        let mut text = String::from_utf8_lossy(&content).into_owned();
        text.truncate(text.floor_char_boundary(README_CAP));
        manifest.insert("readme".to_owned(), json!(text));
        manifest.insert("readmeFilename".to_owned(), json!(path.trim_start_matches("package/")));
    }
    manifest.insert("_id".to_owned(), json!(format!("{name}@{version}")));
    let dist = json!({
        "integrity": upload.digest,
        "shasum": shasum(&upload.file),
        "tarball": tarball,
    });
    manifest.insert("dist".to_owned(), dist);
    json!({
        "_id": name,
        "name": name,
        "description": manifest.get("description"),
        "dist-tags": { tag: version },
        "access": config.get("access"),
        "_attachments": { file: {
            "content_type": "application/octet-stream",
            "data": STANDARD.encode(&upload.file.content),
            "length": upload.file.content.len(),
        } },
        "versions": { version: manifest },
    })
}

/// The channel that a version goes to.
fn tag(version: &str, named: Option<&str>, told: &NpmDocument) -> String {
    if let Some(named) = named.filter(|named| *named != "latest") {
        return named.to_owned();
    }
    let Ok(version) = Version::parse(version) else { return "next".to_owned() };
    if !version.pre.is_empty() {
        let first = version.pre.as_str().split('.').next().unwrap_or_default();
        let first = first.trim_end_matches(|c: char| c.is_ascii_digit());
        // An odd name of a pre-release makes it no more than one.
        return if ["", "latest"].contains(&first) { "next" } else { first }.to_owned();
    }
    let latest = told.tags.get("latest").and_then(Value::as_str);
    let latest = latest.and_then(|latest| Version::parse(latest).ok());
    // Going back to an older line is no step forward for everybody.
    match latest.filter(|latest| *latest > version && latest.pre.is_empty()) {
        Some(_) => format!("release-{}.x", version.major),
        None => "latest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_full_release_is_the_latest() {
        let told = |latest: &str| NpmDocument {
            tags: [("latest".to_owned(), json!(latest))].into_iter().collect(),
            ..NpmDocument::default()
        };
        for (version, latest, channel) in [
            ("1.2.0", "1.1.0", "latest"),
            ("1.2.0", "2.0.0", "release-1.x"),
            ("1.2.0", "2.0.0-rc.1", "latest"),
            ("1.2.0-rc.1", "1.1.0", "rc"),
            ("1.2.0-beta2", "1.1.0", "beta"),
            ("1.2.0-0", "1.1.0", "next"),
        ] {
            assert_eq!(tag(version, None, &told(latest)), channel, "{version}");
        }
        assert_eq!(tag("1.0.0", None, &NpmDocument::default()), "latest");
        assert_eq!(tag("1.2.0-rc.1", Some("canary"), &told("1.1.0")), "canary");
        assert_eq!(tag("1.2.0-rc.1", Some("latest"), &told("1.1.0")), "rc");
    }

    #[test]
    fn a_scope_stays_one_part_of_an_address() {
        assert_eq!(escaped("@w/a-b.c"), "@w%2fa-b.c");
        assert_eq!(escaped("left-pad"), "left-pad");
    }
}

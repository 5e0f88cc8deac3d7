//! `PyPI`, and registries that speak as it does: an index, and an address for uploads.
//!
//! Invariants: what is sent about a file is what its own metadata says; a file's name is its
//! identity, and its SHA-256 in the index decides whether it is there.

use std::str::FromStr as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::archive::{in_tar, in_zip};
use super::wire::{Ask, RegistryAnswer, Wire};
use super::{BuiltFile, FileStanding, IdTokens, RegistryError, UnfitFile, Upload, sha256};
use crate::core::target::ReleaseTarget;
use crate::egress::Egress;

/// Both shapes of the index.
const SIMPLE: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";

/// Where a registry of Python packages is.
#[derive(Debug, Clone)]
pub struct PyPiAddresses {
    /// `https://pypi.org/simple/`
    pub index: Url,
    /// `https://upload.pypi.org/legacy/`
    pub upload: Url,
}

/// A registry of Python packages.
#[derive(Debug)]
pub struct PyPi {
    wire: Wire,
    addresses: PyPiAddresses,
    /// What an index that is not open wants to be shown for looking.
    reads_with: Option<SecretString>,
}

/// The metadata of a wheel or source archive: its headers in order, and the text below them.
struct Metadata {
    headers: Vec<(String, String)>,
    description: String,
}

impl PyPi {
    /// At these addresses.
    pub fn new(addresses: PyPiAddresses, reads_with: Option<SecretString>, egress: Egress) -> Self {
        let wire = Wire { registry: ReleaseTarget::Pypi.title().to_owned(), egress };
        Self { wire, addresses, reads_with }
    }

    fn service(&self, path: &str) -> Url {
        let mut url = self.addresses.index.clone();
        url.set_path(path);
        url
    }
}

impl PyPi {
    pub(super) fn uploads(files: &[BuiltFile]) -> Result<Vec<Upload>, UnfitFile> {
        files.iter().filter_map(upload).collect()
    }

    pub(super) async fn standing(&self, upload: &Upload) -> Result<FileStanding, RegistryError> {
        let doing = format!("looking for {} {}", upload.package, upload.version);
        let mut url = self.addresses.index.clone();
        url.set_path(&format!(
            "{}/{}/",
            url.path().trim_end_matches('/'),
            normalized(&upload.package)
        ));
        let public = self.addresses.index.host_str().is_some_and(|host| host.ends_with("pypi.org"));
        let authorization = self.reads_with.as_ref().filter(|_| !public).map(basic);
        let ask = Ask { accept: SIMPLE, authorization, ..Ask::get(&doing, url) };
        let reply = self.wire.ask(ask).await?;
        // pypiserver sends people to PyPI for what it does not have.
        if reply.status.is_redirection() && leads_elsewhere(&reply, &self.addresses.index) {
            return Ok(FileStanding::Absent);
        }
        let Some(reply) = reply.found()? else { return Ok(FileStanding::Absent) };
        let files = listed(&reply)?;
        let name = upload.file.name.as_str();
        Ok(match files.into_iter().find(|(listed, _)| listed == name) {
            None => FileStanding::Absent,
            Some((_, Some(said))) if said == upload.digest => FileStanding::Same,
            Some((_, said)) => FileStanding::Other(said.unwrap_or_else(|| "no digest".to_owned())),
        })
    }

    pub(super) async fn trusted(&self, tokens: &IdTokens) -> Result<SecretString, RegistryError> {
        let doing = "asking for a token by trusted publishing";
        // Never what the registry says: a token for another's ears would be one for that other.
        let audience = match self.addresses.index.host_str().unwrap_or_default() {
            "pypi.org" => "pypi",
            "test.pypi.org" => "testpypi",
            host => host,
        };
        let id = tokens.of(audience).await?;
        let body = json!({ "token": id.expose_secret() });
        let url = self.service("/_/oidc/mint-token");
        let ask = Ask::json(doing, Method::POST, url, &body);
        self.wire.token(ask).await
    }

    pub(super) async fn publish(
        &self,
        upload: &Upload,
        credential: &SecretString,
    ) -> Result<(), RegistryError> {
        let doing = format!("publishing {}", upload.file.name);
        let fields = fields(&upload.file);
        let boundary = format!("gander-{}", &sha256(&upload.file.content)[..32]);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let ask = Ask {
            method: Method::POST,
            kind: &kind,
            authorization: Some(basic(credential)),
            body: form(&fields, &upload.file, &boundary),
            ..Ask::get(&doing, self.addresses.upload.clone())
        };
        self.wire.ask(ask).await?.accepted()?;
        Ok(())
    }
}

fn leads_elsewhere(reply: &RegistryAnswer, index: &Url) -> bool {
    let location = reply.headers.get(http::header::LOCATION).and_then(|it| it.to_str().ok());
    let location = location.and_then(|location| index.join(location).ok());
    location.is_some_and(|location| location.origin() != index.origin())
}

/// The files of an index page, with their SHA-256 where it names one.
fn listed(reply: &RegistryAnswer) -> Result<Vec<(String, Option<String>)>, RegistryError> {
    #[derive(Deserialize)]
    struct Page {
        files: Vec<IndexedFile>,
    }
    #[derive(Deserialize)]
    struct IndexedFile {
        filename: String,
        #[serde(default)]
        hashes: std::collections::BTreeMap<String, String>,
    }
    let kind = reply.headers.get(http::header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.contains("json") {
        let page: Page = reply.json()?;
        let files = page.files.into_iter();
        return Ok(files.map(|mut it| (it.filename, it.hashes.remove("sha256"))).collect());
    }
    Ok(links(&String::from_utf8_lossy(&reply.body)))
}

/// `<a href="…/w-1.0.tar.gz#sha256=…">`
fn links(page: &str) -> Vec<(String, Option<String>)> {
    let links = page.split("<a").skip(1).filter_map(|rest| {
        let (_, rest) = rest.split_once("href=")?;
        let quote = rest.chars().next().filter(|c| "\"'".contains(*c))?;
        let address = rest[1..].split(quote).next()?;
        let (path, fragment) = address.split_once('#').unwrap_or((address, ""));
        let name = path.split('?').next()?.rsplit('/').next()?.replace("%2B", "+");
        Some((name, fragment.strip_prefix("sha256=").map(str::to_owned)))
    });
    links.collect()
}

/// As the index names a package.
fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

fn basic(credential: &SecretString) -> String {
    format!("Basic {}", STANDARD.encode(format!("__token__:{}", credential.expose_secret())))
}

/// Whether two spellings are one version.
pub(super) fn is_same_version(one: &str, other: &str) -> bool {
    let read = |text: &str| pep440_rs::Version::from_str(text).ok();
    read(one).is_some_and(|it| Some(it) == read(other))
}

/// What is neither a wheel nor a source archive is something else.
fn upload(file: &BuiltFile) -> Option<Result<Upload, UnfitFile>> {
    let is_wheel = file.name.as_str().ends_with(".whl");
    let Some(metadata) = metadata(file) else {
        let why = "is no wheel: it holds no METADATA".to_owned();
        return is_wheel.then(|| Err(UnfitFile { file: file.name.to_string(), why }));
    };
    let unfit =
        |why: &str| Some(Err(UnfitFile { file: file.name.to_string(), why: why.to_owned() }));
    let (Some(name), Some(version)) = (metadata.get("Name"), metadata.get("Version")) else {
        return unfit("names no package and version");
    };
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)) {
        return unfit("has a name that no registry takes");
    }
    let private = "Private :: Do Not Upload";
    if metadata.headers.iter().any(|(key, value)| key == "Classifier" && value == private) {
        return unfit("says by a classifier that it is private");
    }
    let (package, version) = (name.to_owned(), version.to_owned());
    Some(Ok(Upload {
        package,
        version,
        needs: Vec::new(),
        digest: sha256(&file.content),
        file: file.clone(),
    }))
}

fn metadata(file: &BuiltFile) -> Option<Metadata> {
    let name = file.name.as_str();
    let in_wheel =
        |path: &str| path.split('/').count() == 2 && path.ends_with(".dist-info/METADATA");
    let in_source = |path: &str| path.split('/').count() == 2 && path.ends_with("/PKG-INFO");
    let (_, content) = if name.ends_with(".whl") {
        in_zip(&file.content, in_wheel)?
    } else if name.ends_with(".tar.gz") {
        in_tar(&file.content, in_source)?
    } else {
        return None;
    };
    Some(Metadata::read(&String::from_utf8_lossy(&content)))
}

impl Metadata {
    fn read(text: &str) -> Self {
        let text = text.replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in head.lines() {
            match (line.strip_prefix([' ', '\t']), headers.last_mut()) {
                (Some(more), Some((_, value))) => {
                    value.push('\n');
                    // Older tools put a bar before each line of a description.
                    value.push_str(more.trim_start().trim_start_matches('|'));
                }
                _ => headers.extend(
                    line.split_once(':')
                        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())),
                ),
            }
        }
        Self { headers, description: body.to_owned() }
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|it| &*it.1)
    }
}

/// What is sent beside the file.
fn fields(file: &BuiltFile) -> Vec<(String, String)> {
    let name = file.name.as_str();
    let mut fields = vec![
        (":action".to_owned(), "file_upload".to_owned()),
        ("protocol_version".to_owned(), "1".to_owned()),
    ];
    let Some(metadata) = metadata(file) else { return fields };
    let mut described = false;
    let version = metadata.get("Metadata-Version").unwrap_or_default();
    let has_license_files = version.split_once('.').is_some_and(|(major, minor)| {
        major == "2" && minor.parse::<u32>().is_ok_and(|minor| minor >= 4)
    });
    for (key, value) in &metadata.headers {
        let field = match key.to_ascii_lowercase().replace('-', "_").as_str() {
            "classifier" => "classifiers".to_owned(),
            "project_url" => "project_urls".to_owned(),
            other => other.to_owned(),
        };
        // Before 2.4 there was no such field, and some tools wrote it all the same.
        if field == "license_file" && !has_license_files {
            continue;
        }
        described |= field == "description";
        fields.push((field, value.clone()));
    }
    if !described && !metadata.description.trim().is_empty() {
        fields.push(("description".to_owned(), metadata.description));
    }
    let (filetype, python) = match name.strip_suffix(".whl") {
        // `name-version-python-abi-platform`, and maybe a build number before the last three.
        Some(stem) => ("bdist_wheel", stem.rsplit('-').nth(2).unwrap_or("py3")),
        None => ("sdist", "source"),
    };
    fields.push(("filetype".to_owned(), filetype.to_owned()));
    fields.push(("pyversion".to_owned(), python.to_owned()));
    fields.push(("sha256_digest".to_owned(), sha256(&file.content)));
    fields
}

fn form(fields: &[(String, String)], file: &BuiltFile, boundary: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"content\"; filename=\"{}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n",
        file.name
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&file.content);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_links_is_read_like_the_other_shape() {
        let page = "<a href=\"../../w-1.0.tar.gz#sha256=ab\" data-x='1'>w</a><br>\n\
                    <a class=x href='/f/w-1.0%2Blocal-py3-none-any.whl'>w</a>";
        let expected = [
            ("w-1.0.tar.gz".to_owned(), Some("ab".to_owned())),
            ("w-1.0+local-py3-none-any.whl".to_owned(), None),
        ];
        assert_eq!(links(page), expected);
    }

    #[test]
    fn metadata_is_read_with_lines_that_go_on() {
        let metadata = Metadata::read("Name: w\r\nSummary: a\r\n  b\r\n\r\nText\r\n\r\nmore\r\n");
        assert_eq!(metadata.get("name"), Some("w"));
        assert_eq!(metadata.get("Summary"), Some("a\nb"));
        assert_eq!(metadata.description, "Text\n\nmore\n");
    }

    #[test]
    fn names_are_asked_for_as_the_index_has_them() {
        assert_eq!(normalized("My.Pack__age"), "my-pack-age");
    }
}

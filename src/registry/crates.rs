//! crates.io, and registries that speak as it does: a sparse index, and an interface to publish.
//!
//! Invariants: what is sent about a crate is what its own `Cargo.toml`, as `cargo package` wrote
//! it, says; the index decides what is there.

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use toml::{Table, Value as Toml};
use url::Url;

use super::archive::in_tar;
use super::wire::{Ask, Wire};
use super::{BuiltFile, FileStanding, IdTokens, RegistryError, UnfitFile, Upload, sha256};
use crate::core::target::ReleaseTarget;
use crate::egress::Egress;

/// A registry of crates.
#[derive(Debug)]
pub struct CratesIo {
    wire: Wire,
    /// The sparse index.
    index: Url,
    /// What a registry that is not open wants to be shown for looking.
    reads_with: Option<SecretString>,
}

/// Where everybody's crates are.
const PUBLIC_INDEX: &str = "index.crates.io";
/// How the index names that registry.
const PUBLIC: &str = "https://github.com/rust-lang/crates.io-index";

/// What stands in the index of one version.
#[derive(Deserialize)]
struct Indexed {
    vers: String,
    cksum: String,
}

impl CratesIo {
    /// `index` is the address of a sparse index, without `sparse+`. Its `config.json` names where
    /// crates are published to, which `egress` has to allow.
    pub fn new(index: Url, reads_with: Option<SecretString>, egress: Egress) -> Self {
        let wire = Wire { registry: ReleaseTarget::Crates.title().to_owned(), egress };
        Self { wire, index, reads_with }
    }

    fn is_public(&self) -> bool {
        self.index.host_str() == Some(PUBLIC_INDEX)
    }

    /// A look at the index.
    fn look<'a>(&self, doing: &'a str, path: &str) -> Ask<'a> {
        let authorization = self.reads_with.as_ref().filter(|_| !self.is_public());
        let authorization = authorization.map(|token| token.expose_secret().to_owned());
        Ask { authorization, ..Ask::get(doing, self.at(path)) }
    }

    /// Where crates are published to, below `/api/v1/`.
    async fn api(&self, path: &str) -> Result<Url, RegistryError> {
        #[derive(Deserialize)]
        struct IndexSettings {
            api: Option<String>,
        }
        let doing = "reading the index's settings";
        let reply = self.wire.ask(self.look(doing, "config.json")).await?.accepted()?;
        let settings: IndexSettings = reply.json()?;
        let api = settings.api.ok_or_else(|| reply.unreadable("it names no `api`".to_owned()))?;
        let url = format!("{}/api/v1/{path}", api.trim_end_matches('/'));
        Url::parse(&url).map_err(|bad| reply.unreadable(format!("`api`: {bad}")))
    }

    fn at(&self, path: &str) -> Url {
        let mut url = self.index.clone();
        url.set_path(&format!("{}/{path}", url.path().trim_end_matches('/')));
        url
    }
}

impl CratesIo {
    pub(super) fn uploads(&self, files: &[BuiltFile]) -> Result<Vec<Upload>, UnfitFile> {
        let crates = files.iter().filter(|file| file.name.as_str().ends_with(".crate"));
        crates.map(|file| upload(file, self.is_public())).collect()
    }

    pub(super) async fn standing(&self, upload: &Upload) -> Result<FileStanding, RegistryError> {
        let doing = format!("looking for {} {}", upload.package, upload.version);
        let ask = self.look(&doing, &index_path(&upload.package));
        let Some(reply) = self.wire.ask(ask).await?.found()? else {
            // Where it would be published to has to be known before anything is changed.
            self.api("crates/new").await?;
            return Ok(FileStanding::NewPackage);
        };
        let text = String::from_utf8_lossy(&reply.body);
        let mut versions = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let same = |it: &Indexed| without_build(&it.vers) == without_build(&upload.version);
        Ok(match versions.find(same) {
            None => FileStanding::Absent,
            Some(it) if it.cksum == upload.digest => FileStanding::Same,
            Some(it) => FileStanding::Other(it.cksum),
        })
    }

    pub(super) async fn trusted(&self, tokens: &IdTokens) -> Result<SecretString, RegistryError> {
        let url = self.api("trusted_publishing/tokens").await?;
        let id = tokens.of(url.host_str().unwrap_or_default()).await?;
        let body = json!({ "jwt": id.expose_secret() });
        let doing = "asking for a token by trusted publishing";
        self.wire.token(Ask::json(doing, Method::PUT, url, &body)).await
    }

    pub(super) async fn publish(
        &self,
        upload: &Upload,
        credential: &SecretString,
    ) -> Result<(), RegistryError> {
        let doing = format!("publishing {} {}", upload.package, upload.version);
        let url = self.api("crates/new").await?;
        let about = self.about(&upload.file).unwrap_or_default().to_string().into_bytes();
        let body =
            [&length(&about)[..], &about, &length(&upload.file.content), &upload.file.content];
        let ask = Ask {
            method: Method::PUT,
            kind: "application/octet-stream",
            // Not a bearer's: a plain token is what this interface takes.
            authorization: Some(credential.expose_secret().to_owned()),
            body: body.concat(),
            ..Ask::get(&doing, url)
        };
        self.wire.ask(ask).await?.accepted()?;
        Ok(())
    }

    /// What is told of a crate beside itself.
    fn about(&self, file: &BuiltFile) -> Option<Value> {
        let mut about = about(file)?;
        if self.is_public() {
            return Some(about);
        }
        // A dependency without a registry is one of the registry that is published to.
        let own = format!("sparse+{}", self.index);
        for dependency in about["deps"].as_array_mut().into_iter().flatten() {
            dependency["registry"] = match dependency["registry"].as_str() {
                None => json!(PUBLIC),
                Some(registry) if registry == own => Value::Null,
                Some(registry) => json!(registry),
            };
        }
        Some(about)
    }

    pub(super) async fn give_back(&self, credential: &SecretString) {
        let Ok(url) = self.api("trusted_publishing/tokens").await else { return };
        let ask = Ask { method: Method::DELETE, ..Ask::get("giving a token back", url) };
        // It ends by itself in half an hour.
        let _ = self.wire.ask(ask.bearer(credential)).await;
    }
}

fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes()
}

/// Two versions that differ only there are one for a registry.
fn without_build(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// `se/rd/serde`, in small letters.
fn index_path(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.len() {
        0..=2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]),
    }
}

fn upload(file: &BuiltFile, public: bool) -> Result<Upload, UnfitFile> {
    let unfit = |why: &str| UnfitFile { file: file.name.to_string(), why: why.to_owned() };
    let manifest =
        manifest(file).ok_or_else(|| unfit("is no crate: it holds no readable Cargo.toml"))?;
    let package = manifest.get("package").and_then(Toml::as_table);
    let text = |key: &str| package.and_then(|it| it.get(key)?.as_str()).map(str::to_owned);
    let (Some(name), Some(version)) = (text("name"), text("version")) else {
        return Err(unfit("names no package and version"));
    };
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
        return Err(unfit("has a name that no registry takes"));
    }
    let expected = format!("{name}-{version}.crate");
    if file.name.as_str() != expected {
        return Err(unfit(&format!("holds {name} {version}, which is called {expected}")));
    }
    let elsewhere = match package.and_then(|it| it.get("publish")) {
        Some(Toml::Boolean(publish)) => !publish,
        Some(Toml::Array(names)) => {
            let public_too = names.iter().any(|name| name.as_str() == Some("crates-io"));
            names.is_empty() || public && !public_too
        }
        _ => false,
    };
    if elsewhere {
        return Err(unfit("says by publish that it does not go there"));
    }
    // Without these crates.io answers no.
    let missing = ["description", "license"].iter().find(|key| match **key {
        "license" => text("license").or_else(|| text("license-file")).is_none(),
        key => text(key).is_none(),
    });
    if let Some(key) = missing {
        return Err(unfit(&format!("has no {key} in its Cargo.toml")));
    }
    // What tests need may need it in turn.
    let needs = dependencies(&manifest);
    let needs = needs.iter().filter(|it| it["kind"] != "dev");
    let needs = needs.filter_map(|it| Some(it["name"].as_str()?.to_owned()));
    Ok(Upload {
        package: name,
        version,
        needs: needs.collect(),
        digest: sha256(&file.content),
        file: file.clone(),
    })
}

/// The `Cargo.toml` at the top of a crate, as `cargo package` wrote it.
fn manifest(file: &BuiltFile) -> Option<Table> {
    let at_top = |path: &str| path.split('/').count() == 2 && path.ends_with("/Cargo.toml");
    let (_, content) = in_tar(&file.content, at_top)?;
    std::str::from_utf8(&content).ok()?.parse().ok()
}

/// The same, with dependencies as the crate names them.
fn about(file: &BuiltFile) -> Option<Value> {
    let manifest = manifest(file)?;
    let package = manifest.get("package")?.as_table()?;
    let text = |key: &str| package.get(key).and_then(Toml::as_str);
    let list = |key: &str| -> Vec<&str> {
        let items = package.get(key).and_then(Toml::as_array);
        items.into_iter().flatten().filter_map(Toml::as_str).collect()
    };
    let readme_file = text("readme");
    let readme = readme_file.and_then(|name| {
        let (_, content) = in_tar(&file.content, |path| {
            path.split_once('/').is_some_and(|(_, path)| path == name.trim_start_matches("./"))
        })?;
        String::from_utf8(content).ok()
    });
    let features: Map<String, Value> = manifest
        .get("features")
        .and_then(Toml::as_table)
        .into_iter()
        .flatten()
        .map(|(name, list)| (name.clone(), json!(list)))
        .collect();
    Some(json!({
        "name": text("name"),
        "vers": text("version"),
        "deps": dependencies(&manifest),
        "features": features,
        "authors": list("authors"),
        "description": text("description"),
        "documentation": text("documentation"),
        "homepage": text("homepage"),
        "readme": readme,
        "readme_file": readme_file,
        "keywords": list("keywords"),
        "categories": list("categories"),
        "license": text("license"),
        "license_file": text("license-file"),
        "repository": text("repository"),
        "badges": {},
        "links": text("links"),
        "rust_version": text("rust-version"),
    }))
}

/// All dependencies, as the interface names them.
fn dependencies(manifest: &Table) -> Vec<Value> {
    const KINDS: [(&str, &str); 3] =
        [("dependencies", "normal"), ("dev-dependencies", "dev"), ("build-dependencies", "build")];
    let targets = manifest.get("target").and_then(Toml::as_table);
    let targets = targets.into_iter().flatten();
    let targets = targets.filter_map(|(target, table)| Some((Some(target), table.as_table()?)));
    let mut all = Vec::new();
    for (target, table) in std::iter::once((None, manifest)).chain(targets) {
        for (key, kind) in KINDS {
            let list = table.get(key).and_then(Toml::as_table).into_iter().flatten();
            all.extend(list.map(|(name, said)| dependency(name, said, kind, target)));
        }
    }
    all
}

fn dependency(name: &str, said: &Toml, kind: &str, target: Option<&String>) -> Value {
    let table = said.as_table();
    let text = |key: &str| table.and_then(|it| it.get(key)?.as_str());
    let yes = |key: &str, default| table.and_then(|it| it.get(key)?.as_bool()).unwrap_or(default);
    let features =
        table.and_then(|it| it.get("features")).map_or_else(|| json!([]), |it| json!(it));
    let mut about = json!({
        "name": text("package").unwrap_or(name),
        "version_req": said.as_str().or_else(|| text("version")).unwrap_or("*"),
        "features": features,
        "optional": yes("optional", false),
        "default_features": yes("default-features", true),
        "target": target,
        "kind": kind,
        "registry": text("registry-index"),
    });
    if text("package").is_some() {
        about["explicit_name_in_toml"] = json!(name);
    }
    about
}

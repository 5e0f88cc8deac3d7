//! Package registries in a box: crates.io's index and interface, npm's, `PyPI`'s, and the place
//! where a job of GitHub's asks who it is. Each keeps what it is sent, and takes nothing twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

/// What happens to the next request whose address begins so.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mishap {
    /// This status, and how long to wait.
    Says(u16, Option<u64>),
    /// It is done, and the answer breaks off.
    DoneAndCut,
    /// It is done, and no answer comes.
    DoneAndSilent,
}

#[derive(Default)]
struct Kept {
    /// Lines of the index, by crate, each with how often it is hidden yet.
    crates: BTreeMap<String, Vec<(Value, u32)>>,
    npm: BTreeMap<String, Value>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// Manifests by digest and by tag.
    images: BTreeMap<String, Vec<u8>>,
    python: BTreeMap<String, Vec<u8>>,
    downloads: BTreeMap<String, Vec<u8>>,
    /// What changed something, as `PUT /api/v1/crates/new core`.
    writes: Vec<String>,
    mishaps: VecDeque<(String, Mishap)>,
    /// How often a new crate is not shown.
    lag: u32,
    tokens: BTreeSet<String>,
    given_back: usize,
    /// Packages that trust no workflow.
    distrusted: BTreeSet<String>,
    requests: usize,
}

/// The box.
#[derive(Clone)]
pub(crate) struct Shelf {
    url: Url,
    kept: Arc<Mutex<Kept>>,
}

const JOB_TOKEN: &str = "the-runners-own-token";

impl Shelf {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        let shelf = Self { url, kept: Arc::default() };
        let app = axum::Router::new().fallback(answer).with_state(shelf.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        shelf
    }

    /// The same, with an older version of every package: what registries trust a workflow with.
    pub(crate) async fn with_older_versions() -> Self {
        let shelf = Self::start().await;
        ["core", "app"].iter().for_each(|name| shelf.has_crate(name, "1.1.0"));
        let older = json!({
            "_id": "@acme/widgets", "name": "@acme/widgets", "dist-tags": {"latest": "1.1.0"},
            "versions": {"1.1.0": {"name": "@acme/widgets", "version": "1.1.0", "dist": {}}},
        });
        shelf.kept.lock().unwrap().npm.insert("@acme/widgets".to_owned(), older);
        shelf
    }

    pub(crate) fn at(&self, path: &str) -> String {
        self.url.join(path).unwrap().to_string()
    }

    /// What the workflow file says of this box.
    pub(crate) fn given(&self) -> Vec<(&'static str, String)> {
        let registries = format!(
            "container={}\ncrates={}\ncrates-api={}\nnpm={}\npypi={}\npypi-upload={}",
            self.at("acme/widgets"),
            self.at("index/"),
            self.at("/"),
            self.at("npm/"),
            self.at("simple/"),
            self.at("legacy/"),
        );
        vec![
            ("GANDER_INPUT_REGISTRIES", registries),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", self.at("id-token?api-version=2.0")),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_TOKEN.to_owned()),
            ("GANDER_INPUT_CONTAINER_TOKEN", "robot:handed-in".to_owned()),
        ]
    }

    pub(crate) fn next(&self, at: &str, mishap: Mishap) {
        self.kept.lock().unwrap().mishaps.push_back((at.to_owned(), mishap));
    }

    pub(crate) fn hides_new_crates(&self, times: u32) {
        self.kept.lock().unwrap().lag = times;
    }

    pub(crate) fn trusts_nobody_with(&self, package: &str) {
        self.kept.lock().unwrap().distrusted.insert(package.to_owned());
    }

    pub(crate) fn writes(&self) -> Vec<String> {
        self.kept.lock().unwrap().writes.clone()
    }

    pub(crate) fn requests(&self) -> usize {
        self.kept.lock().unwrap().requests
    }

    pub(crate) fn given_back(&self) -> usize {
        self.kept.lock().unwrap().given_back
    }

    pub(crate) fn python_file(&self, name: &str) -> Vec<u8> {
        self.kept.lock().unwrap().python[name].clone()
    }

    /// Somebody published this version of a crate before.
    pub(crate) fn has_crate(&self, name: &str, version: &str) {
        let line = json!({"name": name, "vers": version, "deps": [], "cksum": "0".repeat(64),
                          "features": {}, "yanked": false});
        let mut kept = self.kept.lock().unwrap();
        kept.crates.entry(name.to_owned()).or_default().push((line, 0));
    }

    /// Somebody pushed another image under this tag before.
    pub(crate) fn has_image(&self, tag: &str) {
        self.kept.lock().unwrap().images.insert(tag.to_owned(), b"{}".to_vec());
    }

    pub(crate) fn npm_tags(&self, name: &str) -> Value {
        self.kept.lock().unwrap().npm[name]["dist-tags"].clone()
    }
}

async fn answer(State(shelf): State<Shelf>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 64 << 20).await.unwrap();
    let path = parts.uri.path().to_owned();
    let mishap = {
        let mut kept = shelf.kept.lock().unwrap();
        kept.requests += 1;
        let reads = parts.method == Method::GET || parts.method == Method::HEAD;
        let at = kept.mishaps.iter().position(|(at, _)| !reads && path.starts_with(at.as_str()));
        at.and_then(|at| kept.mishaps.remove(at)).map(|(_, mishap)| mishap)
    };
    if let Some(Mishap::Says(status, after)) = mishap {
        let mut response =
            (StatusCode::from_u16(status).unwrap(), json!({"error": "not now"}).to_string())
                .into_response();
        if let Some(after) = after {
            response.headers_mut().insert(header::RETRY_AFTER, after.into());
        }
        return response;
    }
    let done = shelf.does(&parts.method, &path, &parts.headers, &body);
    if let Some(mishap) = mishap.filter(|_| done.status() == StatusCode::UNAUTHORIZED) {
        // Nothing was done: it is the next one that is meant.
        shelf.kept.lock().unwrap().mishaps.push_front((path, mishap));
        return done;
    }
    match mishap {
        Some(Mishap::DoneAndCut) => {
            let cut = futures_util::stream::iter([
                Ok(Bytes::from_static(b"{")),
                Err(std::io::Error::other("cut")),
            ]);
            Response::new(Body::from_stream(cut))
        }
        Some(Mishap::DoneAndSilent) => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            done
        }
        _ => done,
    }
}

fn said(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

impl Shelf {
    fn does(&self, method: &Method, path: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let mut kept = self.kept.lock().unwrap();
        let authorization = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let authorization = authorization.unwrap_or_default().to_owned();
        let (place, rest) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method.as_str(), place) {
            ("GET", "id-token") if authorization == format!("Bearer {JOB_TOKEN}") => {
                said(StatusCode::OK, &json!({ "value": "signed-by-github" }))
            }
            ("GET", "index") => self.index(&mut kept, rest),
            ("GET", "dl") => match kept.downloads.get(rest) {
                Some(content) => content.clone().into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            },
            ("PUT", "api") if rest == "v1/trusted_publishing/tokens" => {
                assert_eq!(parsed["jwt"], "signed-by-github");
                issued(&mut kept, "core", "crates")
            }
            ("DELETE", "api") if rest == "v1/trusted_publishing/tokens" => {
                let token = authorization.trim_start_matches("Bearer ");
                assert!(kept.tokens.remove(token));
                kept.given_back += 1;
                StatusCode::NO_CONTENT.into_response()
            }
            ("PUT", "api") if rest == "v1/crates/new" => new_crate(&mut kept, &authorization, body),
            ("POST", "npm") if rest.starts_with("-/npm/v1/oidc/token/exchange/package/") => {
                let name = rest.rsplit("/package/").next().unwrap().replace("%2f", "/");
                assert_eq!(authorization, "Bearer signed-by-github");
                issued(&mut kept, &name, "npm")
            }
            ("GET", "npm") => match kept.npm.get(&rest.replace("%2f", "/")) {
                Some(document) => said(StatusCode::OK, document),
                None => match kept.downloads.get(rest) {
                    Some(content) => content.clone().into_response(),
                    None => said(StatusCode::NOT_FOUND, &json!({"error": "Not found"})),
                },
            },
            ("PUT", "npm") => self.new_npm(&mut kept, &authorization, &parsed),
            ("POST", "_") => {
                assert_eq!(parsed["token"], "signed-by-github");
                issued(&mut kept, "widgets-py", "pypi")
            }
            ("GET", "simple") => {
                let files: Vec<Value> = kept
                    .python
                    .iter()
                    .map(|(name, content)| {
                        let url = self.at(&format!("files/{name}"));
                        json!({"filename": name, "url": url, "hashes": {"sha256": sha256(content)}})
                    })
                    .collect();
                let page = json!({"meta": {"api-version": "1.0"}, "name": "w", "files": files});
                let kind = "application/vnd.pypi.simple.v1+json";
                ([(header::CONTENT_TYPE, kind)], page.to_string()).into_response()
            }
            (_, "v2") if rest.starts_with("acme/widgets/") => {
                self.image(&mut kept, method, &rest["acme/widgets/".len()..], &authorization, body)
            }
            ("GET", "token") => {
                let login = STANDARD.encode("robot:handed-in");
                if authorization == format!("Basic {login}") {
                    said(StatusCode::OK, &json!({ "token": "image-secret-1" }))
                } else {
                    StatusCode::UNAUTHORIZED.into_response()
                }
            }
            ("POST", "legacy") => new_python(&mut kept, &authorization, body),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn image(
        &self,
        kept: &mut Kept,
        method: &Method,
        path: &str,
        authorization: &str,
        body: &[u8],
    ) -> Response {
        if authorization != "Bearer image-secret-1" {
            let realm = self.at("token");
            let challenge = format!("Bearer realm=\"{realm}\",service=\"shelf\"");
            return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)])
                .into_response();
        }
        let (place, name) = path.split_once('/').unwrap();
        let digest = format!("sha256:{}", sha256(body));
        match (method.as_str(), place) {
            ("GET", "tags") => {
                let tags: Vec<&String> =
                    kept.images.keys().filter(|name| !name.contains(':')).collect();
                said(StatusCode::OK, &json!({ "name": "acme/widgets", "tags": tags }))
            }
            ("POST", "blobs") => {
                let place = [(header::LOCATION, "/v2/acme/widgets/blobs/uploads/1?state=x")];
                (StatusCode::ACCEPTED, place).into_response()
            }
            ("PUT", "blobs") => {
                kept.blobs.insert(digest, body.to_vec());
                StatusCode::CREATED.into_response()
            }
            ("HEAD", "blobs") if kept.blobs.contains_key(name) => StatusCode::OK.into_response(),
            ("PUT", "manifests") => {
                let parts: Value = serde_json::from_slice(body).unwrap();
                let layers = parts["layers"].as_array().into_iter().flatten();
                for part in layers.chain([&parts["config"]]).filter_map(|it| it["digest"].as_str())
                {
                    assert!(kept.blobs.contains_key(part), "{part}");
                }
                for part in parts["manifests"].as_array().into_iter().flatten() {
                    assert!(kept.images.contains_key(part["digest"].as_str().unwrap()));
                }
                if !name.contains(':') {
                    kept.writes.push(format!("image {name}"));
                }
                kept.images.insert(name.to_owned(), body.to_vec());
                StatusCode::CREATED.into_response()
            }
            ("HEAD", "manifests") if kept.images.contains_key(name) => {
                let digest = format!("sha256:{}", sha256(&kept.images[name]));
                [("docker-content-digest", digest)].into_response()
            }
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn index(&self, kept: &mut Kept, path: &str) -> Response {
        if path == "config.json" {
            let settings = json!({
                "dl": format!("{}{{crate}}-{{version}}.crate", self.at("dl/")),
                "api": self.at("/").trim_end_matches('/'),
            });
            return said(StatusCode::OK, &settings);
        }
        let name = path.rsplit('/').next().unwrap();
        let Some(lines) = kept.crates.get_mut(name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let mut text = String::new();
        for (line, hidden) in lines {
            if *hidden > 0 {
                *hidden -= 1;
            } else {
                text.push_str(&format!("{line}\n"));
            }
        }
        text.into_response()
    }

    fn new_npm(&self, kept: &mut Kept, authorization: &str, sent: &Value) -> Response {
        let name = sent["name"].as_str().unwrap().to_owned();
        if !kept.tokens.contains(authorization.trim_start_matches("Bearer ")) {
            return said(StatusCode::UNAUTHORIZED, &json!({"error": "who are you?"}));
        }
        let (version, manifest) = sent["versions"].as_object().unwrap().iter().next().unwrap();
        let (file, attachment) = sent["_attachments"].as_object().unwrap().iter().next().unwrap();
        let tarball = STANDARD.decode(attachment["data"].as_str().unwrap()).unwrap();
        let integrity = format!("sha512-{}", STANDARD.encode(sha2::Sha512::digest(&tarball)));
        assert_eq!(manifest["dist"]["integrity"], json!(integrity));
        let has = kept.npm.get(&name).is_some_and(|it| it["versions"].get(version).is_some());
        if has {
            let words = "You cannot publish over the previously published versions";
            return said(StatusCode::FORBIDDEN, &json!({ "error": words }));
        }
        kept.writes.push(format!("npm {name} {version}"));
        let document = kept
            .npm
            .entry(name.clone())
            .or_insert_with(|| json!({"_id": name, "name": name, "dist-tags": {}, "versions": {}}));
        for (tag, version) in sent["dist-tags"].as_object().unwrap() {
            document["dist-tags"][tag] = version.clone();
        }
        document["versions"][version] = manifest.clone();
        kept.downloads.insert(format!("{name}/-/{file}"), tarball);
        said(StatusCode::OK, &json!({ "ok": true }))
    }
}

fn issued(kept: &mut Kept, package: &str, kind: &str) -> Response {
    if kept.distrusted.contains(package) {
        let words = json!({"errors": [{"detail": "No trusted publisher matches this workflow"}]});
        return said(StatusCode::BAD_REQUEST, &words);
    }
    let token = format!("{kind}-secret-{}", kept.tokens.len() + kept.given_back);
    kept.tokens.insert(token.clone());
    said(StatusCode::OK, &json!({ "success": true, "token": token }))
}

fn new_crate(kept: &mut Kept, authorization: &str, body: &[u8]) -> Response {
    if !kept.tokens.contains(authorization) {
        let words = json!({"errors": [{"detail": "must be logged in"}]});
        return said(StatusCode::FORBIDDEN, &words);
    }
    let part = |from: usize| {
        let length = u32::from_le_bytes(body[from..from + 4].try_into().unwrap()) as usize;
        (&body[from + 4..from + 4 + length], from + 4 + length)
    };
    let (about, at) = part(0);
    let (content, end) = part(at);
    assert_eq!(end, body.len());
    let about: Value = serde_json::from_slice(about).unwrap();
    let (name, version) = (about["name"].as_str().unwrap(), about["vers"].as_str().unwrap());
    let there = kept.crates.entry(name.to_owned()).or_default();
    if there.iter().any(|(line, _)| line["vers"] == about["vers"]) {
        let words = format!("crate version `{version}` is already uploaded");
        return said(StatusCode::BAD_REQUEST, &json!({"errors": [{"detail": words}]}));
    }
    let deps: Vec<Value> = about["deps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let renamed = it["explicit_name_in_toml"].as_str();
            json!({
                "name": renamed.or(it["name"].as_str()), "req": it["version_req"],
                "features": it["features"], "optional": it["optional"],
                "default_features": it["default_features"], "target": it["target"],
                "kind": it["kind"], "registry": it["registry"],
                "package": renamed.map(|_| &it["name"]),
            })
        })
        .collect();
    let line = json!({"name": name, "vers": version, "deps": deps, "cksum": sha256(content),
                      "features": about["features"], "yanked": false});
    there.push((line, kept.lag));
    kept.downloads.insert(format!("{name}-{version}.crate"), content.to_vec());
    kept.writes.push(format!("crates {name} {version}"));
    said(StatusCode::OK, &json!({ "warnings": {} }))
}

fn new_python(kept: &mut Kept, authorization: &str, body: &[u8]) -> Response {
    let login = STANDARD.decode(authorization.trim_start_matches("Basic ")).unwrap();
    let login = String::from_utf8(login).unwrap();
    if !login.strip_prefix("__token__:").is_some_and(|token| kept.tokens.contains(token)) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let text = String::from_utf8_lossy(body);
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("name=\"{name}\"\r\n\r\n"))?;
        rest.split("\r\n--").next().map(str::to_owned)
    };
    let name = text.split("filename=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let head = b"Content-Type: application/octet-stream\r\n\r\n";
    let at = body.windows(head.len()).position(|it| it == head).unwrap() + head.len();
    let boundary = text.lines().next().unwrap().len();
    let content = body[at..body.len() - boundary - 6].to_vec();
    assert_eq!(field("sha256_digest"), Some(sha256(&content)));
    assert_eq!(field(":action").as_deref(), Some("file_upload"));
    assert!(field("metadata_version").is_some() && field("name").is_some(), "{text}");
    if kept.python.contains_key(&name) {
        return (StatusCode::BAD_REQUEST, "File already exists").into_response();
    }
    kept.writes.push(format!("pypi {name}"));
    kept.python.insert(name, content);
    StatusCode::OK.into_response()
}

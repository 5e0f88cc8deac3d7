//! A release that goes to package registries: what is made by the real package managers is
//! published once, finished when it stopped half-way, and installed by their real clients.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use gander_emulator::Verdict;
use serde_json::json;
use sha2::Digest as _;
use tempfile::TempDir;

use super::client::Client;
use super::shelf::{Mishap, Shelf};
use super::world::{RULES, Ran, World};

const TARGETS: &str = "targets = [\"crates\", \"npm\", \"pypi\", \"container\"]\n";
const WHEEL: &str = "widgets_py-1.2.0-py3-none-any.whl";
const SOURCE: &str = "widgets_py-1.2.0.tar.gz";
const ALL: [&str; 7] = [
    "crates core 1.2.0",
    "crates app 1.2.0",
    "npm @acme/widgets 1.2.0",
    "pypi widgets_py-1.2.0-py3-none-any.whl",
    "pypi widgets_py-1.2.0.tar.gz",
    "image latest",
    "image 1.2.0",
];

fn run(program: &str, arguments: &[&str], tree: &Path, home: &Path) -> String {
    let cargo = Path::new(env!("CARGO")).parent().unwrap().display();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(tree)
        .env("PATH", format!("{cargo}:{}", std::env::var("PATH").unwrap()))
        .env("CARGO_HOME", home.join("cargo"))
        .env("HOME", home)
        .env("npm_config_cache", home.join("npm"))
        .env("npm_config_update_notifier", "false")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn write(tree: &Path, path: &str, text: &str) {
    let to = tree.join(path);
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    std::fs::write(to, text).unwrap();
}

/// The packages of a project of all three kinds, packed by cargo and npm themselves.
fn packages() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let (tree, home, dist) =
            (folder.path().join("tree"), folder.path().join("home"), folder.path().join("dist"));
        [&home, &dist].iter().for_each(|it| std::fs::create_dir(it).unwrap());
        write(&tree, "Cargo.toml", "[workspace]\nmembers = [\"core\", \"app\"]\nresolver = \"2\"\n");
        let about = "version = \"1.2.0\"\nedition = \"2021\"\ndescription = \"Widgets\"\n\
                     license = \"MIT\"\nreadme = \"README.md\"\n";
        write(&tree, "core/Cargo.toml", &format!("[package]\nname = \"core\"\n{about}[features]\nfast = []\n"));
        write(&tree, "core/src/lib.rs", "pub fn count() -> u32 { 3 }\n");
        write(&tree, "core/README.md", "# Core\n");
        // Under another name, and only on one system: both are told of a dependency.
        let needs = "[target.'cfg(unix)'.dependencies]\nheart = { package = \"core\", path = \"../core\", \
                     version = \"1\", features = [\"fast\"] }\n";
        write(&tree, "app/Cargo.toml", &format!("[package]\nname = \"app\"\n{about}{needs}"));
        write(&tree, "app/src/lib.rs", "pub fn twice() -> u32 { heart::count() * 2 }\n");
        write(&tree, "app/README.md", "# App\n");
        run("cargo", &["package", "--workspace", "--offline", "--no-verify"], &tree, &home);
        for name in ["core", "app"] {
            let file = format!("{name}-1.2.0.crate");
            std::fs::copy(tree.join("target/package").join(&file), dist.join(&file)).unwrap();
        }
        let package = r#"{"name": "@acme/widgets", "version": "1.2.0", "main": "index.js"}"#;
        write(&tree, "js/package.json", package);
        write(&tree, "js/index.js", "module.exports = 6;\n");
        write(&tree, "js/README.md", "# Widgets\n");
        let to = dist.to_str().unwrap();
        run("npm", &["pack", "--pack-destination", to], &tree.join("js"), &home);
        python(&dist);
        image(&dist);
        folder
    });
    made.path()
}

/// A wheel and a source archive.
fn python(dist: &Path) {
    let metadata = "Metadata-Version: 2.1\nName: widgets-py\nVersion: 1.2.0\nSummary: Widgets\n\
                    Classifier: Programming Language :: Python\nRequires-Python: >=3.8\n\n# Widgets\n";
    let mut wheel = zip::ZipWriter::new(std::fs::File::create(dist.join(WHEEL)).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (path, text) in [
        ("widgets_py.py", "count = 3\n"),
        ("widgets_py-1.2.0.dist-info/METADATA", metadata),
        (
            "widgets_py-1.2.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        ),
        ("widgets_py-1.2.0.dist-info/RECORD", ""),
    ] {
        wheel.start_file(path, options).unwrap();
        wheel.write_all(text.as_bytes()).unwrap();
    }
    wheel.finish().unwrap();
    let file = std::fs::File::create(dist.join(SOURCE)).unwrap();
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    let mut header = tar::Header::new_gnu();
    header.set_size(metadata.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "widgets_py-1.2.0/PKG-INFO", metadata.as_bytes()).unwrap();
    archive.into_inner().unwrap().finish().unwrap();
}

/// An image for two kinds of machines, in OCI's layout.
fn image(dist: &Path) {
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    let mut part = |kind: &str, content: Vec<u8>| {
        let digest = format!("sha256:{}", hex::encode(sha2::Sha256::digest(&content)));
        let size = content.len();
        blobs.push(content);
        json!({"mediaType": kind, "digest": digest, "size": size})
    };
    let oci = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let layer = part(&oci("layer.v1.tar"), vec![0; 1024]);
    let mut machines = Vec::new();
    for machine in ["amd64", "arm64"] {
        let config = json!({"architecture": machine, "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}});
        let config = part(&oci("config.v1+json"), config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": oci("manifest.v1+json"),
            "config": config, "layers": [layer]});
        let mut manifest = part(&oci("manifest.v1+json"), manifest.to_string().into_bytes());
        manifest["platform"] = json!({"architecture": machine, "os": "linux"});
        machines.push(manifest);
    }
    let all = json!({"schemaVersion": 2, "mediaType": oci("index.v1+json"),
        "manifests": machines});
    let all = part(&oci("index.v1+json"), all.to_string().into_bytes());
    let index = json!({"schemaVersion": 2, "manifests": [all]}).to_string();
    let mut archive =
        tar::Builder::new(std::fs::File::create(dist.join("widgets.oci.tar")).unwrap());
    let mut put = |path: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content).unwrap();
    };
    put("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#);
    put("index.json", index.as_bytes());
    for blob in &blobs {
        put(&format!("blobs/sha256/{}", hex::encode(sha2::Sha256::digest(blob))), blob);
    }
    archive.finish().unwrap();
}

/// An approved release of those files, built.
async fn approved(targets: &str, files: &str) -> World {
    let build = format!("mkdir dist && cp {}/dist/{files} dist/\n", packages().display());
    let rules = format!("{RULES}{targets}");
    let folder = tempfile::tempdir().unwrap();
    World::with_release_of(folder, &rules, &build).await.approved_and_built().await
}

async fn publishes(w: &World, shelf: &Shelf, more: &[(&str, &str)]) -> Ran {
    let given = shelf.given();
    let mut given: Vec<(&str, &str)> =
        given.iter().map(|(name, value)| (*name, &**value)).collect();
    given.extend(more);
    let ran = w.publishes_with(&given).await;
    for secret in ["-secret-", "signed-by-github", "the-runners-own-token", "handed-in"] {
        assert!(!ran.log.contains(secret), "{}", ran.log);
        assert!(!ran.summary.contains(secret), "{}", ran.summary);
    }
    ran
}

fn in_any_order(mut writes: Vec<String>) -> Vec<String> {
    writes.sort();
    writes
}

fn all() -> Vec<String> {
    in_any_order(ALL.map(str::to_owned).to_vec())
}

#[tokio::test]
async fn one_approved_release_is_published_everywhere_and_real_clients_install_it() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    let ran = publishes(&w, &shelf, &[("GANDER_INPUT_ONLY_CHECK", "true")]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    let row = "| npm | `@acme/widgets` 1.2.0 | `acme-widgets-1.2.0.tgz` | would be published |";
    assert!(ran.summary.contains(row), "{}", ran.summary);
    assert_eq!(shelf.writes(), [""; 0]);
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(in_any_order(shelf.writes()), all());
    // A crate stands after the one that it needs.
    assert_eq!(shelf.writes()[..2], ALL[..2]);
    assert_eq!(shelf.given_back(), 1, "crates.io's token is given back");
    assert!(ran.summary.contains("| crates.io | app 1.2.0 | `app-1.2.0.crate` | published |"));
    assert!(!w.emulator.releases("acme/widgets")[0].draft);
    let wheel = std::fs::read(packages().join("dist").join(WHEEL)).unwrap();
    assert_eq!(shelf.python_file(WHEEL), wheel);
    // Cargo and npm know nothing of Gander.
    let folder = tempfile::tempdir().unwrap();
    let (tree, home) = (folder.path(), folder.path().join("home"));
    std::fs::create_dir(&home).unwrap();
    write(
        tree,
        ".cargo/config.toml",
        &format!(
            "[source.crates-io]\nreplace-with = \"shelf\"\n[source.shelf]\nregistry = \"sparse+{}\"\n",
            shelf.at("index/")
        ),
    );
    write(
        tree,
        "Cargo.toml",
        "[package]\nname = \"user\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\
        [dependencies]\napp = \"1.2\"\n",
    );
    write(tree, "src/main.rs", "fn main() { print!(\"{}\", app::twice()); }\n");
    write(tree, "package.json", "{}");
    let registry = format!("--registry={}", shelf.at("npm/"));
    let install =
        ["install", "--ignore-scripts", "--no-audit", "--no-fund", &registry, "@acme/widgets"];
    let install: Vec<String> = install.iter().map(|it| (*it).to_owned()).collect();
    let (tree, clients_home) = (tree.to_owned(), home.clone());
    let printed = tokio::task::spawn_blocking(move || {
        let words: Vec<&str> = install.iter().map(String::as_str).collect();
        run("npm", &words, &tree, &clients_home);
        let print = ["-p", "require('@acme/widgets')"];
        let npm = run("node", &print, &tree, &clients_home);
        (run("cargo", &["run", "--quiet"], &tree, &clients_home), npm)
    });
    assert_eq!(printed.await.unwrap(), ("6".to_owned(), "6\n".to_owned()));
    // The same once more is done once.
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.writes().len(), ALL.len());
    assert!(ran.summary.contains("was there already, the same"), "{}", ran.summary);
}

#[tokio::test]
async fn a_registry_that_is_slow_busy_or_breaks_off_gets_each_file_once() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    shelf.hides_new_crates(2);
    shelf.next("/api/v1/crates/new", Mishap::Says(429, Some(1)));
    shelf.next("/npm/@acme", Mishap::DoneAndCut);
    shelf.next("/legacy", Mishap::Says(503, None));
    shelf.next("/v2/acme/widgets/blobs/uploads", Mishap::Says(500, None));
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(in_any_order(shelf.writes()), all());
    assert!(!w.emulator.releases("acme/widgets")[0].draft);
}

#[tokio::test]
async fn a_release_that_stopped_half_way_is_a_draft_and_goes_on_where_it_stopped() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    for (at, there) in [("/api/v1/crates/new", 0), ("/npm/@acme", 2), ("/legacy", 3)] {
        shelf.next(at, Mishap::Says(403, None));
        let ran = publishes(&w, &shelf, &[]).await;
        assert_eq!(ran.code, Some(1), "{}\n{}", ran.log, ran.summary);
        assert!(ran.log.contains("it goes on where it stopped"), "{}", ran.log);
        assert!(ran.log.contains("answered 403 while publishing"), "{}", ran.log);
        let standing = match there {
            0 => "There by now: nothing. Not yet: core-1.2.0.crate on crates.io, ",
            _ => "There by now: core-1.2.0.crate on crates.io",
        };
        assert!(ran.log.contains(standing), "{}", ran.log);
        assert_eq!(shelf.writes().len(), there);
        assert!(w.emulator.releases("acme/widgets")[0].draft);
    }
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(in_any_order(shelf.writes()), all());
}

#[tokio::test]
async fn a_run_that_dies_after_any_effect_is_finished_by_the_next_and_nothing_is_there_twice() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    for (at, there) in [
        ("/api/v1/crates/new", 1),
        ("/api/v1/crates/new", 2),
        ("/npm/@acme", 3),
        ("/legacy", 4),
        ("/legacy", 5),
        ("/v2/acme/widgets/manifests/1.2.0", 7),
    ] {
        shelf.next(at, Mishap::DoneAndSilent);
        let given = shelf.given();
        let given: Vec<(&str, &str)> = given.iter().map(|(name, it)| (*name, &**it)).collect();
        let mut child = w.starts_publishing(&given);
        while shelf.writes().len() < there {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        child.dies().await;
        w.emulator.end_job(&child.token);
    }
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(in_any_order(shelf.writes()), all());
    assert!(!w.emulator.releases("acme/widgets")[0].draft);
}

#[tokio::test]
async fn what_a_registry_would_refuse_stops_everything_before_anything_is_out() {
    for (targets, files, words) in [
        ("targets = [\"npm\"]\n", "*.crate", "The build made no file for npm"),
        (
            "targets = [\"npm\", \"crates\"]\n",
            "*",
            "crates.io has another `core-1.2.0.crate` already",
        ),
        ("targets = [\"npm\"]\n", "*", "npm does not let this workflow publish `@acme/widgets`"),
    ] {
        let (w, shelf) = (approved(targets, files).await, Shelf::with_older_versions().await);
        shelf.has_crate("core", "1.2.0");
        shelf.trusts_nobody_with("@acme/widgets");
        let ran = publishes(&w, &shelf, &[]).await;
        assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
        assert!(ran.log.contains(words), "{}", ran.log);
        assert_eq!(shelf.writes(), [""; 0]);
        w.nothing_is_published();
    }
}

#[tokio::test]
async fn an_image_under_the_tag_of_the_version_is_never_replaced_and_latest_never_goes_back() {
    let targets = "targets = [\"container\"]\n";
    let (w, shelf) = (approved(targets, "*.oci.tar").await, Shelf::start().await);
    shelf.has_image("1.2.0");
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    assert!(ran.log.contains("has another `widgets.oci.tar` already: sha256:"), "{}", ran.log);
    assert_eq!(shelf.writes(), [""; 0]);
    w.nothing_is_published();
    // A fix of an older line leaves `latest` to the newer one.
    let shelf = Shelf::start().await;
    shelf.has_image("v2.0.0");
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.writes(), ["image 1.2.0"]);
}

#[tokio::test]
async fn a_secret_that_is_handed_in_goes_before_trust_and_without_either_nothing_starts() {
    let (w, shelf) =
        (approved("targets = [\"npm\"]\n", "*.tgz").await, Shelf::with_older_versions().await);
    let nobody = [("ACTIONS_ID_TOKEN_REQUEST_URL", "")];
    let ran = publishes(&w, &shelf, &nobody).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    assert!(ran.log.contains("nothing to publish on npm with"), "{}", ran.log);
    assert!(ran.log.contains("`npm-token`"), "{}", ran.log);
    w.nothing_is_published();
    // The box knows no such token: it was this one that was tried.
    let ran = publishes(&w, &shelf, &[("GANDER_INPUT_NPM_TOKEN", "handed-in")]).await;
    assert_eq!(ran.code, Some(1), "{}\n{}", ran.log, ran.summary);
    assert!(ran.log.contains("npm answered 401 while publishing"), "{}", ran.log);
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.npm_tags("@acme/widgets")["latest"], "1.2.0");
}

#[tokio::test]
async fn a_packages_first_version_needs_a_secret_and_that_is_said_before_anything_is_out() {
    for (target, files, package) in
        [("crates", "*.crate", "core"), ("npm", "*.tgz", "@acme/widgets")]
    {
        let targets = format!("targets = [\"{target}\"]\n");
        let (w, shelf) = (approved(&targets, files).await, Shelf::start().await);
        let ran = publishes(&w, &shelf, &[]).await;
        assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
        assert!(ran.log.contains(package) && ran.log.contains("is not on"), "{}", ran.log);
        assert!(ran.log.contains(&format!("`{target}-token`")), "{}", ran.log);
        assert_eq!(shelf.writes(), [""; 0]);
        w.nothing_is_published();
    }
}

#[tokio::test]
async fn what_says_that_it_goes_elsewhere_goes_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    let package = r#"{"name": "@acme/widgets", "version": "1.2.0",
        "publishConfig": {"registry": "https://npm.acme.example/"}}"#;
    write(folder.path(), "js/package.json", package);
    run("npm", &["pack"], &folder.path().join("js"), &home);
    let rules = format!("{RULES}targets = [\"npm\"]\n");
    let build = format!("mkdir dist && cp {}/js/*.tgz dist/\n", folder.path().display());
    let world = World::with_release_of(tempfile::tempdir().unwrap(), &rules, &build).await;
    let (w, shelf) = (world.approved_and_built().await, Shelf::with_older_versions().await);
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    let words = "goes by its publishConfig to `https://npm.acme.example/` and nowhere else";
    assert!(ran.log.contains(words), "{}", ran.log);
    assert_eq!(shelf.requests(), 0);
    w.nothing_is_published();
}

#[tokio::test]
async fn a13_without_an_approval_no_registry_hears_of_it() {
    let shelf = Shelf::with_older_versions().await;
    let build = format!("mkdir dist && cp {}/dist/* dist/\n", packages().display());
    let rules = format!("{RULES}{TARGETS}");
    let mut w = World::with_release_of(tempfile::tempdir().unwrap(), &rules, &build).await;
    w.ci_says("success");
    w.reviews("hubot", Verdict::Approves);
    w.merges();
    w.builds().await;
    let ran = publishes(&w, &shelf, &[("GANDER_INPUT_NPM_TOKEN", "handed-in")]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.requests(), 0);
    w.nothing_is_published();
}

#[tokio::test]
async fn a14_a_tag_and_a_release_of_a_thief_bring_nothing_to_a_registry() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    let thief = Client::app(&w.emulator, &w.app, chrono::Utc::now().timestamp_millis());
    let thief = thief.installation(w.installation, json!({})).await;
    let base = "/repos/acme/widgets";
    let tag = json!({ "ref": "refs/tags/v1.2.0", "sha": w.head });
    thief.post(&format!("{base}/git/refs"), tag).await.expect(201);
    let release = json!({ "tag_name": "v1.2.0", "name": "v1.2.0", "body": "evil" });
    thief.post(&format!("{base}/releases"), release).await.expect(201);
    // With the approval of the real release, at the thief's tag.
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.requests(), 0);
}

#[tokio::test]
async fn a09_an_artifact_that_was_changed_on_the_way_reaches_no_registry() {
    let (w, shelf) = (approved(TARGETS, "*").await, Shelf::with_older_versions().await);
    std::fs::write(w.release_directory().join(WHEEL), "another wheel").unwrap();
    let ran = publishes(&w, &shelf, &[]).await;
    assert_eq!(ran.code, Some(4), "{}\n{}", ran.log, ran.summary);
    assert_eq!(shelf.requests(), 0);
    w.nothing_is_published();
}

#[tokio::test]
async fn real_registries_take_the_packages_and_their_real_clients_install_them() {
    let Ok(registries) = std::env::var("GANDER_REAL_REGISTRIES") else {
        eprintln!("\nSKIPPED: `make test-registries` publishes to verdaccio and pypiserver\n");
        return;
    };
    let token = std::env::var("GANDER_REAL_NPM_TOKEN").unwrap();
    let w = approved("targets = [\"npm\", \"pypi\", \"container\"]\n", "[aw][ci]*").await;
    let given = [
        ("GANDER_INPUT_REGISTRIES", &*registries),
        ("GANDER_INPUT_NPM_TOKEN", &token),
        ("GANDER_INPUT_PYPI_TOKEN", "not-asked-for"),
        ("GANDER_INPUT_CONTAINER_TOKEN", "robot:for-this-run-only"),
    ];
    let ran = w.publishes_with(&given).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(ran.summary.matches("| published |").count(), 4, "{}", ran.summary);
    let ran = w.publishes_with(&given).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    assert_eq!(
        ran.summary.matches("| was there already, the same |").count(),
        4,
        "{}",
        ran.summary
    );
}

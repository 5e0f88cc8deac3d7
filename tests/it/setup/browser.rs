//! The same pages in a real browser, driven by `tests/pages/drive.mjs`: `make test-pages`.

use std::path::Path;
use std::process::Command;

use super::web::{Setup, free_port, github};

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_works_in_chromium_without_javascript() {
    // Where playwright-core is installed, and where pictures go.
    let (Some(modules), Some(pictures)) =
        (std::env::var_os("GANDER_PAGES_MODULES"), std::env::var_os("GANDER_PAGES_PICTURES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let emulator = github(folder.path()).await;
    let setup = Setup::start(folder.path(), &emulator.web_url(), &[]);
    let script = folder.path().join("script.json");
    std::fs::write(&script, r#"{"attempts": []}"#).unwrap();
    let port = free_port().to_string();
    let mut node = Command::new("node");
    node.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages/drive.mjs"))
        .env("GANDER_PAGES_MODULES", modules)
        .env("GANDER_PAGES_PICTURES", pictures)
        .env("GANDER", env!("CARGO_BIN_EXE_gander"))
        .env("LINK", &setup.link)
        .env("APP", &setup.directory)
        .env("PORT", port)
        .env("SCRIPT", script)
        .env("HOME", folder.path());
    let output = tokio::task::spawn_blocking(move || node.output().unwrap()).await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    let installed = emulator.deliveries().iter().any(|one| one.event == "installation");
    assert!(installed, "nobody installed the App");
    for path in [".github/gander.toml", ".github/workflows/gander-test.yml"] {
        assert!(emulator.file("mona/stats", "main", path).is_some(), "{path}");
    }
    assert_eq!(setup.ends().0, Some(0));
}

//! How the Action gets its program: what others left on the machine has no say in it.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/action/install.sh");

/// A download with a program that says hello; its address and its SHA-256.
fn download(folder: &Path) -> (String, String) {
    let name = format!("gander-0.1.0-{}-linux", std::env::consts::ARCH);
    let root = folder.join(&name);
    std::fs::create_dir(&root).unwrap();
    std::fs::write(root.join("gander"), "#!/bin/sh\necho hello\n").unwrap();
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.join("gander"), all).unwrap();
    let pack = format!("tar -cz {name} > d.tar.gz && sha256sum d.tar.gz");
    let done = Command::new("sh").args(["-c", &pack]).current_dir(folder).output().unwrap();
    let sum = String::from_utf8(done.stdout).unwrap();
    (format!("file://{}/d.tar.gz", folder.display()), sum.split(' ').next().unwrap().to_owned())
}

fn installs(folder: &TempDir, url: &str, sha256: &str) -> Output {
    let home = folder.path().join("home");
    Command::new("bash")
        .args([INSTALL.as_ref(), folder.path().join("temp/gander-action").as_os_str()])
        .env("HOME", &home)
        .env("CURL_HOME", &home)
        .env("TAR_OPTIONS", "--checkpoint=1 --checkpoint-action=exec=false")
        .env("GANDER_INPUT_VERSION", "0.1.0")
        .env("GANDER_INPUT_SHA256", sha256)
        .env("GANDER_INPUT_URL", url)
        .current_dir(&home)
        .output()
        .unwrap()
}

fn machine() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["home", "temp", "victim"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let settings = format!("trace-ascii = \"{}\"\n", folder.path().join("traced").display());
    std::fs::write(folder.path().join("home/.curlrc"), settings).unwrap();
    std::fs::write(folder.path().join("victim/gander"), "theirs").unwrap();
    folder
}

#[test]
fn the_program_is_installed_past_planted_links_and_settings() {
    for planted in ["the directory", "the download", "the program"] {
        let folder = machine();
        let at = |path: &str| folder.path().join(path);
        let (url, sha256) = download(folder.path());
        if planted == "the directory" {
            symlink(at("victim"), at("temp/gander-action")).unwrap();
        } else {
            std::fs::create_dir(at("temp/gander-action")).unwrap();
            let name = if planted == "the program" { "gander" } else { "download" };
            symlink(at("victim/gander"), at("temp/gander-action").join(name)).unwrap();
        }
        let done = installs(&folder, &url, &sha256);
        assert!(done.status.success(), "{planted}: {done:?}");
        assert_eq!(std::fs::read(at("victim/gander")).unwrap(), b"theirs", "{planted}");
        assert_eq!(std::fs::read_dir(at("victim")).unwrap().count(), 1, "{planted}");
        assert!(!at("temp/gander-action").is_symlink(), "{planted}");
        let mode = at("temp/gander-action").metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{planted}: others can write there");
        assert!(!at("traced").exists(), "{planted}: .curlrc was read");
        let said = Command::new(at("temp/gander-action/gander")).output().unwrap();
        assert_eq!(said.stdout, b"hello\n", "{planted}");
    }
}

#[test]
fn a_download_with_another_digest_is_not_even_unpacked() {
    let folder = machine();
    let (url, _) = download(folder.path());
    let done = installs(&folder, &url, &"0".repeat(64));
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(said.contains("does not have the SHA-256"), "{said}");
    assert!(!folder.path().join("temp/gander-action/gander").exists());
}

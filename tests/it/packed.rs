//! The program, packed as `make dist` packs it, for those who install it as the Action does.

#![allow(clippy::disallowed_methods)] // runs what `make dist` runs

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

/// A packed program on this disk.
pub struct Packed {
    /// `file://` address of the tarball.
    pub url: String,
    /// Its SHA-256.
    pub sha256: String,
    _folder: TempDir,
}

const PROGRAMS: [&str; 2] =
    [env!("CARGO_BIN_EXE_gander"), env!("CARGO_BIN_EXE_gander-sandbox-init")];

/// Packing takes a second: stories that run side by side share one.
static PACKED: Mutex<Weak<Packed>> = Mutex::new(Weak::new());

pub fn packed() -> Arc<Packed> {
    let mut last = PACKED.lock().unwrap_or_else(PoisonError::into_inner);
    last.upgrade().unwrap_or_else(|| {
        let packed = Arc::new(pack(PROGRAMS.map(Path::new)));
        *last = Arc::downgrade(&packed);
        packed
    })
}

fn pack(programs: [&Path; 2]) -> Packed {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("gander-0.1.0-{}-linux", std::env::consts::ARCH);
    std::fs::create_dir(folder.path().join(&name)).unwrap();
    // Half of a development build is for debuggers.
    let script = format!(
        "strip -o {name}/gander \"$1\" && strip -o {name}/gander-sandbox-init \"$2\" && tar -c {name} | gzip -1 > gander.tar.gz \
         && sha256sum gander.tar.gz"
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).args(programs).current_dir(folder.path());
    let done = shell.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let sum = String::from_utf8(done.stdout).unwrap();
    let sha256 = sum.split(' ').next().unwrap().to_owned();
    let url = format!("file://{}/gander.tar.gz", folder.path().display());
    Packed { url, sha256, _folder: folder }
}

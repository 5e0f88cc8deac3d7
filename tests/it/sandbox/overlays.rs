//! Packages that a run may write to.

use gander::sandbox::{ShownDirectory, overlay};

use super::*;

/// What this line prints where it sees these packages below `node_modules`.
async fn beside(packages: &Path, above: Option<&Path>, line: &str) -> String {
    let tree = Tree::new(&[("index.js", "")]);
    let mut command = SandboxCommand::shell(line, tree.path());
    command.shown.push(ShownDirectory {
        host_dir: packages.to_owned(),
        mount_at: "/work/node_modules".to_owned(),
        writable: false,
        programs: None,
        temporary: vec![".cache".to_owned()],
        above: above.map(Path::to_owned),
    });
    let (limits, never) = (SandboxLimits::default(), CancellationToken::new());
    let output = sandbox().run(&command, &limits, &never).await.unwrap();
    assert_eq!(output.exit, Exit::Code(0), "{line}: {output:?}");
    output.stdout.text
}

#[tokio::test]
async fn what_a_run_writes_to_packages_no_other_run_sees() {
    let place = tempfile::tempdir().unwrap();
    let packages = place.path().join("packages,of:all");
    fs::create_dir_all(packages.join("a/.bin")).unwrap();
    fs::create_dir(packages.join(".cache")).unwrap();
    fs::write(packages.join("a/index.js"), "good").unwrap();
    let has_overlays = sandbox().has_overlays().await;
    let write = "cd node_modules; for file in a/index.js a/new .cache/x; do \
                 { echo evil > $file; } 2>/dev/null; done; rm -rf a/.bin 2>/dev/null; cat a/index.js";
    for number in 0..2 {
        let above = place.path().join(format!("run-{number}"));
        overlay::prepare(&above).unwrap();
        let above = has_overlays.then_some(&*above);
        let seen =
            beside(&packages, above, "cat node_modules/a/index.js; ls node_modules/.cache").await;
        assert_eq!(seen, "good");
        let own = beside(&packages, above, write).await;
        assert_eq!(own, if has_overlays { "evil\n" } else { "good" });
    }
    assert_eq!(fs::read_to_string(packages.join("a/index.js")).unwrap(), "good");
    assert!(packages.join("a/.bin").is_dir());
    assert!(!packages.join("a/new").exists());
}

#[tokio::test]
async fn a_run_above_packages_has_no_more_rights_than_any() {
    let place = tempfile::tempdir().unwrap();
    let above = place.path().join("run");
    fs::create_dir(place.path().join("packages")).unwrap();
    overlay::prepare(&above).unwrap();
    if !sandbox().has_overlays().await {
        eprintln!("SKIPPED: this machine has no overlays for users");
        return;
    }
    let ask = "grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; id -u; \
               unshare -Ur true 2>/dev/null || echo no namespace";
    let plain = Tree::new(&[]).out(ask).await;
    assert_eq!(beside(&place.path().join("packages"), Some(&above), ask).await, plain);
    assert!(plain.contains("CapEff:\t0000000000000000"), "{plain}");
}

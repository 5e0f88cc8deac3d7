//! What a commit needs to be run: fetched in a sandbox of its own, whose only way out is a proxy to
//! the registries that the operator named.

use std::sync::Arc;
use std::time::Duration;

use gander::app::egress_to;
use gander::egress::PrivateAddresses;
use gander::environment::proxy::RegistryProxy;
use gander::environment::{CommitFiles, EnvironmentError, Environments};
use gander::sandbox::{Exit, Sandbox, SandboxCommand, SandboxLimits, ShownDirectory};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::program::Local;
use crate::second_look::{ONE_ATTEMPT, one_edit};

/// A registry on this machine that says what it was greeted with, and a proxy that may reach it.
struct Fetch {
    directory: TempDir,
    registry: TcpListener,
    proxy: RegistryProxy,
}

impl Fetch {
    async fn new() -> Self {
        let registry = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = registry.local_addr().unwrap().port();
        let address = format!("https://localhost:{port}/").parse().unwrap();
        let egress = egress_to([address], PrivateAddresses::AllowLoopback).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let proxy = RegistryProxy::start(egress, directory.path()).unwrap();
        Self { directory, registry, proxy }
    }

    fn port(&self) -> u16 {
        self.registry.local_addr().unwrap().port()
    }

    /// What the proxy answers to these first bytes, and to these once it has said yes.
    async fn says(&self, request: &[u8], then: &[u8]) -> String {
        let mut client = UnixStream::connect(self.proxy.socket()).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut answer = [0; 64];
        let read = client.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
        if answer.contains(" 200 ") {
            client.write_all(then).await.unwrap();
            // Until it is over: what it thinks of that is known then.
            let _ = client.read_to_end(&mut Vec::new()).await;
        }
        answer.lines().next().unwrap_or_default().to_owned()
    }

    fn connect(&self, host: &str) -> Vec<u8> {
        format!("CONNECT {host}:{} HTTP/1.1\r\nHost: x\r\n\r\n", self.port()).into_bytes()
    }
}

/// The greeting of a client that wants to speak to this host.
fn greeting(host: &str) -> Vec<u8> {
    gander::egress::install_crypto();
    let config = ClientConfig::builder()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn an_allowed_registry_is_spoken_to_and_nothing_of_it_is_read() {
    let fetch = Fetch::new().await;
    let greets = greeting("localhost");
    let registry = async {
        let (mut peer, _) = fetch.registry.accept().await.unwrap();
        let mut heard = vec![0; greets.len()];
        peer.read_exact(&mut heard).await.unwrap();
        heard
    };
    let request = fetch.connect("localhost");
    let (said, heard) = tokio::join!(fetch.says(&request, &greets), registry);
    assert_eq!(said, "HTTP/1.1 200 Connection established");
    assert_eq!(heard, greets);
    assert_eq!(fetch.proxy.refusals(), [] as [&str; 0]);
}

#[tokio::test]
async fn no_other_host_no_other_port_and_no_look_alike_is_reached() {
    let fetch = Fetch::new().await;
    let port = fetch.port();
    for target in [
        "example.org:443".to_owned(),
        "localhost:443".to_owned(),
        format!("localhost.:{port}"),
        format!("LOCALHOST:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
        format!("localhost\u{0}.example.org:{port}"),
        format!("localhost.example.org:{port}"),
        format!("169.254.169.254:{port}"),
    ] {
        let request = format!("CONNECT {target} HTTP/1.1\r\n\r\n");
        let said = fetch.says(request.as_bytes(), b"").await;
        assert!(said.contains(" 403 ") || said.is_empty(), "{target}: {said}");
    }
    let plain = format!("GET http://localhost:{port}/ HTTP/1.1\r\n\r\n");
    assert!(fetch.says(plain.as_bytes(), b"").await.contains(" 405 "));
    let refused = fetch.proxy.refusals().join("\n");
    assert!(refused.contains("example.org") && refused.contains("GET"), "{refused}");
    let nobody = tokio::time::timeout(Duration::from_millis(50), fetch.registry.accept()).await;
    assert!(nobody.is_err(), "somebody was connected to");
}

#[tokio::test]
async fn a_connection_that_greets_another_host_is_cut_off() {
    let fetch = Fetch::new().await;
    for (greets, why) in [
        (greeting("evil.example"), "greets \"evil.example\""),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "not encrypted"),
    ] {
        let request = fetch.connect("localhost");
        let (said, peer) = tokio::join!(fetch.says(&request, &greets), async {
            let (mut peer, _) = fetch.registry.accept().await.unwrap();
            let mut heard = Vec::new();
            peer.read_to_end(&mut heard).await.unwrap();
            heard
        });
        assert!(said.contains(" 200 "), "{said}");
        assert_eq!(peer, b"", "nothing of it was passed on");
        let refused = fetch.proxy.refusals().join("\n");
        assert!(refused.contains(why), "{refused}");
    }
}

#[tokio::test]
async fn inside_the_sandbox_the_proxy_is_the_only_way_out() {
    let fetch = Fetch::new().await;
    let sandbox = gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"));
    let tree = fetch.directory.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    let port = fetch.port();
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/3128 && printf 'CONNECT example.org:443 HTTP/1.1\\r\\n\\r\\n' >&3 \
         && head -1 <&3; (exec 4<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null && echo direct; \
         git --version 2>/dev/null; true"
    );
    let mut command = SandboxCommand::argv(["bash", "-c", &script], &tree);
    let never = CancellationToken::new();
    let limits = SandboxLimits::default();
    let without = sandbox.run(&command, &limits, &never).await.unwrap();
    assert_eq!(without.exit, Exit::Code(0));
    let said = &without.stdout.text;
    assert!(said.starts_with("git version") && said.lines().count() == 1, "no way: {said}");
    command.way_out = Some(fetch.proxy.socket().to_owned());
    let output = sandbox.run(&command, &limits, &never).await.unwrap();
    assert_eq!(output.stdout.text.trim_end(), "HTTP/1.1 403 Forbidden", "and no git");
    let refused = fetch.proxy.refusals().join("\n");
    assert!(refused.contains("example.org"), "{refused}");
}

#[tokio::test]
async fn a_link_in_the_tree_is_no_place_to_show_packages_at() {
    let sandbox = gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"));
    let above = tempfile::tempdir().unwrap();
    let at = |name: &str| above.path().join(name);
    for name in ["tree", "outside", "packages"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    std::fs::write(at("packages/there"), "").unwrap();
    let never = CancellationToken::new();
    let shows = async |mount_at: &str| {
        let line = "ls node_modules q/node_modules 2>/dev/null; true";
        let mut command = SandboxCommand::shell(line, at("tree"));
        command.shown = vec![ShownDirectory {
            host_dir: at("packages"),
            mount_at: mount_at.to_owned(),
            writable: false,
            programs: None,
            temporary: Vec::new(),
            above: None,
        }];
        let output = sandbox.run(&command, &SandboxLimits::default(), &never).await.unwrap();
        assert_eq!(output.exit, Exit::Code(0), "{}", output.stderr.text);
        output.stdout.text
    };
    assert!(shows("/work/node_modules").await.contains("there"));
    // As an earlier command may have left it; inside, the way out of the mounts.
    for target in [at("outside"), "/oldroot/tmp".into(), "/newroot/proc".into()] {
        let _ = std::fs::remove_file(at("tree/q"));
        std::os::unix::fs::symlink(&target, at("tree/q")).unwrap();
        let shown = shows("/work/q/node_modules").await;
        assert!(!shown.contains("there"), "{}: {shown}", target.display());
    }
    assert_eq!(std::fs::read_dir(at("outside")).unwrap().count(), 0);
}

#[tokio::test]
async fn names_that_lead_out_of_a_tree_are_not_laid() {
    let above = tempfile::tempdir().unwrap();
    let at = |name: &str| above.path().join(name);
    std::fs::write(at("precious.rs"), "precious").unwrap();
    let absolute = at("new/abs.rs").display().to_string();
    let precious = at("precious.rs").display().to_string();
    let paths = ["Cargo.toml", "src/lib.rs", "../../../precious.rs", &absolute, &precious];
    let paths = paths.map(str::to_owned).into();
    let read = |path: &str| (path == "Cargo.toml").then(|| "[dependencies]\nx = 1\n".to_owned());
    let export = |_| -> futures_util::future::BoxFuture<'static, std::io::Result<()>> {
        Box::pin(async { Ok(()) })
    };
    let address = "https://localhost:9/".parse().unwrap();
    let egress = egress_to([address], PrivateAddresses::AllowLoopback).unwrap();
    let environments = Environments::new(&at("data"), Some(egress), Vec::new().into());
    let sandbox = gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"));
    let commit = CommitFiles { name: "a", paths, read: Arc::new(read), export: &export };
    let never = CancellationToken::new();
    // There is no such registry.
    assert!(environments.of_commit(&commit, &sandbox, &never).await.is_err());
    assert_eq!(std::fs::read_to_string(at("precious.rs")).unwrap(), "precious");
    assert!(!at("new").exists());
    never.cancel();
    let stopped = environments.of_commit(&commit, &sandbox, &never).await;
    assert!(matches!(stopped, Err(EnvironmentError::Stopped)), "it is tried again, not given up");
}

/// By hand: it asks the public registries, with the machine's own package managers.
#[test]
#[ignore = "asks the public registries"]
fn ordinary_projects_are_checked_with_their_packages_and_nothing_is_configured() {
    let cargo = "[package]\nname = \"widget\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                 [dependencies]\nitoa = \"1\"\n[workspace]\n";
    let rust = "pub fn f(n: u8) -> String {\n    itoa::Buffer::new().format(n + 1).to_owned()\n}\n\n\
                #[test]\nfn same() {\n    assert_eq!(f(1), \"1\");\n}\n";
    let npm = json!({
        "scripts": {"test": "mocha t.js"},
        "dependencies": {"is-odd": "3.0.1"},
        "devDependencies": {"mocha": "^10.2.0"},
    });
    let npm = npm.to_string();
    let js = "const odd = require('is-odd');\nmodule.exports = n => !odd(n);\n";
    let js_test =
        "const f = require('./w');\nit('odd', () => {\n  if (!f(3)) throw new Error('no');\n});\n";
    let pyproject = "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \
                     \"hatchling.build\"\n[project]\nname = \"widget\"\nversion = \"1.2\"\n\
                     dependencies = [\"six\"]\n[dependency-groups]\ntest = [\"pytest\", \"hypothesis\"]\n\
                     [tool.hatch.build.targets.wheel]\npackages = [\"src/widget\"]\n";
    let py = "import six\nfrom importlib.metadata import version\n\n__version__ = version('widget')\n\n\
              def f(n):\n    return n + 1\n";
    let py_test = "import widget\nfrom hypothesis import given, strategies\n\n\
                   @given(strategies.integers())\ndef test_f(n):\n    assert widget.f(n) == n\n\n\
                   def test_version():\n    assert widget.__version__ == '1.2'\n";
    for (files, edit) in [
        (vec![("Cargo.toml", cargo), ("src/lib.rs", rust)], one_edit("src/lib.rs", "n + 1", "n")),
        (
            vec![("package.json", &*npm), ("w.js", js), ("t.js", js_test)],
            one_edit("w.js", "!odd", "odd"),
        ),
        (
            vec![
                ("pyproject.toml", pyproject),
                ("src/widget/__init__.py", py),
                ("tests/test_w.py", py_test),
            ],
            one_edit("src/widget/__init__.py", "n + 1", "n"),
        ),
    ] {
        let local = Local::with(&[&files[..], &[ONE_ATTEMPT]].concat()).with_registries();
        let (text, report) = local.edited(&[edit], &[]);
        assert_eq!(report["result"], "verified", "{text}");
        assert_eq!(report.get("note"), None, "{text}");
        assert!(text.contains("with packages of "), "{text}");
    }
    // Only there as a source archive; not there at all, and not needed by any test.
    let needs = ("requirements.txt", "docopt==0.6.2\nno-such-package-of-anybody\n");
    let py = "import docopt\n\ndef f():\n    return docopt.__version__ + 'x'\n";
    let test = "import w\n\ndef test_f():\n    assert w.f() == '0.6.2'\n";
    let files = [needs, ("w.py", py), ("test_w.py", test), ONE_ATTEMPT];
    let local = Local::with(&files).with_registries();
    let (text, report) = local.edited(&[one_edit("w.py", " + 'x'", "")], &[]);
    assert_eq!(report["result"], "verified", "{text}");
    assert!(text.contains("without no-such-package-of-anybody, which cannot be had"), "{text}");
    // What a change adds is there when it is checked.
    let files = [("Cargo.toml", cargo), ("src/lib.rs", &rust.replace("n + 1", "n")), ONE_ATTEMPT];
    let adds = |package: &str| {
        [
            one_edit("Cargo.toml", "itoa = \"1\"", &format!("itoa = \"1\"\n{package} = \"1\"")),
            one_edit("src/lib.rs", "itoa::", "use fnv as _;\n    itoa::"),
        ]
    };
    let local = Local::with(&files).with_registries();
    let (text, report) = local.edited(&adds("fnv"), &[]);
    assert_eq!(report["result"], "verified", "{text}");
    let local = Local::with(&files).with_registries();
    let (text, report) = local.edited(&adds("no-such-package-of-anybody"), &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("could not be fetched"), "{text}");
}

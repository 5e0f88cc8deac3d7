//! The sandbox around commands, tried with a real bubblewrap: what a hostile repository gets out of
//! them, and that honest builds still work.

// A test is its own composition root: it reads its environment and starts helpers. Clippy's leave
// to unwrap and panic in tests does not reach a test's helpers.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::panic)]

mod bounds;
mod filter;
mod first_program;
mod keyrings;
mod overlays;
mod survivors;

use std::ffi::OsString;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gander::sandbox::toolchain::{self, ToolchainPaths};
use gander::sandbox::{
    Bubblewrap, CommandOutput, Exit, Identity, Sandbox, SandboxCommand, SandboxError,
    SandboxLimits, Unconfined,
};
use rustix::io::FdFlags;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::alone::told_alone;

const NOBODY: Identity = Identity { uid: 65534, gid: 65534 };

/// A tree that the sandbox's user may write to.
struct Tree(TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        if is_root() {
            own(tree.path());
        }
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    async fn run_in(
        &self,
        sandbox: &dyn Sandbox,
        line: &str,
        limits: &SandboxLimits,
    ) -> CommandOutput {
        let command = SandboxCommand::shell(line, self.path());
        sandbox.run(&command, limits, &CancellationToken::new()).await.unwrap()
    }

    /// Runs a shell line in the sandbox.
    async fn run(&self, line: &str) -> CommandOutput {
        self.run_in(&sandbox(), line, &SandboxLimits::default()).await
    }

    /// Runs a shell line that succeeds; what it printed.
    async fn out(&self, line: &str) -> String {
        let output = self.run(line).await;
        assert_eq!(output.exit, Exit::Code(0), "{line}: {output:?}");
        output.stdout.text
    }

    /// Runs a Python program that succeeds; what it printed.
    async fn python(&self, program: &str) -> String {
        fs::write(self.path().join("probe.py"), program).unwrap();
        self.out("python3 probe.py").await
    }
}

fn own(path: &Path) {
    std::os::unix::fs::chown(path, Some(NOBODY.uid), Some(NOBODY.gid)).unwrap();
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| own(&entry.unwrap().path()));
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn sandbox() -> Bubblewrap {
    confined(Bubblewrap::new(Vec::new()))
}

fn confined(sandbox: Bubblewrap) -> Bubblewrap {
    let sandbox = sandbox.with_gander_at(env!("CARGO_BIN_EXE_gander"));
    if is_root() { sandbox.run_as(NOBODY) } else { sandbox }
}

fn unconfined() -> Unconfined {
    let sandbox = Unconfined::new(std::env::vars());
    if is_root() { sandbox.run_as(NOBODY) } else { sandbox }
}

fn with_toolchains() -> Bubblewrap {
    let places = ToolchainPaths::from_variables(|name| std::env::var_os(name));
    confined(Bubblewrap::new(toolchain::find(&places)))
}

fn gander_unprivileged() -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gander"));
    command.args(["unprivileged", "--"]);
    command
}

/// Toolchains in root's home are closed to the user that root would drop to, so root runs such a
/// story the way `make test` does.
fn told_without_root(story: &str) -> bool {
    if is_root() {
        assert!(std::env::var_os("WITHOUT_ROOT").is_none(), "root's rights were not given up");
        let own = std::env::current_exe().unwrap();
        let output = gander_unprivileged()
            .env("WITHOUT_ROOT", "1")
            .arg(own)
            .args(["--exact", &format!("sandbox::{story}"), "--nocapture"])
            .output();
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    }
    is_root()
}

/// Seconds to sleep: some years, and a number that no other story and no other run of them uses.
fn years(story: u32, run: u32) -> String {
    format!("9{run:07}{story}")
}

fn our_run() -> u32 {
    std::process::id()
}

async fn made(path: impl AsRef<Path>) {
    let waiting = async {
        while !path.as_ref().exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

/// Processes of the host whose command line holds these words.
fn processes_with(words: &str) -> usize {
    let command_lines = fs::read_dir("/proc").unwrap().flatten();
    command_lines
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).replace('\0', " ").contains(words))
        .count()
}

fn within(seconds: u64) -> SandboxLimits {
    SandboxLimits { wall: Duration::from_secs(seconds), ..SandboxLimits::default() }
}

mod honest_builds {
    use super::*;

    #[tokio::test]
    async fn a_rust_project_is_built_and_tested() {
        if told_without_root("honest_builds::a_rust_project_is_built_and_tested") {
            return;
        }
        let tree = Tree::new(&[
            ("Cargo.toml", "[package]\nname = \"sum\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
            ("src/lib.rs", "pub fn sum(a: i32, b: i32) -> i32 { a + b }\n"),
            ("tests/sum.rs", "#[test] fn adds() { assert_eq!(sum::sum(2, 3), 5); }\n"),
        ]);
        let output = tree.run_in(&with_toolchains(), "cargo test", &SandboxLimits::default()).await;
        assert_eq!(output.exit, Exit::Code(0), "{output:?}");
        assert!(output.stdout.text.contains("test adds ... ok"), "{output:?}");
        assert!(!tree.path().join("target").exists(), "a build leaves its products elsewhere");
    }

    #[tokio::test]
    async fn a_red_test_is_red() {
        if told_without_root("honest_builds::a_red_test_is_red") {
            return;
        }
        let tree = Tree::new(&[("test_sum.py", "def test_sum():\n    assert 1 + 1 == 3\n")]);
        let output = tree.run_in(&with_toolchains(), "pytest -q", &SandboxLimits::default()).await;
        assert_eq!(output.exit, Exit::Code(1), "{output:?}");
        assert!(output.stdout.text.contains("1 failed"), "{output:?}");
    }

    #[tokio::test]
    async fn a_python_project_is_tested_and_leaves_no_trace() {
        if told_without_root("honest_builds::a_python_project_is_tested_and_leaves_no_trace") {
            return;
        }
        let tree = Tree::new(&[
            ("sums.py", "def add(a, b):\n    return a + b\n"),
            ("test_sums.py", "import sums\ndef test_add():\n    assert sums.add(2, 3) == 5\n"),
        ]);
        let output = tree.run_in(&with_toolchains(), "pytest -q", &SandboxLimits::default()).await;
        assert_eq!(output.exit, Exit::Code(0), "{output:?}");
        assert!(output.stdout.text.contains("1 passed"), "{output:?}");
        assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 2);
    }

    #[tokio::test]
    async fn a_node_project_is_tested() {
        if told_without_root("honest_builds::a_node_project_is_tested") {
            return;
        }
        let tree = Tree::new(&[
            ("package.json", r#"{"name": "sum", "scripts": {"test": "node --test"}}"#),
            (
                "sum.test.js",
                "const test = require('node:test');\nconst assert = require('node:assert');\n\
                 test('adds', () => assert.strictEqual(2 + 3, 5));\n",
            ),
        ]);
        for line in ["node --test", "npm test"] {
            let output = tree.run_in(&with_toolchains(), line, &SandboxLimits::default()).await;
            assert_eq!(output.exit, Exit::Code(0), "{line}: {output:?}");
            assert!(output.stdout.text.contains("pass 1"), "{line}: {output:?}");
        }
    }

    #[tokio::test]
    async fn a_c_program_is_compiled() {
        let tree = Tree::new(&[("main.c", "int main(void) { return 42; }\n")]);
        assert_eq!(tree.run("cc main.c -o /tmp/main && /tmp/main").await.exit, Exit::Code(42));
    }

    #[tokio::test]
    async fn a_command_starts_where_it_should_and_its_work_is_seen_outside() {
        let tree = Tree::new(&[("inner/here", "")]);
        let command = SandboxCommand::argv(["sh", "-c", "pwd; ls; echo done > made"], tree.path())
            .in_directory("inner");
        let stop = CancellationToken::new();
        let output = sandbox().run(&command, &SandboxLimits::default(), &stop).await.unwrap();
        assert_eq!(output.stdout.text, "/work/inner\nhere\n");
        assert_eq!(fs::read_to_string(tree.path().join("inner/made")).unwrap(), "done\n");
    }

    #[tokio::test]
    async fn asked_for_variables_are_set_and_arguments_are_not_read_by_a_shell() {
        let tree = Tree::new(&[]);
        let mut command = SandboxCommand::argv(["printenv", "COLOUR", "$(id)"], tree.path());
        command.env.push(("COLOUR".into(), "green; $HOME".into()));
        let stop = CancellationToken::new();
        let output = sandbox().run(&command, &SandboxLimits::default(), &stop).await.unwrap();
        assert_eq!((output.exit, &*output.stdout.text), (Exit::Code(1), "green; $HOME\n"));
    }

    #[tokio::test]
    async fn twenty_commands_run_at_once() {
        let tree = Tree::new(&[]);
        let runs = (0..20).map(|number| {
            let tree = &tree;
            async move { (number, tree.out(&format!("sleep 0.05; echo {number}")).await) }
        });
        for (number, said) in futures_util::future::join_all(runs).await {
            assert_eq!(said, format!("{number}\n"));
        }
    }
}

mod secrets {
    use super::*;

    #[tokio::test]
    async fn nothing_of_the_callers_environment_is_seen() {
        let ours = fs::read("/proc/self/environ").unwrap();
        let ours = String::from_utf8_lossy(&ours);
        assert!(ours.contains("CARGO_MANIFEST_DIR="), "the canary is set: run this with cargo");
        let tree = Tree::new(&[]);
        let seen =
            tree.out("cat /proc/1/environ /proc/self/environ /proc/[0-9]*/environ; true").await;
        assert!(seen.contains("CARGO_HOME=/home/gander/.cargo"), "{seen}");
        for leak in ["CARGO_MANIFEST_DIR", "CARGO_PKG", env!("CARGO_MANIFEST_DIR"), "/root"] {
            assert!(!seen.contains(leak), "{leak} in {seen}");
        }
    }

    #[tokio::test]
    async fn no_command_line_names_a_host_path() {
        let tree = Tree::new(&[]);
        let seen = tree.out("cat /proc/[0-9]*/cmdline | tr '\\0' ' '").await;
        assert!(seen.contains("sandbox-init"), "{seen}");
        assert!(!seen.contains(tree.path().to_str().unwrap()), "{seen}");
    }

    #[tokio::test]
    async fn a_key_file_that_the_caller_left_open_is_out_of_reach() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        fs::write(secret.path(), "the key").unwrap();
        rustix::io::fcntl_setfd(secret.as_file(), FdFlags::empty()).unwrap();
        let number = secret.as_file().as_raw_fd();
        let tree = Tree::new(&[]);
        let read = tree.run(&format!("cat /proc/self/fd/{number} /proc/1/fd/{number}")).await;
        assert_ne!(read.exit, Exit::Code(0), "{read:?}");
        let seen = tree
            .python("import os\nprint(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:-1])")
            .await;
        assert_eq!(seen, "[0, 1, 2]\n");
        let first = tree.run("ls -l /proc/1/fd").await;
        assert!(!first.stdout.text.contains(secret.path().to_str().unwrap()), "{first:?}");
    }

    #[tokio::test]
    async fn the_hosts_files_are_not_there() {
        let tree = Tree::new(&[]);
        let host = [
            "/root",
            "/var",
            "/run",
            "/sys",
            "/boot",
            "/mnt",
            "/opt",
            "/srv",
            "/etc/shadow",
            "/etc/ssh",
            "/etc/hostname",
            "/etc/machine-id",
            "/etc/ssl/private",
            "/proc/1/root/root",
            "/proc/self/root/root",
            "/proc/self/cwd/../root",
            "/dev/vda",
            "/dev/sda",
            "/dev/mem",
        ];
        let line = format!("ls -d {} 2>/dev/null; true", host.join(" "));
        assert_eq!(tree.out(&line).await, "");
        assert_eq!(tree.out("ls /home").await, "gander\n");
        // What runtimes read of the system's settings, where the machine has it.
        let public = [
            "alternatives",
            "group",
            "hosts",
            "ld.so.cache",
            "localtime",
            "maven",
            "mime.types",
            "nsswitch.conf",
            "passwd",
            "php",
            "protocols",
            "services",
            "ssl",
        ];
        let shown = tree.out("ls /etc").await;
        let others = shown.lines().filter(|name| !public.contains(name));
        let others: Vec<&str> = others.filter(|name| !name.starts_with("java-")).collect();
        assert_eq!(others, [] as [&str; 0]);
        assert!(shown.contains("passwd"), "{shown}");
        assert_eq!(
            tree.out("hostname; whoami; ls -A ~ /tmp /dev/shm").await,
            "sandbox\ngander\n/dev/shm:\n\n/home/gander:\n\n/tmp:\n"
        );
    }

    #[tokio::test]
    async fn a_neighbours_tree_is_not_there() {
        let (tree, neighbour) = (Tree::new(&[]), Tree::new(&[("secret", "theirs")]));
        let secret = neighbour.path().join("secret");
        std::os::unix::fs::symlink(&secret, tree.path().join("link")).unwrap();
        for path in [secret.to_str().unwrap(), "link", "/proc/1/root/work/link"] {
            assert_ne!(tree.run(&format!("cat {path}")).await.exit, Exit::Code(0), "{path}");
        }
    }

    #[tokio::test]
    async fn the_hosts_processes_are_not_seen() {
        let tree = Tree::new(&[]);
        let seen = tree.out("ls /proc | grep -c '^[0-9]*$'").await;
        assert!(seen.trim().parse::<u32>().unwrap() <= 6, "{seen}");
    }
}

mod network {
    use super::*;

    #[tokio::test]
    async fn nothing_on_the_host_is_reached_and_nothing_arrives_there() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let name = format!("gander-trap-{}", tcp.local_addr().unwrap().port());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let unix = UnixListener::bind_addr(&address).unwrap();
        tcp.set_nonblocking(true).unwrap();
        udp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        let program = format!(
            r"
import socket
def attempt(family, kind, address):
    try:
        with socket.socket(family, kind) as s:
            s.settimeout(2)
            s.connect(address)
            s.send(b'secret')
            s.recv(1)
            return 'reached'
    except OSError as error:
        return 'refused'
print(attempt(socket.AF_INET, socket.SOCK_STREAM, ('127.0.0.1', {tcp})),
      attempt(socket.AF_INET, socket.SOCK_DGRAM, ('127.0.0.1', {udp})),
      attempt(socket.AF_INET, socket.SOCK_STREAM, ('169.254.169.254', 80)),
      attempt(socket.AF_INET6, socket.SOCK_STREAM, ('2001:db8::1', 443)),
      attempt(socket.AF_UNIX, socket.SOCK_STREAM, '\0{name}'))
print(sorted(name for _, name in socket.if_nameindex()))
",
            tcp = tcp.local_addr().unwrap().port(),
            udp = udp.local_addr().unwrap().port(),
        );
        let said = Tree::new(&[]).python(&program).await;
        assert_eq!(said, "refused refused refused refused refused\n['lo']\n");
        assert!(tcp.accept().is_err() && unix.accept().is_err(), "somebody came");
        assert!(udp.recv(&mut [0; 8]).is_err(), "something came");
    }

    #[tokio::test]
    async fn a_suite_may_use_its_own_loopback() {
        let said = Tree::new(&[])
            .python(
                r"
import socket
server = socket.create_server(('localhost', 0))
client = socket.create_connection(server.getsockname())
server.accept()[0].sendall(b'hello')
print(client.recv(5).decode())
",
            )
            .await;
        assert_eq!(said, "hello\n");
    }
}

mod confinement {
    use super::*;

    #[tokio::test]
    async fn nothing_outside_the_tree_and_the_private_directories_can_be_written() {
        let tree = Tree::new(&[]);
        let said = tree
            .python(
                r"
import os
written = []
for directory, names, _ in os.walk('/'):
    if directory.startswith(('/proc', '/sys')):
        names.clear()
        continue
    try:
        path = os.path.join(directory, 'probe')
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        os.unlink(path)
        written.append(directory)
    except OSError:
        pass
print(sorted(written))
",
            )
            .await;
        assert_eq!(said, "['/dev/shm', '/home/gander', '/tmp', '/work']\n");
    }

    #[tokio::test]
    async fn commands_are_never_root_outside_and_cannot_become_root_inside() {
        let tree = Tree::new(&[]);
        let said = tree
            .out("id -u; touch mine; grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status")
            .await;
        assert!(said.starts_with("1000\n"), "{said}");
        assert_eq!(said.matches("0000000000000000").count(), 3, "{said}");
        assert!(said.contains("NoNewPrivs:\t1"), "{said}");
        assert_ne!(fs::metadata(tree.path().join("mine")).unwrap().uid(), 0);
    }

    #[tokio::test]
    async fn no_further_namespace_can_be_made() {
        let said = Tree::new(&[]).run("unshare --user --map-root-user true").await;
        assert_ne!(said.exit, Exit::Code(0), "{said:?}");
    }

    #[tokio::test]
    async fn nothing_stays_for_the_next_command() {
        let tree = Tree::new(&[]);
        tree.out("echo 'echo owned' | tee ~/.profile ~/.bashrc /tmp/next /dev/shm/next > ~/.npmrc")
            .await;
        assert_eq!(tree.out("ls -A ~ /tmp /dev/shm | grep -v :").await.trim(), "");
    }

    #[tokio::test]
    async fn a_program_of_the_same_name_in_the_tree_is_not_the_sandbox() {
        let tree =
            Tree::new(&[("bwrap", "#!/bin/sh\nexit 9\n"), ("prlimit", "#!/bin/sh\nexit 9\n")]);
        assert_eq!(tree.out("chmod +x bwrap prlimit; echo inside").await, "inside\n");
        assert_eq!(tree.out("echo still inside").await, "still inside\n");
    }

    #[tokio::test]
    async fn a_work_directory_outside_the_tree_is_refused() {
        let tree = Tree::new(&[]);
        for path in ["..", "a/../..", "/etc", "a/./../../b", "a\0b"] {
            let command = SandboxCommand::shell("pwd", tree.path()).in_directory(path);
            let run =
                sandbox().run(&command, &SandboxLimits::default(), &CancellationToken::new()).await;
            assert!(matches!(run, Err(SandboxError::WorkDirectory(_))), "{path:?}: {run:?}");
        }
    }

    #[tokio::test]
    async fn a_link_that_leads_out_of_the_tree_leads_nowhere() {
        let tree = Tree::new(&[]);
        std::os::unix::fs::symlink("/var", tree.path().join("out")).unwrap();
        let command = SandboxCommand::shell("pwd", tree.path()).in_directory("out");
        let run =
            sandbox().run(&command, &SandboxLimits::default(), &CancellationToken::new()).await;
        assert!(matches!(run, Err(SandboxError::Setup { .. })), "{run:?}");
    }
}

mod endings {
    use super::*;

    #[tokio::test]
    async fn codes_signals_and_unknown_programs_are_told_apart() {
        let tree = Tree::new(&[]);
        assert_eq!(tree.run("exit 0").await.exit, Exit::Code(0));
        assert_eq!(tree.run("exit 7").await.exit, Exit::Code(7));
        assert_eq!(tree.run("kill -SEGV $$").await.exit, Exit::Signal(11));
        assert_eq!(tree.run("no-such-program").await.exit, Exit::Code(127));
        let command = SandboxCommand::argv(["/no/such/program"], tree.path());
        let output =
            sandbox().run(&command, &SandboxLimits::default(), &CancellationToken::new()).await;
        assert_eq!(output.unwrap().exit, Exit::Code(127));
    }

    #[tokio::test]
    async fn both_streams_are_told_apart() {
        let output = Tree::new(&[]).run("echo out; echo err >&2").await;
        assert_eq!((&*output.stdout.text, &*output.stderr.text), ("out\n", "err\n"));
    }

    #[tokio::test]
    async fn both_streams_together_keep_the_order_in_which_they_were_written() {
        let tree = Tree::new(&[]);
        let lines = "for i in 1 2 3; do echo out $i; echo err $i >&2; done; exit 7";
        let command = SandboxCommand::shell(lines, tree.path()).with_streams_together();
        let (limits, stop) = (SandboxLimits::default(), CancellationToken::new());
        let output = sandbox().run(&command, &limits, &stop).await.unwrap();
        let told = "out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n";
        assert_eq!((&*output.stdout.text, &*output.stderr.text), (told, ""));
        assert_eq!(output.exit, Exit::Code(7));
        let missing =
            SandboxCommand::argv(["/no/such/program"], tree.path()).with_streams_together();
        let output = sandbox().run(&missing, &limits, &stop).await.unwrap();
        assert_eq!(output.exit, Exit::Code(127));
    }

    #[tokio::test]
    async fn a_sandbox_that_fails_is_not_a_command_that_fails() {
        let stop = CancellationToken::new();
        let nowhere = SandboxCommand::shell("true", "/no/such/tree");
        let run = sandbox().run(&nowhere, &SandboxLimits::default(), &stop).await;
        let Err(SandboxError::Setup { said, .. }) = run else { panic!("{run:?}") };
        assert!(said.contains("/no/such/tree"), "{said}");

        let liar = "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1";
        assert_eq!(Tree::new(&[]).run(liar).await.exit, Exit::Code(1));
    }

    #[tokio::test]
    async fn a_missing_sandbox_says_what_to_install() {
        let error =
            confined(Bubblewrap::new(Vec::new()).at("/usr/bin/no-bwrap-here")).probe().await;
        let error = error.unwrap_err();
        assert!(matches!(error, SandboxError::Missing(_)), "{error:?}");
        assert!(error.to_string().contains("Install the package `bubblewrap`"), "{error}");
    }

    #[tokio::test]
    async fn a_probe_really_runs_and_names_the_version() {
        let probe = sandbox().probe().await.unwrap();
        assert!(probe.version.starts_with("bubblewrap "), "{probe:?}");
    }

    #[tokio::test]
    async fn root_without_another_user_runs_nothing() {
        if !is_root() {
            return; // Only root can try.
        }
        let tree = Tree::new(&[]);
        let root = Identity { uid: 0, gid: 0 };
        let ours = || Bubblewrap::new(Vec::new()).with_gander_at(env!("CARGO_BIN_EXE_gander"));
        for sandbox in [ours(), ours().run_as(root)] {
            let command = SandboxCommand::shell("true", tree.path());
            let run =
                sandbox.run(&command, &SandboxLimits::default(), &CancellationToken::new()).await;
            assert!(matches!(run, Err(SandboxError::Root)), "{run:?}");
        }
    }

    #[tokio::test]
    async fn a_sleeper_that_ignores_signals_is_killed_when_time_is_up() {
        let tree = Tree::new(&[]);
        let began = Instant::now();
        let years = years(1, our_run());
        let line = format!("trap '' TERM INT HUP; echo started; while :; do sleep {years}; done");
        let output = tree.run_in(&sandbox(), &line, &within(1)).await;
        assert_eq!((output.exit, &*output.stdout.text), (Exit::TimedOut, "started\n"));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!(processes_with(&years), 0);
    }

    #[tokio::test]
    async fn a_stopped_command_is_gone_at_once() {
        let tree = Tree::new(&[]);
        let stop = CancellationToken::new();
        let years = years(2, our_run());
        let command = SandboxCommand::shell(format!("touch started; sleep {years}"), tree.path());
        let (sandbox, limits) = (sandbox(), within(30));
        let (output, ()) = tokio::join!(sandbox.run(&command, &limits, &stop), async {
            made(tree.path().join("started")).await;
            stop.cancel();
        });
        assert_eq!(output.unwrap().exit, Exit::Stopped);
        assert_eq!(processes_with(&years), 0);
    }

    #[tokio::test]
    async fn a_command_that_nobody_waits_for_any_more_is_killed() {
        let tree = Tree::new(&[]);
        let years = years(3, our_run());
        let command = SandboxCommand::shell(format!("touch started; sleep {years}"), tree.path());
        let (sandbox, limits, stop) =
            (sandbox(), SandboxLimits::default(), CancellationToken::new());
        tokio::select! {
            _ = sandbox.run(&command, &limits, &stop) => panic!("it sleeps for a year"),
            () = made(tree.path().join("started")) => {}
        }
        let began = Instant::now();
        while processes_with(&years) > 0 {
            assert!(began.elapsed() < Duration::from_secs(5), "it is still there");
        }
    }
}

mod crashes {
    use super::*;

    #[tokio::test]
    #[ignore = "the story below starts it, and kills it"]
    async fn a_caller() {
        let years = years(4, std::os::unix::process::parent_id());
        Tree::new(&[]).run(&format!("setsid sleep {years} & sleep {years}")).await;
    }

    #[tokio::test]
    #[ignore = "the story below starts it, and kills it"]
    async fn a_caller_without_a_sandbox() {
        let years = years(8, std::os::unix::process::parent_id());
        let line = format!("exec sleep {years}");
        Tree::new(&[]).run_in(&unconfined(), &line, &SandboxLimits::default()).await;
    }

    /// Kills a caller once this many processes of its command are there, and waits for their end.
    fn kill_at(processes: usize, caller: &str, words: &str) {
        let until = |reached: &dyn Fn(usize) -> bool| {
            let began = Instant::now();
            while !reached(processes_with(words)) {
                assert!(began.elapsed() < Duration::from_secs(10), "{processes} takes too long");
            }
        };
        let own = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(&own);
        let caller = format!("sandbox::{caller}");
        command.args(["--exact", &caller, "--ignored"]).stdout(std::process::Stdio::null());
        let mut caller = command.spawn().unwrap();
        until(&|seen| seen >= processes);
        caller.kill().unwrap();
        caller.wait().unwrap();
        until(&|seen| seen == 0);
    }

    #[test]
    fn a_command_dies_with_its_caller() {
        // From the first process inside to both sleepers.
        for processes in [3, 3, 3, 3, 4, 4, 5, 5] {
            kill_at(processes, "crashes::a_caller", &years(4, our_run()));
        }
    }

    #[test]
    fn a_command_without_a_sandbox_dies_with_its_caller_too() {
        kill_at(
            1,
            "crashes::a_caller_without_a_sandbox",
            &format!("sleep {}", years(8, our_run())),
        );
    }
}

mod excess {
    use super::*;

    #[tokio::test]
    async fn a_daemon_that_slips_away_dies_with_its_command() {
        let tree = Tree::new(&[]);
        let years = years(5, our_run());
        let line = format!(
            "(setsid setsid sleep {years} >/dev/null 2>&1 &); \
             (trap '' TERM HUP; setsid sleep {years} &); echo bye"
        );
        let output = tree.run(&line).await;
        assert_eq!((output.exit, &*output.stdout.text), (Exit::Code(0), "bye\n"));
        assert_eq!(processes_with(&years), 0);
    }

    #[tokio::test]
    async fn a_fork_bomb_is_bounded_killed_and_leaves_the_neighbour_alone() {
        let (tree, neighbour) = (Tree::new(&[]), Tree::new(&[]));
        let years = years(6, our_run());
        // The first shell forks once and before there is a bomb: a shell that cannot fork ends.
        let bomb = format!("bomb() {{ bomb | bomb & }}; bomb & exec sleep {years}");
        let limits = SandboxLimits { processes: 200, ..within(2) };
        let sandbox = sandbox();
        let (output, said) = tokio::join!(tree.run_in(&sandbox, &bomb, &limits), async {
            neighbour.out("for i in 1 2 3 4 5 6 7 8; do (sleep 0.1; echo $i); done | wc -l").await
        });
        assert_eq!(output.exit, Exit::TimedOut);
        assert_eq!(said, "8\n");
        assert_eq!(processes_with(&years), 0);
    }

    #[tokio::test]
    async fn processes_are_counted_for_each_run_alone() {
        let tree = Tree::new(&[]);
        let program = "import os, time\nforked = 0\ntry:\n    while True:\n        \
                       if os.fork() == 0: time.sleep(60)\n        forked += 1\n\
                       except OSError: print(forked < 50, forked > 40)\n";
        fs::write(tree.path().join("forks.py"), program).unwrap();
        let limits = SandboxLimits { processes: 50, ..within(20) };
        let sandbox = sandbox();
        let (one, other) = tokio::join!(
            tree.run_in(&sandbox, "python3 forks.py", &limits),
            tree.run_in(&sandbox, "python3 forks.py", &limits)
        );
        assert_eq!(one.stdout.text, "True True\n", "{one:?}");
        assert_eq!(other.stdout.text, "True True\n", "{other:?}");
    }

    #[tokio::test]
    async fn a_gigabyte_of_output_is_cut_and_costs_no_memory() {
        if told_alone("sandbox::excess::a_gigabyte_of_output_is_cut_and_costs_no_memory") {
            return;
        }
        let tree = Tree::new(&[]);
        let line = "echo head; head -c 1000000000 /dev/zero | tr '\\0' x; echo; echo tail";
        let output = tree.run_in(&sandbox(), line, &within(120)).await;
        assert_eq!(output.exit, Exit::Code(0));
        let kept = output.stdout;
        assert!(kept.text.starts_with("head\nxxx") && kept.text.ends_with("xxx\ntail\n"));
        assert!(kept.text.contains(&format!("[{} bytes of output were cut here]", kept.cut_bytes)));
        assert_eq!(kept.cut_bytes, 1_000_000_011 - (1 << 20));
        assert!(kept.text.len() < (1 << 20) + 100);
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(peak < 100_000, "{peak} kB");
    }

    #[tokio::test]
    async fn memory_files_and_tmp_are_bounded() {
        let tree = Tree::new(&[]);
        let limits = SandboxLimits {
            memory_bytes: 1 << 30,
            file_bytes: 1 << 20,
            tmp_bytes: 4 << 20,
            open_files: 64,
            ..within(60)
        };
        for (line, ending) in [
            ("python3 -c 'bytearray(2 << 30)'", Exit::Code(1)),
            ("exec head -c 2M /dev/zero > big", Exit::Signal(25)),
            (
                "for i in 1 2 3 4 5; do head -c 1M /dev/zero > /tmp/$i || exit 3; done",
                Exit::Code(3),
            ),
            ("for i in 1 2; do head -c 1M /dev/zero > ~/$i || exit 3; done", Exit::Code(3)),
            ("python3 -c 'a = [open(\"/dev/null\") for _ in range(80)]'", Exit::Code(1)),
            ("node -e '1'", Exit::Code(0)),
        ] {
            let output = tree.run_in(&sandbox(), line, &limits).await;
            assert_eq!(output.exit, ending, "{line}: {output:?}");
        }
        assert!(fs::metadata(tree.path().join("big")).unwrap().len() <= 1 << 20);
    }

    #[tokio::test]
    async fn a_run_starts_though_gander_has_more_files_open_than_the_run_may_have() {
        let _open: Vec<_> = (0..100).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        let limits = SandboxLimits { open_files: 64, ..within(60) };
        let output = Tree::new(&[]).run_in(&sandbox(), "ulimit -n", &limits).await;
        assert_eq!(
            (output.exit, output.stdout.text.trim()),
            (Exit::Code(0), "64"),
            "its own bound"
        );
    }

    #[tokio::test]
    async fn the_disk_is_not_filled() {
        let tree = Tree::new(&[]);
        let disk = rustix::fs::statvfs(tree.path()).unwrap();
        let spare_bytes = disk.f_bavail * disk.f_frsize - (64 << 20);
        let line = "for i in $(seq 100); do head -c 16M /dev/zero > $i; done; sleep 60";
        let limits = SandboxLimits { spare_bytes, ..within(60) };
        assert_eq!(tree.run_in(&sandbox(), line, &limits).await.exit, Exit::DiskFull);
        // In one call it would all be gone before anybody looks.
        let at_once = "import os\n\
                       for n in range(64):\n    \
                       os.posix_fallocate(os.open(f'all{n}', os.O_CREAT | os.O_RDWR), 0, 1 << 30)";
        let line = format!("python3 -c \"{at_once}\"");
        assert_eq!(tree.run_in(&sandbox(), &line, &limits).await.exit, Exit::DiskFull);
        let after = rustix::fs::statvfs(tree.path()).unwrap();
        let taken = (disk.f_bavail - after.f_bavail) * disk.f_frsize;
        assert!(taken < 2 << 30, "{} MiB", taken >> 20);
    }

    #[tokio::test]
    async fn burning_the_processor_is_bounded() {
        let limits = SandboxLimits { cpu_seconds: 1, ..within(60) };
        let output = Tree::new(&[]).run_in(&sandbox(), "while :; do :; done", &limits).await;
        assert!(matches!(output.exit, Exit::Signal(9 | 24)), "{output:?}");
    }
}

mod without_a_sandbox {
    use super::*;

    #[tokio::test]
    async fn limits_output_and_environment_are_still_held() {
        let tree = Tree::new(&[]);
        let (sandbox, limits) = (unconfined(), within(1));
        assert_eq!(sandbox.name(), "none");
        let seen = tree.run_in(&sandbox, "env", &limits).await.stdout.text;
        assert!(seen.contains("CI=true") && seen.contains("PATH="), "{seen}");
        assert!(!seen.contains("CARGO_MANIFEST_DIR"), "{seen}");
        assert_eq!(tree.run_in(&sandbox, "exit 7", &limits).await.exit, Exit::Code(7));
        assert_eq!(tree.run_in(&sandbox, "kill -9 $$", &limits).await.exit, Exit::Signal(9));
        let small = SandboxLimits { output_bytes: 10, ..limits };
        let output = tree.run_in(&sandbox, "seq 1000", &small).await;
        assert!(output.stdout.cut_bytes > 3000, "{output:?}");
    }

    #[tokio::test]
    async fn what_a_command_leaves_behind_is_killed_with_its_group() {
        let tree = Tree::new(&[]);
        let years = years(7, our_run());
        let line = format!("sleep {years} & echo bye");
        let output = tree.run_in(&unconfined(), &line, &within(5)).await;
        assert_eq!((output.exit, &*output.stdout.text), (Exit::Code(0), "bye\n"));
        assert_eq!(processes_with(&years), 0);
        let output =
            tree.run_in(&unconfined(), &format!("sleep {years} | sleep {years}"), &within(1)).await;
        assert_eq!(output.exit, Exit::TimedOut);
        assert_eq!(processes_with(&years), 0);
    }
}

mod without_root {
    use super::*;

    fn said(command: &mut std::process::Command) -> String {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_program_keeps_its_directory_its_arguments_and_its_exit_code() {
        let here = std::env::current_dir().unwrap();
        let mut script = gander_unprivileged();
        script.args(["sh", "-c", "pwd; echo \"$1\"", "sh", "two words"]);
        assert_eq!(said(&mut script), format!("{}\ntwo words\n", here.display()));
        let status = gander_unprivileged().args(["sh", "-c", "exit 7"]).status().unwrap();
        assert_eq!(status.code(), Some(7));
    }

    #[test]
    fn root_gives_up_its_rights_and_its_home_but_keeps_its_toolchains() {
        let mut script = gander_unprivileged();
        script.args(["sh", "-c", "id -u; id -G; touch ~/made \"$TMPDIR/made\" && echo writable"]);
        let said_by_script = said(&mut script);
        assert!(said_by_script.ends_with("writable\n") && !said_by_script.starts_with("0\n"));
        if !is_root() {
            return; // The rest is about rights that we do not have.
        }
        assert!(said_by_script.starts_with("65532\n65532\n"), "{said_by_script}");
        assert!(!Path::new("/tmp/home/made").exists() && !Path::new("/tmp/made").exists());
        let closed = Path::new("/root").metadata().unwrap().mode() & 0o007 == 0;
        assert!(closed, "this story wants a closed home for root");
        let mut list = gander_unprivileged();
        let seen = said(list.args(["find", "/root", "-maxdepth", "1", "-mindepth", "1"]));
        let known = ["/root/.rustup", "/root/.pyenv", "/root/.nvm", "/root/.volta"];
        assert!(seen.lines().all(|path| known.contains(&path)), "{seen}");
    }

    #[test]
    fn a_checkout_in_a_closed_directory_is_found_and_its_neighbours_are_not() {
        if !is_root() {
            return; // Only root stands in directories that are closed to others.
        }
        for base in ["/tmp", "/var/tmp"] {
            let closed = tempfile::Builder::new().prefix("gander-").tempdir_in(base).unwrap();
            let checkout = closed.path().join("checkout");
            fs::create_dir_all(&checkout).unwrap();
            fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(checkout.join("file"), "ours").unwrap();
            fs::write(closed.path().join("secret"), "theirs").unwrap();
            let mut script = gander_unprivileged();
            script.current_dir(&checkout).args(["sh", "-c", "pwd; cat file; ls .."]);
            assert_eq!(
                said(&mut script),
                format!("{}\nourscheckout\n", checkout.display()),
                "below {base}"
            );
            assert!(closed.path().join("secret").exists(), "the file system is as it was");
        }
    }

    #[test]
    fn a_user_that_does_not_exist_is_refused() {
        if !is_root() {
            return; // Others cannot choose.
        }
        for user in ["no-such-user", "root", "0"] {
            let arguments: [OsString; 5] =
                ["unprivileged", "--user", user, "--", "true"].map(Into::into);
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_gander"));
            assert!(!command.args(arguments).output().unwrap().status.success(), "{user}");
        }
    }
}

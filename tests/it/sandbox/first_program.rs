//! The first program inside: what it prepares, what it reaps, and that nobody gets at it.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use gander::sandbox::Landlock;

use super::filter::tampered_with;
use super::*;

/// Whether this kernel has Landlock; says so where it has none.
async fn has_landlock(story: &str) -> bool {
    let landlock = sandbox().probe().await.unwrap().landlock;
    if landlock == Landlock::None {
        eprintln!("NOT TOLD: {story}: this kernel has no Landlock");
    }
    landlock != Landlock::None
}

#[tokio::test]
async fn a_directory_that_is_mounted_by_mistake_stays_closed() {
    if !has_landlock("a_directory_that_is_mounted_by_mistake_stays_closed").await {
        return;
    }
    let host = Tree::new(&[("secret", "theirs")]);
    let mount = format!("arguments[at:at] = [b'--bind', b'{}', b'/host']", host.path().display());
    let (_kept, leaky) = tampered_with(&mount);
    let tree = Tree::new(&[]);
    let line = "ls /host; cat /host/secret; echo mine > /host/secret; echo mine > /host/new; \
                ln /host/secret here; mv /host/secret there; rm /host/secret";
    let output = tree.run_in(&leaky, line, &within(20)).await;
    assert_eq!(output.stdout.text, "secret\n", "{output:?}");
    assert_eq!(fs::read_to_string(host.path().join("secret")).unwrap(), "theirs");
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 1);
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn no_command_reads_or_signals_the_first_program() {
    if !has_landlock("no_command_reads_or_signals_the_first_program").await {
        return;
    }
    let tree = Tree::new(&[]);
    for look in
        ["cat /proc/1/environ", "cat /proc/1/maps", "readlink /proc/1/fd/0", "ls /proc/1/cwd/"]
    {
        let output = tree.run(look).await;
        assert_ne!(output.exit, Exit::Code(0), "{look}: {output:?}");
        assert_eq!(output.stdout.text, "", "{look}: {output:?}");
    }
    let said = tree.run("kill -STOP 1; kill -TERM 1; echo then").await;
    assert_eq!((said.exit, &*said.stdout.text), (Exit::Code(0), "then\n"));
    // What it could not open to write, it cannot change either.
    let said = tree.python("print(open('/proc/self/mem', 'rb+') and 'own')").await;
    assert_eq!(said, "own\n");
    assert_ne!(tree.run("python3 -c \"open('/proc/1/mem', 'rb+')\"").await.exit, Exit::Code(0));
}

#[tokio::test]
async fn every_orphan_is_reaped() {
    let program = r"
import os, time
for _ in range(300):
    child = os.fork()
    if child == 0:
        if os.fork() == 0: time.sleep(0.01)
        os._exit(0)
    os.waitpid(child, 0)
time.sleep(0.3)
states = [open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[0]
          for pid in os.listdir('/proc') if pid.isdigit()]
print(len(states), states.count('Z'))
";
    let tree = Tree::new(&[("orphans.py", program)]);
    let limits = SandboxLimits { processes: 100, ..within(30) };
    let output = tree.run_in(&sandbox(), "exec python3 orphans.py", &limits).await;
    assert_eq!(output.stdout.text, "2 0\n", "{output:?}");
}

#[tokio::test]
async fn commands_give_way_to_gander() {
    let said = Tree::new(&[])
        .python("import os\nprint(os.sched_getscheduler(0) == os.SCHED_BATCH, os.nice(0) >= 5)")
        .await;
    assert_eq!(said, "True True\n");
}

#[test]
fn a_command_whose_caller_is_gone_before_the_gate_opens_never_runs() {
    let tree = Tree::new(&[]);
    let start = |waiting: UnixStream| {
        let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_gander-sandbox-init"));
        first.args(["sandbox-init", "4096", "/bin/sh", "-c", "touch ran"]);
        first.current_dir(tree.path()).stdin(OwnedFd::from(waiting));
        first.stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    // Before it is ready, and after it.
    let (gate, waiting) = UnixStream::pair().unwrap();
    drop(gate);
    assert!(!start(waiting).wait().unwrap().success());
    let (mut gate, waiting) = UnixStream::pair().unwrap();
    let mut first = start(waiting);
    assert!(gate.read(&mut [0; 512]).unwrap() > 0);
    drop(gate);
    assert!(!first.wait().unwrap().success());
    assert!(!tree.path().join("ran").exists());
    // And with the word it does.
    let (mut gate, waiting) = UnixStream::pair().unwrap();
    let mut first = start(waiting);
    assert!(gate.read(&mut [0; 512]).unwrap() > 0);
    gate.write_all(b"g").unwrap();
    assert!(first.wait().unwrap().success());
    assert!(tree.path().join("ran").exists());
}

/// A directory with this program of ours alone, under Gander's name.
fn alone(program: &str) -> (Tree, PathBuf) {
    let place = Tree::new(&[]);
    let copy = place.path().join("gander");
    fs::copy(program, &copy).unwrap();
    (place, copy)
}

#[tokio::test]
async fn a_command_runs_the_same_with_the_small_program_and_where_only_gander_was_copied() {
    let small = sandbox();
    let (_place, gander) = alone(env!("CARGO_BIN_EXE_gander"));
    let copied = sandbox().with_gander_at(&gander);
    let tree = Tree::new(&[]);
    let probe = small.probe().await.unwrap();
    assert_eq!(copied.probe().await.unwrap(), probe);
    let limits = SandboxLimits { processes: 77, ..within(20) };
    let line = "nice; grep processes /proc/self/limits; tr '\\0' ' ' < /proc/1/cmdline; \
                stat -c %s /gander";
    let size = |program: &str| fs::metadata(program).unwrap().len();
    for (sandbox, program) in [
        (&small, env!("CARGO_BIN_EXE_gander-sandbox-init")),
        (&copied, env!("CARGO_BIN_EXE_gander")),
    ] {
        let output = tree.run_in(sandbox, line, &limits).await;
        let said: Vec<_> = output.stdout.text.split_ascii_whitespace().collect();
        assert_eq!(said[..6], ["5", "Max", "processes", "77", "77", "processes"], "{output:?}");
        assert_eq!(said[6..9], ["/gander", "sandbox-init", "77"], "{program}: {output:?}");
        assert_eq!(said[said.len() - 1], size(program).to_string(), "{program}: {output:?}");
        for (line, ends) in [("exit 7", Exit::Code(7)), ("kill -TERM $$", Exit::Signal(15))] {
            let exit = tree.run_in(sandbox, line, &limits).await.exit;
            assert_eq!(exit, ends, "{program}: {line}");
        }
    }
}

#[tokio::test]
async fn another_gander_under_the_same_name_is_found_out() {
    let other = "#!/bin/sh\nprintf '0.0.0 none' >&0\nread go\ntouch /work/ran\n";
    let older = "#!/bin/sh\nprintf '{\"version\":\"0.1.0\",\"landlock\":\"whole\"}' >&0\nread go\n\
                 touch /work/ran\n";
    let tree = Tree::new(&[]);
    let command = SandboxCommand::shell("touch ran", tree.path());
    let (limits, stop) = (SandboxLimits::default(), CancellationToken::new());
    let replaced_by = |name: &str, text: &str| {
        let (place, gander) = alone(env!("CARGO_BIN_EXE_gander"));
        let program = place.path().join(name);
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (place, sandbox().with_gander_at(&gander))
    };
    for (name, text) in
        [("gander", other), ("gander-sandbox-init", other), ("gander-sandbox-init", older)]
    {
        let (_place, replaced) = replaced_by(name, text);
        let refused = replaced.run(&command, &limits, &stop).await.unwrap_err();
        assert!(matches!(refused, SandboxError::Replaced(_)), "{refused:?}");
        let told = refused.to_string();
        assert!(told.contains(&format!("/{name} is of another version")), "{told}");
        assert!(told.contains("start Gander again"), "{told}");
        assert!(!tree.path().join("ran").exists());
    }
    // And one that is gone.
    let (place, replaced) = replaced_by("gander", other);
    fs::remove_file(place.path().join("gander")).unwrap();
    let refused = replaced.run(&command, &limits, &stop).await.unwrap_err();
    assert!(matches!(refused, SandboxError::Setup { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_probe_says_what_this_machine_does_not_give() {
    let probe = sandbox().probe().await.unwrap();
    let missing = probe.missing();
    // No group was asked for, so memory is watched.
    assert!(missing.iter().any(|it| it.contains("memory is watched")), "{missing:?}");
    let without = missing.iter().any(|it| it.contains("Landlock"));
    assert_eq!(without, probe.landlock != Landlock::Whole, "{missing:?}");
}

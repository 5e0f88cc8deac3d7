//! Bounds of a whole run: memory in all its kinds, and numbers of files.

use super::*;

const MIB: u64 = 1 << 20;
const MOST: u64 = 256 * MIB;

/// Takes memory in one way, says so, and sleeps.
async fn taking(how: &str) -> CommandOutput {
    let program = format!("{TOOLS}\n{how}\nprint('taken', flush=True)\ntime.sleep(60)\n");
    let tree = Tree::new(&[("take.py", &program)]);
    let limits = SandboxLimits { memory_bytes: MOST, ..within(30) };
    tree.run_in(&sandbox(), "exec python3 take.py", &limits).await
}

const TOOLS: &str = "
import ctypes, mmap, os, sys, time
MIB = 1 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
def fill(file, mibs):
    for _ in range(mibs): os.write(file, bytes(MIB))
def in_children(count, what):
    for _ in range(count):
        if os.fork() == 0:
            kept = what()
            time.sleep(60)
";

/// Ways to take more than 256 MiB, each of which no other bound holds.
const WAYS: &[(&str, &str)] = &[
    ("malloc in many processes", "in_children(6, lambda: bytearray(os.urandom(MIB)) * 60)"),
    ("a memfd that is only open", "fill(os.memfd_create('a'), 400)"),
    (
        "a memfd that is only mapped",
        "file = os.memfd_create('a')\nfill(file, 400)\nkept = mmap.mmap(file, 400 * MIB)\n\
         os.close(file)\nfor at in range(0, 400 * MIB, 4096): kept[at]",
    ),
    (
        "shared memory without a file",
        "kept = mmap.mmap(-1, 400 * MIB)\nfor at in range(0, 400 * MIB, 4096): kept[at] = 1",
    ),
    (
        "System V shared memory that nobody is attached to",
        "name = libc.shmget(0, 400 * MIB, 0o1600)\nat = libc.shmat(name, None, 0)\n\
         assert at != ctypes.c_void_p(-1).value\nctypes.memset(at, 1, 400 * MIB)\n\
         libc.shmdt(ctypes.c_void_p(at))",
    ),
    (
        "a memfd of a process that nobody may look into",
        "file = os.memfd_create('a')\nos.set_inheritable(file, True)\nfill(file, 400)\n\
         open('hidden', 'wb').write(open('/usr/bin/sleep', 'rb').read())\n\
         os.chmod('hidden', 0o111)\nprint('taken', flush=True)\nos.execv('hidden', ['hidden', '60'])",
    ),
    (
        "a process whose first thread is gone",
        "import platform, threading\n\
         def hold():\n  fill(os.memfd_create('a'), 400)\n  time.sleep(60)\n\
         threading.Thread(target=hold).start()\n\
         libc.syscall(60 if platform.machine() == 'x86_64' else 93, 0)",
    ),
    (
        "the kernel's own tables of a great many empty pages",
        "def look():\n  kept = mmap.mmap(-1, 100 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, \
         mmap.PROT_READ)\n  kept.madvise(15)\n  for at in range(0, 100 << 30, 2 * MIB): kept[at]\n  \
         return kept\nin_children(2, look)",
    ),
    (
        "a process that asks to be hidden",
        "assert libc.prctl(4, 0, 0, 0, 0) == 0\nfill(os.memfd_create('a'), 400)",
    ),
];

#[tokio::test]
async fn memory_of_every_kind_ends_the_run_within_three_seconds() {
    for (way, how) in WAYS {
        let output = taking(how).await;
        assert_eq!(output.exit, Exit::OutOfMemory, "{way}: {output:?}");
        assert!(output.wall < Duration::from_secs(3), "{way}: {:?}", output.wall);
    }
}

#[tokio::test]
async fn what_one_process_or_a_file_system_bounds_by_itself_is_refused_within_three_seconds() {
    for (way, how) in [
        ("malloc of 4 GiB", "kept = bytearray(4 << 30)"),
        ("4 GiB in /dev/shm", "fill(os.open('/dev/shm/a', os.O_CREAT | os.O_RDWR), 4096)"),
        ("memory that nobody can see", "assert libc.syscall(447, 0) >= 0"),
    ] {
        let output = taking(how).await;
        assert_eq!(output.exit, Exit::Code(1), "{way}: {output:?}");
        assert!(output.wall < Duration::from_secs(3), "{way}: {:?}", output.wall);
    }
}

#[tokio::test]
async fn what_processes_share_counts_once() {
    for (what, how) in [
        ("memory from before a fork", "kept = bytearray(os.urandom(MIB)) * 60"),
        (
            "a memfd that all have open and mapped",
            "file = os.memfd_create('a')\nfill(file, 100)\nkept = mmap.mmap(file, 100 * MIB)",
        ),
    ] {
        let read = "lambda: [kept[at] for at in range(0, len(kept), 4096)]";
        let how = format!("{how}\nin_children(5, {read})\ntime.sleep(2.5)\nos._exit(0)");
        let output = taking(&how).await;
        assert_eq!(output.exit, Exit::Code(0), "{what}: {output:?}");
    }
}

#[tokio::test]
async fn a_child_that_nobody_reaps_is_no_hidden_process() {
    let how = "if os.fork() == 0: os._exit(0)\ntime.sleep(2.5)\nos._exit(0)";
    assert_eq!(taking(how).await.exit, Exit::Code(0));
}

#[tokio::test]
async fn very_many_small_files_end_the_run() {
    let tree = Tree::new(&[]);
    let disk = rustix::fs::statvfs(tree.path()).unwrap();
    let many = "python3 -c 'for n in range(20000): open(str(n), \"w\").close()'; sleep 20";
    let here = SandboxLimits { spare_files: disk.f_favail.saturating_sub(5000), ..within(30) };
    let temporary = SandboxLimits { temporary_files: 5000, ..within(30) };
    let places = [(".", here), ("/tmp", temporary.clone()), ("~", temporary)];
    for (place, limits) in places {
        let output = tree.run_in(&sandbox(), &format!("cd {place}; {many}"), &limits).await;
        assert_eq!(output.exit, Exit::DiskFull, "{place}: {output:?}");
        assert!(output.wall < Duration::from_secs(10), "{place}: {:?}", output.wall);
    }
}

#[test]
fn the_systemd_unit_of_the_docs_is_the_one_that_is_shipped() {
    let unit = include_str!("../../../packaging/systemd/gander.service");
    assert!(include_str!("../../../docs/install.md").contains(unit));
    for line in ["Delegate=cpu memory pids", "MemoryMax=16G", "TasksMax=4096"] {
        assert!(unit.lines().any(|there| there == line), "{line}");
    }
    // With it, nobody could make a control group.
    assert!(!unit.contains("ProtectControlGroups=yes"));
}

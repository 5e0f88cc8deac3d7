//! The filter of system calls.

use super::keyrings::KEYS;
use super::*;

/// A bubblewrap that changes the options of the real one before it starts: `at` is where the filter
/// stands in `arguments`.
pub(super) fn tampered_with(change: &str) -> (Tree, Bubblewrap) {
    let program = format!(
        r#"#!/usr/bin/python3
import os, sys
words = sys.argv[1:]
def in_memory(data):
    file = os.memfd_create("changed", 0)
    os.write(file, data)
    os.lseek(file, 0, 0)
    return str(file)
if words[0] == "--args":
    arguments = open(int(words[1]), "rb").read().split(b"\0")
    at = arguments.index(b"--seccomp")
    {change}
    words[1] = in_memory(b"\0".join(arguments))
os.execv("{}", ["bwrap"] + words)
"#,
        Bubblewrap::PROGRAM
    );
    let tree = Tree::new(&[("bwrap", &program)]);
    let path = tree.path().join("bwrap");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (tree, confined(Bubblewrap::new(Vec::new()).at(path)))
}

#[tokio::test]
async fn a_denied_call_answers_as_if_the_kernel_had_none() {
    let calls = "print(add(b'a', b'b'), call(REQUEST, b'user', b'a', 0, 0), call(CTL, 0, -3, 0))\n\
        if platform.machine() == 'x86_64': ADD, REQUEST, CTL = (n | 1 << 30 for n in (ADD, REQUEST, CTL))\n\
        print(add(b'a', b'b'), call(REQUEST, b'user', b'a', 0, 0), call(CTL, 0, -3, 0))";
    let said = Tree::new(&[]).python(&format!("{KEYS}\n{calls}")).await;
    assert_eq!(said, "-38 -38 -38\n-38 -38 -38\n");
}

#[tokio::test]
async fn a_call_of_another_architecture_kills() {
    if !cfg!(target_arch = "x86_64") {
        return; // The others have no instruction for it.
    }
    // Asks the 32-bit kernel interface, in machine code, for the number of the session's keyring:
    // push rbx; eax = 288 (keyctl); ebx = 0; ecx = -3; edx = 0; int 0x80; pop rbx; ret
    let program = "import ctypes, mmap\n\
        code = '53 b820010000 bb00000000 b9fdffffff ba00000000 cd80 5b c3'\n\
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n\
        page.write(bytes.fromhex(code))\n\
        address = ctypes.addressof(ctypes.c_char.from_buffer(page))\n\
        print('answered', ctypes.CFUNCTYPE(ctypes.c_int)(address)())";
    let tree = Tree::new(&[("probe.py", program)]);
    let output = tree.run("python3 probe.py").await;
    // SIGSYS; or SIGSEGV of a kernel without 32-bit calls.
    assert!(matches!(output.exit, Exit::Signal(31 | 11)), "{output:?}");
    assert_eq!(output.stdout.text, "");
}

#[tokio::test]
async fn a_bubblewrap_that_puts_up_no_filter_is_found_at_the_start() {
    let (_tree, as_it_is) = tampered_with("pass");
    let probe = as_it_is.probe().await.unwrap();
    assert!(["keyctl", "ptrace", "mount"].iter().all(|call| probe.denied.contains(call)));
    let (_tree, without) = tampered_with("del arguments[at:at + 2]");
    let refused = without.probe().await.unwrap_err();
    assert!(matches!(refused, SandboxError::Filter(_)), "{refused:?}");
}

#[tokio::test]
async fn where_the_filter_is_not_taken_nothing_runs() {
    // No whole instruction, and one that the kernel does not know.
    for filter in ["b'half'", "b'nonsense'"] {
        let change = format!("arguments[at + 1] = in_memory({filter}).encode()");
        let (_tree, broken) = tampered_with(&change);
        let tree = Tree::new(&[]);
        let command = SandboxCommand::shell("touch ran", tree.path());
        let refused =
            broken.run(&command, &SandboxLimits::default(), &CancellationToken::new()).await;
        assert!(matches!(refused, Err(SandboxError::Setup { .. })), "{filter}: {refused:?}");
        assert!(!tree.path().join("ran").exists());
    }
}

/// Calls the kernel by number; what it answered, negative for an error.
const CALLS: &str = r"
import ctypes, fcntl, os, platform, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == 'x86_64'
def call(number, *words):
    if isinstance(number, tuple): number = number[0 if X86 else 1]
    answer = libc.syscall(number, *(ctypes.c_long(word) for word in words))
    return answer if answer >= 0 else -ctypes.get_errno()
";

#[tokio::test]
async fn sockets_are_local_or_do_not_exist() {
    let program = "
def attempt(family, kind, protocol=0):
    try: socket.socket(family, kind, protocol).close(); return 0
    except OSError as error: return error.errno
S, D, R = socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW
print([attempt(*it) for it in [(1, S), (1, D), (2, S), (2, D), (10, S), (10, D), (16, R, 0)]])
# Packets, the hypervisor, cryptography, Bluetooth, CAN, TIPC, XDP, RDS, keys, QIPCRTR, NFC.
print({attempt(family, kind) for family in [17, 40, 38, 31, 29, 30, 44, 21, 15, 42, 39] for kind in [S, D, R, 5]})
print({attempt(16, R, protocol) for protocol in [4, 9, 12, 15, 16, 20]})
print(socket.socketpair() is not None)
print('lo' in dict((name, n) for n, name in socket.if_nameindex()))";
    let said = Tree::new(&[]).python(&format!("{CALLS}{program}")).await;
    assert_eq!(said, "[0, 0, 0, 0, 0, 0, 0]\n{97}\n{97}\nTrue\nTrue\n");
}

#[tokio::test]
async fn calls_that_no_build_needs_are_denied() {
    let program = "
page = ctypes.create_string_buffer(4096)
at = ctypes.addressof(page)
# A file of ours is no namespace, so a kernel that is asked says that the argument is wrong.
file = os.open('/dev/null', os.O_RDONLY)
absent = dict(clone3=call(435, at, 0), io_uring_setup=call(425, 1, at), io_uring_enter=call(426, 0, 0, 0, 0, 0),
    io_uring_register=call(427, 0, 0, 0, 0), bpf=call((321, 280), 0, at, 0), userfaultfd=call((323, 282), 1),
    perf_event_open=call((298, 241), at, 0, -1, -1, 0), memfd_secret=call(447, 0))
forbidden = dict(ptrace=call((101, 117), 0, 0, 0, 0), read=call((310, 270), os.getpid(), at, 0, at, 0, 0),
    write=call((311, 271), os.getpid(), at, 0, at, 0, 0), getfd=call(438, file, 0, 0), kcmp=call((312, 272), 1, 1, 1, 0, 0),
    handle=call((304, 265), file, at, 0), unshare=call((272, 97), 0), unshare_files=call((272, 97), 0x400),
    setns=call((308, 268), file, 0), mount=call((165, 40), 0, at, 0, 0, 0), umount=call((166, 39), at, 0),
    pivot=call((155, 41), at, at), open_tree=call(428, -100, at, 1), move=call(429, -1, at, -1, at, 0), fsopen=call(430, at, 0),
    fspick=call(433, -100, at, 0), setattr=call(442, -1, at, 0, at, 0), kexec=call((246, 104), 0, 0, 0, 0),
    reboot=call((169, 142), 0, 0, 0, 0), clone_user=call((56, 220), 0x10000011, 0, 0, 0, 0),
    clone_net=call((56, 220), 0x40000011, 0, 0, 0, 0), executable=call((135, 92), 0x0400000),
    type_ahead=call((16, 29), 0, 0x5412, at))
print(sorted(name for name, answer in absent.items() if answer != -38), absent)
print(sorted(name for name, answer in forbidden.items() if answer != -1), forbidden)";
    let said = Tree::new(&[]).python(&format!("{CALLS}{program}")).await;
    for line in said.lines() {
        assert!(line.starts_with("[] "), "{line}");
    }
}

#[tokio::test]
async fn what_builds_do_ask_for_still_works() {
    if told_without_root("filter::what_builds_do_ask_for_still_works") {
        return;
    }
    let threads = "import threading, multiprocessing as m, concurrent.futures as f\n\
        def double(n): return 2 * n\n\
        if __name__ == '__main__':\n\
        \x20   with m.Pool(2) as pool: print(sum(pool.map(double, range(50))))\n\
        \x20   with f.ThreadPoolExecutor(8) as pool: print(sum(pool.map(double, range(50))))\n";
    let interfaces = "const os = require('os'); const { Worker } = require('worker_threads');\n\
        console.log(Object.keys(os.networkInterfaces()).join());\n\
        new Worker('require(\"worker_threads\").parentPort.postMessage(7)', { eval: true })\n\
        \x20 .on('message', console.log);\n";
    let tree = Tree::new(&[("pools.py", threads), ("interfaces.js", interfaces)]);
    let git = "git init -q . && git add -A && \
        git -c user.name=m -c user.email=m@localhost commit -qm one && git log --oneline | wc -l";
    for (needs, line, wanted) in [
        ("python3", "python3 pools.py", "2450\n2450\n"),
        ("node", "node interfaces.js", "lo\n7\n"),
        ("git", git, "1\n"),
        ("setarch", "setarch -R echo same", "same\n"),
        ("java", "java -version 2>&1 | grep -c Runtime", "1\n"),
        ("go", "go version | cut -d' ' -f1", "go\n"),
        (
            "script",
            "script -qec 'tty >/dev/null && echo terminal' /dev/null | tr -d '\\r'",
            "terminal\n",
        ),
    ] {
        if tree.run_in(&with_toolchains(), &format!("command -v {needs}"), &within(20)).await.exit
            != Exit::Code(0)
        {
            eprintln!("NOT TOLD: {needs} is not installed here");
            continue;
        }
        let output = tree.run_in(&with_toolchains(), line, &within(120)).await;
        assert_eq!(
            (output.exit, &*output.stdout.text),
            (Exit::Code(0), wanted),
            "{line}: {output:?}"
        );
    }
}

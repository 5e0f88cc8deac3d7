//! The filter of system calls.

use super::keyrings::KEYS;
use super::*;

/// A bubblewrap that changes the options of the real one before it starts: `at` is where the filter
/// stands in `arguments`.
fn tampered_with(change: &str) -> (Tree, Bubblewrap) {
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
    assert_eq!(probe.denied, ["add_key", "keyctl", "request_key"]);
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

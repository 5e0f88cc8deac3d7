//! The kernel's keyrings, which lie in no namespace.

use super::*;

/// Calls the kernel by number, as neither Python nor the shell knows of keys.
pub(crate) const KEYS: &str = r#"
import ctypes, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
ADD, REQUEST, CTL = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}[platform.machine()]
def call(*words):
    answer = libc.syscall(*words)
    return answer if answer >= 0 else -ctypes.get_errno()
def join(): return call(CTL, 1, 0, 0, 0, 0)
def add(name, text, keyring=-3): return call(ADD, b"user", name, text, len(text), keyring)
def find(name, keyring=-3): return call(CTL, 10, keyring, b"user", name, 0)
def link(keyring): return call(CTL, 8, keyring, -3)
def closed_with(errno):
    # Loads the number of the system call; where it is keyctl's, answers with the error.
    words = [(0x20, 0, 0, 0), (0x15, 0, 1, CTL), (6, 0, 0, 0x50000 | errno), (6, 0, 0, 0x7fff0000)]
    program = b"".join(struct.pack("HBBI", *word) for word in words)
    buffer = ctypes.create_string_buffer(program, len(program))
    filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(words), ctypes.addressof(buffer)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, filter, 0, 0) == 0
"#;

/// Tells a story in a process that Python prepared with this.
fn told_after(prepared: &str, story: &str) {
    let story = format!("sandbox::keyrings::{story}");
    let program = format!(
        "{KEYS}\n{prepared}\n\
         told = [sys.argv[1], '--exact', {story:?}, '--ignored', '--nocapture']\n\
         sys.exit(os.spawnv(os.P_WAIT, told[0], told))"
    );
    let output = std::process::Command::new("/usr/bin/python3")
        .args(["-c", &program])
        .arg(std::env::current_exe().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

/// What a program says in the sandbox.
async fn asked(program: &str) -> String {
    Tree::new(&[]).python(&format!("{KEYS}\n{program}")).await
}

/// What it says without a sandbox.
async fn asked_outside(program: &str) -> String {
    let tree = Tree::new(&[("probe.py", &format!("{KEYS}\n{program}"))]);
    let line = "/usr/bin/python3 probe.py";
    tree.run_in(&unconfined(), line, &SandboxLimits::default()).await.stdout.text
}

#[test]
fn what_a_run_leaves_in_the_keyring_the_next_run_does_not_find_nor_the_starters_keys() {
    let starter = "assert join() > 0 and add(b'of-the-starter', b'secret') > 0";
    told_after(starter, "two_runs_with_one_starter");
}

/// Not a story: its second half.
#[tokio::test]
#[ignore = "started by the story above"]
async fn two_runs_with_one_starter() {
    let look = "print(find(b'of-the-starter') > 0, find(b'of-a-run') > 0)";
    let leave = "print(add(b'of-a-run', b'loot') > 0, find(b'of-a-run') > 0)";
    let twice = format!("{look}\n{leave}");
    assert_eq!(asked(&twice).await, "False False\nFalse False\n");
    assert_eq!(asked_outside(&twice).await, "False False\nTrue True\n");
    for next in [asked(look).await, asked_outside(look).await] {
        assert_eq!(next, "False False\n", "the next run");
    }
}

/// The number of the keyring that all sessions of a user share, and what to call our keys in it.
const USERS_KEYRING: &str = "GANDER_TEST_USERS_KEYRING";
const OUR_KEYS: &str = "GANDER_TEST_KEYS";

#[test]
fn what_the_operator_keeps_in_the_users_keyring_no_run_finds_and_no_two_runs_meet_there() {
    // Root's commands run as another user, who has another keyring.
    let story = "keyrings::\
        what_the_operator_keeps_in_the_users_keyring_no_run_finds_and_no_two_runs_meet_there";
    if told_without_root(story) {
        return;
    }
    // Whoever is not in possession of a keyring does not find what is in it: hence -4, "mine".
    let operator = format!(
        "import atexit\n\
         name = lambda whose: b'gander-test-{}-' + whose\n\
         def forget():\n\
         \x20   keys = [find(name(whose), -4) for whose in (b'operator', b'run')]\n\
         \x20   assert all(call(CTL, 9, key, -4) == 0 for key in keys if key > 0)\n\
         atexit.register(forget)\n\
         users = call(CTL, 0, -4, 1)\n\
         assert join() > 0 and users > 0 and add(name(b'operator'), b'secret', -4) > 0\n\
         os.environ.update({USERS_KEYRING}=str(users), {OUR_KEYS}=name(b'').decode())",
        our_run()
    );
    told_after(&operator, "two_runs_of_one_user");
}

/// Not a story: its second half.
#[tokio::test]
#[ignore = "started by the story above"]
async fn two_runs_of_one_user() {
    let [users, ours] = [USERS_KEYRING, OUR_KEYS].map(|name| std::env::var(name).unwrap());
    let look = format!(
        "print('linked', link({users}))\n\
         print('operator', find(b'{ours}operator'), find(b'{ours}operator', {users}))\n\
         print('run', find(b'{ours}run'), find(b'{ours}run', {users}))"
    );
    let leave = format!("print('left', add(b'{ours}run', b'loot', {users}))");
    let nothing = "linked -38\noperator -38 -38\nrun -38 -38\n";
    let first = asked(&format!("{look}\n{leave}")).await;
    let next = asked(&look).await;
    assert_eq!([first, next], [format!("{nothing}left -38\n"), nothing.into()]);
    // Their names stand in a list that the kernel shows to all who have the user's number.
    assert!(fs::read_to_string("/proc/keys").unwrap().contains(&ours));
    let listed = Tree::new(&[]).run("cat /proc/keys /proc/key-users").await;
    assert_eq!(listed.stdout.text, "", "{listed:?}");
}

#[test]
fn where_keyrings_are_closed_to_all_runs_go_on_and_where_one_is_refused_nothing_runs() {
    // ENOSYS: a kernel without keyrings, or our systemd unit. EPERM: Docker's usual filter.
    for errno in [38, 1] {
        told_after(&format!("closed_with({errno})"), "a_run_without_keyrings");
    }
    // EDQUOT, EACCES.
    for errno in [122, 13] {
        told_after(&format!("closed_with({errno})"), "no_run_without_an_own_keyring");
    }
}

/// Not a story.
#[tokio::test]
#[ignore = "started by the story above"]
async fn a_run_without_keyrings() {
    assert_eq!(asked("print(join() < 0)").await, "True\n");
}

/// Not a story.
#[tokio::test]
#[ignore = "started by the story above"]
async fn no_run_without_an_own_keyring() {
    let command = SandboxCommand::shell("true", Tree::new(&[]).path());
    let (limits, stop) = (SandboxLimits::default(), CancellationToken::new());
    for sandbox in [&sandbox() as &dyn Sandbox, &unconfined()] {
        let refused = sandbox.run(&command, &limits, &stop).await.unwrap_err();
        assert!(matches!(refused, SandboxError::Keyring(_)), "{refused:?}");
    }
}

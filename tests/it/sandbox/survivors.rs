//! Many hostile runs, and what is left of them: nothing.

use std::time::SystemTime;

use super::*;

/// How many runs; by hand a thousand (`make survivors`).
const RUNS: &str = "GANDER_SANDBOX_RUNS";

/// What a run does, all of which ends with it.
fn hostile(run: usize, years: &str) -> String {
    match run % 3 {
        0 => format!(
            "(setsid setsid sleep {years} >/dev/null 2>&1 &); \
             (trap '' TERM HUP INT; setsid sleep {years} &); echo bye"
        ),
        1 => format!("bomb() {{ bomb | bomb & }}; bomb; sleep {years}"),
        _ => format!(
            "python3 -c 'import os\nfor n in range(40):\n  if os.fork() == 0:\n    os.setsid()\n    \
             if os.fork() == 0: os.execvp(\"sleep\", [\"sleep\", \"{years}\"])\n    os._exit(0)'"
        ),
    }
}

/// Descriptors, mounts and children of ours.
fn belongings() -> [usize; 3] {
    let children = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| {
        let listed = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        listed.split_whitespace().count()
    });
    [
        fs::read_dir("/proc/self/fd").unwrap().count(),
        fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(),
        children.sum(),
    ]
}

#[tokio::test]
async fn of_many_runs_with_daemons_and_fork_bombs_nothing_is_left() {
    if told_alone("sandbox::survivors::of_many_runs_with_daemons_and_fork_bombs_nothing_is_left") {
        return;
    }
    let runs = std::env::var(RUNS).ok().and_then(|runs| runs.parse().ok());
    let runs: usize = runs.unwrap_or_else(|| {
        eprintln!("10 runs; a thousand with {RUNS}=1000");
        10
    });
    let years = years(9, our_run());
    let sandbox = sandbox();
    let tree = Tree::new(&[]);
    let limits = SandboxLimits {
        processes: 64,
        wall: Duration::from_millis(300),
        ..SandboxLimits::default()
    };
    // Once, so that what is made only once is there.
    tree.run_in(&sandbox, &hostile(0, &years), &limits).await;
    let (before, began) = (belongings(), SystemTime::now());
    for run in 0..runs / 2 {
        let lines = [hostile(2 * run, &years), hostile(2 * run + 1, &years)];
        let [one, other] = &lines;
        tokio::join!(tree.run_in(&sandbox, one, &limits), tree.run_in(&sandbox, other, &limits));
        assert_eq!(processes_with(&years), 0, "after run {run}");
    }
    assert_eq!(belongings(), before);
    assert_eq!(fs::read_dir(tree.path()).unwrap().count(), 0);
    eprintln!("{runs} runs in {:?}: nothing is left", began.elapsed().unwrap());
}

#[test]
fn a_bubblewrap_that_lost_its_gander_is_ended_at_the_next_start() {
    let place = tempfile::tempdir().unwrap();
    let inherited = |program: &str| inherited(program, place.path());
    let (other, heir) = inherited("exec sleep 20");
    let waits = "exec /usr/bin/bwrap --ro-bind / / --block-fd 0 -- /gander sandbox-init";
    let (orphan, _) = inherited(waits);
    let is_there = |number: u32| std::path::Path::new(&format!("/proc/{number}")).exists();
    assert!(gander::sandbox::leftovers::end_orphans(heir) >= 1);
    for _ in 0..100 {
        if !is_there(orphan) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(!is_there(orphan) && is_there(other));
}

/// Starts a program whose parent ends at once: its number, and who has it then.
fn inherited(program: &str, place: &Path) -> (u32, u32) {
    let line = format!("sh -c '{program}' <&3 >/dev/null 2>&1 & echo $!");
    let script = format!("exec 3<>\"$0\"\n{line}");
    let pipe = place.join("pipe");
    if !pipe.exists() {
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
    }
    let mut shell = std::process::Command::new("sh");
    let said = shell.arg("-c").arg(script).arg(&pipe).output().unwrap();
    let number: u32 = String::from_utf8(said.stdout).unwrap().trim().parse().unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{number}/status")).unwrap();
    let parent = status().lines().find_map(|it| it.strip_prefix("PPid:")?.trim().parse().ok());
    for _ in 0..100 {
        // It has become the program.
        let words = std::fs::read(format!("/proc/{number}/cmdline")).unwrap();
        if !words.starts_with(b"sh\0") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (number, parent.unwrap())
}

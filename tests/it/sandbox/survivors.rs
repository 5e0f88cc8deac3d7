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

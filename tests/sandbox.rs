//! The walls, tried with a real bubblewrap.
use gander::sandbox::*;
use tokio_util::sync::CancellationToken;
#[tokio::test]
async fn quick() {
    let tree = tempfile::tempdir().unwrap();
    let mut sandbox = Bubblewrap::new(vec![]);
    if rustix::process::geteuid().is_root() {
        sandbox = sandbox.run_as(Identity { uid: 65534, gid: 65534 });
        std::os::unix::fs::chown(tree.path(), Some(65534), Some(65534)).unwrap();
    }
    println!("{:?}", sandbox.probe().await);
    for line in [
        "id; env; pwd; ls -la / /etc /home/gander /tmp /dev/shm; ls -l /proc/self/fd; cat /proc/1/cmdline /proc/1/environ; ulimit -a; touch a /x; cat /proc/self/oom_score_adj; cat /proc/1/cmdline | tr '\\0' ' '",
        "exit 3",
        "kill -9 $$",
        "(setsid sleep 1000 &) ; echo hi",
        "nosuch",
    ] {
        let out = sandbox
            .run(&Command::shell(line, tree.path()), &Limits::default(), &CancellationToken::new())
            .await
            .unwrap();
        println!("{:?} {:?}\n{}\n{}", out.exit, out.wall, out.stdout.text, out.stderr.text);
    }
    println!(
        "{:?}",
        sandbox
            .run(
                &Command::argv(["/bin/nope"], tree.path()),
                &Limits::default(),
                &CancellationToken::new()
            )
            .await
    );
    println!(
        "{:?}",
        sandbox
            .run(
                &Command::argv(["/bin/true"], "/nope"),
                &Limits::default(),
                &CancellationToken::new()
            )
            .await
    );
    let fast = Limits { wall: std::time::Duration::from_millis(300), ..Limits::default() };
    println!(
        "{:?}",
        sandbox
            .run(&Command::argv(["sleep", "1000"], tree.path()), &fast, &CancellationToken::new())
            .await
    );
    let mut times = vec![];
    for _ in 0..50 {
        times.push(
            sandbox
                .run(
                    &Command::argv(["true"], tree.path()),
                    &Limits::default(),
                    &CancellationToken::new(),
                )
                .await
                .unwrap()
                .wall,
        );
    }
    times.sort();
    println!("median {:?} min {:?} max {:?}", times[25], times[0], times[49]);
}

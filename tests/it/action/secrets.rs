//! What the repository's commands can find in a job, and what they leave behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::world::{Ran, World};

/// Writes down what every process in sight says of itself, and what was given to this one.
const LOOK: &str = "for process in /proc/[0-9]*; do\n\
                    for file in environ cmdline; do\n\
                    tr '\\0' '\\n' < \"$process/$file\" >> SEEN 2>/dev/null && echo read >> READ\n\
                    done\ndone 2>/dev/null\nenv >> SEEN\nexit 0\n";

/// A project that runs this script as its check and as its build.
pub(crate) fn project(world: &World, script: &str) -> PathBuf {
    let tree = world.folder.path().join("project");
    let _ = std::fs::remove_dir_all(&tree);
    for directory in [".github", ".git"] {
        std::fs::create_dir_all(tree.join(directory)).unwrap();
    }
    let rules = "[verify]\ncommands = [\"sh look.sh\"]\n\n[release]\nbuild = [\"sh look.sh\"]\n";
    std::fs::write(tree.join(".github/gander.toml"), rules).unwrap();
    std::fs::write(tree.join(".git/HEAD"), &world.commit).unwrap();
    std::fs::write(tree.join("CHANGELOG.md"), "## 1.2.0\n").unwrap();
    std::fs::write(tree.join("look.sh"), script).unwrap();
    tree
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Runs a mode as the Action's step does: by a shell that has all the step was given.
async fn as_a_step(world: &World, mode: &str, tree: &Path, given: &[(&str, &str)]) -> Ran {
    let action = include_str!("../../../action/action.yml");
    let line = action.lines().find(|line| line.contains(" action \"$GANDER_INPUT_MODE\""));
    let line = line.unwrap().trim().strip_prefix("run: '").unwrap().strip_suffix('\'').unwrap();
    let temp = world.folder.path().join("temp");
    let own = temp.join("gander-action/gander");
    if !own.exists() {
        std::fs::create_dir_all(own.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gander"), &own).unwrap();
    }
    let step = world.folder.path().join("step.sh");
    std::fs::write(&step, format!("{line}\n")).unwrap();
    let mut given = given.to_vec();
    given.push(("RUNNER_TEMP", temp.to_str().unwrap()));
    given.push(("GANDER_INPUT_MODE", mode));
    world.runs_by_a_shell(&step, tree, &given).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a10_no_process_that_the_repositorys_commands_can_look_at_holds_a_token_of_their_job() {
    let world = World::with_approved_release().await;
    let canary = format!("canary-{}", uuid::Uuid::new_v4().simple());
    let names = [
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_RESULTS_URL",
        "GITHUB_TOKEN",
        "GH_TOKEN",
        "INPUT_TOKEN",
        "GANDER_INPUT_TOKEN",
        "NPM_TOKEN",
    ];
    let given = names.map(|name| (name, canary.as_str()));
    for mode in ["test", "build"] {
        let folder = world.folder.path();
        let (seen, count) = (folder.join(format!("{mode}-seen")), folder.join("count"));
        let script = LOOK.replace("SEEN", seen.to_str().unwrap());
        let tree = project(&world, &script.replace("READ", count.to_str().unwrap()));
        let _ = std::fs::remove_dir_all(world.release_directory());
        let ran = as_a_step(&world, mode, &tree, &given).await;
        assert_eq!(ran.code, Some(0), "{mode}: {}\n{}", ran.log, ran.summary);
        let seen = read(&seen);
        // It did look: at itself, if at nobody else.
        assert!(read(&count).lines().count() >= 2 && seen.contains("CI=true"), "{mode}");
        let found: Vec<_> = seen.lines().filter(|line| line.contains(&canary)).collect();
        assert!(found.is_empty(), "{mode}: {found:?}");
        assert!(!ran.log.contains(&canary) && !ran.summary.contains(&canary), "{}", ran.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_given_what_builds_need_and_nothing_that_the_runner_obeys() {
    let world = World::with_release().await;
    let seen = world.folder.path().join("seen");
    let tree = project(&world, &format!("env > {}\n", seen.display()));
    let kept = [
        ("GITHUB_SHA", "0123"),
        ("GITHUB_REF", "refs/heads/main"),
        ("RUNNER_TEMP", "/tmp"),
        ("JAVA_HOME_17_X64", "/opt/java"),
        ("LC_ALL", "C.UTF-8"),
        ("TZ", "Europe/Berlin"),
        ("HTTPS_PROXY", "http://proxy.example:3128"),
    ];
    let dropped = [
        ("GITHUB_ENV", "/x/env"),
        ("GITHUB_PATH", "/x/path"),
        ("GITHUB_STATE", "/x/state"),
        ("RUNNER_TRACKING_ID", "x"),
        ("BASH_ENV", "/x/bash"),
        ("MY_SETTING", "x"),
        ("HTTP_PROXY", "http://mona:secret@proxy.example:3128"),
    ];
    let ran = world.runs("test", &tree, &[&kept[..], &dropped].concat()).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    let seen = read(&seen);
    let has = |name: &str| seen.lines().any(|line| line.split('=').next() == Some(name));
    for (name, value) in kept {
        assert!(seen.lines().any(|line| line == format!("{name}={value}")), "{name}: {seen}");
    }
    let own = ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GANDER_INPUT_PULL"];
    for name in dropped.map(|(name, _)| name).into_iter().chain(own) {
        assert!(!has(name), "{name}: {seen}");
    }
    let told = include_str!("../../../action/README.md");
    for name in ["`GITHUB_SHA`", "`RUNNER_TEMP`", "`GITHUB_ENV`", "`HTTPS_PROXY`", "`sudo`"] {
        assert!(told.contains(name), "action/README.md does not tell of {name}");
    }
}

/// The step after it has the token that uploads files, for every process of the user to read.
#[tokio::test(flavor = "multi_thread")]
async fn a10_what_a_command_left_running_is_gone_when_the_next_step_begins() {
    for mode in ["test", "build"] {
        let world = World::with_approved_release().await;
        let pid = world.folder.path().join("pid");
        // Out of its group, with a parent that is gone.
        let script = format!(
            "(setsid sh -c 'echo $$ > {0}; exec sleep 300' > /dev/null 2>&1 &)\n\
             while ! test -s {0}; do sleep 0.1; done\n",
            pid.display()
        );
        let tree = project(&world, &script);
        let _ = std::fs::remove_dir_all(world.release_directory());
        let ran = world.runs(mode, &tree, &[]).await;
        assert_eq!(ran.code, Some(0), "{mode}: {}\n{}", ran.log, ran.summary);
        let process = format!("/proc/{}/cmdline", read(&pid).trim());
        assert!(!read(Path::new(&process)).contains("sleep"), "{mode}: it lives on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_cannot_become_root_by_a_program_that_could_make_them_so() {
    let world = World::with_release().await;
    let seen = world.folder.path().join("seen");
    let tree =
        project(&world, &format!("grep NoNewPrivs /proc/self/status > {}\n", seen.display()));
    let ran = world.runs("test", &tree, &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    assert_eq!(read(&seen).split_whitespace().collect::<Vec<_>>(), ["NoNewPrivs:", "1"]);
}

/// As root only: nobody else can become another user.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_container_job_as_root_commands_run_as_a_user_without_rights() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let world = World::with_approved_release().await;
    // A runner's folders are open to all users of the container.
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(world.folder.path(), open).unwrap();
    let temp = world.folder.path().join("temp");
    std::fs::create_dir(&temp).unwrap();
    let script = "test \"$(id -u)\" != 0 && test \"$(id -g)\" != 0\nmkdir -p made/by\ntouch look.sh\n\
                  touch \"$HOME/it\"\n! cat /proc/[0-9]*/environ \
                  2> /dev/null | grep -qa GANDER_INPUT_PULL\n";
    let tree = project(&world, &format!("set -e\n{script}"));
    for mode in ["test", "build"] {
        let _ = std::fs::remove_dir_all(world.release_directory());
        let given = [("RUNNER_TEMP", temp.to_str().unwrap()), ("HOME", "/root")];
        let ran = world.runs(mode, &tree, &given).await;
        assert_eq!(ran.code, Some(0), "{mode}: {}\n{}", ran.log, ran.summary);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_a_pipe_or_a_device_where_a_manifest_is_expected_is_not_read() {
    let world = World::with_approved_release().await;
    let pipe = world.folder.path().join("pipe");
    let file = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, file, 0o600.into(), 0).unwrap();
    let expected = [
        ("package.json", "test", Some(0)),
        (".github/gander.toml", "test", Some(1)),
        ("CHANGELOG.md", "build", Some(1)),
        (".git/HEAD", "build", Some(1)),
    ];
    for (path, mode, code) in expected {
        for target in ["a pipe", pipe.to_str().unwrap(), "/dev/zero"] {
            let tree = project(&world, "exit 0\n");
            let planted = tree.join(path);
            let _ = std::fs::remove_file(&planted);
            if target == "a pipe" {
                rustix::fs::mknodat(rustix::fs::CWD, &planted, file, 0o600.into(), 0).unwrap();
            } else {
                std::os::unix::fs::symlink(target, &planted).unwrap();
            }
            let ran = world.runs(mode, &tree, &[]);
            let ran = tokio::time::timeout(Duration::from_secs(20), ran).await;
            let ran = ran.unwrap_or_else(|_| panic!("{path} as {target} is waited for"));
            assert_eq!(ran.code, code, "{path} as {target}: {}\n{}", ran.log, ran.summary);
            let told = ran.summary.contains(path) && ran.summary.contains("regular file");
            assert!(code == Some(0) || told, "{path} as {target}: {}", ran.summary);
        }
    }
    // Without rules, what the files show is run.
    let tree = project(&world, "exit 0\n");
    std::fs::remove_file(tree.join(".github/gander.toml")).unwrap();
    std::os::unix::fs::symlink(&pipe, tree.join("package.json")).unwrap();
    let ran = world.runs("test", &tree, &[]);
    let ran = tokio::time::timeout(Duration::from_secs(20), ran).await.unwrap();
    assert!(ran.summary.contains("no test command was found"), "{}", ran.summary);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_a_command_puts_in_the_place_of_the_runners_files_is_not_followed() {
    let world = World::with_release().await;
    let victim = world.folder.path().join("victim");
    std::fs::write(&victim, "theirs").unwrap();
    let (folder, target) = (world.folder.path().display(), victim.display());
    let script = format!("for file in {folder}/job-*/*; do ln -sf {target} \"$file\"; done\n");
    let ran = world.runs("test", &project(&world, &script), &[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.log);
    assert_eq!(read(&victim), "theirs");
}

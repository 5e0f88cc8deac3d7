//! The real program, as an operator and a newcomer meet it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]
#![allow(missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use gander_emulator::{AppCredentials, AppSpec, Emulator, Options};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SECRET: &str = "a webhook secret nobody guesses";

pub fn gander() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", "/tmp").stdin(Stdio::null());
    command
}

/// The same, for whom the compilers and interpreters of this machine are there.
fn gander_with_toolchains() -> Command {
    let mut command = gander();
    for (name, value) in std::env::vars_os() {
        let toolchains = ["HOME", "RUSTUP_HOME", "PYENV_ROOT", "NVM_DIR", "VOLTA_HOME"];
        if toolchains.iter().any(|known| name == *known) {
            command.env(name, value);
        }
    }
    command
}

pub fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    format!("{}{}", String::from_utf8_lossy(out), String::from_utf8_lossy(err))
}

pub fn fails_saying(command: &mut Command, words: &str) {
    let output = command.output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.starts_with("gander: ") && text.contains(words), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

/// A GitHub with one App on it, and the settings that go with them.
async fn github(directory: &Path) -> (Emulator, AppCredentials) {
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_millis()).unwrap()
    };
    let root = directory.join("github");
    std::fs::create_dir(&root).unwrap();
    let emulator = Emulator::start(Options { root, clock: Arc::new(now) }).await.unwrap();
    let spec = AppSpec {
        slug: "gander".to_owned(),
        webhook_secret: SECRET.to_owned(),
        ..AppSpec::default()
    };
    let app = emulator.create_app(spec).unwrap();
    (emulator, app)
}

fn serve(directory: &Path, emulator: &Emulator, app: &AppCredentials, key: &str) -> Command {
    let script = directory.join("script.json");
    std::fs::write(&script, r#"{"attempts": []}"#).unwrap();
    let mut command = gander();
    command
        .arg("serve")
        .env("GANDER_LISTEN", "127.0.0.1:0")
        .env("GANDER_DATA", directory.join("data"))
        .env("GANDER_APP_ID", app.app_id.to_string())
        .env("GANDER_PRIVATE_KEY", key)
        .env("GANDER_WEBHOOK_SECRET", SECRET)
        .env("GANDER_API_URL", emulator.api_url().as_str())
        .env("GANDER_WEB_URL", emulator.web_url().as_str())
        .env("GANDER_ALLOW_PRIVATE_ADDRESSES", "true")
        .env("GANDER_MODEL_SCRIPT", script)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// A server that is listening, and its log so far.
pub struct Served {
    process: Child,
    log: BufReader<std::process::ChildStderr>,
    pub address: String,
}

impl Served {
    pub fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "it ended before it listened");
        }
        let at = line.split("address=").nth(1).unwrap().trim().to_owned();
        Self { process, log, address: at }
    }

    /// One that does not listen, with its log up to these words.
    pub fn starting(mut command: Command, words: &str) -> Self {
        let mut process = command.spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut served = Self { process, log, address: String::new() };
        served.until(words);
        served
    }

    /// Its log up to these words.
    pub fn until(&mut self, words: &str) -> String {
        let mut all = String::new();
        while !all.contains(words) {
            assert_ne!(self.log.read_line(&mut all).unwrap(), 0, "it ended before: {all}");
        }
        all
    }

    pub fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn stop(mut self) -> (Option<i32>, String) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.process.wait().unwrap().code(), log)
    }
}

#[test]
fn what_is_missing_is_named_with_the_way_to_get_it() {
    fails_saying(gander().arg("serve"), "GANDER_APP_ID is not set");
    let with = |variables: &[(&str, &str)]| {
        let mut command = gander();
        command.arg("serve").env("APP_ID", "1").env("ANTHROPIC_API_KEY", "k");
        command.envs(variables.iter().copied());
        command
    };
    fails_saying(&mut with(&[]), "GANDER_PRIVATE_KEY is not set");
    fails_saying(&mut with(&[("PRIVATE_KEY", "x")]), "openssl rand -hex 32");
    let weak = [("PRIVATE_KEY", "x"), ("WEBHOOK_SECRET", "secret")];
    fails_saying(&mut with(&weak), "shorter than 16 characters");
    let no_key = [("PRIVATE_KEY", "x"), ("WEBHOOK_SECRET", SECRET)];
    fails_saying(&mut with(&no_key), "not an RSA key in PEM form");
}

#[test]
fn whoever_starts_the_server_first_is_told_all_that_is_missing_and_of_setup() {
    let directory = tempfile::tempdir().unwrap();
    let serve = || {
        let mut command = gander();
        command.arg("serve").current_dir(directory.path());
        command
    };
    let text = said(&serve().output().unwrap());
    for words in ["APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET", "MODEL_KEY"] {
        assert!(text.contains(&format!("GANDER_{words} is not set")), "{text}");
    }
    assert!(text.contains("`gander setup` makes an App"), "{text}");
    // Whoever has one, and did not name it, is told so.
    write(&directory.path().join("gander/gander-server.toml"), "[github]\napp_id = 1\n");
    fails_saying(&mut serve(), "`gander serve --config gander/gander-server.toml`");
    // And who has all of an App is told of the model's key alone.
    let app = [("APP_ID", "1"), ("PRIVATE_KEY", "x"), ("WEBHOOK_SECRET", SECRET)];
    let text = said(&serve().envs(app).output().unwrap());
    assert!(text.starts_with("gander: GANDER_MODEL_KEY is not set"), "{text}");
    assert!(text.lines().count() == 1, "{text}");
}

#[test]
fn the_name_of_a_model_is_enough_where_it_says_whose_it_is() {
    let local = Local::with(&[("a.txt", "a\n")]);
    let run = |arguments: &[&str]| {
        let mut command = gander();
        command.arg("run").arg("--offline").arg("--repo").arg(local.at("repo"));
        command.arg("--issue").arg(local.at("issue.md")).arg("--out").arg(local.at("out"));
        command.args(arguments);
        command
    };
    fails_saying(&mut run(&[]), "no key for anthropic: set ANTHROPIC_API_KEY");
    fails_saying(&mut run(&["--model", "gpt-5"]), "no key for openai: set OPENAI_API_KEY");
    fails_saying(&mut run(&["--model", "openai:claude-x"]), "no key for openai");
    fails_saying(&mut run(&["--model", "llama3:8b"]), "add --provider anthropic or");
    let named = ["--provider", "openai", "--model", "llama3:8b"];
    fails_saying(&mut run(&named), "no key for openai: set OPENAI_API_KEY");
    let output = run(&["--provider", "mistral"]).output().unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("there is no provider \"mistral\"; use anthropic or openai"), "{text}");
}

#[test]
fn a_folder_that_is_no_repository_is_told_in_one_sentence() {
    let nowhere = tempfile::tempdir().unwrap();
    std::fs::write(nowhere.path().join("issue.md"), "It crashes\n").unwrap();
    for arguments in [&["check"][..], &["rules"], &["run", "--issue", "issue.md"]] {
        let output = gander().args(arguments).current_dir(nowhere.path()).output().unwrap();
        let text = said(&output);
        assert!(text.contains("is in no git repository: name a directory of one"), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_that_cannot_be_asked_is_told_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, app) = github(directory.path()).await;
    let mut command = serve(directory.path(), &emulator, &app, &app.private_key_pem);
    command.env("GANDER_API_URL", "http://127.0.0.1:9");
    tokio::task::spawn_blocking(move || {
        let mut served = Served::start(command);
        let log = served.until("GitHub could not be asked who this App is");
        served.stop();
        assert!(log.contains("Connection refused"), "{log}");
    })
    .await
    .unwrap();
}

#[test]
fn a_demo_that_cannot_come_to_its_end_does_not_begin() {
    let few = tempfile::tempdir().unwrap();
    for name in ["bash", "git", "tar"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{name}"), few.path().join(name)).unwrap();
    }
    let mut command = gander();
    fails_saying(command.arg("demo").env("PATH", few.path()), "the demo's workflows need curl, as");
}

#[test]
fn help_of_the_action_lists_what_each_mode_is_given() {
    let help = |mode: &str| said(&gander().args(["action", mode, "--help"]).output().unwrap());
    for (mode, has, has_not) in [
        ("test", "GANDER_INPUT_CHEATS", "GANDER_INPUT_COMMIT"),
        ("build", "GANDER_INPUT_PACKAGE", "GANDER_INPUT_TOKEN"),
        ("publish", "GANDER_INPUT_REQUIRED_CHECKS", "GANDER_INPUT_CHEATS"),
    ] {
        let text = help(mode);
        assert!(text.contains(has) && !text.contains(has_not), "{text}");
    }
    assert!(help("publish").contains("NAME@APP_ID"), "{}", help("publish"));
}

#[test]
fn a_machine_that_gives_nobody_a_namespace_is_told_from_a_broken_one() {
    let local = Local::with(&[("a.txt", "a\n")]);
    // A namespace below which there is none: what such a machine is like for an ordinary user.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-current-user", "--keep-caps", "sh", "-c"]);
    command.arg(
        "echo 0 > /proc/sys/user/max_user_namespaces && \
         exec setpriv --ambient-caps=-all --inh-caps=-all \"$0\" check \"$1\"",
    );
    let program = gander();
    command.arg(program.get_program()).arg(local.at("repo")).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let text = said(&command.output().unwrap());
    assert!(text.contains("gander: the sandbox could not be set up"), "{text}");
    assert!(text.contains("`sysctl -w user.max_user_namespaces=15000`"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_the_apps_is_found_out_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, app) = github(directory.path()).await;
    let spec = AppSpec { slug: "another".to_owned(), ..AppSpec::default() };
    let other = emulator.create_app(spec).unwrap();
    let mut command = serve(directory.path(), &emulator, &app, &other.private_key_pem);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("gander: GitHub does not accept this App's number and key"), "{text}");
    assert!(!text.contains("PRIVATE KEY-----"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_may_change_workflows_is_not_served() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, _) = github(directory.path()).await;
    let may = |name: &str| [(name.to_owned(), "write".to_owned())].into();
    let mut said_of = Vec::new();
    for name in ["workflows", "administration"] {
        let spec = AppSpec {
            slug: name.to_owned(),
            webhook_secret: SECRET.to_owned(),
            permissions: may(name),
            ..AppSpec::default()
        };
        let app = emulator.create_app(spec).unwrap();
        let command = serve(directory.path(), &emulator, &app, &app.private_key_pem);
        said_of.push(
            tokio::task::spawn_blocking(move || match name {
                "workflows" => said(&{ command }.output().unwrap()),
                _ => {
                    let mut served = Served::start(command);
                    let said = served.until("GitHub knows this App");
                    said + &served.stop().1
                }
            })
            .await
            .unwrap(),
        );
    }
    let [refused, warned] = [&said_of[0], &said_of[1]];
    assert!(refused.contains("gander: this App may change workflows"), "{refused}");
    assert!(warned.contains("administration: write"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_until_it_is_told_to_stop_and_then_goes_quietly() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, app) = github(directory.path()).await;
    let command = serve(directory.path(), &emulator, &app, &app.private_key_pem);
    let (code, log) = tokio::task::spawn_blocking(move || {
        let served = Served::start(command);
        let get = |path: &str| {
            served.ask(&format!("GET {path} HTTP/1.1\r\nHost: gander\r\nConnection: close\r\n\r\n"))
        };
        assert!(get("/healthz").starts_with("HTTP/1.1 200"));
        assert!(get("/readyz").starts_with("HTTP/1.1 200"));
        let body = r#"{"zen":"Keep it logically awesome.","hook_id":1}"#;
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let post = |signature: &str| {
            served.ask(&format!(
                "POST /github/webhook HTTP/1.1\r\nHost: gander\r\nConnection: close\r\n\
                 X-GitHub-Delivery: 72d3162e-cc78-11e3-81ab-4c9367dc0958\r\n\
                 X-GitHub-Hook-ID: 1\r\nX-GitHub-Event: ping\r\n\
                 X-Hub-Signature-256: sha256={signature}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
        };
        assert!(post(&signature).starts_with("HTTP/1.1 202"));
        assert!(post(&"0".repeat(64)).starts_with("HTTP/1.1 401"));
        served.stop()
    })
    .await
    .unwrap();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.trim_end().ends_with("stopped"), "{log}");
    assert!(!log.contains(SECRET) && !log.contains('\u{1b}'), "{log}");
}

/// The children of a process, and the state of each.
fn children_of(process: u32) -> Vec<(u32, char)> {
    let listed = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = listed.unwrap_or_default();
    let children = children.split_whitespace().map(|child| child.parse().unwrap());
    let state = |child: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        Some((child, stat.rsplit_once(") ")?.1.chars().next()?))
    };
    children.filter_map(state).collect()
}

#[tokio::test]
async fn as_the_first_process_of_a_container_it_reaps_orphans_and_still_stops_when_told() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, app) = github(directory.path()).await;
    let server = serve(directory.path(), &emulator, &app, &app.private_key_pem);
    let ended = directory.path().join("orphan-ended");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-current-user", "--pid", "--fork", "--kill-child"]);
    command.args(["--mount-proc", "sh", "-c"]);
    // What it starts first loses its parent at once, and ends when the server is up.
    command.arg("(sh -c \"sleep 2; : > $0\" &); exec \"$1\" serve").arg(&ended);
    command.arg(server.get_program()).env_clear();
    command.envs(server.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || {
        let served = Served::start(command);
        let [(first, _)] = children_of(served.process.id())[..] else { panic!("no first process") };
        let began = std::time::Instant::now();
        while !ended.exists() || children_of(first).iter().any(|(_, state)| *state != 'S') {
            let seen = children_of(first);
            assert!(began.elapsed() < std::time::Duration::from_secs(20), "{seen:?}");
            std::thread::yield_now();
        }
        assert_eq!(children_of(first).len(), 1, "the server");
        let pid = rustix::process::Pid::from_raw(first.cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let (mut log, mut process) = (served.log, served.process);
        let mut said = String::new();
        log.read_to_string(&mut said).unwrap();
        assert!(said.contains("stopped"), "{said}");
        assert_eq!(process.wait().unwrap().code(), Some(0), "{said}");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn systemd_hears_when_it_works_as_long_as_it_does_and_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let (emulator, app) = github(directory.path()).await;
    let at = directory.path().join("notify");
    let systemd = std::os::unix::net::UnixDatagram::bind(&at).unwrap();
    systemd.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let mut command = serve(directory.path(), &emulator, &app, &app.private_key_pem);
    command.env("NOTIFY_SOCKET", &at).env("WATCHDOG_USEC", "200000");
    let told = tokio::task::spawn_blocking(move || {
        let hear = || {
            let mut words = [0; 100];
            let length = systemd.recv(&mut words).unwrap();
            String::from_utf8_lossy(&words[..length]).trim().to_owned()
        };
        let served = Served::start(command);
        let mut told = Vec::new();
        while told.iter().filter(|word: &&String| *word == "WATCHDOG=1").count() < 3 {
            told.push(hear());
        }
        let (code, log) = served.stop();
        assert_eq!(code, Some(0), "{log}");
        while told.last().unwrap() != "STOPPING=1" {
            told.push(hear());
        }
        told
    });
    let told = told.await.unwrap();
    assert!(told.contains(&"READY=1".to_owned()), "{told:?}");
}

#[test]
fn a_rules_file_is_checked_with_line_and_column() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gander.toml");
    std::fs::write(&file, "[agent]\natempts = 2\n").unwrap();
    let check = |file: &Path| {
        let mut command = gander();
        command.args(["config", "check"]).arg(file);
        command
    };
    fails_saying(&mut check(&file), "line 2, column 1: unknown field `atempts`");
    fails_saying(&mut check(&directory.path().join("none")), "there is no");
    std::fs::write(&file, "[agent]\nminutes = 9\n[verify]\ncommands = [\"true\", \" \"]\n")
        .unwrap();
    fails_saying(&mut check(&file), "line 4, column 21: `[verify] commands`: number 2 is empty");
    std::fs::write(&file, "[agent]\n# minutes of one try\nturns = 9\nminutes = 0\n").unwrap();
    fails_saying(&mut check(&file), "line 4, column 11: `[agent] minutes`: must be 1 to 240");
    std::fs::write(&file, "[agent]\nattempts = 2\n").unwrap();
    let output = check(&file).output().unwrap();
    assert!(output.status.success() && said(&output).contains("attempts = 2"), "{}", said(&output));
}

#[test]
fn a_local_run_that_cannot_be_says_why_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(directory.path()).output();
        assert!(done.unwrap().status.success());
    };
    git(&["init", "--quiet", "empty"]);
    std::fs::write(at("issue.md"), "It crashes\n").unwrap();
    std::fs::write(at("blank.md"), "\n").unwrap();
    std::fs::write(at("script.json"), "{\"attempts\": [[\n").unwrap();
    let run = |repo: &str, issue: &str, model: &str| {
        let mut command = gander();
        command.arg("run").arg("--offline").arg("--repo").arg(at(repo));
        command.arg("--issue").arg(at(issue));
        command.args(["--model", model]).arg("--out").arg(at("out"));
        command
    };
    let script = format!("scripted:{}", at("script.json").display());
    fails_saying(&mut run("nowhere", "issue.md", &script), "cannot be opened");
    fails_saying(&mut run("empty", "issue.md", &script), "no commit yet");
    fails_saying(&mut run("empty", "blank.md", &script), "write a title on its first line");
    fails_saying(&mut run("empty", "nothing.md", &script), "cannot be read");
    for line in ["", "  ", "# make test", "\n"] {
        let output = run("empty", "issue.md", &script).args(["--verify", line]).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{line:?}: {text}");
        assert!(text.contains("name a command that runs something"), "{line:?}: {text}");
    }
    assert!(!at("out/change.patch").exists());
}

#[test]
fn a_local_run_writes_a_patch_that_fixes_the_commit_it_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(at("repo")).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", said(&done));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let commit = |greeting: &str| {
        std::fs::write(at("repo/greet.sh"), format!("echo {greeting}\n")).unwrap();
        git(&["add", "."]);
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        git(&[&who[..], &["commit", "--quiet", "--message", greeting]].concat());
    };
    std::fs::create_dir(at("repo")).unwrap();
    git(&["init", "--quiet", "--initial-branch=main"]);
    std::fs::write(at("repo/test.sh"), "test \"$(sh greet.sh)\" = hello\n").unwrap();
    commit("hallo");
    git(&["tag", "v1"]);
    git(&["branch", "stable"]);
    let wrong = git(&["rev-parse", "--short", "HEAD"]);
    commit("bonjour");
    let tip = git(&["rev-parse", "HEAD"]);
    std::fs::write(at("issue.md"), "# It greets wrongly\n\nIt should say hello.\n").unwrap();
    let attempt = serde_json::json!([
        {"calls": [
            {"tool": "edit", "path": "greet.sh", "old": "echo hallo", "new": "echo hello"},
            {"tool": "verify"},
        ]},
        {"calls": [{"tool": "finish", "summary": "It says hello now."}]},
    ]);
    let script = serde_json::json!({"attempts": vec![attempt; 3]});
    std::fs::write(at("script.json"), script.to_string()).unwrap();
    let run = |base: &[&str]| {
        let mut command = gander();
        command.arg("run").arg("--offline").arg("--repo").arg(at("repo"));
        command.arg("--issue").arg(at("issue.md"));
        command.arg("--model").arg(format!("scripted:{}", at("script.json").display()));
        command.arg("--out").arg(at("out")).args(["--verify", "sh test.sh"]).args(base);
        command
    };
    for base in ["v1", "stable", &wrong, &git(&["rev-parse", "v1"])] {
        let done = run(&["--base", base, "--json"]).output().unwrap();
        assert!(done.status.success(), "--base {base}: {}", said(&done));
        let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["result"], "verified", "{report:#}");
        assert_eq!(report["base"], git(&["rev-parse", "v1"]));
        git(&["checkout", "--quiet", "v1"]);
        git(&["apply", at("out/change.patch").to_str().unwrap()]);
        let fixed = std::fs::read_to_string(at("repo/greet.sh")).unwrap();
        assert_eq!(fixed, "echo hello\n");
        git(&["checkout", "--quiet", "--force", "main"]);
        std::fs::remove_file(at("out/change.patch")).unwrap();
    }
    let text = said(&run(&["--base", "v1"]).output().unwrap());
    assert!(
        text.contains("Checks passed: 1 file(s), +1 -1") && text.contains("git apply"),
        "{text}"
    );
    let wordy = std::fs::read_to_string(at("out/report.md")).unwrap();
    assert!(wordy.contains("It says hello now."), "{wordy}");

    // What stands at the tip cannot be changed this way, and says so.
    let done = run(&[]).output().unwrap();
    let text = said(&done);
    assert!(!done.status.success() && text.contains("No verified change"), "{text}");
    assert!(!at("out/change.patch").exists(), "an older run's patch passes for this one's");
    fails_saying(&mut run(&["--base", "v2"]), "has no branch, tag or commit \"v2\"");
    fails_saying(&mut run(&["--base=--all"]), "has no branch, tag or commit \"--all\"");
    assert_eq!(
        (git(&["status", "--porcelain"]), git(&["rev-parse", "HEAD"])),
        (String::new(), tip)
    );
}

/// A local repository at its first commit, and what `gander run` makes of one scripted attempt.
pub struct Local(tempfile::TempDir);

impl Local {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let local = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            write(&local.at("repo").join(path), text);
        }
        write(&local.at("issue.md"), "It is wrong\n");
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let commit = [&who[..], &["commit", "--quiet", "--message", "first"]].concat();
        for arguments in [&["init", "--quiet"][..], &["add", "."], &commit] {
            let git = Command::new("git").args(arguments).current_dir(local.at("repo")).output();
            assert!(git.as_ref().unwrap().status.success(), "{}", said(&git.unwrap()));
        }
        local
    }

    /// A file of it becomes a program, in one more commit.
    pub fn may_run(&self, path: &str) {
        let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(self.at("repo").join(path), may_run).unwrap();
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let commit = [&who[..], &["commit", "--all", "--quiet", "--message", "run"]].concat();
        let git = Command::new("git").args(&commit).current_dir(self.at("repo")).output();
        assert!(git.as_ref().unwrap().status.success(), "{}", said(&git.unwrap()));
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// With another issue.
    pub fn about(self, issue: &str) -> Self {
        write(&self.at("issue.md"), issue);
        self
    }

    /// The model makes these edits; the program's own words, and its report.
    pub fn edited(
        &self,
        edits: &[serde_json::Value],
        more: &[&str],
    ) -> (String, serde_json::Value) {
        self.attempted(&[edits], more)
    }

    /// The same with the edits of several attempts.
    pub fn attempted(
        &self,
        attempts: &[&[serde_json::Value]],
        more: &[&str],
    ) -> (String, serde_json::Value) {
        let finish = serde_json::json!({"tool": "finish", "summary": "done"});
        let replies = |edits: &&[serde_json::Value]| serde_json::json!([{"calls": edits}, {"calls": [finish]}]);
        let attempts: Vec<_> = attempts.iter().map(replies).collect();
        self.played(&serde_json::json!({"attempts": attempts}), more)
    }

    /// The same with the model's whole script.
    pub fn played(&self, script: &serde_json::Value, more: &[&str]) -> (String, serde_json::Value) {
        write(&self.at("script.json"), &script.to_string());
        let mut command = gander_with_toolchains();
        if self.at("pyenv").exists() {
            command.env("PYENV_ROOT", self.at("pyenv"));
        }
        // What is kept for the next time is this repository's.
        command.env("XDG_CACHE_HOME", self.at("cache"));
        command.arg("run").arg("--repo").arg(self.at("repo"));
        if !self.has_registries() {
            command.arg("--offline");
        }
        command.arg("--issue").arg(self.at("issue.md")).arg("--out").arg(self.at("out"));
        command.arg("--model").arg(format!("scripted:{}", self.at("script.json").display()));
        let output = command.args(more).output().unwrap();
        let report = std::fs::read_to_string(self.at("out/report.json"));
        let report = report.unwrap_or_else(|_| panic!("no report: {}", said(&output)));
        (said(&output), serde_json::from_str(&report).unwrap())
    }

    /// From now on its packages come from the public registries.
    pub fn with_registries(self) -> Self {
        write(&self.at("registries"), "");
        self
    }

    fn has_registries(&self) -> bool {
        self.at("registries").exists()
    }

    /// Where the repository is.
    pub fn repository(&self) -> std::path::PathBuf {
        self.at("repo")
    }

    /// Whether the model was asked for anything.
    pub fn asked_the_model(&self) -> bool {
        crate::world::files_below(&self.at("out"))
            .iter()
            .any(|path| path.ends_with("transcript.jsonl"))
    }

    /// Whether the program wrote a file of this name that `git apply` takes.
    pub fn left_a_patch(&self, name: &str) -> bool {
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(self.at("out").join(name));
        git.current_dir(self.at("repo")).output().unwrap().status.success()
    }

    /// A Python of the host's own beside the system's, with these files among its packages.
    fn host_python(&self, packages: &[(&str, &str)]) {
        let root = self.at("pyenv/versions/host");
        write(&self.at("pyenv/version"), "host\n");
        write(&root.join("pyvenv.cfg"), "home = /usr/bin\ninclude-system-site-packages = true\n");
        let pytest =
            "#!/opt/toolchains/python/bin/python3\nimport sys, pytest\nsys.exit(pytest.main())\n";
        write(&root.join("bin/pytest"), pytest);
        let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(root.join("bin/pytest"), may_run).unwrap();
        std::os::unix::fs::symlink("/usr/bin/python3", root.join("bin/python3")).unwrap();
        let asked = "import sysconfig; print(sysconfig.get_python_version())";
        let version = Command::new("/usr/bin/python3").args(["-c", asked]).output().unwrap();
        let version = String::from_utf8(version.stdout).unwrap();
        let site = root.join(format!("lib/python{}/site-packages", version.trim()));
        for (path, text) in packages {
            write(&site.join(path), text);
        }
    }
}

pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// An edit that changes nothing any check looks at.
pub fn an_idle_edit() -> [serde_json::Value; 1] {
    [serde_json::json!({"tool": "edit", "path": "NOTES", "action": "create", "new": "noted\n"})]
}

#[test]
fn a_cargo_workspace_with_a_package_at_its_root_is_tested_as_a_whole() {
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n")
    };
    let root = format!("{}[workspace]\nmembers = [\"inner\"]\n", package("outer"));
    let red = "#[test]\nfn adds() {\n    assert_eq!(1 + 1, 3);\n}\n";
    let local = Local::with(&[
        ("Cargo.toml", &root),
        ("src/lib.rs", ""),
        ("inner/Cargo.toml", &package("inner")),
        ("inner/src/lib.rs", red),
        (".github/gander.toml", "[agent]\nattempts = 1\n"),
    ]);
    let (text, report) = local.edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("cargo test --workspace --offline"), "{text}");
    assert!(text.contains("inner/src/lib.rs:3"), "{text}");
}

#[test]
fn a_check_of_two_lines_fails_where_its_first_line_does() {
    let rules = "[agent]\nattempts = 1\n[verify]\ncommands = [\"\"\"\nfalse\ntrue\n\"\"\"]\n";
    let local = Local::with(&[(".github/gander.toml", rules)]);
    let (text, report) = local.edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "false; true"]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "! false\ntrue"]);
    assert_eq!(report["result"], "verified", "{text}");
}

const PYTHON_RULES: (&str, &str) = (".github/gander.toml", "[agent]\nattempts = 1\n");
const WIDGET_TEST: (&str, &str) =
    ("tests/test_widget.py", "import widget\ndef test_size():\n    assert widget.SIZE == 3\n");

#[test]
fn a_python_package_is_tested_as_it_stands_in_the_tree_though_the_host_has_one_of_that_name() {
    for folder in ["src/widget", "widget"] {
        let init = format!("{folder}/__init__.py");
        let local = Local::with(&[(&init, "SIZE = 2\n"), WIDGET_TEST, PYTHON_RULES]);
        local.host_python(&[("widget/__init__.py", "SIZE = 3\n")]);
        let (text, report) = local.edited(&an_idle_edit(), &[]);
        assert_eq!(report["result"], "no_verified_change", "{folder}: {text}");
        assert!(text.contains("assert 2 == 3"), "{folder}: {text}");
        let edit = serde_json::json!({"tool": "edit", "path": init, "old": "2", "new": "3"});
        let (text, report) = local.edited(&[edit], &[]);
        assert_eq!(report["result"], "verified", "{folder}: {text}");
    }
}

#[test]
fn tests_that_import_a_package_from_elsewhere_decide_nothing_and_say_so() {
    // What a package's own start-up line may do, and some editable installs do.
    let first = "import sys; sys.path.insert(0, '/opt/toolchains/python/first')\n";
    let local = Local::with(&[("src/widget/__init__.py", "SIZE = 2\n"), WIDGET_TEST, PYTHON_RULES]);
    local
        .host_python(&[("widget.pth", first), ("../../../first/widget/__init__.py", "SIZE = 3\n")]);
    let (text, report) = local.edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    let lies = "tests import `widget` from /opt/toolchains/python/first/widget/__init__.py";
    assert!(text.contains(lies) && text.contains("take it away"), "{text}");

    // A package of the host's hides one without `__init__.py`, wherever that stands on the path.
    let local = Local::with(&[
        ("src/widget/size.py", "SIZE = 2\n"),
        PYTHON_RULES,
        (
            "tests/test_widget.py",
            "import widget.size\ndef test_size():\n    assert widget.size.SIZE == 3\n",
        ),
    ]);
    local.host_python(&[("widget/__init__.py", ""), ("widget/size.py", "SIZE = 3\n")]);
    let (text, report) = local.edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert!(text.contains("tests import `widget` from /opt/toolchains/python/lib/"), "{text}");
}

#[test]
fn a_change_that_turns_every_report_into_passed_is_not_called_more_than_checks_passed() {
    let local = Local::with(&[("widget/__init__.py", "SIZE = 2\n"), WIDGET_TEST]);
    local.host_python(&[]);
    let cheat = "import pytest\n\n@pytest.hookimpl(hookwrapper=True)\n\
                 def pytest_runtest_makereport(item, call):\n    result = yield\n    \
                 result.get_result().outcome = 'passed'\n";
    let edit = serde_json::json!({"tool": "edit", "path": "conftest.py", "action": "create", "new": cheat});
    // The rule that sees it is overridden here: what decides the verdict is held all the same.
    let (text, report) = local.edited(&[edit], &["--override", "runner-tampered=to see the rest"]);
    assert_eq!(report["result"], "verified", "the cheat does not work: {text}");
    assert_eq!(report["outcome"], "held", "{report:#}");
    assert_eq!(report.get("note"), None, "{report:#}");
    assert!(text.contains("Held for a person to look at: 1 file(s)"), "{text}");
    assert!(text.contains("look before you use it: conftest.py: hooks of pytest"), "{text}");
}

#[test]
fn what_a_local_run_prints_does_not_steer_the_terminal() {
    let escapes = "\u{1b}[2J\u{1b}]0;mine\u{7}gone\u{202e}\u{9b}31m";
    let local = Local::with(&[("greet.sh", "echo hello\n")]);
    let finish = serde_json::json!({"tool": "finish", "summary": escapes, "nothing_to_fix": true});
    for json in [&["--verify", "sh greet.sh"][..], &["--verify", "sh greet.sh", "--json"]] {
        let (printed, report) = local.edited(std::slice::from_ref(&finish), json);
        assert!(printed.contains("gone"), "{printed}");
        for steers in ['\u{1b}', '\u{7}', '\u{202e}', '\u{9b}'] {
            assert!(!printed.contains(steers), "{printed:?}");
        }
        assert_eq!(report["why"], escapes, "machines get it as it is");
        if json.contains(&"--json") {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&printed).unwrap(), report);
        }
        let written = std::fs::read_to_string(local.at("out/report.md")).unwrap();
        assert!(written.contains("gone") && !written.contains('\u{1b}'), "{written:?}");
    }
}

#[test]
fn a_local_run_without_a_test_command_says_that_no_test_was_run() {
    let local = Local::with(&[("README.md", "# Widget\n")]);
    let (text, report) = local.edited(&an_idle_edit(), &[]);
    assert_eq!(report["result"], "verified", "{text}");
    assert_eq!(report["outcome"], "nothing_ran", "{report:#}");
    assert_eq!(report["note"], "no test was run", "{report:#}");
    assert!(text.contains("Checks passed, no test was run: 1 file(s)"), "{text}");
    assert!(!format!("{text}{report}").to_lowercase().contains("proven"), "{text}");
}

#[test]
fn a_check_that_cannot_be_run_stops_a_local_run_at_once_as_it_does_on_the_server() {
    let local = Local::with(&[(".github/gander.toml", "[agent]\nattempts = 3\n")]);
    let (text, report) = local.edited(&an_idle_edit(), &["--verify", "no-such-checker"]);
    assert_eq!(report["result"], "no_verified_change", "{text}");
    assert_eq!(report["attempts"], 1, "another attempt of the model would not mend it: {text}");
    assert!(text.contains("no-such-checker"), "{text}");
}

#[test]
fn the_demo_goes_from_an_issue_to_a_release_and_tells_machines_too() {
    let output = gander_with_toolchains().args(["demo", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let story: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for pull in ["pull_request", "release_pull_request"] {
        assert_eq!(story[pull]["merged"], true, "{story:#}");
    }
    assert_eq!(story["pull_request"]["labels"], serde_json::json!(["gander:ai-generated"]));
    let body = story["pull_request"]["body"].as_str().unwrap();
    assert!(body.contains("failed: attempt to divide by zero | passed, "), "{body}");
    let release = &story["release"];
    assert_eq!(release["tag"], "v0.2.0");
    assert!(release["assets"].as_array().unwrap().contains(&"SHA256SUMS".into()), "{release}");
    let texts: Vec<&str> =
        story["timeline"].as_array().unwrap().iter().map(|e| e["text"].as_str().unwrap()).collect();
    let mut from = texts.iter();
    for beginning in [
        "commented on #1: /gander fix",
        "commented on #1: @mona #2 is ready for your review",
        "reviewed #2: changes requested",
        "commented on #2: /gander take @hubert",
        "resolved a thread on #2",
        "merged #2 into main",
        "commented on #2: /gander release 0.2.0",
        "merged #3 into main",
        "dispatched gander-release",
        "published release v0.2.0",
        "commented on #1: Shipped in [v0.2.0](",
    ] {
        assert!(from.any(|text| text.starts_with(beginning)), "no {beginning:?} in {texts:#?}");
    }
}

/// A machine without a Rust compiler: its story is one of a shell script.
#[test]
fn the_demo_can_stay_up_to_look_around() {
    let mut demo =
        Stopped(gander().args(["demo", "--keep"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut till = |words: &str| {
        let found = lines.find(|line| line.contains(words));
        found.unwrap_or_else(|| panic!("it never said {words:?}"))
    };
    till("v0.2.0 is out");
    till("stays up until Ctrl-C");
    let clone = till("git clone ");
    let (releases, pulls) = (till("curl "), till("curl "));
    let here = format!("{}/acme/stats", clone.rsplit_once("/acme/stats").unwrap().0.trim());
    let here = here.split_whitespace().next_back().unwrap().to_owned();

    let folder = tempfile::tempdir().unwrap();
    let words = clone.split_whitespace().skip(1);
    let mut git = Command::new("git");
    git.args(words).current_dir(folder.path()).env("GIT_TERMINAL_PROMPT", "0");
    let cloned = git.output().unwrap();
    assert!(cloned.status.success(), "{}", said(&cloned));
    let log = std::fs::read_to_string(folder.path().join("stats/CHANGELOG.md")).unwrap();
    assert!(log.contains("## 0.2.0"), "{log}");
    for (line, shown) in [(releases, "SHA256SUMS"), (pulls, "\"number\":3")] {
        let url: url::Url =
            line.split(' ').next_back().unwrap().trim_matches('\'').parse().unwrap();
        let answer = get(&url);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(shown), "{url}: {answer}");
    }

    // Its pages are there to act on: another issue waits to be fixed.
    let page = |path: &str| asks(&format!("{here}{path}").parse().unwrap(), "GET", "");
    assert!(page("/releases").contains("SHA256SUMS</a>"), "{}", page("/releases"));
    let list = page("/issues");
    let open = list.split("badge open").nth(1).unwrap_or_else(|| panic!("{list}"));
    let issue = open.split("/issues/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let comments: url::Url = format!("{here}/issues/{issue}/comments").parse().unwrap();
    let answer = asks(&comments, "POST", "body=%2Fgander+fix");
    assert!(answer.starts_with("HTTP/1.1 302"), "{answer}");
    let begun = std::time::Instant::now();
    while !page("/pulls").contains("badge open") {
        assert!(begun.elapsed().as_secs() < 60, "{}", page(&format!("/issues/{issue}")));
        std::thread::sleep(std::time::Duration::from_millis(200));
    }

    let pid = rustix::process::Pid::from_child(&demo.0);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert!(demo.0.wait().unwrap().success());
}

/// A program that is not left running when its story fails.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
    }
}

/// What a peer without a token is answered.
fn get(url: &url::Url) -> String {
    asks(url, "GET", "")
}

/// The same with a form.
fn asks(url: &url::Url, method: &str, form: &str) -> String {
    let at = url.socket_addrs(|| None).unwrap();
    let mut peer = TcpStream::connect(&*at).unwrap();
    peer.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let (path, query) = (url.path(), url.query().unwrap_or_default());
    let length = form.len();
    let head = "Host: localhost\r\nUser-Agent: me\r\nConnection: close";
    let head = format!("{head}\r\nContent-Length: {length}");
    write!(peer, "{method} {path}?{query} HTTP/1.1\r\n{head}\r\n\r\n{form}").unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    answer
}

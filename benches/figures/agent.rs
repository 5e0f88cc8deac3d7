//! `gander run` as a whole, and the agent's loop turn by turn.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gander::app::sandbox;
use gander::core::budget::{Budget, Money};
use gander::core::conventions::Conventions;
use gander::core::event::IssueText;
use gander::core::id::Number;
use gander::core::job::{Kind, Planning};
use gander::core::policy::Rules;
use gander::model::{Model, ModelError, ModelReply, Price, Request, Scripted, ScriptedTurn};
use gander::sandbox::Sandbox;
use gander::store::Memory;
use gander::worker::{Attempt, AttemptInput, JobContext, attempt};
use gander::workspace::mirror::{History, Mirror, Source, Want};
use gander::workspace::scratch::Scratch;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::machine::memory;
use super::sample::Sample;
use super::table::{Table, Wanted};

const RUNS: usize = 15;
const WATCHED_RUNS: usize = 5;
const TURNS: usize = 40;
const TALKS: usize = 7;

/// A project whose test is a shell script, wrong by one.
pub(crate) const PROJECT: &[(&str, &str)] = &[
    ("README.md", "# Widgets\n"),
    ("count.sh", "#!/bin/sh\n# Prints how many widgets there are.\necho $(( $1 - 1 ))\n"),
    ("check.sh", "#!/bin/sh\n[ \"$(sh count.sh 3)\" = 3 ] || { echo FAIL; exit 1; }\necho ok\n"),
    (".github/gander.toml", "[verify]\ncommands = [\"sh check.sh\"]\n\n[agent]\nturns = 60\n"),
];

/// List, read, edit, test, finish.
pub(crate) fn five_turns() -> Vec<ScriptedTurn> {
    vec![
        ScriptedTurn::call("read", json!({})),
        ScriptedTurn::call("read", json!({"path": "count.sh"})),
        ScriptedTurn::call("edit", json!({"path": "count.sh", "old": "$1 - 1", "new": "$1"})),
        ScriptedTurn::call("run", json!({"command": "sh check.sh"})),
        ScriptedTurn::call("finish", json!({"summary": "The count was one too low."})),
    ]
}

pub(crate) fn measure(home: &Path, table: &mut Table) {
    let place = RepoRef::make(&home.join("agent"));
    whole(&place, table);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(turn_by_turn(&place, table));
}

struct RepoRef {
    home: PathBuf,
    repository: PathBuf,
    test_time: Duration,
}

impl RepoRef {
    fn make(home: &Path) -> Self {
        let repository = home.join("repository");
        for (path, text) in PROJECT {
            let file = repository.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let person = ["-c", "user.name=mona", "-c", "user.email=mona@localhost"];
        for words in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "Count widgets"]] {
            let mut git = Command::new("git");
            let done = git.args(person).args(words).current_dir(&repository).status().unwrap();
            assert!(done.success(), "git {words:?}");
        }
        std::fs::write(home.join("issue.md"), "The count is one too low\n\n3 gives 2.\n").unwrap();
        let call = |tool: &str, more: serde_json::Value| {
            let mut call = more;
            call["tool"] = tool.into();
            json!({"calls": [call]})
        };
        let script = json!({"attempts": [[
            call("read", json!({})),
            call("read", json!({"path": "count.sh"})),
            call("edit", json!({"path": "count.sh", "old": "$1 - 1", "new": "$1"})),
            call("run", json!({"command": "sh check.sh"})),
            call("finish", json!({"summary": "The count was one too low."})),
        ]]});
        std::fs::write(home.join("script.json"), script.to_string()).unwrap();
        let test_time = test_time(&repository);
        Self { home: home.to_owned(), repository, test_time }
    }

    /// `gander run`, started.
    fn run(&self, out: &Path) -> Child {
        Command::new(env!("CARGO_BIN_EXE_gander"))
            .args(["run", "--offline"])
            .args([Path::new("--repo"), &self.repository])
            .args([Path::new("--issue"), &self.home.join("issue.md")])
            .arg("--model")
            .arg(format!("scripted:{}", self.home.join("script.json").display()))
            .args([Path::new("--out"), out])
            // The disk, not the memory that `gander unprivileged` lays over `/tmp`.
            .env("TMPDIR", &self.home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }
}

/// What the project's test takes by itself, outside of everything.
fn test_time(repository: &Path) -> Duration {
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let started = Instant::now();
            let mut test = Command::new("sh");
            let _ = test.arg("check.sh").current_dir(repository).stdout(Stdio::null()).status();
            started.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

fn whole(place: &RepoRef, table: &mut Table) {
    // The agent runs the test, and the verification does.
    let tests = 2 * place.test_time;
    let mut times = Vec::new();
    for n in 0..RUNS {
        let out = place.home.join(format!("out-{n}"));
        let started = Instant::now();
        let ended = place.run(&out).wait().unwrap();
        times.push(started.elapsed().saturating_sub(tests));
        assert!(ended.success(), "gander run ended with {ended}");
    }
    let what = "`gander run`, 5 turns, without the test's own time";
    table.sample(what, "ms", &Sample::of_times(times), Wanted::AtMost(150.0));
    let (mut firsts, mut peaks) = (Vec::new(), Vec::new());
    for n in 0..WATCHED_RUNS {
        let (first, peak) = watched(place, &place.home.join(format!("watched-{n}")));
        firsts.push(first);
        peaks.push(peak);
    }
    let firsts = Sample::of_times(firsts);
    table.sample("  until the first model request", "ms", &firsts, Wanted::AtMost(50.0));
    table.sample("  peak memory", "MB", &Sample::of(peaks), Wanted::AtMost(40.0));
}

/// When the transcript had its first line (written just before the first request), and the peak
/// of the memory. Watching costs a little, so these runs are not timed as a whole.
fn watched(place: &RepoRef, out: &Path) -> (Duration, f64) {
    let transcript = out.join("r1-a1/transcript.jsonl");
    let started = Instant::now();
    let mut child = place.run(out);
    let (mut first, mut peak) = (None, 0.0_f64);
    while child.try_wait().unwrap().is_none() {
        if first.is_none() && transcript.metadata().is_ok_and(|file| file.len() > 0) {
            first = Some(started.elapsed());
        }
        peak = peak.max(memory(child.id(), "VmHWM").unwrap_or(0.0));
        std::thread::sleep(Duration::from_micros(500));
    }
    (first.expect("there was a first request"), peak)
}

/// Notes when it was asked.
struct Timed {
    script: Scripted,
    asked: Arc<Mutex<Vec<Instant>>>,
}

#[async_trait]
impl Model for Timed {
    fn name(&self) -> &str {
        self.script.name()
    }

    fn price(&self) -> Price {
        self.script.price()
    }

    async fn respond(&self, request: &Request<'_>) -> Result<ModelReply, ModelError> {
        self.asked.lock().unwrap().push(Instant::now());
        self.script.respond(request).await
    }
}

async fn turn_by_turn(place: &RepoRef, table: &mut Table) {
    let plain = (0..TURNS).map(|turn| match turn % 4 {
        0 => ScriptedTurn::call("read", json!({"path": "count.sh"})),
        1 => ScriptedTurn::call(
            "edit",
            json!({"path": "count.sh", "old": "$1 - 1", "new": "$1 + 0"}),
        ),
        2 => ScriptedTurn::call("search", json!({"pattern": "widgets"})),
        _ => ScriptedTurn::call(
            "edit",
            json!({"path": "count.sh", "old": "$1 + 0", "new": "$1 - 1"}),
        ),
    });
    let sandboxed =
        (0..TURNS).map(|_| ScriptedTurn::call("run", json!({"command": "sh check.sh"})));
    let scripts: [(&str, Vec<ScriptedTurn>, f64, Duration); 2] = [
        ("a turn of 40: read, edit, search", plain.collect(), 10.0, Duration::ZERO),
        ("a turn of 40: a command in the sandbox", sandboxed.collect(), 25.0, place.test_time),
    ];
    for (what, turns, most, own) in scripts {
        let mut talks = Vec::new();
        for n in 0..TALKS {
            talks.push(talk(place, turns.clone(), &format!("talk-{}-{n}", own.is_zero())).await);
        }
        let own = own.as_secs_f64() * 1000.0;
        let of = |turns: std::ops::Range<usize>| {
            let turns = talks.iter().flat_map(|talk| talk[turns.clone()].to_vec());
            Sample::of(turns.map(|time| (time.as_secs_f64() * 1000.0 - own).max(0.0)))
        };
        table.sample(what, "ms", &of(0..TURNS), Wanted::AtMost(most));
        // Windows around turns 5 and 40; four turns hold one of each kind.
        let ratio = of(TURNS - 4..TURNS).median() / of(3..7).median();
        table.value("  turn 40 against turn 5", "×", ratio, Wanted::AtMost(2.0));
    }
}

/// One attempt; how long each turn took, from one request to the next.
async fn talk(place: &RepoRef, mut turns: Vec<ScriptedTurn>, name: &str) -> Vec<Duration> {
    turns.push(ScriptedTurn::call("finish", json!({"nothing_to_fix": true, "summary": "enough"})));
    let cache = place.home.join(name);
    let mirror = Mirror::open(&cache.join("mirrors"), "local").await.unwrap();
    let source = Source::Path(&place.repository);
    let time = Duration::from_secs(60);
    let base = mirror.fetch(source, Want::Head, History::Tip, time).await.unwrap();
    let asked = Arc::default();
    let model: Arc<dyn Model> =
        Arc::new(Timed { script: Scripted::from_turns(turns), asked: Arc::clone(&asked) });
    let ctx = JobContext {
        pictures: Arc::default(),
        store: Arc::new(Memory::default()),
        sandbox: Arc::new(sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander")))
            as Arc<dyn Sandbox>,
        packages: gander::environment::Environment::default(),
        judge: Arc::clone(&model),
        model,
        slot: gander::agent::HeldSlot::default(),
        mirror,
        scratch: Scratch::below(&cache),
        records: cache.join("records"),
        clock: gander::clock::Clock::system(),
        base_checks: cache.join("base-checks"),
        builds: gander::workspace::builds::Builds::of(&cache, name.to_owned()),
        former_records: None,
        model_pause: Duration::ZERO,
        environments: gander::environment::Environments::new(&cache, None, Vec::new().into()),
    };
    let mut rules = Rules::default();
    rules.agent.turns = 60;
    rules.verify.commands = vec!["sh check.sh".to_owned()];
    let issue = IssueText { title: "The count".to_owned(), body: String::new() };
    let kind = Kind::Fix;
    let job = AttemptInput {
        kind,
        issue: &issue,
        request: "",
        number: Number(1),
        conventions: &Conventions::default(),
        rules: &rules,
        base: &base,
        round: None,
        others_pull: None,
        update: None,
        reverts: None,
        planning: &Planning::default(),
        notes: &[],
        overrides: &[],
    };
    let stop = CancellationToken::new();
    let budget = Money::from_micros(1_000_000_000);
    let (_, base) = tokio::sync::watch::channel(Vec::new());
    let budget = Budget::new(budget);
    let this =
        Attempt { round: 1, number: 1, budget, former: None, base, notes: None, stop: &stop };
    attempt(&job, &ctx, &this).await.map_err(|fault| fault.text).unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), TURNS + 1, "every turn was played");
    asked.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;

use super::tools::RunTool;
use super::*;
use crate::model::{Scripted, ScriptedTurn};
use crate::sandbox::{Sandbox, SandboxLimits, Unconfined};

/// A reply with as many calls of `run` as there are commands.
fn reply(commands: &[&str]) -> ScriptedTurn {
    let calls = commands.iter().map(|command| json!({"tool": "run", "command": command}));
    serde_json::from_value(json!({"calls": calls.collect::<Vec<_>>()})).unwrap()
}

/// One attempt of this length; how it ended, what each call was answered, and how long it took.
async fn attempt(time: Duration, turns: Vec<ScriptedTurn>) -> (Finished, Vec<String>, Duration) {
    let place = tempfile::tempdir().unwrap();
    let transcript = place.path().join("transcript.jsonl");
    let stop = CancellationToken::new();
    let end_of_tools = stop.child_token();
    let path = ("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    let sandbox: Arc<dyn Sandbox> = Arc::new(Unconfined::new([path]));
    let run_tool = RunTool {
        sandbox: watch::channel(sandbox).1,
        tree: PathBuf::from("/tmp"),
        build: None,
        limits: SandboxLimits::default(),
        env: Vec::new(),
        stop: end_of_tools.clone(),
    };
    let assignment = Assignment {
        pictures: &[],
        round: 1,
        attempt: 1,
        system: "",
        task: "wait".to_owned(),
        turns: 9,
        time,
        hands_in: HandsIn::Change,
        retry_pause: Duration::ZERO,
    };
    let mut context = AgentContext {
        model: &Scripted::from_turns(turns),
        slot: &HeldSlot::default(),
        tools: &[&run_tool],
        budget: &mut Budget::new(Money::from_micros(1_000_000_000)),
        transcript: &mut Transcript::open(&transcript).unwrap(),
        notes: None,
        waited: Duration::ZERO,
        stop: &stop,
        end_of_tools: &end_of_tools,
    };
    let began = Instant::now();
    let end = run(&assignment, &mut context).await.unwrap();
    let took = began.elapsed();
    let lines = std::fs::read_to_string(transcript).unwrap();
    let answers = lines.lines().map(|line| serde_json::from_str(line).unwrap());
    let answers = answers.filter_map(|entry| match entry {
        TranscriptEntry::Results(results) => Some(results),
        _ => None,
    });
    let answers = answers.flatten().map(|result: ToolResult| result.text).collect();
    (end, answers, took)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[tokio::test]
async fn five_long_commands_in_one_reply_do_not_outlive_the_attempt() {
    if is_root() {
        return; // Commands never run as root.
    }
    let turns = vec![reply(&["sleep 30"; 5]), reply(&["sleep 30"])];
    let (end, answers, took) = attempt(Duration::from_secs(1), turns).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(matches!(end, Finished::WithoutAnswer { .. }), "{end:?}");
    // Each call has its answer; only the first one began.
    assert_eq!(answers.len(), 5);
    assert_eq!(answers[0], "[stopped]\nThe time of this attempt is up.");
    assert!(answers[1..].iter().all(|answer| answer == TIME_IS_UP), "{answers:?}");
}

#[tokio::test]
async fn of_very_many_calls_in_one_reply_the_first_are_carried_out() {
    if is_root() {
        return; // Commands never run as root.
    }
    let finish = ScriptedTurn::call("finish", json!({"summary": "x", "nothing_to_fix": true}));
    let turns = vec![reply(&["echo done"; 40]), finish];
    let (end, answers, _) = attempt(Duration::from_secs(600), turns).await;
    assert!(matches!(end, Finished::NothingToFix { .. }), "{end:?}");
    assert_eq!(answers.len(), 41);
    assert!(answers[..32].iter().all(|answer| answer == "done\n[exit code 0]"), "{answers:?}");
    let refused = "Not done: one reply may hold 32 calls.";
    assert!(answers[32..40].iter().all(|answer| answer == refused), "{answers:?}");
}

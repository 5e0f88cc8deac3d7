//! What is remembered of Slack: the contract of every store.

use gander::core::id::{Number, RepoId};
use gander::core::slack::{SlackEntry, SlackRecord, SlackThread};
use gander::store::Commit;

use super::{Memory, at, commit_at, repo};

fn thread(issue: u64) -> SlackRecord {
    SlackRecord::Thread(Box::new(SlackThread {
        asked: "1.1".into(),
        by: "U1".into(),
        words: "one\u{0} too low".into(),
        choices: Vec::new(),
        repo: Some(repo(RepoId(1))),
        issue: Some(Number(issue)),
        card: None,
        state: "asked".into(),
        told: None,
        buttons: Vec::new(),
    }))
}

pub(super) async fn what_is_known_of_slack_is_written_with_a_commit_found_and_forgotten(
    memory: Memory,
) {
    let store = memory.open().await;
    let written = async |slack: Vec<SlackEntry>| {
        let commit = Commit { slack, ..Commit::default() };
        commit_at(&store, &commit, at(5)).await.unwrap();
    };
    let kept = |key: &str, record| SlackEntry::kept(key.to_owned(), record);
    let channel = SlackRecord::Channel(repo(RepoId(1)));
    let brief = SlackEntry { until: Some(at(10)), ..kept("visit/1", channel.clone()) };
    written(vec![kept("thread/C1/1", thread(7)), kept("thread/C1/2", thread(8)), brief]).await;
    assert_eq!(store.slack("thread/C1/1", at(9)).await.unwrap(), Some(thread(7)));
    assert_eq!(store.slack("thread/C1/3", at(9)).await.unwrap(), None);
    let about = async |number| store.slack_threads(RepoId(1), Number(number)).await.unwrap();
    assert_eq!(about(7).await, ["thread/C1/1"]);
    assert!(store.slack_threads(RepoId(2), Number(7)).await.unwrap().is_empty());
    // What is brief is over by itself, and forgotten with the rest.
    assert!(store.slack("visit/1", at(10)).await.unwrap().is_some());
    assert!(store.slack("visit/1", at(11)).await.unwrap().is_none());
    assert_eq!(store.forget(at(11)).await.unwrap(), 1);
    // Written again it is another; taken away it is gone.
    written(vec![kept("thread/C1/1", thread(8))]).await;
    assert!(about(7).await.is_empty());
    assert_eq!(about(8).await, ["thread/C1/1", "thread/C1/2"]);
    written(vec![SlackEntry::gone("thread/C1/1".into())]).await;
    assert_eq!(about(8).await, ["thread/C1/2"]);
    assert_eq!(store.slack("thread/C1/1", at(9)).await.unwrap(), None);
}

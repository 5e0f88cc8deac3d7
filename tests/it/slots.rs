//! Whose turn it is on a machine where only one step works at a time.

use futures_util::future::join;

use crate::world::{REPO, World, good_fix, off_by_one};

#[tokio::test]
async fn while_one_job_waits_for_its_model_another_is_done_and_then_it_goes_on() {
    let w = World::with_project(off_by_one()).await;
    w.model.will(good_fix());
    let (first, second) = (w.reported(), w.reported());
    w.maintainer().comments(REPO, first, "/gander fix").unwrap();
    w.emulator.deliver_all().await;
    let (asked, reply) = w.model.waits_at(2);
    let waits = async { while w.step().await {} };
    let meanwhile = async {
        asked.await.unwrap();
        w.maintainer().comments(REPO, second, "/gander fix").unwrap();
        w.emulator.deliver_all().await;
        while w.step().await {}
        let branch = w.only_pull().head_branch;
        assert!(branch.starts_with(&format!("gander/{second}-")), "{branch}");
        reply.send(()).unwrap();
    };
    join(waits, meanwhile).await;
    w.settle().await;
    assert_eq!(w.emulator.pulls(REPO).len(), 2, "{}", w.timeline());
    w.ends().await;
}

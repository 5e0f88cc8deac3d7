//! What *build* made reaches *publish* by way of storage that others can write to. Its digest
//! takes another way.

use gander::core::manifest::{BuildManifest, Digest, MANIFEST, SUMS};

use super::publish::stops;
use super::world::World;

/// Puts other files in the place of what was built, all of them in agreement with each other.
fn replaces_the_artifact(world: &World) {
    let directory = world.release_directory();
    let manifest = std::fs::read_to_string(directory.join(MANIFEST)).unwrap();
    let mut manifest: BuildManifest = serde_json::from_str(&manifest).unwrap();
    std::fs::write(directory.join("tool"), "evil").unwrap();
    let tool = manifest.files.iter_mut().find(|file| file.name.as_str() == "tool").unwrap();
    (tool.size, tool.sha256) = (4, Digest::of(b"evil"));
    std::fs::write(directory.join(SUMS), manifest.sums()).unwrap();
    std::fs::write(directory.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a09_an_artifact_that_was_replaced_after_the_build_is_not_published() {
    let world = World::with_approved_release().await;
    replaces_the_artifact(&world);
    let words = ["are not what *build* handed over", "Find out what replaced the artifact"];
    stops(&world.publishes().await, &words);
    let later = [("GITHUB_RUN_ATTEMPT", "2")];
    stops(&world.publishes_with(&later).await, &words);
    world.nothing_is_published();
    // Built anew, with a digest of its own, it is.
    world.builds().await;
    assert_eq!(world.publishes().await.code, Some(0));
    world.the_release();
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_jobs_that_are_run_again_go_on_with_what_an_earlier_attempt_built() {
    let world = World::with_approved_release().await;
    let ran = world.publishes_with(&[("GITHUB_RUN_ATTEMPT", "3")]).await;
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.log, ran.summary);
    world.the_release();
}

#[tokio::test(flavor = "multi_thread")]
async fn a09_what_a_later_attempt_or_another_run_built_is_not_published() {
    let world = World::with_approved_release().await;
    world.builds_with(&[("GITHUB_RUN_ATTEMPT", "2")]).await;
    stops(&world.publishes().await, &["built by attempt 2", "this is attempt 1"]);
    world.builds_with(&[("GITHUB_RUN_ID", "9002")]).await;
    stops(&world.publishes().await, &["built for another run"]);
    world.nothing_is_published();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_digest_of_what_was_built_nothing_is_published() {
    let world = World::with_approved_release().await;
    for (digest, words) in [("", "needs.build.outputs.manifest"), ("abc", "not a SHA-256")] {
        let ran = world.publishes_with(&[("GANDER_INPUT_MANIFEST", digest)]).await;
        assert_eq!(ran.code, Some(1), "{}\n{}", ran.log, ran.summary);
        assert!(ran.summary.contains("manifest") && ran.summary.contains(words), "{}", ran.summary);
    }
    world.nothing_is_published();
}

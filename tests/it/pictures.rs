//! Pictures in an issue reach a model that sees; of others it is told that it may not guess.

use std::sync::atomic::Ordering;

use gander_emulator::Fault;

use crate::world::{REPO, World, good_fix, off_by_one};

/// The heads of a PNG and a GIF of a usual size.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20\0\0\0\x10\x08\x02\0\0\0what it looks like";
const GIF: &[u8] = b"GIF89a\x80\x02\xe0\x01rest";

fn opens(w: &World, body: &str) -> u64 {
    w.maintainer().opens_issue(REPO, "The count is wrong", body, &[]).unwrap()
}

/// An issue with these words is fixed; what the model heard first.
async fn heard_of(w: &World, body: &str) -> String {
    let issue = opens(w, body);
    w.model.will(good_fix());
    w.says(issue, "/gander fix").await;
    w.model.heard().remove(0)
}

#[tokio::test]
async fn a_picture_that_was_uploaded_to_github_is_shown_to_the_model() {
    let w = World::with_project(off_by_one()).await;
    let (one, two) = (w.maintainer().uploads(PNG), w.maintainer().uploads(GIF));
    let body = format!("See ![it]({one})\n\n<img width=\"300\" src=\"{two}\" />");
    let told = heard_of(&w, &body).await;
    assert!(told.contains("Picture(image/png, 47 bytes) Picture(image/gif, 14 bytes)"), "{told}");
    assert!(told.contains("People see pictures there: attached."), "{told}");
    assert!(!told.contains("Do not guess"), "{told}");
    w.ends().await;
}

#[tokio::test]
async fn what_is_elsewhere_or_no_picture_is_not_fetched_and_the_model_may_not_guess() {
    let w = World::with_project(off_by_one()).await;
    let (one, page) = (w.maintainer().uploads(PNG), w.maintainer().uploads(b"<svg/>"));
    let body = format!("![a]({one})\n![b](https://example.com/x.png)\n![c]({page})");
    let told = heard_of(&w, &body).await;
    assert_eq!(told.matches("Picture(").count(), 1, "{told}");
    assert!(told.contains("1 are attached") && told.contains("2 you do not see"), "{told}");
    assert!(told.contains("Do not guess"), "{told}");
    w.ends().await;
}

/// What is put in after the command was given is not what was asked for.
#[tokio::test]
async fn a_picture_that_is_put_in_later_is_not_shown() {
    let w = World::with_project(off_by_one()).await;
    let (one, other) = (w.maintainer().uploads(PNG), w.maintainer().uploads(GIF));
    let issue = opens(&w, &format!("![a]({one})"));
    w.model.will(good_fix());
    w.maintainer().comments(REPO, issue, "/gander fix").unwrap();
    let body = format!("![a]({one}) ![b]({other})");
    w.maintainer().edits_issue(REPO, issue, "The count is wrong", &body).unwrap();
    w.settle().await;
    let told = w.model.heard().remove(0);
    assert_eq!(told.matches("Picture(").count(), 1, "{told}");
    w.ends().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_had_stops_nothing() {
    let w = World::with_project(off_by_one()).await;
    let one = w.maintainer().uploads(PNG);
    w.emulator.plan(Fault::on("GET", "/_downloads/*").times(9).answers(302));
    let told = heard_of(&w, &format!("![a]({one})")).await;
    assert!(!told.contains("Picture(") && told.contains("Do not guess"), "{told}");
    w.ends().await;
}

/// As a damaged file is refused, or one that is larger than this provider takes.
#[tokio::test]
async fn a_picture_that_the_provider_refuses_stops_nothing() {
    let w = World::with_project(off_by_one()).await;
    w.model.refuses_pictures.store(true, Ordering::Relaxed);
    let told = heard_of(&w, &format!("![a]({})", w.maintainer().uploads(PNG))).await;
    assert!(told.contains("Picture("), "{told}");
    let again = &w.model.heard()[1];
    assert!(!again.contains("Picture(") && again.contains("could not be shown to you"), "{again}");
    assert_eq!(w.emulator.pulls(REPO).len(), 1, "{}", w.timeline());
    w.ends().await;
}

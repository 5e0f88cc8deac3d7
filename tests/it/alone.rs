//! Stories that look at what a whole process shares, as its memory, have a process of their own.

use std::process::Command;

const ALONE: &str = "GANDER_TEST_ALONE";

/// Has the story told in a process of its own. `false` in that process: there it is to be told.
#[allow(clippy::disallowed_methods)] // starts itself, and is told by the environment
pub fn told_alone(story: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return false;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args(["--exact", story, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
    true
}

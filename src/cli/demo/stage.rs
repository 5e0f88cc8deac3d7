//! What is seen while the demo plays: the timeline, live, and how long it took.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::say;
use gander_emulator::{Emulator, TimelineEntry};

/// Nothing in the demo may take longer than this.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(25);

/// The demo did not go on.
#[derive(Debug, thiserror::Error)]
#[error("the demo waited two minutes in vain until {0}; with GANDER_LOG=info it shows more")]
pub(super) struct DemoTimeoutError(&'static str);

/// An emulator, and all that was seen of it.
pub(super) struct DemoStage<'a> {
    pub(super) emulator: &'a Emulator,
    pub(super) started: Instant,
    repository: &'static str,
    /// Whether people read along.
    live: bool,
    seen: Mutex<Vec<(Duration, TimelineEntry)>>,
}

impl<'a> DemoStage<'a> {
    pub(super) fn new(
        emulator: &'a Emulator,
        repository: &'static str,
        started: Instant,
        live: bool,
    ) -> Self {
        Self { emulator, started, repository, live, seen: Mutex::default() }
    }

    /// Begins a part of the story.
    pub(super) fn act(&self, title: &str) {
        self.look();
        if self.live {
            say(format!("\n{title}"));
        }
    }

    /// Says what no timeline of a repository tells.
    pub(super) fn tell(&self, text: &str) {
        if self.live {
            say(format!("{:>5.1} s  {text}", self.started.elapsed().as_secs_f32()));
        }
    }

    /// Waits, and shows what happens meanwhile.
    pub(super) async fn until(
        &self,
        what: &'static str,
        happened: impl Fn(&Emulator) -> bool,
    ) -> Result<(), DemoTimeoutError> {
        let began = Instant::now();
        while !happened(self.emulator) {
            if began.elapsed() > PATIENCE {
                return Err(DemoTimeoutError(what));
            }
            self.look();
            tokio::time::sleep(LOOK).await;
        }
        self.look();
        Ok(())
    }

    /// Everything that was seen, and when.
    pub(super) fn seen(&self) -> Vec<(Duration, TimelineEntry)> {
        self.look();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in self.emulator.timeline(self.repository).into_iter().skip(seen.len()) {
            self.tell(&entry.to_string());
            seen.push((self.started.elapsed(), entry));
        }
    }
}

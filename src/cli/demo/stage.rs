//! What is seen while the demo plays: a story in some twenty lines, or the whole timeline, live.
//!
//! Invariants: what others wrote goes through the same filter as everywhere; colours and the line
//! that moves are for terminals only, and `NO_COLOR` takes the colours away.

use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::say;
use crate::cli::say_exactly;
use crate::config::variable;
use crate::core::hidden::for_terminal;
use gander_emulator::{Emulator, TimelineEntry};

/// Nothing in the demo may take longer than this.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(25);
/// Columns of a terminal that does not say how wide it is.
const USUAL_WIDTH: usize = 80;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31";
const GREEN: &str = "32";

/// The demo did not go on.
#[derive(Debug, thiserror::Error)]
#[error("the demo waited two minutes in vain until {0}; with GANDER_LOG=info it shows more")]
pub(super) struct DemoTimeoutError(&'static str);

/// How much people are shown while it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narration {
    /// Nothing: a program reads along.
    Nothing,
    /// One line for each act, and what came of it.
    Story,
    /// Every entry of the timeline, and all texts at the end.
    Everything,
}

/// An emulator, and all that was seen of it.
pub(super) struct DemoStage<'a> {
    pub(super) emulator: &'a Emulator,
    pub(super) started: Instant,
    repository: &'static str,
    pub(super) shown: Narration,
    seen: Mutex<Vec<(Duration, TimelineEntry)>>,
    is_terminal: bool,
    has_colours: bool,
    width: usize,
}

impl<'a> DemoStage<'a> {
    pub(super) fn new(
        emulator: &'a Emulator,
        repository: &'static str,
        started: Instant,
        shown: Narration,
    ) -> Self {
        let is_terminal = std::io::stdout().is_terminal();
        let has_colours = is_terminal && variable("NO_COLOR").is_none();
        let width = variable("COLUMNS").and_then(|it| it.parse().ok()).unwrap_or(USUAL_WIDTH);
        let (width, seen) = (width.clamp(40, 100), Mutex::default());
        Self { emulator, started, repository, shown, seen, is_terminal, has_colours, width }
    }

    /// Begins a part of the timeline.
    pub(super) fn act(&self, title: &str) {
        self.look();
        if self.shown == Narration::Everything {
            say(format!("\n{title}"));
        }
    }

    /// Says what no timeline of a repository tells.
    pub(super) fn tell(&self, text: &str) {
        if self.shown == Narration::Everything {
            say(format!("{:>5.1} s  {text}", self.started.elapsed().as_secs_f32()));
        }
    }

    /// One act of the story, and what there is to see of it.
    pub(super) fn scene(&self, text: &str, details: &[String]) {
        if self.shown != Narration::Story {
            return;
        }
        self.clear();
        let at = format!("{:>5.1} s", self.started.elapsed().as_secs_f32());
        say_exactly(&format!("{}  {}", self.paint(DIM, &at), self.paint(BOLD, &self.cut(text, 9))));
        for line in details {
            let painted = match line.chars().next() {
                Some('+') => vec![self.paint(GREEN, &self.cut(line, 11))],
                Some('-') => vec![self.paint(RED, &self.cut(line, 11))],
                _ => self.wrapped(line, 11),
            };
            painted.iter().for_each(|line| say_exactly(&format!("           {line}")));
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
            self.happens(&entry.to_string());
            seen.push((self.started.elapsed(), entry));
        }
    }

    /// The line that moves while something runs.
    fn happens(&self, text: &str) {
        if self.shown == Narration::Story && self.is_terminal {
            self.clear();
            let text = self.cut(text, 11);
            let _ = write!(std::io::stdout(), "           {}", self.paint(DIM, &text));
            let _ = std::io::stdout().flush();
        }
    }

    fn clear(&self) {
        if self.is_terminal {
            let _ = write!(std::io::stdout(), "\r\u{1b}[2K");
        }
    }

    /// Others' words, in what is left of a line after so many columns.
    fn cut(&self, text: &str, before: usize) -> String {
        let (plain, room) = (for_terminal(text), self.width - before);
        match plain.chars().count() > room {
            true => plain.chars().take(room - 1).chain(['…']).collect(),
            false => plain,
        }
    }

    /// The same, on as many lines as it takes.
    fn wrapped(&self, text: &str, before: usize) -> Vec<String> {
        let plain = for_terminal(text);
        let indent = plain.len() - plain.trim_start().len();
        let mut lines = vec![" ".repeat(indent)];
        for word in plain.split_whitespace() {
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > indent && last + 1 + word.chars().count() > self.width - before {
                lines.push(" ".repeat(indent));
            }
            if let Some(line) = lines.last_mut() {
                line.push_str(if line.trim().is_empty() { "" } else { " " });
                line.push_str(word);
            }
        }
        lines.iter().map(|line| self.cut(line, before)).collect()
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        match self.has_colours {
            true => format!("\u{1b}[{colour}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

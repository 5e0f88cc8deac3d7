//! What a job says: its log, its annotations, and what must not be read in either.
//!
//! Invariants: a masked value stands in neither; of one kind at most ten annotations of a step are
//! kept, and fifty of a job, as on GitHub.

use std::collections::BTreeMap;

use super::commands::JobAnnotation;

#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) log: String,
    pub(crate) annotations: Vec<JobAnnotation>,
    masks: Vec<String>,
    /// How many of each kind this step said.
    said: BTreeMap<String, usize>,
}

const MOST_OF_A_STEP: usize = 10;
const MOST_OF_A_JOB: usize = 50;

impl Journal {
    /// From now on, this value and each of its lines are hidden.
    pub(crate) fn mask(&mut self, value: &str) {
        let lines = value.lines().map(str::trim);
        for part in std::iter::once(value).chain(lines).filter(|part| !part.is_empty()) {
            if !self.masks.iter().any(|mask| mask == part) {
                self.masks.push(part.to_owned());
            }
        }
        // A value may hold another one: the longer must be hidden first.
        self.masks.sort_by_key(|mask| std::cmp::Reverse(mask.len()));
    }

    pub(crate) fn masked(&self, text: &str) -> String {
        self.masks.iter().fold(text.to_owned(), |text, mask| text.replace(mask.as_str(), "***"))
    }

    pub(crate) fn holds_a_mask(&self, text: &str) -> bool {
        self.masks.iter().any(|mask| text.contains(mask.as_str()))
    }

    pub(crate) fn begin_step(&mut self) {
        self.said.clear();
    }

    pub(crate) fn write(&mut self, line: &str) {
        let line = self.masked(line);
        self.log.push_str(&line);
        self.log.push('\n');
    }

    pub(crate) fn annotate(&mut self, mut annotation: JobAnnotation) {
        let word = if annotation.level == "failure" { "error" } else { &*annotation.level };
        self.write(&format!("##[{word}]{}", annotation.message));
        let said = self.said.entry(annotation.level.clone()).or_default();
        *said += 1;
        if *said > MOST_OF_A_STEP || self.annotations.len() >= MOST_OF_A_JOB {
            return;
        }
        annotation.message = self.masked(&annotation.message);
        annotation.title = annotation.title.map(|title| self.masked(&title));
        self.annotations.push(annotation);
    }

    /// What the runner itself has to say about a failure.
    pub(crate) fn error(&mut self, says: &str) {
        let (level, message) = ("failure".to_owned(), says.to_owned());
        self.annotate(JobAnnotation { level, message, ..JobAnnotation::default() });
    }
}

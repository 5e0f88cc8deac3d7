//! What was said to and by the model, one JSON line per step, written before the next step.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::core::budget::Money;
use crate::model::{ModelReply, Price, ToolResult};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TranscriptEntry {
    Start { model: String, system: String, task: String },
    Reply(ModelReply),
    Results(Vec<ToolResult>),
    Notes(Vec<String>),
    End { how: String, spent: Money },
}

/// A transcript that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} {}", path.display())]
pub struct TranscriptError {
    doing: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

/// An open transcript of one attempt. An attempt that starts again after a crash goes on in the
/// same file, so that nothing that cost money is forgotten.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    path: PathBuf,
}

impl Transcript {
    /// Opens or makes it; only the owner can read it.
    pub fn open(path: &Path) -> Result<Self, TranscriptError> {
        let failed = |source| TranscriptError { doing: "open", path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        let file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Adds a step.
    pub fn append(&mut self, entry: &TranscriptEntry) -> Result<(), TranscriptError> {
        let failed = |source| TranscriptError { doing: "write", path: self.path.clone(), source };
        let mut line = serde_json::to_vec(entry).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }

    /// What all replies in it cost. A line that a crash cut short counts for nothing.
    pub fn cost_so_far(&self, price: &Price) -> Result<Money, TranscriptError> {
        let failed = |source| TranscriptError { doing: "read", path: self.path.clone(), source };
        let mut cost = Money::ZERO;
        for line in BufReader::new(File::open(&self.path).map_err(failed)?).lines() {
            if let Ok(TranscriptEntry::Reply(reply)) = serde_json::from_str(&line.map_err(failed)?)
            {
                cost = cost + price.cost(&reply.usage);
            }
        }
        Ok(cost)
    }
}

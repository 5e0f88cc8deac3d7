//! Reviews, and the threads that grow from their comments.
//!
//! Invariants: a thread is known by the comment that began it; a comment remembers the lines it was
//! written on, whatever becomes of the file.

/// The last time somebody changed a text, and who.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LastEdit {
    pub(crate) at: i64,
    pub(crate) editor: Option<u64>,
}

#[derive(Clone)]
pub(crate) struct Review {
    pub(crate) id: u64,
    pub(crate) pull: u64,
    pub(crate) author: u64,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED` or `DISMISSED`.
    pub(crate) state: String,
    pub(crate) body: String,
    pub(crate) commit: String,
    pub(crate) submitted_at: i64,
    pub(crate) last_edit: Option<LastEdit>,
}

/// Which version of a file a line is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

impl Side {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }
}

/// The lines that a comment is about, as they were in the commit it was written on.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub(crate) path: String,
    pub(crate) line: u64,
    pub(crate) side: Side,
    pub(crate) start_line: Option<u64>,
}

#[derive(Clone)]
pub(crate) struct ReviewComment {
    pub(crate) id: u64,
    pub(crate) review: u64,
    pub(crate) pull: u64,
    pub(crate) author: Option<u64>,
    pub(crate) body: String,
    pub(crate) spot: Spot,
    /// The commit it was written on.
    pub(crate) commit: String,
    pub(crate) diff_hunk: String,
    /// The line in the diff, counted from the hunk's head.
    pub(crate) position: u64,
    /// The comment that began the thread; `None` for that comment itself.
    pub(crate) in_reply_to: Option<u64>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) last_edit: Option<LastEdit>,
}

impl ReviewComment {
    /// The comment that began the thread this one stands in.
    pub(crate) fn root(&self) -> u64 {
        self.in_reply_to.unwrap_or(self.id)
    }
}

/// A label put on or taken off.
#[derive(Clone)]
pub(crate) struct LabelAct {
    pub(crate) id: u64,
    /// `labeled` or `unlabeled`.
    pub(crate) event: &'static str,
    pub(crate) label: String,
    pub(crate) actor: Option<u64>,
    pub(crate) at: i64,
}

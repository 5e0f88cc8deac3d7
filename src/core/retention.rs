//! How long is kept what nobody works on any more.

/// In days; `None`: for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Jobs, from their end on, with their log and patches.
    pub jobs: Option<u32>,
    /// What was spent, entry by entry.
    pub ledger: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        Self { jobs: Some(365), ledger: Some(400) }
    }
}

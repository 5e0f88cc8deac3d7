//! The activity log of a repository: who moved which branch from where to where.

/// One move of a branch.
#[derive(Clone)]
pub(crate) struct Activity {
    pub(crate) id: u64,
    /// `refs/heads/...`
    pub(crate) name: String,
    /// `None`: the branch was made.
    pub(crate) before: Option<String>,
    /// `None`: it was deleted.
    pub(crate) after: Option<String>,
    pub(crate) kind: &'static str,
    pub(crate) actor: Option<u64>,
    pub(crate) at: i64,
}

/// What a move is called.
pub(crate) fn kind_of(before: Option<&str>, after: Option<&str>, forced: bool) -> &'static str {
    match (before, after) {
        (None, _) => "branch_creation",
        (_, None) => "branch_deletion",
        _ if forced => "force_push",
        _ => "push",
    }
}

//! A ruleset, as it is remembered.

#[derive(Debug, Clone)]
pub(crate) struct Ruleset {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) target: String,
    pub(crate) enforcement: String,
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) rules: Vec<String>,
    pub(crate) made_at: i64,
}

//! How a database stands to this version, without changing it.

use sqlx::migrate::Migrator;

/// How a database stands to this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseState {
    /// There is none yet; it will be made.
    New,
    /// Its tables are those of this version.
    Current,
    /// So many steps will be taken at the next start.
    Behind(usize),
    /// Its tables are of a newer version: this step is not known.
    Ahead(i64),
    /// This step is another than ours: it was never this program's.
    Foreign(i64),
}

/// Judges by the steps that were taken, each with its digest.
pub(super) fn stands(taken: &[(i64, Vec<u8>)], steps: &Migrator) -> DatabaseState {
    for (version, digest) in taken {
        match steps.iter().find(|step| step.version == *version) {
            None => return DatabaseState::Ahead(*version),
            Some(step) if *step.checksum != digest[..] => return DatabaseState::Foreign(*version),
            Some(_) => {}
        }
    }
    match steps.iter().count() - taken.len() {
        0 => DatabaseState::Current,
        _ if taken.is_empty() => DatabaseState::New,
        missing => DatabaseState::Behind(missing),
    }
}

/// The steps that were taken.
pub(super) const TAKEN: &str = "SELECT version, checksum FROM _sqlx_migrations ORDER BY version";

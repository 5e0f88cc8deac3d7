//! Steps by which tables came to be what they are, as SQLx takes them.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::StoreError;

/// Names and SQL; their numbers, without a gap, are their versions.
pub(super) fn migrator(steps: &[(&'static str, &'static str)]) -> Migrator {
    let step = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        let (kind, sql) = (MigrationType::Simple, SqlStr::from_static(sql));
        Migration::new(version, Cow::Borrowed(*name), kind, sql, false)
    };
    Migrator::with_migrations((1..).zip(steps).map(step).collect())
}

/// Whether tables are those of this program: they are not changed beside a server.
pub(super) fn fits(ours: &Migrator, theirs: &[(i64, Vec<u8>)]) -> Result<(), StoreError> {
    let ours: Vec<(i64, &[u8])> = ours.iter().map(|it| (it.version, &*it.checksum)).collect();
    let theirs: Vec<(i64, &[u8])> = theirs.iter().map(|(step, sum)| (*step, &**sum)).collect();
    if ours == theirs {
        return Ok(());
    }
    let which = if ours.starts_with(&theirs) { "an older" } else { "another" };
    Err(StoreError::Unsuitable(format!(
        "its tables are those of {which} version of Gander: use the program that the server runs, \
         or start the server with this one first"
    )))
}

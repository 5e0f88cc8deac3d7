//! Steps by which tables came to be what they are, as SQLx takes them.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Names and SQL; their numbers, without a gap, are their versions.
pub(super) fn migrator(steps: &[(&'static str, &'static str)]) -> Migrator {
    let step = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        let (kind, sql) = (MigrationType::Simple, SqlStr::from_static(sql));
        Migration::new(version, Cow::Borrowed(*name), kind, sql, false)
    };
    Migrator::with_migrations((1..).zip(steps).map(step).collect())
}

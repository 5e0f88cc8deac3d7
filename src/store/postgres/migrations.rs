//! The steps by which the tables came to be what they are.
//!
//! Invariants: as for SQLite, a step that was ever released does not change any more.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Their numbers, without a gap, are their versions.
const STEPS: [(&str, &str); 1] =
    [("first", include_str!("../../../migrations/postgres/0001_first.sql"))];

/// All of them, in order.
pub(super) fn all() -> Migrator {
    let step = |(version, (name, sql)): (i64, (&'static str, &'static str))| {
        let (kind, sql) = (MigrationType::Simple, SqlStr::from_static(sql));
        Migration::new(version, Cow::Borrowed(name), kind, sql, false)
    };
    Migrator::with_migrations((1..).zip(STEPS).map(step).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_of_the_directory_is_listed_in_its_place() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres");
        let files = std::fs::read_dir(directory).unwrap();
        let mut files: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let name = |it: &Migration| format!("{:04}_{}", it.version, it.description);
        let listed: Vec<String> =
            all().iter().map(|it| name(it).replace(' ', "_") + ".sql").collect();
        assert_eq!(listed, files);
    }
}

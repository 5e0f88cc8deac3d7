//! The steps by which the tables came to be what they are.
//!
//! Invariants: as for SQLite, a step that was ever released does not change any more.

use sqlx::migrate::Migrator;

use crate::store::steps::migrator;

/// Their numbers, without a gap, are their versions.
const STEPS: [(&str, &str); 3] = [
    ("first", include_str!("../../../migrations/postgres/0001_first.sql")),
    ("operator", include_str!("../../../migrations/postgres/0002_operator.sql")),
    ("slack", include_str!("../../../migrations/postgres/0003_slack.sql")),
];

/// All of them, in order.
pub(super) fn all() -> Migrator {
    migrator(&STEPS)
}

#[cfg(test)]
mod tests {
    use sqlx::migrate::Migration;

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

    /// The digests of what was released.
    #[test]
    fn a_step_that_was_released_is_what_it_was() {
        let digests: Vec<String> =
            all().iter().map(|step| hex::encode(&step.checksum)[..16].to_owned()).collect();
        assert_eq!(digests, ["78bf7775385a8098", "4bece3508df91fb5", "8bbdb51930aee969"]);
    }
}

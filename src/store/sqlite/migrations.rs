//! The steps by which the tables came to be what they are.
//!
//! Invariants: a step that was ever released does not change any more: a database keeps the digest
//! of each that it has seen, and is refused where one differs.
//!
//! They are listed here because SQLx's own macro for this builds SQLite a second time.

use sqlx::migrate::Migrator;

use crate::store::steps::migrator;

/// Their numbers, without a gap, are their versions.
const STEPS: [(&str, &str); 11] = [
    ("first", include_str!("../../../migrations/sqlite/0001_first.sql")),
    ("releases", include_str!("../../../migrations/sqlite/0002_releases.sql")),
    (
        "what is known together",
        include_str!("../../../migrations/sqlite/0003_what_is_known_together.sql"),
    ),
    ("sweeps", include_str!("../../../migrations/sqlite/0004_sweeps.sql")),
    ("abandoned", include_str!("../../../migrations/sqlite/0005_abandoned.sql")),
    ("judged", include_str!("../../../migrations/sqlite/0006_judged.sql")),
    ("check results", include_str!("../../../migrations/sqlite/0007_check_results.sql")),
    ("packages", include_str!("../../../migrations/sqlite/0008_packages.sql")),
    ("turns", include_str!("../../../migrations/sqlite/0009_turns.sql")),
    ("operator", include_str!("../../../migrations/sqlite/0010_operator.sql")),
    ("slack", include_str!("../../../migrations/sqlite/0011_slack.sql")),
];

/// All of them, in order.
pub(in crate::store) fn all() -> Migrator {
    migrator(&STEPS)
}

#[cfg(test)]
mod tests {
    use sqlx::migrate::Migration;

    use super::*;

    #[test]
    fn each_step_of_the_directory_is_listed_in_its_place() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(directory).unwrap();
        let mut files: Vec<String> =
            files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let name = |it: &Migration| format!("{:04}_{}", it.version, it.description);
        let listed: Vec<String> =
            all().iter().map(|it| name(it).replace(' ', "_") + ".sql").collect();
        assert_eq!(listed, files);
        for (file, step) in files.iter().zip(all().iter()) {
            let text = std::fs::read_to_string(format!("{directory}/{file}")).unwrap();
            assert_eq!(step.sql.as_str(), text, "{file}");
        }
    }

    /// The digests of what was released.
    #[test]
    fn a_step_that_was_released_is_what_it_was() {
        let digests: Vec<String> =
            all().iter().map(|step| hex::encode(&step.checksum)[..16].to_owned()).collect();
        let released = [
            "98b8735588088c40",
            "7408de2366420582",
            "e46a4ebbbd311e36",
            "6f6dd597dc82383f",
            "e28547437c549e5d",
            "00b3729af1181c50",
            "07c997ef1faf18f6",
            "725769a5ce19f2b1",
            "ea833f5b550e6b7b",
            "53205af5b02b2d3d",
            "5899fae71f54244d",
        ];
        assert_eq!(digests, released);
    }
}

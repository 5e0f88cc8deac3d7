//! The figures of docs and promises, measured in one run and printed as one table.
//!
//! `cargo bench` runs all of it; `cargo bench -- webhook agent` runs some of it. Nothing here fails
//! a build: a figure that is missed says so in the table. No network but loopback is used, and what
//! is written lies in one directory that is removed again.
//!
//! Root starts it anew through `gander unprivileged`, because nothing of a repository runs as root;
//! the data stays on the disk below the target directory, since that runner's `/tmp` is memory.

#![allow(missing_docs, clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used)]
#![allow(clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::cli::unprivileged::is_root;

mod agent;
mod compare;
mod growth;
mod journey;
mod load;
mod machine;
mod queue;
mod rules;
mod sample;
mod served;
mod start;
mod table;
mod webhook;

use table::Table;

/// The directory everything is written to; set for the second start.
const HOME: &str = "GANDER_BENCH_HOME";
const NOBODY: u32 = 65532;

/// A group of figures: the word that chooses it, and what measures it.
type Group = (&'static str, fn(&Path, &mut Table));

const GROUPS: &[Group] = &[
    ("webhook", webhook::measure),
    ("compare", compare::measure),
    ("start", start::measure),
    ("agent", agent::measure),
    ("journey", journey::measure),
    ("queue", queue::measure),
    ("growth", growth::measure),
    ("rules", rules::measure),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    match std::env::var_os(HOME) {
        Some(home) => measure(&PathBuf::from(home), &words),
        None => start_again(&words),
    }
}

/// In a directory of its own, and as an ordinary user.
fn start_again(words: &[String]) {
    let home = tempfile::Builder::new()
        .prefix("bench-")
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("the target directory can be written");
    let own = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gander"));
    if is_root() {
        std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o755)).unwrap();
        chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        command.args(["unprivileged", "--"]).arg(own);
    } else {
        command = Command::new(own);
    }
    let ended = command.args(words).env(HOME, home.path()).current_dir(home.path()).status();
    match ended {
        Ok(status) if status.success() => {}
        other => eprintln!("\nthe benchmark did not come to its end: {other:?}"),
    }
}

fn measure(home: &Path, words: &[String]) {
    gander::egress::install_crypto();
    println!("{}", machine::described(home));
    let mut table = Table::default();
    for (name, group) in GROUPS {
        if words.is_empty() || words.iter().any(|word| word == name) {
            eprintln!("… {name}");
            let mut of_group = Table::default();
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                group(home, &mut of_group);
            }));
            if done.is_err() {
                of_group.note(name, "NOT MEASURED: see the message above");
            }
            table.append(of_group);
        }
    }
    println!("\n{table}\n{}", machine::load());
}

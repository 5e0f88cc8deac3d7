//! The small broken projects of the demo, and what the model "says" about them.

use std::path::Path;

use crate::sandbox::Toolchain;

/// A project with a bug, its issue, and a script that mends it at the second try.
pub(super) struct Project {
    pub(super) language: &'static str,
    pub(super) check: &'static str,
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) issue_title: &'static str,
    pub(super) issue_body: &'static str,
    pub(super) script: &'static str,
}

impl Project {
    /// A Rust project where there is a Rust toolchain, else one that needs only a shell.
    pub(super) fn for_this_machine(toolchains: &[Toolchain]) -> Self {
        let found = toolchains.iter().any(|toolchain| toolchain.has("cargo"));
        if found || Path::new("/usr/bin/cargo").exists() { RUST } else { SHELL }
    }
}

const TITLE: &str = "mean of an empty list panics";

const RUST: Project = Project {
    language: "Rust",
    check: "cargo test",
    files: &[
        ("Cargo.toml", include_str!("rust/Cargo.toml.txt")),
        ("Cargo.lock", include_str!("rust/Cargo.lock.txt")),
        ("src/lib.rs", include_str!("rust/lib.rs.txt")),
        ("README.md", "# stats\n\nA few numbers about numbers.\n"),
        (".gitignore", "/target\n"),
    ],
    issue_title: TITLE,
    issue_body: "`stats::mean(&[])` panics with \"attempt to divide by zero\". I expected `None`.\n",
    script: include_str!("rust/script.json"),
};

const SHELL: Project = Project {
    language: "shell",
    check: "sh test.sh",
    files: &[
        ("mean.sh", include_str!("shell/mean.sh")),
        ("test.sh", include_str!("shell/test.sh")),
        ("README.md", "# stats\n\nA few numbers about numbers.\n"),
        (".github/gander.toml", "[verify]\ncommands = [\"sh test.sh\"]\n"),
    ],
    issue_title: TITLE,
    issue_body: "`sh mean.sh` without numbers fails with a division by zero. I expected `none`.\n",
    script: include_str!("shell/script.json"),
};

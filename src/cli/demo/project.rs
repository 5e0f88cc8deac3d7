//! The small broken projects of the demo, and what the model "says" about them.

use std::path::Path;

use crate::sandbox::Toolchain;
use gander_emulator::LineNote;

/// A project with a bug, its issue, and a script that mends it at the second try and answers a
/// review.
pub(super) struct DemoProject {
    pub(super) language: &'static str,
    pub(super) check: &'static str,
    pub(super) files: &'static [(&'static str, &'static str)],
    pub(super) issue_title: &'static str,
    pub(super) issue_body: &'static str,
    /// What the reviewer wants changed.
    pub(super) note: LineNote<'static>,
    pub(super) script: &'static str,
    /// Another issue, for whoever stays.
    pub(super) spare: SpareIssue,
}

/// An issue that nobody has ordered to be fixed yet.
pub(super) struct SpareIssue {
    pub(super) title: &'static str,
    pub(super) body: &'static str,
    pub(super) script: &'static str,
}

impl DemoProject {
    /// A Rust project where there is a Rust toolchain, else one that needs only a shell.
    pub(super) fn for_this_machine(toolchains: &[Toolchain]) -> Self {
        let found = toolchains.iter().any(|toolchain| toolchain.has("cargo"));
        if found || Path::new("/usr/bin/cargo").exists() { RUST } else { SHELL }
    }
}

const TITLE: &str = "mean of an empty list panics";

const RUST: DemoProject = DemoProject {
    language: "Rust",
    check: "cargo test",
    files: &[
        ("Cargo.toml", include_str!("rust/Cargo.toml.txt")),
        ("Cargo.lock", include_str!("rust/Cargo.lock.txt")),
        ("src/lib.rs", include_str!("rust/lib.rs.txt")),
        ("README.md", "# stats\n\nA few numbers about numbers.\n"),
        (".gitignore", "/target\n"),
        (".github/gander.toml", include_str!("rust/gander.toml")),
    ],
    issue_title: TITLE,
    issue_body: "`stats::mean(&[])` panics with \"attempt to divide by zero\". I expected `None`.\n",
    note: LineNote {
        path: "src/lib.rs",
        line: 6,
        start_line: None,
        body: "Please no `as` here: it is silent where it loses something.",
    },
    script: include_str!("rust/script.json"),
    spare: SpareIssue {
        title: "median depends on the order of the numbers",
        body: "`stats::median(&[3, 1, 2])` is `Some(1)`. I expected `Some(2)`.\n",
        script: include_str!("rust/spare.json"),
    },
};

const SHELL: DemoProject = DemoProject {
    language: "shell",
    check: "sh test.sh",
    files: &[
        ("mean.sh", include_str!("shell/mean.sh")),
        ("test.sh", include_str!("shell/test.sh")),
        ("VERSION", "0.1.0\n"),
        ("README.md", "# stats\n\nA few numbers about numbers.\n"),
        (".github/gander.toml", include_str!("shell/gander.toml")),
    ],
    issue_title: TITLE,
    issue_body: "`sh mean.sh` without numbers fails with a division by zero. I expected `none`.\n",
    note: LineNote {
        path: "mean.sh",
        line: 3,
        start_line: None,
        body: "Please say at the top what is printed without numbers.",
    },
    script: include_str!("shell/script.json"),
    spare: SpareIssue {
        title: "the README does not say how to call it",
        body: "It could show `sh mean.sh 1 2 6`.\n",
        script: include_str!("shell/spare.json"),
    },
};

//! Versions that are lowered.

use super::{ChangedSources, CheatFinding, CheatRule, Severity, short};

pub(super) const RULE: CheatRule = CheatRule {
    name: "version-lowered",
    severity: Severity::Flag,
    finds: "a lower version of a dependency, a compiler or an interpreter",
    check,
    fires: &[
        &[("Cargo.toml", "[dependencies]\nserde = \"1.4\"\n", "[dependencies]\nserde = \"1.3\"\n")],
        &[("package.json", "{\"jest\": \"^30.1.0\"}\n", "{\"jest\": \"^29.0.0\"}\n")],
        &[("requirements.txt", "attrs==25.1\n", "attrs==24.2\n")],
        &[("go.mod", "require golang.org/x/sync v0.8.0\n", "require golang.org/x/sync v0.1.0\n")],
        &[("build.gradle", "implementation 'a:b:2.17.2'\n", "implementation 'a:b:2.9.4'\n")],
    ],
    passes: &[
        &[(
            "Cargo.toml",
            "[dependencies]\nserde = \"1.3\"\n",
            "[dependencies]\nserde = \"1.10\"\n",
        )],
        &[("CHANGELOG.md", "jest 30.1.0\n", "jest 29.0.0\n")],
    ],
};

const MANIFESTS: &[&str] = &[
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "setup.cfg",
    "setup.py",
    "go.mod",
    "pom.xml",
    "build.gradle",
    "build.gradle.kts",
    "libs.versions.toml",
    "Pipfile",
    "Dockerfile",
    "environment.yml",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".python-version",
    ".nvmrc",
    ".tool-versions",
    "composer.json",
    "Gemfile",
];

fn check(sources: &ChangedSources) -> Vec<CheatFinding> {
    let mut found = Vec::new();
    for file in &sources.files {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        if !MANIFESTS.contains(&name) && !name.starts_with("requirements") {
            continue;
        }
        for line in &file.added {
            let Some((what, is)) = versioned(&line.text) else { continue };
            let old = file.removed.iter().filter_map(|old| versioned(&old.text));
            if let Some((_, was)) = old.into_iter().find(|(old, was)| *old == what && is < *was) {
                let shown = |numbers: &[u64]| {
                    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(".")
                };
                let what = short(what.trim_matches(|c: char| !c.is_alphanumeric()));
                let reason = format!("{what} is {}, and was {}", shown(&is), shown(&was));
                found.push(file.finding(&RULE, line.row, reason));
            }
        }
    }
    found
}

/// What stands before the first version of a line, and its numbers.
fn versioned(line: &str) -> Option<(String, Vec<u64>)> {
    let starts = |at: &usize| {
        // `v0.8.0` of Go.
        let before = line[..*at].trim_end_matches('v').chars().next_back();
        line[*at..].starts_with(|c: char| c.is_ascii_digit())
            && !before.is_some_and(|c| c.is_alphanumeric() || c == '.' || c == '_')
    };
    let at = line.char_indices().map(|it| it.0).find(starts)?;
    let rest = &line[at..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let numbers = rest[..end].split('.').map_while(|part| part.parse().ok()).collect::<Vec<u64>>();
    let what = line[..at].trim_end_matches(['"', '^', '~', '=', '>', '<', 'v', ' ', '\'', ':']);
    (!numbers.is_empty()).then(|| (what.trim().to_owned(), numbers))
}

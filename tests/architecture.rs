//! The never list, as far as source can show it: each rule is one test, says what to do when it
//! is broken, and first proves on a few bad lines that it would see them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what is missing here fails the test")]

#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use source::{File, Function, Inherent, Mention, Source, Type};

/// From the ground up. A module imports only modules of a lower rank.
const RANKS: &[&[&str]] = &[
    &["core"],
    &["clock", "egress", "metrics"],
    &["attestation", "store", "forge", "model", "registry", "sandbox", "slack"],
    &["workspace"],
    &["environment"],
    &["agent", "verify", "publish", "release"],
    &["worker", "server", "action"],
    &["config", "telemetry"],
    &["app"],
    &["cli"],
    &["lib", "main", "bin"],
];

/// What a module never imports, though the ranks would let it.
const NEVER: &[(&str, &[&str])] = &[
    ("agent", &["forge", "registry", "store"]),
    (
        "server",
        &[
            "forge",
            "model",
            "registry",
            "sandbox",
            "workspace",
            "agent",
            "verify",
            "publish",
            "worker",
        ],
    ),
    // What a stolen server cannot do, its program cannot do either.
    ("worker", &["registry"]),
];

/// Foreign crates that stay inside one module.
const CONFINED: &[(&str, &[&str])] = &[
    ("octocrab", &["forge"]),
    ("genai", &["model"]),
    ("sqlx", &["store"]),
    ("askama", &["server"]),
    ("axum", &["server"]),
    ("hyper_util", &["server"]),
    ("clap", &["cli", "cli.rs"]),
    ("reqwest", &["egress.rs", "model", "forge", "registry", "slack"]),
    ("tar", &["registry/archive.rs"]),
    ("zip", &["registry/archive.rs"]),
    ("saphyr_parser", &["core/yaml.rs"]),
    ("seccompiler", &["sandbox/seccomp.rs"]),
    ("sigstore_verify", &["attestation.rs"]),
    ("landlock", &[]),
    ("gander_sandbox_init", &["sandbox", "bin/gander-sandbox-init.rs"]),
];

/// Lints that may be silenced without a sentence, for what is silenced speaks for itself.
const SILENT: &[&str] = &["missing_docs"];

/// Who publishes, and the proof it takes.
const NEEDS_PROOF: &[(&str, &str, &str)] = &[("publish", "pull_request", "VerifiedPatch")];

/// What only a fold over evidence, or a person's own event, may make.
const PROOFS: &[&str] = &["VerifiedPatch", "Approval", "ReleasePlan"];

/// What a function of `forge/` mentions that changes something on GitHub.
const WRITES: &[&str] =
    &["POST", "PUT", "PATCH", "DELETE", "change", "change_only", "delete", "mutate"];

/// It gives back a token of our own.
const NO_WRITER: &[&str] = &["revoke_push_token"];

/// The publishers: who asks for what changes something on GitHub.
const PUBLISHERS: &[&str] = &["publish", "action/publish.rs"];

const MOST_LINES: usize = 500;
const MOST_LINES_OF_A_FUNCTION: usize = 80;
const VAGUE_FILES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager"];
const VAGUE_ENDS: &[&str] = &["Manager", "Helper", "Helpers", "Util", "Utils"];

const CALLS: &[&str] = &["unwrap", "expect", "unwrap_err", "expect_err", "unwrap_unchecked"];
const MACROS: &[&str] = &[
    "panic",
    "todo",
    "unimplemented",
    "unreachable",
    "dbg",
    "print",
    "println",
    "eprint",
    "eprintln",
];

/// The six, and no seventh.
const TRAITS: &[&str] = &["Machine", "Model", "Sandbox", "Store", "Tool", "Verifier"];

static PRODUCT: LazyLock<Source> = LazyLock::new(|| Source::built("src", 50));

/// The package that plays GitHub: it knows nothing of ours, and the rules of style hold there too.
static EMULATOR: LazyLock<Source> =
    LazyLock::new(|| Source::built("crates/gander-emulator/src", 50));

/// What runs first inside the sandbox: the rules of style hold there too.
static FIRST_PROGRAM: LazyLock<Source> =
    LazyLock::new(|| Source::built("crates/gander-sandbox-init/src", 4));

/// One small source that must, or must not, break a rule.
type Lines<'a> = &'a [(&'a str, &'a str)];

/// Holds a rule against the source, after it has seen each of the bad lines and none of the good.
fn rule(
    check: impl Fn(&Source) -> Vec<String>,
    what_to_do: &str,
    bad: &[Lines<'_>],
    good: &[Lines<'_>],
) {
    for lines in bad {
        assert!(!check(&Source::of(lines)).is_empty(), "the rule does not see {lines:?}");
    }
    for lines in good {
        let complaints = check(&Source::of(lines));
        assert!(complaints.is_empty(), "the rule wrongly refuses {lines:?}: {complaints:?}");
    }
    let complaints = check(&PRODUCT);
    assert!(complaints.is_empty(), "\n{what_to_do}\n  {}\n", complaints.join("\n  "));
}

/// The same for the other packages that are built, too.
fn rule_everywhere(
    check: impl Fn(&Source) -> Vec<String>,
    what_to_do: &str,
    bad: &[Lines<'_>],
    good: &[Lines<'_>],
) {
    rule(&check, what_to_do, bad, good);
    for (package, source) in [("emulator", &EMULATOR), ("sandbox-init", &FIRST_PROGRAM)] {
        let complaints = check(source);
        let list = complaints.join("\n  ");
        assert!(complaints.is_empty(), "\nIn crates/gander-{package}: {what_to_do}\n  {list}\n");
    }
}

/// Holds that names of one kind are mentioned in these files only.
fn only_in(
    [files, of_emulator, of_first_program]: [&'static [&'static str]; 3],
    is_meant: fn(&[&str]) -> bool,
    what_to_do: &str,
    bad: &[&str],
    good: &[&str],
) {
    let found = |source: &Source, files: &[&str]| -> Vec<String> {
        let elsewhere = mentions(source)
            .filter(|(file, _)| !files.contains(&&*file.path))
            .filter(|(_, mention)| is_meant(&parts(mention)));
        elsewhere.map(|(file, m)| format!("{}: {}", file.at(m.line), m.name.join("::"))).collect()
    };
    let sources = bad.iter().map(|text| [("worker/mod.rs", *text)]).collect::<Vec<_>>();
    let bad: Vec<Lines<'_>> = sources.iter().map(|source| &source[..]).collect();
    let fine = good.iter().map(|text| [("worker/mod.rs", *text)]).collect::<Vec<_>>();
    let good: Vec<Lines<'_>> = fine.iter().map(|source| &source[..]).collect();
    rule(|source| found(source, files), what_to_do, &bad, &good);
    let complaints = found(&EMULATOR, of_emulator);
    assert!(complaints.is_empty(), "\nIn crates/gander-emulator: {what_to_do}\n{complaints:?}");
    let complaints = found(&FIRST_PROGRAM, of_first_program);
    assert!(complaints.is_empty(), "\nIn crates/gander-sandbox-init: {what_to_do}\n{complaints:?}");
}

// ---- Who leans on whom

#[test]
fn a_module_imports_only_modules_below_it() {
    rule(
        |source| {
            let mut wrong = Vec::new();
            for (file, module, at) in imports_between_modules(source) {
                let never =
                    NEVER.iter().any(|(of, no)| *of == file.module() && no.contains(&&*module));
                match (rank(file.module()), rank(&module)) {
                    (Some(ours), Some(theirs)) if theirs < ours && !never => {}
                    (Some(_), None) => wrong.push(format!("{at}: {module} has no rank")),
                    _ => wrong.push(format!("{at}: {} imports {module}", file.module())),
                }
            }
            for file in source.files.iter().filter(|file| rank(file.module()).is_none()) {
                wrong.push(format!("{}: {} has no rank", file.at(1), file.module()));
            }
            wrong
        },
        "A module leans on one that is not below it. Move the shared type down (most often into \
         core), or hand the thing in from above, as worker hands tools to agent. A new module gets \
         its rank in RANKS and in ARCHITECTURE.md.",
        &[
            &[("core/a.rs", "use crate::store::Store;")],
            &[("store/mod.rs", "fn f() { crate::forge::f(); }")],
            &[("verify/mod.rs", "use crate::{core::id, publish::f as g};")],
            &[("agent/mod.rs", "fn f() { tokio::select! { _ = crate::forge::f() => {} } }")],
            &[("agent/mod.rs", "use crate::store;")],
            &[("server/mod.rs", "use super::worker::Worker;")],
            &[("store/mod.rs", "use crate::workspace::mirror::A;")],
            &[("surprise.rs", "")],
        ],
        &[
            &[("worker/mod.rs", "use crate::agent::Agent; use crate::core::id;")],
            &[("core/a.rs", "#[cfg(test)] mod tests { use crate::store::Store; }")],
        ],
    );
}

#[test]
fn there_is_no_circle_between_modules() {
    rule_everywhere(
        |source| {
            let mut edges = Edges::new();
            for (file, module, _) in imports_between_modules(source) {
                edges.entry(file.module().to_owned()).or_default().insert(module);
            }
            circles(&edges)
        },
        "Modules lean on each other in a circle: move what they share into a module below both.",
        &[&[
            ("store/mod.rs", "use crate::forge::A;"),
            ("forge/mod.rs", "use crate::model::B;"),
            ("model/mod.rs", "use crate::store::C;"),
        ]],
        &[&[("store/mod.rs", "use crate::core::A;"), ("forge/mod.rs", "use crate::core::B;")]],
    );
}

#[test]
fn there_is_no_circle_between_files() {
    rule_everywhere(
        |source| {
            let mut edges = Edges::new();
            for file in &source.files {
                for mention in file.mentions.iter().filter(|mention| !mention.shown) {
                    let Some(("crate", name)) = split(mention) else { continue };
                    let Some(other) = source.file_of(name) else { continue };
                    if !file.module.starts_with(&other.module) {
                        edges.entry(file.path.clone()).or_default().insert(other.path.clone());
                    }
                }
            }
            circles(&edges)
        },
        "Files lean on each other in a circle. Move what both need into a file of its own, or \
         into their parent: a child may use what its parent holds, and a parent may show \
         (`pub use`) what its children hold.",
        &[
            &[
                ("core/mod.rs", "pub mod a; pub mod b;"),
                ("core/a.rs", "use super::b::B;"),
                ("core/b.rs", "fn f() { crate::core::a::f() }"),
            ],
            &[
                ("core/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
                ("core/a.rs", "use super::B;"),
                ("core/b.rs", "use super::A;"),
            ],
            &[
                ("core/a.rs", "mod part; fn f() { super::b::f() }"),
                ("core/a/part.rs", "use super::f;"),
                ("core/b.rs", "use super::a::part::g;"),
                ("core/a/part.rs", "fn g() { crate::core::b::f() }"),
            ],
        ],
        &[
            &[
                ("core/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
                ("core/a.rs", "use super::B;"),
                ("core/b.rs", "use std::fmt;"),
            ],
            &[("core/mod.rs", "mod a; fn f() { a::g() }"), ("core/a.rs", "use super::f;")],
        ],
    );
}

// ---- What each module may touch

#[test]
fn core_only_decides() {
    rule(
        |source| {
            let outside = ["tokio", "rand", "getrandom", "reqwest", "futures_util", "async_trait"];
            let std = ["fs", "net", "env", "process", "thread", "os"];
            let mut wrong = Vec::new();
            for file in source.files.iter().filter(|file| file.module() == "core") {
                for mention in &file.mentions {
                    let name: Vec<&str> = mention.name.iter().map(String::as_str).collect();
                    let bad = match name[..] {
                        ["std", "time", ..] => name.get(2) != Some(&"Duration"),
                        ["std", part, ..] => std.contains(&part),
                        ["serde_json", "Value", ..] | ["serde_json", "value", ..] => true,
                        ["chrono", .., "now"] | ["uuid", .., "new_v4"] => true,
                        [first, ..] => outside.contains(&first),
                        [] => false,
                    };
                    if bad {
                        wrong.push(format!("{}: {}", file.at(mention.line), name.join("::")));
                    }
                }
                for token in file.tokens.iter().filter(|t| t.text == "async" || t.text == "await") {
                    wrong.push(format!("{}: {}", file.at(token.line), token.text));
                }
            }
            wrong
        },
        "core decides and does nothing: no async, files, network, clock, environment, randomness, \
         untyped JSON. Take what was learnt as an argument, and return what is to be done.",
        &[
            &[("core/a.rs", "async fn f() {}")],
            &[("core/a.rs", "use std::{fmt, fs};")],
            &[("core/a.rs", "fn f() -> std::time::Instant { todo() }")],
            &[("core/a.rs", "use serde_json as j; fn f(v: j::Value) {}")],
            &[("core/a.rs", "use std::env; fn f() { env::temp_dir(); }")],
            &[("core/a.rs", "fn f() { uuid::Uuid::new_v4(); }")],
            &[("core/a.rs", "use rand::random;")],
        ],
        &[&[("core/a.rs", "use std::time::Duration; use serde_json::to_string;")]],
    );
}

#[test]
fn a_foreign_crate_stays_inside_its_place() {
    rule(
        |source| {
            let mut wrong = Vec::new();
            for (file, mention) in mentions(source) {
                for (foreign, places) in CONFINED {
                    if mention.name[0] == *foreign && !places.iter().any(|place| file.is_in(place))
                    {
                        let places = places.join(", ");
                        wrong.push(format!(
                            "{}: {foreign} (only in {places})",
                            file.at(mention.line)
                        ));
                    }
                }
            }
            wrong
        },
        "A library is used outside the module that hides it. Give that module a function in our own \
         words, and call it.",
        &[
            &[("worker/mod.rs", "use octocrab::Octocrab;")],
            &[("agent/mod.rs", "fn f() { genai::Client::default(); }")],
            &[("worker/mod.rs", "fn f() { sqlx::query!(1); }")],
            &[("cli.rs", ""), ("app.rs", "#[derive(clap::Parser)] struct A;")],
            &[("forge/mod.rs", "use axum as web;")],
        ],
        &[&[("cli.rs", "use clap::Parser;"), ("cli/run.rs", "#[derive(clap::Args)] struct A;")]],
    );
}

#[test]
fn agent_and_sandbox_hold_no_key() {
    rule(
        |source| {
            let closed = ["agent", "sandbox", "verify"];
            let keys = ["secrecy", "sqlx", "octocrab"];
            let modules = mentions(source).filter(|(file, _)| closed.contains(&file.module()));
            let bad = modules.filter(|(_, mention)| keys.contains(&&*mention.name[0]));
            bad.map(|(file, mention)| format!("{}: {}", file.at(mention.line), mention.name[0]))
                .collect()
        },
        "No token, key or database handle enters the agent, the sandbox or the verifiers: do it \
         in worker, and hand in the result.",
        &[
            &[("agent/mod.rs", "use secrecy::SecretString;")],
            &[("sandbox/mod.rs", "fn f(pool: sqlx::SqlitePool) {}")],
        ],
        &[&[("model/mod.rs", "use secrecy::SecretString;")]],
    );
}

#[test]
fn the_environment_is_read_in_one_file() {
    only_in(
        [&["config.rs"], &[], &[]],
        |name| match name {
            [.., "env", last] => last.contains("var"),
            _ => false,
        },
        "Variables are read once, in src/config.rs: add a field there and hand the value in.",
        &[
            "fn f() { std::env::var(\"A\"); }",
            "use std::env::vars_os;",
            "use std::env; fn f() { env::set_var(1, 2); }",
        ],
        &["fn f() { std::env::temp_dir(); }", "const A: &str = env!(\"A\");"],
    );
}

#[test]
fn processes_start_in_named_files() {
    only_in(
        [
            &["workspace/git.rs", "sandbox/spawn.rs", "cli/unprivileged.rs"],
            &["git.rs", "runner/process.rs"],
            &["lib.rs"],
        ],
        |name| name.windows(2).any(|pair| pair == ["process", "Command"]),
        "Only git on our own mirror (src/workspace/git.rs), the sandbox (src/sandbox/spawn.rs and the \
         first program inside), the emulator's git and jobs, and `gander unprivileged` start processes. A repository's command goes \
         through the Sandbox.",
        &[
            "use std::process::Command;",
            "fn f() { tokio::process::Command::new(\"git\"); }",
            "use std::process; fn f() { process::Command::new(\"sh\"); }",
        ],
        &["use crate::core::command::Command; fn f() { Command::new(1); }"],
    );
}

#[test]
fn one_file_asks_for_the_time() {
    only_in(
        [&["clock.rs"], &[], &[]],
        |name| match name {
            [.., "SystemTime"] | [.., "SystemTime", "now"] => true,
            [.., kind, "now"] => ["Utc", "Local", "OffsetDateTime", "Zoned"].contains(kind),
            _ => false,
        },
        "The time is a value from the Clock of src/clock.rs: take it as an argument.",
        &[
            "use std::time::SystemTime;",
            "fn f() { chrono::Utc::now(); }",
            "use chrono::Local as L; fn f() { L::now(); }",
        ],
        &["use std::time::Instant; fn f() { Instant::now(); }"],
    );
}

#[test]
fn http_clients_are_made_in_one_place() {
    only_in(
        [&["egress.rs"], &["hooks.rs"], &[]],
        |name| match name {
            ["reqwest", .., "Client", made] => ["new", "builder", "default"].contains(made),
            ["reqwest", "ClientBuilder" | "blocking" | "get", ..] => true,
            ["hyper" | "hyper_util", "client", ..] => true,
            ["genai", .., "Client", "default"] => true,
            _ => false,
        },
        "HTTP clients come from src/egress.rs, which pins the hosts: take an Egress and call \
         `client()`.",
        &[
            "fn f() { reqwest::Client::new(); }",
            "use reqwest::Client; fn f() { Client::builder(); }",
            "use reqwest::ClientBuilder;",
            "fn f() { reqwest::get(1); }",
            "fn f() { genai::Client::default(); }",
        ],
        &["use reqwest::Client; fn f(client: &Client) { client.get(1); }"],
    );
}

#[test]
fn unsafe_stands_in_one_file() {
    rule_everywhere(
        |source| words(source, |file, word| word == "unsafe" && !file.is_in("sandbox/spawn.rs")),
        "`unsafe` stands only where the sandbox closes descriptors before exec: use rustix.",
        &[
            &[("core/a.rs", "fn f() { unsafe { g() } }")],
            &[("core/a.rs", "unsafe impl Send for A {}")],
        ],
        &[&[("core/a.rs", "// unsafe\nconst A: &str = \"unsafe\";")]],
    );
}

// ---- What proves what

#[test]
fn nothing_is_published_without_proof() {
    rule(
        |source| {
            let mut wrong = Vec::new();
            for (file, kind) in types(source).filter(|(_, kind)| PROOFS.contains(&&*kind.name)) {
                let made_from_text = kind.derives.contains("Deserialize")
                    || file.implemented.iter().any(|name| name == "Deserialize");
                if kind.open || made_from_text || kind.derives.contains("Default") {
                    let at = file.at(kind.line);
                    wrong.push(format!("{at}: {} can be made by anyone", kind.name));
                }
                if file.module() != "core" {
                    wrong.push(format!("{}: {} lives outside core", file.at(kind.line), kind.name));
                }
            }
            for (module, name, proof) in NEEDS_PROOF {
                let found = functions(source).find(|(file, function)| {
                    file.module() == *module && function.of.is_none() && function.name == *name
                });
                match found {
                    Some((_, function)) if function.inputs.contains(proof) => {}
                    Some((file, function)) => {
                        wrong.push(format!("{}: {name} takes no {proof}", file.at(function.line)));
                    }
                    None => wrong.push(format!("src/{module}: there is no function {name}")),
                }
            }
            wrong
        },
        "A proof is made by one fold over evidence, never read back or built by hand, and who \
         publishes takes it as an argument.",
        &[
            &[("core/evidence.rs", "pub struct VerifiedPatch { pub base: u8 }"), PUBLISHER],
            &[("core/evidence.rs", "#[derive(Deserialize)] pub struct VerifiedPatch;"), PUBLISHER],
            &[
                (
                    "core/evidence.rs",
                    "impl serde::Deserialize for VerifiedPatch {} struct VerifiedPatch;",
                ),
                PUBLISHER,
            ],
            &[("worker/mod.rs", "pub struct VerifiedPatch;"), PUBLISHER],
            &[("publish/mod.rs", "pub async fn pull_request(patch: &Patch) {}")],
            &[("publish/mod.rs", "")],
        ],
        &[&[
            ("core/evidence.rs", "#[derive(Debug)] pub struct VerifiedPatch { base: u8 }"),
            PUBLISHER,
        ]],
    );
}

#[test]
fn only_the_publisher_writes_to_github() {
    rule(
        |source| {
            let forge = functions(source).filter(|(file, function)| {
                let offered = function.public && function.of.as_deref() == Some("Forge");
                file.module() == "forge" && offered && !NO_WRITER.contains(&&*function.name)
            });
            let writers = forge.filter(|(file, function)| {
                let lines = function.line..function.line + function.lines;
                file.tokens.array_windows().any(|[sign, word]| {
                    let asked = [".", ":"].contains(&&*sign.text);
                    lines.contains(&word.line) && asked && WRITES.contains(&&*word.text)
                })
            });
            let writers: BTreeSet<&str> = writers.map(|(_, function)| &*function.name).collect();
            let held = |file: &&File| {
                file.module() != "forge"
                    && !PUBLISHERS.iter().any(|publisher| file.is_in(publisher))
            };
            let mut wrong = Vec::new();
            for file in source.files.iter().filter(held) {
                for [sign, word] in file.tokens.array_windows() {
                    if [".", ":"].contains(&&*sign.text) && writers.contains(&*word.text) {
                        wrong.push(format!("{}: {}", file.at(word.line), word.text));
                    }
                }
            }
            if writers.is_empty() {
                wrong.push("src/forge holds no call that writes".to_owned());
            }
            wrong
        },
        "What src/forge can change on GitHub is asked for in src/publish only (and by the Action's \
         publish job), where the proof is taken. Give the publisher a function, and call that. If it only \
         has the name in common, rename one of them.",
        &[
            &[
                PUBLISHER_SAMPLE,
                ("worker/mod.rs", "fn f(forge: &Forge) { forge.create_branch(1); }"),
            ],
            &[PUBLISHER_SAMPLE, ("worker/a.rs", "fn f(it: &A) { it.parts.forge.resolve(1); }")],
            &[
                PUBLISHER_SAMPLE,
                ("action/test.rs", "fn f(forge: &Forge) { Forge::drop_it(forge); }"),
            ],
            &[("worker/mod.rs", "")],
        ],
        &[&[
            PUBLISHER_SAMPLE,
            ("publish/mod.rs", "fn f(forge: &Forge) { forge.create_branch(1); forge.resolve(2); }"),
            ("worker/mod.rs", "fn f(forge: &Forge) { forge.branch(1); }"),
        ]],
    );
}

// ---- Manners

#[test]
fn tests_stay_out_of_the_product() {
    rule_everywhere(
        |source| {
            let lines = |file: &File| {
                file.tests_elsewhere.iter().map(|line| file.at(*line)).collect::<Vec<_>>()
            };
            let mut wrong: Vec<String> = source.files.iter().flat_map(lines).collect();
            for file in &source.files {
                for trio in file.tokens.windows(3) {
                    if trio[0].text == "cfg" && trio[1].text == "!" && trio[2].text == "test" {
                        wrong.push(file.at(trio[0].line));
                    }
                }
            }
            wrong
        },
        "`cfg(test)` stands only on `mod tests` at the bottom: product code has no test hooks. Hand \
         in what the test wants to vary.",
        &[
            &[("core/a.rs", "#[cfg(test)] fn f() {}")],
            &[("core/a.rs", "#[cfg(any(test, feature = \"a\"))] use a::b;")],
            &[("core/a.rs", "#[cfg_attr(test, derive(Debug))] struct A;")],
            &[("core/a.rs", "fn f() -> bool { cfg!(test) }")],
            &[("core/a.rs", "#[cfg(test)] mod fakes { }")],
        ],
        &[&[("core/a.rs", "#[cfg(test)] mod tests { #[test] fn f() {} }")]],
    );
}

#[test]
fn the_product_does_not_give_up_or_shout() {
    rule_everywhere(
        |source| {
            let mut wrong = Vec::new();
            for file in &source.files {
                for [before, word, after] in file.tokens.array_windows() {
                    // What a constant cannot unwrap, the compiler says.
                    let method = before.text == "."
                        && CALLS.contains(&&*word.text)
                        && !file.constants.iter().any(|lines| lines.contains(&word.line));
                    let shout = after.text == "!" && MACROS.contains(&&*word.text);
                    if method || shout {
                        wrong.push(format!("{}: {}", file.at(word.line), word.text));
                    }
                }
                for mention in &file.mentions {
                    if let [.., "process", "exit" | "abort"] = parts(mention)[..] {
                        wrong.push(format!("{}: process::exit", file.at(mention.line)));
                    }
                }
            }
            wrong
        },
        "Product code does not panic, print or exit: return an error that says what we were doing; \
         the command line prints through `say`, and main returns an exit code.",
        &[
            &[("core/a.rs", "fn f() { g().unwrap(); }")],
            &[("core/a.rs", "fn f() { g().expect(\"a\"); }")],
            &[("core/a.rs", "fn f() { panic!(\"a\"); }")],
            &[("core/a.rs", "fn f() { h!(todo!()); }")],
            &[("core/a.rs", "fn f() { println!(); }")],
            &[("core/a.rs", "fn f() { std::process::exit(1); }")],
            &[("core/a.rs", "const A: u8 = 1;\nfn f() { g().unwrap(); }")],
        ],
        &[
            &[(
                "core/a.rs",
                "fn f() { g().unwrap_or_default(); } \
                 #[cfg(test)] mod tests { fn f() { g().unwrap(); } }",
            )],
            &[("core/a.rs", "const A: u8 =\n    b().unwrap();")],
        ],
    );
}

#[test]
fn files_and_functions_stay_small() {
    let long_file: String = (0..501).map(|n| format!("const A{n}: u8 = 1;\n")).collect();
    let full_file: String = (0..500).map(|n| format!("const A{n}: u8 = 1;\n\n")).collect();
    let tests = format!("{full_file}\n#[cfg(test)]\nmod tests {{\n    const A: u8 = 1;\n}}\n");
    let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(79));
    let full_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(78));
    rule_everywhere(
        |source| {
            let mut wrong = Vec::new();
            for file in &source.files {
                let lines = file.product.lines().filter(|line| !line.trim().is_empty()).count();
                if lines > MOST_LINES {
                    wrong.push(format!("src/{}: {lines} lines (at most {MOST_LINES})", file.path));
                }
            }
            for (file, function) in functions(source) {
                if function.lines > MOST_LINES_OF_A_FUNCTION {
                    let (at, name, lines) =
                        (file.at(function.line), &function.name, function.lines);
                    wrong.push(format!(
                        "{at}: {name} has {lines} lines (at most {MOST_LINES_OF_A_FUNCTION})"
                    ));
                }
            }
            wrong
        },
        "Too long to be read at once: split by what it decides, not by size. Blank lines and tests \
         do not count in a file.",
        &[&[("core/a.rs", &long_file)], &[("core/a.rs", &long_function)]],
        &[&[("core/a.rs", &tests)], &[("core/a.rs", &full_function)]],
    );
}

#[test]
fn names_say_what_things_are() {
    rule_everywhere(
        |source| {
            let mut wrong = Vec::new();
            for file in &source.files {
                let vague = file.module.iter().find(|name| VAGUE_FILES.contains(&&***name));
                wrong.extend(vague.map(|name| format!("src/{}: {name}", file.path)));
            }
            for (file, kind) in types(source) {
                if VAGUE_ENDS.iter().any(|end| kind.name.ends_with(end)) {
                    wrong.push(format!("{}: {}", file.at(kind.line), kind.name));
                }
            }
            wrong
        },
        "A Manager, a util, a helper could hold anything: name it after what it does.",
        &[
            &[("core/a.rs", "struct JobManager;")],
            &[("core/utils.rs", "")],
            &[("forge/common/mod.rs", "")],
            &[("worker/helpers.rs", "")],
        ],
        &[&[("core/a.rs", "struct Managed;")]],
    );
}

#[test]
fn a_silenced_lint_says_why() {
    rule_everywhere(
        |source| {
            let mut wrong = Vec::new();
            for file in &source.files {
                for silence in &file.silences {
                    let named = silence.lints.iter().all(|lint| SILENT.contains(&&**lint));
                    if !silence.reason && !named {
                        wrong.push(format!(
                            "{}: {}",
                            file.at(silence.line),
                            silence.lints.join(", ")
                        ));
                    }
                }
            }
            wrong
        },
        "Write `#[expect(the_lint, reason = \"why\")]`, or mend what the lint saw.",
        &[
            &[("core/a.rs", "#[allow(dead_code)] fn f() {}")],
            &[("core/a.rs", "fn f() { #[expect(clippy::exit)] g(); }")],
            &[("core/a.rs", "#![allow(missing_docs, clippy::all)]")],
        ],
        &[
            &[("core/a.rs", "#[expect(dead_code, reason = \"soon\")] fn f() {}")],
            &[("core/a.rs", "#[allow(missing_docs)] pub struct A;")],
        ],
    );
}

#[test]
fn every_file_says_what_holds() {
    rule_everywhere(
        |source| {
            let silent = source.files.iter().filter(|file| !file.product.starts_with("//! "));
            silent.map(|file| format!("src/{}", file.path)).collect()
        },
        "Begin the file with `//!`: what it is, and what holds in it.",
        &[&[("core/a.rs", "use std::fmt;\n")], &[("core/a.rs", "// a\n")]],
        &[&[("core/a.rs", "//! Says it.\n")]],
    );
}

#[test]
fn a_trait_has_two_real_implementations() {
    rule(
        |source| {
            let mut wrong = Vec::new();
            for file in &source.files {
                for name in &file.traits {
                    let all = source.files.iter().flat_map(|file| &file.implemented);
                    let count = all.filter(|implemented| *implemented == name).count();
                    if !TRAITS.contains(&&**name) {
                        wrong.push(format!("src/{}: {name} is a seventh trait", file.path));
                    } else if count < 2 {
                        wrong
                            .push(format!("src/{}: {name} has {count} implementations", file.path));
                    }
                }
            }
            wrong
        },
        "A trait is there because two real things differ. Use a struct until the second comes.",
        &[
            &[("model/mod.rs", "pub trait Model {} impl Model for A {}")],
            &[("core/a.rs", "pub trait Seventh {} impl Seventh for A {} impl Seventh for B {}")],
        ],
        &[&[("model/mod.rs", "pub trait Model {} impl Model for A {} impl super::Model for B {}")]],
    );
}

#[test]
fn no_type_name_stands_twice() {
    rule(
        |source| {
            let places = places_of_types(source);
            let mut wrong = Vec::new();
            for (name, places) in &places {
                if places.len() > 1 {
                    wrong.push(format!("{name}: {}", places.join(", ")));
                }
            }
            wrong
        },
        "One name, one thing: who reads it need not look up which of them is meant. Rename the \
         lesser one after what sets it apart.",
        &[
            &[("core/a.rs", "struct Twin;"), ("store/mod.rs", "pub struct Twin { a: u8 }")],
            &[("core/a.rs", "enum Twin { A }"), ("store/mod.rs", "type Twin = u8;")],
            &[("core/a.rs", "trait Twin {}"), ("core/b.rs", "fn f() { struct Twin; }")],
            &[("core/a.rs", "mod b { struct Twin; } a! { pub struct Twin<T> { a: T } }")],
        ],
        &[&[
            ("core/a.rs", "struct Twin; impl A for Twin { type B = u8; }"),
            ("core/b.rs", "trait C { type B; } use super::a::Twin; enum D { Twin(Twin) }"),
            ("core/c.rs", "type B = u8; #[cfg(test)] mod tests { struct Twin; }"),
        ]],
    );
}

#[test]
fn one_impl_is_not_a_knot() {
    rule(
        |source| {
            let mut wrong = Vec::new();
            for (kind, blocks) in inherent_blocks(source) {
                let circles = circles(&calls_between_files(&blocks));
                wrong.extend(circles.iter().map(|circle| format!("{kind}: {circle}")));
            }
            wrong
        },
        "Files share out one type and call each other's methods, so none of them can be read \
         alone. Let one file call and the others be called, or give what they share a type of its own.",
        &[
            &[
                ("worker/mod.rs", "pub struct W; impl W { fn f(&self) { self.g() } }"),
                ("worker/a.rs", "use super::W; impl W { fn g(&self) { self.f(); } }"),
            ],
            &[
                (
                    "worker/mod.rs",
                    "pub struct W<T>(T); impl<T> W<T> { fn f(&self) { self.g::<T>() } }",
                ),
                (
                    "worker/a.rs",
                    "impl<T> super::W<T> { fn g<U>(&self) { select! { _ = self.f() => {} } } }",
                ),
            ],
            &[
                ("worker/mod.rs", "mod w; pub use w::W; impl W { fn f() { Self::g() } }"),
                ("worker/w.rs", "pub struct W;"),
                ("worker/a.rs", "use crate::worker::w::W; impl W { fn g() { h(Self::i) } }"),
                ("worker/b.rs", "use super::W; impl W { async fn i(&self) { self.f().await } }"),
            ],
        ],
        &[
            &[
                (
                    "worker/mod.rs",
                    "pub struct W; impl W { fn f(&self) { self.g() } fn h(&self) {} }",
                ),
                ("worker/a.rs", "use super::W; impl W { fn g(&self) { self.h; self.w.f(); f() } }"),
            ],
            &[
                ("worker/a.rs", "struct W; impl W { fn f(&self) { self.g() } fn g(&self) {} }"),
                ("worker/b.rs", "struct W; impl W { fn g(&self) { self.f() } fn f(&self) {} }"),
            ],
        ],
    );
}

#[test]
fn there_are_no_globals() {
    rule_everywhere(
        |source| {
            let lazy = ["LazyLock", "OnceLock", "OnceCell", "LazyCell", "lazy_static"];
            words(source, |_, word| lazy.contains(&word) || word == "thread_local")
        },
        "Nothing is set later and nothing is global: make it in src/app.rs and hand it in.",
        &[&[("core/a.rs", "static A: std::sync::OnceLock<u8> = std::sync::OnceLock::new();")]],
        &[&[("core/a.rs", "static A: u8 = 1; const B: &str = \"OnceLock\";")]],
    );
}

/// A publisher that takes its proof.
const PUBLISHER: (&str, &str) =
    ("publish/mod.rs", "pub async fn pull_request(verified: &VerifiedPatch) {}");
/// A place with three calls that write, and one that does not.
const PUBLISHER_SAMPLE: (&str, &str) = (
    "forge/review.rs",
    "impl Forge {
        pub async fn create_branch(&self) { self.change(Method::POST) }
        pub async fn resolve(&self) { self.mutate(1) }
        pub async fn drop_it(&self) { let to = (Method::DELETE, 1); self.send(to) }
        pub async fn branch(&self) { self.get(1) }
    }",
);

type Edges = BTreeMap<String, BTreeSet<String>>;

fn rank(module: &str) -> Option<usize> {
    RANKS.iter().position(|modules| modules.contains(&module))
}

fn mentions(source: &Source) -> impl Iterator<Item = (&File, &Mention)> {
    source.files.iter().flat_map(|file| file.mentions.iter().map(move |mention| (file, mention)))
}

fn functions(source: &Source) -> impl Iterator<Item = (&File, &Function)> {
    source.files.iter().flat_map(|file| file.functions.iter().map(move |it| (file, it)))
}

fn types(source: &Source) -> impl Iterator<Item = (&File, &Type)> {
    source.files.iter().flat_map(|file| file.types.iter().map(move |it| (file, it)))
}

/// Where each name of a struct, an enum, a trait or an alias is defined.
fn places_of_types(source: &Source) -> BTreeMap<&str, Vec<String>> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in &source.files {
        for [word, name] in file.tokens.array_windows() {
            let defined = ["struct", "enum", "trait"].contains(&&*word.text);
            if defined && name.text.starts_with(char::is_alphabetic) {
                places.entry(&name.text).or_default().push(file.at(name.line));
            }
        }
        for (name, line) in &file.aliases {
            places.entry(name).or_default().push(file.at(*line));
        }
    }
    places
}

/// The blocks without a trait, by type.
fn inherent_blocks(source: &Source) -> BTreeMap<String, Vec<(&File, &Inherent)>> {
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for file in &source.files {
        for block in &file.inherent {
            let of = match block.of.split_first() {
                Some((first, name)) if first == "crate" => source.file_of(name),
                _ => None,
            };
            let home = of.map_or("", |home| &home.path);
            let name = block.of.last().map_or("", String::as_str);
            found.entry(format!("{home} {name}")).or_default().push((file, block));
        }
    }
    found
}

/// Which file calls, among the blocks of one type, what which other defines.
fn calls_between_files(blocks: &[(&File, &Inherent)]) -> Edges {
    let mut edges = Edges::new();
    for (file, block) in blocks {
        let others = blocks.iter().filter(|(other, _)| other.path != file.path);
        let called = others.filter(|(_, other)| !block.calls.is_disjoint(&other.functions));
        let called = called.map(|(other, _)| other.path.clone());
        edges.entry(file.path.clone()).or_default().extend(called);
    }
    edges
}

/// Every place where a word stands that is meant.
fn words(source: &Source, is_meant: impl Fn(&File, &str) -> bool) -> Vec<String> {
    let tokens = source.files.iter().flat_map(|f| f.tokens.iter().map(move |token| (f, token)));
    let meant = tokens.filter(|(file, token)| is_meant(file, &token.text));
    meant.map(|(file, token)| format!("{}: {}", file.at(token.line), token.text)).collect()
}

fn parts(mention: &Mention) -> Vec<&str> {
    mention.name.iter().map(String::as_str).collect()
}

fn split(mention: &Mention) -> Option<(&str, &[String])> {
    mention.name.split_first().map(|(first, rest)| (first.as_str(), rest))
}

/// Every mention of another module: the file, the module, the place.
fn imports_between_modules(source: &Source) -> Vec<(&File, String, String)> {
    let mut found = Vec::new();
    for (file, mention) in mentions(source) {
        if let Some(("crate", [module, ..])) = split(mention)
            && module != file.module()
        {
            found.push((file, module.clone(), file.at(mention.line)));
        }
    }
    found
}

/// The shortest circles of which no two share a step.
fn circles(edges: &Edges) -> Vec<String> {
    let mut all = Vec::new();
    for (start, next) in edges {
        for next in next {
            all.extend(way(next, start, edges).map(|way| [vec![&**start], way].concat()));
        }
    }
    all.sort_by_key(Vec::len);
    let mut steps = BTreeSet::new();
    let mut found = Vec::new();
    for circle in all {
        if circle.windows(2).all(|step| !steps.contains(step)) {
            steps.extend(circle.windows(2).map(<[_]>::to_vec));
            found.push(circle.join(" → "));
        }
    }
    found
}

/// The shortest way between two, both named.
fn way<'e>(from: &'e str, to: &str, edges: &'e Edges) -> Option<Vec<&'e str>> {
    let mut came_from = BTreeMap::from([(from, from)]);
    let mut next = std::collections::VecDeque::from([from]);
    while let Some(at) = next.pop_front() {
        if at == to {
            let mut way = vec![at];
            while *way.last()? != from {
                way.push(came_from[way.last()?]);
            }
            way.reverse();
            return Some(way);
        }
        for neighbour in edges.get(at).into_iter().flatten() {
            if !came_from.contains_key(&**neighbour) {
                came_from.insert(neighbour, at);
                next.push_back(neighbour);
            }
        }
    }
    None
}

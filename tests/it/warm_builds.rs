//! Checks of changes begin with what the check of their base built: they take less time, and come
//! to the same.

// A repository is made with git.
#![allow(clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gander::core::evidence::CheckOutcome;
use gander::core::id::{Sha, Timestamp};
use gander::core::patch::{Change, FileMode, Patch};
use gander::core::path_rules::PathRules;
use gander::sandbox::{
    Bubblewrap, CommandOutput, Probe, Sandbox, SandboxCommand, SandboxError, SandboxLimits,
    ShownDirectory,
};
use gander::verify::{Checker, VerifyContext, verifiers};
use gander::workspace::builds::Builds;
use gander::workspace::mirror::{History, Mirror, Source, Want};
use gander::workspace::patch::Caps;
use gander::workspace::scratch::Scratch;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::program::Local;

const TESTS: &str = "cargo test --workspace --offline --no-fail-fast";

/// A workspace. `user` is built on `used` and on a package of somebody else's; what `made` says is
/// made up by its build script and by a macro, from files that nobody tells cargo about. The tests
/// of `tool` look for its program where cargo puts it, and leave something behind.
const WORKSPACE: [(&str, &str); 17] = [
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"*\"]\nexclude = [\"target\", \".cargo\"]\nresolver = \"3\"\n",
    ),
    (
        ".cargo/config.toml",
        "[source.crates-io]\nreplace-with = \"here\"\n[source.here]\ndirectory = \
         \"/packages/others\"\n",
    ),
    ("used/Cargo.toml", "[package]\nname = \"used\"\nedition = \"2024\"\n"),
    ("used/src/lib.rs", "mod more;\npub fn value() -> u32 {\n    more::part() + 1\n}\n"),
    ("used/src/more.rs", "pub fn part() -> u32 {\n    1\n}\n"),
    (
        "user/Cargo.toml",
        "[package]\nname = \"user\"\nedition = \"2024\"\n[dependencies]\nused = { path = \"../used\" \
         }\nother = \"1\"\n",
    ),
    ("user/src/lib.rs", "#[test]\nfn uses() {\n    assert_eq!(used::value(), other::two());\n}\n"),
    (
        "told/Cargo.toml",
        "[package]\nname = \"told\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n",
    ),
    (
        "told/src/lib.rs",
        "extern crate proc_macro;\n#[proc_macro]\npub fn told(_: proc_macro::TokenStream) -> \
         proc_macro::TokenStream {\n    \
         std::fs::read_to_string(\"../told.txt\").or_else(|_| \
         std::fs::read_to_string(\"told.txt\")).unwrap().parse().unwrap()\n}\n",
    ),
    ("told.txt", "4"),
    (
        "made/Cargo.toml",
        "[package]\nname = \"made\"\nedition = \"2024\"\nbuild = \"make.rs\"\n[dependencies]\n\
         told = { path = \"../told\" }\n",
    ),
    (
        "made/make.rs",
        "fn main() {\n    println!(\"cargo::rerun-if-changed=make.rs\");\n    \
         let made = std::path::Path::new(&std::env::var(\"OUT_DIR\").unwrap()).join(\"n\");\n    \
         if !made.exists() {\n        let n = std::fs::read_dir(\"data\").unwrap().count();\n        \
         std::fs::write(&made, n.to_string()).unwrap();\n    }\n}\n",
    ),
    (
        "made/src/lib.rs",
        "#[test]\nfn counts() {\n    \
         assert_eq!(include_str!(concat!(env!(\"OUT_DIR\"), \"/n\")), \"2\");\n    \
         assert_eq!(told::told!(), 4);\n}\n",
    ),
    ("tool/Cargo.toml", "[package]\nname = \"tool\"\nedition = \"2024\"\n"),
    ("tool/src/main.rs", "fn main() {}\n"),
    ("tool/src/bin/helper.rs", "fn main() {}\n"),
    (
        "tool/tests/finds.rs",
        "#[test]\nfn finds() {\n    let here = std::env::current_exe().unwrap();\n    \
         let built = here.parent().unwrap().parent().unwrap();\n    \
         assert!(built.join(\"helper\").exists());\n}\n\n#[test]\nfn leaves() {\n    \
         std::fs::create_dir(format!(\"{}/left\", env!(\"CARGO_TARGET_TMPDIR\"))).unwrap();\n}\n",
    ),
];
/// The package of somebody else's.
const OTHER: [(&str, &str); 3] = [
    ("Cargo.toml", "[package]\nname = \"other\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
    ("src/lib.rs", "pub fn two() -> u32 {\n    2\n}\n"),
    (".cargo-checksum.json", "{\"files\":{}}"),
];
const DATA: [(&str, &str); 2] = [("made/data/a", ""), ("made/data/b", "")];

/// A repository, and what is kept of its builds.
struct Kept {
    repository: PathBuf,
    _local: Option<Local>,
    cache: TempDir,
    mirror: Mirror,
    base: Sha,
}

/// The machine's sandbox, with the packages of others.
struct WithOthers {
    real: Bubblewrap,
    others: PathBuf,
}

#[async_trait::async_trait]
impl Sandbox for WithOthers {
    fn name(&self) -> &'static str {
        self.real.name()
    }

    async fn probe(&self) -> Result<Probe, SandboxError> {
        self.real.probe().await
    }

    fn is_closed(&self) -> bool {
        self.real.is_closed()
    }

    fn shows(&self, tree: &Path) -> PathBuf {
        self.real.shows(tree)
    }

    async fn run(
        &self,
        command: &SandboxCommand,
        limits: &SandboxLimits,
        stop: &CancellationToken,
    ) -> Result<CommandOutput, SandboxError> {
        let mut command = command.clone();
        command.shown.push(ShownDirectory {
            host_dir: self.others.clone(),
            mount_at: "/packages/others".to_owned(),
            writable: false,
            programs: None,
            temporary: Vec::new(),
            above: None,
        });
        self.real.run(&command, limits, stop).await
    }
}

/// What a check came to, and which packages it compiled.
#[derive(Debug, PartialEq, Eq)]
struct Checked {
    is_green: bool,
    tests: Option<u64>,
    failed: Vec<String>,
    compiled: Vec<String>,
    log: String,
}

impl Kept {
    async fn of(files: &[(&str, &str)]) -> Self {
        let local = Local::with(files);
        let kept = Self::of_repository(&local.repository()).await;
        Self { _local: Some(local), ..kept }
    }

    async fn of_repository(repository: &Path) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&cache.path().join("mirrors"), "local").await.unwrap();
        let base = fetched(&mirror, repository).await;
        Self { repository: repository.to_owned(), _local: None, cache, mirror, base }
    }

    fn builds(&self) -> Builds {
        Builds::of(self.cache.path(), "widgets main".to_owned())
    }

    /// Without any build that is kept: `builds` is `None`.
    async fn check(&self, patch: &Patch, builds: Option<Builds>) -> Checked {
        let logs = tempfile::tempdir().unwrap();
        let real = gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"));
        let others = self.cache.path().join("others");
        for (path, text) in OTHER {
            let path = others.join("other").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let means = VerifyContext {
            sandbox: Arc::new(WithOthers { real, others }),
            paths: PathRules::new(&[], &[]).unwrap(),
            caps: Caps { files: 10, bytes: 1_000_000 },
            time: Duration::from_secs(120),
            logs: logs.path().to_owned(),
        };
        let checker = Checker {
            mirror: self.mirror.clone(),
            base: self.base.clone(),
            scratch: Scratch::below(self.cache.path()),
            verifiers: verifiers(&[TESTS.to_owned()], &means),
            builds,
            keeps: patch.is_empty().then_some(Timestamp(1)),
        };
        let checks = checker.check(patch, &CancellationToken::new()).await.unwrap().checks;
        let check = checks.into_iter().last().unwrap();
        let log = fs::read_to_string(logs.path().join("check-1.log")).unwrap();
        let compiled = log.lines().filter_map(|line| line.trim().strip_prefix("Compiling "));
        let mut compiled: Vec<String> =
            compiled.map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        compiled.sort();
        compiled.dedup();
        Checked {
            is_green: check.outcome == CheckOutcome::Passed,
            tests: check.tests,
            failed: check.failed_tests.into_iter().flatten().collect(),
            compiled,
            log,
        }
    }

    /// Warm and cold; they agree.
    async fn warm(&self, what: &str, patch: &Patch) -> Checked {
        let warm = self.check(patch, Some(self.builds())).await;
        let cold = self.check(patch, None).await;
        let seen = |checked: &Checked| (checked.is_green, checked.tests, checked.failed.clone());
        assert_eq!(seen(&warm), seen(&cold), "{what}");
        warm
    }

    /// The next commit of the branch.
    async fn commit(&mut self, path: &str, content: Option<&str>) {
        let repository = &self.repository;
        match content {
            Some(text) => fs::write(repository.join(path), text).unwrap(),
            None => fs::remove_file(repository.join(path)).unwrap(),
        }
        let who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com"];
        let commit = [&who[..], &["commit", "--quiet", "--all", "--message", "next"]].concat();
        for arguments in [&["add", "."][..], &commit] {
            let git = Command::new("git").args(arguments).current_dir(repository).status();
            assert!(git.unwrap().success());
        }
        self.base = fetched(&self.mirror, repository).await;
    }

    async fn patch(&self, changes: &[(&str, Option<&str>)]) -> Patch {
        let entries = self.mirror.list(&self.base).await.unwrap();
        let change = |&(path, content): &(&str, Option<&str>)| {
            let entry = entries.iter().find(|entry| entry.path == path.as_bytes());
            let oid = entry.map(|entry| entry.oid.clone());
            let change = match content {
                Some(text) => {
                    Change::Write { mode: FileMode::File, content: text.into(), replaces: oid }
                }
                None => Change::Delete { replaces: oid.unwrap() },
            };
            (path.parse().unwrap(), change)
        };
        Patch { changes: changes.iter().map(change).collect::<BTreeMap<_, _>>() }
    }
}

async fn fetched(mirror: &Mirror, repository: &Path) -> Sha {
    let (want, time) = (Want::Head, Duration::from_secs(60));
    mirror.fetch(Source::Path(repository), want, History::Tip, time).await.unwrap()
}

fn workspace() -> Vec<(&'static str, &'static str)> {
    [&WORKSPACE[..], &DATA].concat()
}

#[tokio::test]
async fn only_packages_of_others_are_kept_and_a_change_comes_to_the_same_as_from_nothing() {
    let kept = Kept::of(&workspace()).await;
    let base = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert!(base.is_green, "{}", base.log);
    assert_eq!(base.compiled, ["made", "other", "told", "tool", "used", "user"]);
    let wrong = "pub fn part() -> u32 {\n    7\n}\n";
    let right = "pub fn part() -> u32 {\n    // The first one.\n    1\n}\n";
    type Case<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)], bool);
    let cases: [Case<'_>; 7] = [
        ("a right source", &[("used/src/more.rs", Some(right))], true),
        ("a wrong source", &[("used/src/more.rs", Some(wrong))], false),
        ("a source less", &[("used/src/more.rs", None)], false),
        ("a file that a macro reads", &[("told.txt", Some("5"))], false),
        ("a file more that a build script counts", &[("made/data/c", Some("x"))], false),
        ("a file less that a build script counts", &[("made/data/b", None)], false),
        ("a program less that a test starts", &[("tool/src/bin/helper.rs", None)], false),
    ];
    for (what, changes, is_green) in cases {
        let warm = kept.warm(what, &kept.patch(changes).await).await;
        assert_eq!(warm.is_green, is_green, "{what}: {}", warm.log);
        assert!(!warm.compiled.contains(&"other".to_owned()), "{what}: {:?}", warm.compiled);
    }
}

#[tokio::test]
async fn the_next_commit_begins_with_the_build_of_the_one_before_and_with_nothing_its_tests_left() {
    let mut kept = Kept::of(&workspace()).await;
    kept.check(&Patch::default(), Some(kept.builds())).await;
    kept.commit("used/src/more.rs", Some("pub fn part() -> u32 {\n    7\n}\n")).await;
    let red = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert_eq!(red.failed, ["uses"], "{}", red.log);
    assert!(!red.compiled.contains(&"other".to_owned()), "{:?}", red.compiled);
    // It was kept in turn.
    let mended = kept.patch(&[("used/src/more.rs", Some("pub fn part() -> u32 { 1 }\n"))]).await;
    let mended = kept.warm("mended", &mended).await;
    assert!(mended.is_green && !mended.compiled.contains(&"other".to_owned()), "{}", mended.log);
}

#[tokio::test]
async fn nothing_is_taken_from_another_branch_or_from_a_build_that_somebody_changed() {
    let kept = Kept::of(&workspace()).await;
    kept.check(&Patch::default(), Some(kept.builds())).await;
    let patch = kept.patch(&[("NOTES", Some("noted\n"))]).await;
    let is_built = |checked: Checked| checked.compiled.contains(&"other".to_owned());
    let other = Builds::of(kept.cache.path(), "widgets other".to_owned());
    assert!(is_built(kept.check(&patch, Some(other)).await));
    assert!(!is_built(kept.check(&patch, Some(kept.builds())).await));
    let built = crate::world::files_below(&kept.cache.path().join("builds"));
    let library = built.iter().find(|path| path.extension().is_some_and(|it| it == "rlib"));
    let library = kept.cache.path().join("builds").join(library.unwrap());
    let mut bytes = fs::read(&library).unwrap();
    bytes[100] ^= 1;
    fs::write(&library, bytes).unwrap();
    assert!(is_built(kept.check(&patch, Some(kept.builds())).await));
}

/// Changes one line of a source at random: what a careless or a mistaken person would.
fn mutated(text: &str, random: &mut fastrand::Rng) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let code = |line: &&usize| !lines[**line].trim_start().starts_with("//");
    let numbers: Vec<usize> = (0..lines.len()).collect();
    let numbers: Vec<usize> = numbers.iter().filter(code).copied().collect();
    let Some(at) = random.choice(&numbers).copied() else { return text.to_owned() };
    let swaps = [("+", "-"), ("<", ">"), ("true", "false"), ("==", "!="), ("0", "1"), ("&&", "||")];
    let fitting: Vec<_> = swaps.iter().filter(|(from, _)| lines[at].contains(from)).collect();
    match random.choice(&fitting) {
        Some((from, to)) => lines[at] = lines[at].replacen(from, to, 1),
        None if random.bool() => drop(lines.remove(at)),
        None => lines.insert(at, lines[at].clone()),
    }
    lines.join("\n") + "\n"
}

#[tokio::test]
#[ignore = "takes long, and a repository: GANDER_WARM_REPOSITORY, GANDER_WARM_PATCHES"]
async fn of_random_changes_warm_and_cold_checks_agree() {
    let repository = std::env::var("GANDER_WARM_REPOSITORY").expect("names a repository");
    let many = std::env::var("GANDER_WARM_PATCHES").map_or(20, |many| many.parse().unwrap());
    let kept = Kept::of_repository(Path::new(&repository)).await;
    let base = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert!(base.is_green, "{}", base.log);
    println!("{repository}: {:?} tests", base.tests);
    let entries = kept.mirror.list(&kept.base).await.unwrap();
    let paths = entries.into_iter().filter_map(|entry| String::from_utf8(entry.path).ok());
    let sources: Vec<String> =
        paths.filter(|path| path.ends_with(".rs") && !path.starts_with("vendor/")).collect();
    let mut random = fastrand::Rng::with_seed(7);
    let mut red = 0;
    for number in 0..many {
        let path = random.choice(&sources).unwrap();
        let text = kept.mirror.read_file(&kept.base, &path.parse().unwrap(), 1 << 20);
        let text = String::from_utf8(text.unwrap().unwrap()).unwrap();
        let new = (number % 20 != 19).then(|| mutated(&text, &mut random));
        let patch = kept.patch(&[(path, new.as_deref())]).await;
        let warm = kept.warm(&format!("number {number}, {path}"), &patch).await;
        red += u32::from(!warm.is_green);
    }
    println!("{many} changes agree; {red} of them are red");
}

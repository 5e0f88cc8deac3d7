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
use gander::verify::{Checker, VerifyContext, verifiers};
use gander::workspace::builds::Builds;
use gander::workspace::mirror::{History, Mirror, Source, Want};
use gander::workspace::patch::Caps;
use gander::workspace::scratch::Scratch;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::program::Local;

const TESTS: &str = "cargo test --workspace --offline --no-fail-fast";

/// A workspace of four packages. `one` stands alone; `user` is built on `used`; what `made` says is
/// made up by its build script and by a macro, from files that nobody tells cargo about.
const WORKSPACE: [(&str, &str); 15] = [
    ("Cargo.toml", "[workspace]\nmembers = [\"*\"]\nexclude = [\"target\"]\nresolver = \"3\"\n"),
    (".gitignore", "/target\n"),
    ("one/Cargo.toml", "[package]\nname = \"one\"\nedition = \"2024\"\n"),
    ("one/src/lib.rs", "#[test]\nfn stands() {}\n"),
    ("used/Cargo.toml", "[package]\nname = \"used\"\nedition = \"2024\"\n"),
    ("used/src/lib.rs", "mod more;\npub fn value() -> u32 {\n    more::part() + 1\n}\n"),
    ("used/src/more.rs", "pub fn part() -> u32 {\n    1\n}\n"),
    (
        "user/Cargo.toml",
        "[package]\nname = \"user\"\nedition = \"2024\"\n[dependencies]\nused = { path = \"../used\" \
         }\n",
    ),
    ("user/src/lib.rs", "#[test]\nfn uses() {\n    assert_eq!(used::value(), 2);\n}\n"),
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
        "[package]\nname = \"made\"\nedition = \"2024\"\n[dependencies]\ntold = { path = \"../told\" \
         }\n",
    ),
    (
        "made/build.rs",
        "fn main() {\n    println!(\"cargo::rerun-if-changed=build.rs\");\n    let n = \
         std::fs::read_dir(\"data\").unwrap().count();\n    \
         println!(\"cargo::rustc-env=COUNT={n}\");\n}\n",
    ),
    (
        "made/src/lib.rs",
        "#[test]\nfn counts() {\n    assert_eq!(env!(\"COUNT\"), \"2\");\n    \
         assert_eq!(told::told!(), 4);\n}\n",
    ),
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
        let sandbox = gander::app::sandbox().with_gander_at(env!("CARGO_BIN_EXE_gander"));
        let means = VerifyContext {
            sandbox: Arc::new(sandbox),
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
async fn a_change_is_built_with_what_depends_on_it_and_comes_to_the_same_as_from_nothing() {
    let kept = Kept::of(&workspace()).await;
    let base = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert!(base.is_green, "{base:?}");
    assert_eq!(base.compiled, ["made", "one", "told", "used", "user"]);
    let wrong = "pub fn part() -> u32 {\n    7\n}\n";
    let right = "pub fn part() -> u32 {\n    // The first one.\n    1\n}\n";
    type Case<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)], bool, &'a [&'a str]);
    // What has a build script is always built again.
    let small: &[&str] = &["made", "used", "user"];
    let all: &[&str] = &["made", "one", "told", "used", "user"];
    let cases: [Case<'_>; 6] = [
        ("a right source", &[("used/src/more.rs", Some(right))], true, small),
        ("a wrong source", &[("used/src/more.rs", Some(wrong))], false, small),
        ("a source less", &[("used/src/more.rs", None)], false, &["made", "used"]),
        ("a file that a macro reads", &[("told.txt", Some("5"))], false, all),
        ("a file more that a build script counts", &[("made/data/c", Some("x"))], false, all),
        ("a file less that a build script counts", &[("made/data/b", None)], false, all),
    ];
    for (what, changes, is_green, compiled) in cases {
        let warm = kept.warm(what, &kept.patch(changes).await).await;
        assert_eq!(warm.is_green, is_green, "{what}: {warm:?}");
        for package in compiled {
            assert!(warm.compiled.iter().any(|it| it == package), "{what}: {warm:?}");
        }
        assert_eq!(warm.compiled.contains(&"one".to_owned()), compiled == all, "{what}");
    }
}

#[tokio::test]
async fn the_next_commit_begins_with_the_build_of_the_one_before() {
    let mut kept = Kept::of(&workspace()).await;
    kept.check(&Patch::default(), Some(kept.builds())).await;
    kept.commit("used/src/more.rs", Some("pub fn part() -> u32 {\n    7\n}\n")).await;
    let red = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert!(!red.is_green, "{red:?}");
    assert_eq!(red.failed, ["uses"]);
    assert!(!red.compiled.contains(&"one".to_owned()), "{red:?}");
    // It was kept in turn, and a change on it is compared with it.
    let mended = kept.patch(&[("used/src/more.rs", Some("pub fn part() -> u32 { 1 }\n"))]).await;
    assert!(kept.warm("mended", &mended).await.is_green);
    // What only the older one holds counts for nothing.
    kept.commit("made/data/b", None).await;
    let less = kept.check(&Patch::default(), Some(kept.builds())).await;
    assert!(less.failed.contains(&"counts".to_owned()), "{less:?}");
}

#[tokio::test]
async fn nothing_is_taken_from_another_branch_or_from_a_build_that_somebody_changed() {
    let kept = Kept::of(&workspace()).await;
    let all = ["made", "one", "told", "used", "user"];
    kept.check(&Patch::default(), Some(kept.builds())).await;
    let patch = kept.patch(&[("one/src/lib.rs", Some("#[test]\nfn other() {}\n"))]).await;
    let other = Builds::of(kept.cache.path(), "widgets other".to_owned());
    assert_eq!(kept.check(&patch, Some(other)).await.compiled, all);
    assert_eq!(kept.check(&patch, Some(kept.builds())).await.compiled, ["made", "one"]);
    let built = crate::world::files_below(&kept.cache.path().join("builds"));
    let library = built.iter().find(|path| path.extension().is_some_and(|it| it == "rlib"));
    let library = kept.cache.path().join("builds").join(library.unwrap());
    let mut bytes = fs::read(&library).unwrap();
    bytes[100] ^= 1;
    fs::write(&library, bytes).unwrap();
    assert_eq!(kept.check(&patch, Some(kept.builds())).await.compiled, all);
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

//! Manifests as people write them, before and after.

use proptest::prelude::*;

use super::*;

const WHOLE: ReleaseScope =
    ReleaseScope { package: None, directory: String::new(), apart: Vec::new() };

fn files(list: &[(&str, &str)]) -> FileSet {
    list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn edited(list: &[(&str, &str)], version: &str) -> Edits {
    let files = files(list);
    let old = current(&files, &WHOLE, None).map(|(old, _)| old);
    with_version(&files, &WHOLE, old.as_ref(), &Version::parse(version).unwrap())
}

const CARGO: &str = "# the root\n[package]\nname = \"widgets\"   # ours\nversion = '1.1.0' # moves\nedition = \"2024\"\n\n[dependencies]\nserde = \"1.1.0\"\n";
const CARGO_LOCK: &str = "version = 4\n\n[[package]]\nname = \"serde\"\nversion = \"1.1.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n[[package]]\nname = \"widgets\"\nversion = \"1.1.0\"\ndependencies = [\n \"serde\",\n]\n";

#[test]
fn a_package_and_its_lock_move_and_nothing_else_does() {
    let edits = edited(&[("Cargo.toml", CARGO), ("Cargo.lock", CARGO_LOCK)], "1.2.0");
    assert_eq!(edits.changed["Cargo.toml"], CARGO.replacen("'1.1.0'", "'1.2.0'", 1));
    let (before, ours) = CARGO_LOCK.split_once("name = \"widgets\"").unwrap();
    let expected = format!("{before}name = \"widgets\"{}", ours.replace("1.1.0", "1.2.0"));
    assert_eq!(edits.changed["Cargo.lock"], expected);
    assert_eq!((edits.changed.len(), edits.left.len()), (2, 0));
    assert_eq!(current(&files(&[("Cargo.toml", CARGO)]), &WHOLE, None).unwrap().1, "Cargo.toml");
}

#[test]
fn a_workspace_moves_with_those_who_inherit_or_say_the_same() {
    let root = "[workspace]\nmembers = [\"crates/*\"]\nexclude = [\"crates/old\"]\n[workspace.package]\nversion = \"1.1.0\"\n[workspace.dependencies]\na = { path = \"crates/a\", version = \"=1.1.0\" }\nb = { path = \"crates/b\", version = \"1\" }\n";
    let a = "[package]\nname = \"a\"\nversion.workspace = true\n";
    let b = "[package]\nname = \"b\"\nversion = \"1.1.0\"\n[target.'cfg(unix)'.dev-dependencies]\nx = { package = \"a\", path = \"../a\", version = \"^1.1.0\" }\n";
    let own = "[package]\nname = \"own\"\nversion = \"0.3.0\"\n";
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"1.1.0\"\ndependencies = [\"a 1.1.0\", \"a 0.9.0 (registry+x)\"]\n";
    let edits = edited(
        &[
            ("Cargo.toml", root),
            ("crates/a/Cargo.toml", a),
            ("crates/b/Cargo.toml", b),
            ("crates/own/Cargo.toml", own),
            ("crates/old/Cargo.toml", b),
            ("fuzz/Cargo.toml", b),
            ("Cargo.lock", lock),
        ],
        "2.0.0",
    );
    assert_eq!(
        edits.changed.keys().collect::<Vec<_>>(),
        ["Cargo.lock", "Cargo.toml", "crates/b/Cargo.toml", "crates/old/Cargo.toml"]
    );
    // What stands beside the workspace stays as it is, but needs what moves.
    let old = b.replace("\"^1.1.0\"", "\"^2.0.0\"");
    assert_eq!(edits.changed["crates/old/Cargo.toml"], old);
    let moved = root.replace("1.1.0", "2.0.0").replace("version = \"1\"", "version = \"2\"");
    assert_eq!(edits.changed["Cargo.toml"], moved);
    assert_eq!(edits.changed["crates/b/Cargo.toml"], b.replace("1.1.0", "2.0.0"));
    assert_eq!(edits.changed["Cargo.lock"], lock.replace("1.1.0", "2.0.0"));
    assert_eq!(edits.left, ["`crates/own/Cargo.toml` holds a version of its own, not 1.1.0"]);
}

#[test]
fn a_bare_workspace_moves_when_all_its_members_say_the_same() {
    let root = "[workspace]\nmembers = [\"a\", \"b\"]\n";
    let member = |name: &str, version: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n")
    };
    let (a, b) = (member("a", "1.1.0"), member("b", "1.1.0"));
    let edits =
        edited(&[("Cargo.toml", root), ("a/Cargo.toml", &a), ("b/Cargo.toml", &b)], "1.1.1");
    assert_eq!(edits.changed.len(), 2);
    let b = member("b", "3.0.0");
    let edits =
        edited(&[("Cargo.toml", root), ("a/Cargo.toml", &a), ("b/Cargo.toml", &b)], "1.1.1");
    assert_eq!(edits.changed.len(), 0);
    assert_eq!(edits.left, ["`Cargo.toml` and its members do not share one version"]);
}

#[test]
fn crates_that_others_need_by_a_path_are_members_and_private_ones_decide_nothing() {
    let root = "[workspace]\nmembers = [\"tool\"]\n";
    let tool = "[package]\nname = \"tool\"\nversion = \"1.1.0\"\n[dependencies]\nlib = { path = \"../lib\", version = \"=1.1.0\" }\n";
    let lib = "[package]\nname = \"lib\"\nversion = \"1.1.0\"\n[dev-dependencies]\nlab = { path = \"lab\" }\n";
    let lab = "[package]\nname = \"lab\"\nversion = \"0.0.7\"\npublish = false\n";
    let fuzz = "[[package]]\nname = \"lib\"\nversion = \"1.1.0\"\n";
    let beside = "[package]\nname = \"fuzz\"\nversion = \"0.0.0\"\n[workspace]\n[dependencies]\nlib = { path = \"../lib\", version = \"1.1.0\" }\n";
    let stranger = beside.replace("../lib", "vendored/lib");
    let stranger = stranger.as_str();
    let other = "[[package]]\nname = \"serde\"\nversion = \"1.1.0\"\nsource = \"x\"\n";
    let all = [
        ("Cargo.toml", root),
        ("tool/Cargo.toml", tool),
        ("lib/Cargo.toml", lib),
        ("lib/lab/Cargo.toml", lab),
        ("fuzz/Cargo.lock", fuzz),
        ("fuzz/Cargo.toml", beside),
        ("site/Cargo.lock", other),
        ("site/Cargo.toml", stranger),
    ];
    let edits = edited(&all, "1.2.0");
    let paths: Vec<&String> = edits.changed.keys().collect();
    let beside = ["fuzz/Cargo.lock", "fuzz/Cargo.toml"];
    assert_eq!(paths, [&beside[..], &["lib/Cargo.toml", "tool/Cargo.toml"]].concat());
    assert_eq!(edits.changed["tool/Cargo.toml"], tool.replace("1.1.0", "1.2.0"));
    assert_eq!(edits.left, [""; 0]);
}

#[test]
fn of_several_versions_the_one_that_was_released_last_moves() {
    let member = |name: &str, version: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n")
    };
    let (a, b) = (member("a", "1.1.0"), member("b", "3.0.0"));
    let all = files(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n"),
        ("a/Cargo.toml", &a),
        ("b/Cargo.toml", &b),
    ]);
    let last = Version::new(1, 1, 0);
    assert_eq!(current(&all, &WHOLE, None), None);
    assert_eq!(current(&all, &WHOLE, Some(&last)), Some((last.clone(), "a/Cargo.toml".to_owned())));
    let edits = with_version(&all, &WHOLE, Some(&last), &Version::new(1, 2, 0));
    assert_eq!(edits.changed.keys().collect::<Vec<_>>(), ["a/Cargo.toml"]);
    assert_eq!(edits.left, ["`b/Cargo.toml` holds a version of its own, not 1.1.0"]);
}

#[test]
fn a_package_that_needs_itself_needs_what_is_out_already() {
    let package = r#"{"name": "h", "version": "1.1.0", "devDependencies": {"h": "^1.1.0"}}"#;
    let edits = edited(&[("package.json", package)], "1.2.0");
    assert_eq!(edits.changed["package.json"], package.replacen("1.1.0", "1.2.0", 1));
}

#[test]
fn npm_files_keep_their_spelling_and_order() {
    let package = "{\r\n\t\"version\" : \"1.1.0\",\r\n\t\"name\": \"w\", \"dependencies\": {\"x\": \"1.1.0\"}\r\n}";
    let lock = "{\n    \"name\": \"w\",\n    \"version\": \"1.1.0\",\n    \"packages\": {\n        \"\": { \"version\": \"1.1.0\" },\n        \"node_modules/x\": { \"version\": \"1.1.0\" }\n    }\n}\n";
    let edits = edited(&[("package.json", package), ("package-lock.json", lock)], "1.2.0");
    assert_eq!(edits.changed["package.json"], package.replacen("1.1.0", "1.2.0", 1));
    assert_eq!(edits.changed["package-lock.json"], lock.replacen("1.1.0", "1.2.0", 2));
    assert_eq!(edits.left, [""; 0]);
}

#[test]
fn members_of_an_npm_workspace_move_with_what_they_ask_of_each_other() {
    let root = r#"{"name": "all", "version": "1.1.0", "private": true, "workspaces": ["packages/*", "!packages/old"]}"#;
    let a = r#"{"name": "@w/a", "version": "1.1.0"}"#;
    let b = r#"{"name": "b", "version": "1.1.0", "dependencies": {"@w/a": "^1.1.0", "left-pad": "1.1.0"}, "peerDependencies": {"@w/a": "^1.0.0"}}"#;
    let own = r#"{"name": "c", "version": "4.0.0", "dependencies": {"@w/a": "^1.0.0"}}"#;
    let site = r#"{"name": "site", "version": "0.3.0", "private": true}"#;
    let lock = r#"{"name": "all", "version": "1.1.0", "lockfileVersion": 3, "packages": {
  "": {"name": "all", "version": "1.1.0", "workspaces": ["packages/*"]},
  "node_modules/@w/a": {"resolved": "packages/a", "link": true},
  "node_modules/left-pad": {"version": "1.1.0"},
  "packages/a": {"name": "@w/a", "version": "1.1.0"},
  "packages/b": {"version": "1.1.0", "dependencies": {"@w/a": "^1.1.0", "left-pad": "1.1.0"}, "peerDependencies": {"@w/a": "^1.0.0"}},
  "packages/c": {"version": "4.0.0", "dependencies": {"@w/a": "^1.0.0"}}
}}"#;
    let all = [
        ("package.json", root),
        ("packages/a/package.json", a),
        ("packages/b/package.json", b),
        ("packages/c/package.json", own),
        ("packages/site/package.json", site),
        ("packages/old/package.json", a),
        ("package-lock.json", lock),
    ];
    let edits = edited(&all, "1.2.0");
    let own_stays = "`packages/c/package.json` holds a version of its own, not 1.1.0";
    assert_eq!(edits.left, [own_stays]);
    let paths: Vec<&String> = edits.changed.keys().collect();
    let members = ["packages/a/package.json", "packages/b/package.json"];
    assert_eq!(paths, [&["package-lock.json", "package.json"][..], &members].concat());
    let moved = |text: &str| {
        text.replace("\"version\": \"1.1.0\"", "\"version\": \"1.2.0\"").replace("^1.1.0", "^1.2.0")
    };
    assert_eq!(edits.changed["packages/b/package.json"], moved(b));
    let stranger = "\"left-pad\": {\"version\": \"1.2.0\"}";
    let expected = moved(lock)
        .replace("left-pad\": {\"version\": \"1.2.0\"}", "left-pad\": {\"version\": \"1.1.0\"}");
    assert!(!expected.contains(stranger));
    assert_eq!(edits.changed["package-lock.json"], expected);
    // A major step takes along whatever asked for the one before.
    let edits = edited(&all, "2.0.0");
    assert!(edits.changed["packages/b/package.json"].contains(r#""@w/a": "^2.0.0""#));
    assert!(edits.changed["packages/b/package.json"].ends_with(r#"{"@w/a": "^2.0.0"}}"#));
    assert!(edits.changed["packages/c/package.json"].contains(r#""@w/a": "^2.0.0""#));
    assert!(edits.changed["packages/c/package.json"].contains(r#""version": "4.0.0""#));
    assert_eq!(current(&files(&all), &WHOLE, None).unwrap().0, Version::new(1, 1, 0));
}

#[test]
fn locks_of_pnpm_and_yarn_are_named_when_packages_ask_for_more_of_each_other() {
    let root = r#"{"name": "all", "private": true}"#;
    let a = r#"{"name": "a", "version": "1.1.0"}"#;
    let member = |asked: &str| {
        format!(r#"{{"name": "b", "version": "1.1.0", "dependencies": {{"a": "{asked}"}}}}"#)
    };
    let edits = |asked: &str| {
        let b = member(asked);
        let all = [
            ("package.json", root),
            ("pnpm-workspace.yaml", "packages:\n  - 'libs/**'\n"),
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
            ("libs/a/package.json", a),
            ("libs/b/package.json", &b),
        ];
        edited(&all, "1.2.0")
    };
    assert_eq!(edits("workspace:*").left, [""; 0]);
    assert_eq!(edits("workspace:*").changed.len(), 2);
    let left = "`pnpm-lock.yaml` holds what the packages ask of each other: run `pnpm install --lockfile-only`";
    assert_eq!(edits("^1.1.0").left, [left]);
    let unmet = "`libs/b/package.json` asks for `a` >=1 <1.2, which 1.2.0 does not meet";
    assert_eq!(edits(">=1 <1.2").left, [unmet]);
}

#[test]
fn a_uv_workspace_moves_with_its_lock_in_pythons_own_spelling() {
    let root = "[project]\nname = \"w\"\nversion = \"1.1.0\"\n[tool.uv.workspace]\nmembers = [\"packages/*\"]\n";
    let member = "[project]\nname = \"w-a\"\nversion = \"1.1.0\"\n";
    let own = "[project]\nname = \"w-b\"\nversion = \"0.4\"\n";
    let lock = "version = 1\n\n[[package]]\nname = \"other\"\nversion = \"1.1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\n[[package]]\nname = \"w\"\nversion = \"1.1.0\"\nsource = { virtual = \".\" }\n\n[[package]]\nname = \"w-a\"\nversion = \"1.1.0\"\nsource = { editable = \"packages/a\" }\n";
    let all = [
        ("pyproject.toml", root),
        ("packages/a/pyproject.toml", member),
        ("packages/b/pyproject.toml", own),
        ("uv.lock", lock),
    ];
    let edits = edited(&all, "1.2.0-rc.1");
    assert_eq!(edits.changed["pyproject.toml"], root.replace("1.1.0", "1.2.0rc1"));
    assert_eq!(edits.changed["packages/a/pyproject.toml"], member.replace("1.1.0", "1.2.0rc1"));
    let (theirs, ours) = lock.split_once("name = \"w\"").unwrap();
    let moved = format!("{theirs}name = \"w\"{}", ours.replace("1.1.0", "1.2.0rc1"));
    assert_eq!(edits.changed["uv.lock"], moved);
    let left = "`packages/b/pyproject.toml` holds a version of its own, not 1.1.0";
    assert_eq!(edits.left, [left]);
    // And on from there.
    let rc = root.replace("1.1.0", "1.2.0rc1");
    assert_eq!(
        current(&files(&[("pyproject.toml", &rc)]), &WHOLE, None).unwrap().0.to_string(),
        "1.2.0-rc.1"
    );
    let edits = edited(&[("pyproject.toml", &rc)], "1.2.0");
    assert_eq!(edits.changed["pyproject.toml"], root.replace("1.1.0", "1.2.0"));
    let edits = edited(&all, "1.2.0-next.1");
    assert_eq!((edits.changed.len(), edits.left.len()), (0, 1), "{:?}", edits.left);
    assert!(edits.left[0].contains("Python knows no version 1.2.0-next.1"), "{:?}", edits.left);
}

#[test]
fn a_manifest_of_another_kind_moves_only_with_the_version_that_it_shares() {
    let site = r#"{"name": "site", "version": "0.0.0", "private": true}"#;
    let edits = edited(&[("Cargo.toml", CARGO), ("package.json", site)], "1.2.0");
    assert_eq!((edits.changed.len(), edits.left), (1, vec![]));
    // Of two that are published the one that was released last is the one.
    let napi = r#"{"name": "widgets", "version": "2.3.0"}"#;
    let both = files(&[("Cargo.toml", CARGO), ("package.json", napi)]);
    let last = Version::new(2, 3, 0);
    assert_eq!(current(&both, &WHOLE, Some(&last)).unwrap().1, "package.json");
    // Tools of a project in another language say nothing of it.
    let tools = r#"{"private": true, "version": "1.0.0"}"#;
    let python = "[project]\nname = \"w\"\nversion = \"0.5.0\"\n";
    let both = files(&[("pyproject.toml", python), ("package.json", tools)]);
    assert_eq!(current(&both, &WHOLE, None).unwrap().1, "pyproject.toml");
    assert_eq!(current(&both, &WHOLE, Some(&Version::new(0, 4, 0))).unwrap().1, "pyproject.toml");
    let bindings = r#"{"name": "widgets", "version": "0.9.0"}"#;
    let edits = edited(&[("Cargo.toml", CARGO), ("package.json", bindings)], "1.2.0");
    assert_eq!(edits.left, ["`package.json` holds a version of its own, not 1.1.0"]);
}

#[test]
fn python_projects_move_in_either_place() {
    for text in [
        "[project]\nname = \"w\"\nversion = \"1.1.0\"\n",
        "[tool.poetry]\nversion = \"1.1.0\" # here\n",
    ] {
        let edits = edited(&[("pyproject.toml", text)], "1.2.0");
        assert_eq!(edits.changed["pyproject.toml"], text.replace("1.1.0", "1.2.0"));
    }
    let dynamic = "[project]\nname = \"w\"\ndynamic = [\"version\"]\n";
    let edits = edited(&[("pyproject.toml", dynamic)], "1.2.0");
    assert_eq!(edits.left, ["`pyproject.toml` takes its version from elsewhere (`dynamic`)"]);
    assert!(edits.changed.is_empty());
}

#[test]
fn what_does_not_hold_a_plain_version_is_left_and_named() {
    for (path, text) in [
        ("VERSION", "1.1.0\n2.0.0\n"),
        ("VERSION", "soon\n"),
        ("package.json", "{\"version\": 1}"),
        ("package.json", "{\"version\": \"1.1\\u002e0\", \"x\": }"),
        ("package.json", "{\"version\": \"workspace\"}"),
        ("pyproject.toml", "[project]\nversion = \"1.1\"\n"),
        ("pyproject.toml", "[project\n"),
        ("Cargo.toml", "[package]\nname = \"a\"\nversion = \"\"\"1.1.0\"\"\"\n"),
        ("Cargo.toml", "not = toml = at all\n"),
    ] {
        let edits = edited(&[(path, text)], "1.2.0");
        assert!(edits.changed.is_empty(), "{path}: {text}");
        assert_eq!(edits.left.len(), 1, "{path}: {text}");
        assert!(edits.left[0].contains(path), "{}", edits.left[0]);
    }
    assert_eq!(edited(&[("package.json", "{\"private\": true}")], "1.2.0"), Edits::default());
    assert_eq!(edited(&[("docs/VERSION", "1.1.0")], "1.2.0"), Edits::default());
    assert_eq!(edited(&[("VERSION", "v1.1.0\n")], "1.2.0").changed["VERSION"], "v1.2.0\n");
}

#[test]
fn others_code_in_the_repository_is_not_ours_to_release() {
    assert!(is_wanted("Cargo.toml", &WHOLE) && is_wanted("crates/a/Cargo.toml", &WHOLE));
    assert!(
        !is_wanted("vendor/a/Cargo.toml", &WHOLE)
            && !is_wanted("a/node_modules/b/Cargo.toml", &WHOLE)
    );
    let lock = "web/package-lock.json";
    assert!(!is_wanted(lock, &WHOLE) && is_wanted(lock, &part("web", &[])));
}

proptest! {
    #[test]
    fn everything_but_the_version_is_unchanged(
        indent in "[ \t]{0,8}",
        comment in "(#[^\r\n\u{0}-\u{1f}\u{7f}]{0,20})?",
        extra in "[a-z]{1,8}",
        old in "(0|[1-9][0-9]{0,2})(\\.(0|[1-9][0-9]{0,2})){2}(-rc\\.[0-9])?",
        ends in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let new = "900.901.902";
        let toml = format!("{comment}{ends}[package]{ends}name = \"w\"{ends}version = \"{old}\"  {comment}{ends}{extra} = \"z{old}\"{ends}");
        let json = format!("{{{ends}{indent}\"{extra}x\": \"{old}\",{ends}{indent}\"version\":{indent}\"{old}\"{ends}}}");
        let python = toml.replace("[package]", "[project]");
        let edits = edited(&[("Cargo.toml", &toml), ("package.json", &json), ("pyproject.toml", &python)], new);
        let expected = |text: &str| {
            let at = text.find("version").unwrap();
            let at = at + text[at..].find(&old).unwrap();
            format!("{}{new}{}", &text[..at], &text[at + old.len()..])
        };
        prop_assert_eq!(&edits.changed["Cargo.toml"], &expected(&toml));
        prop_assert_eq!(&edits.changed["package.json"], &expected(&json));
        prop_assert_eq!(&edits.changed["pyproject.toml"], &expected(&python));
        // There and back again is where we were.
        let back: FileSet = edits.changed.iter().map(|(p, t)| (p.clone(), t.clone().into_bytes())).collect();
        if let Ok(old) = Version::parse(&old) {
            prop_assert_eq!(&with_version(&back, &WHOLE, Some(&Version::parse(new).unwrap()), &old).changed["Cargo.toml"], &toml);
        }
    }

    #[test]
    fn no_file_makes_it_panic(text in "(?s:[a-z\\[\\]{}=\"'.,:0-9 \n]{0,100})") {
        for path in ["Cargo.toml", "Cargo.lock", "package.json", "package-lock.json", "pyproject.toml", "VERSION"] {
            let _ = edited(&[(path, &text), ("Cargo.toml", CARGO), ("package.json", "{\"version\":\"1.1.0\"}")], "9.9.9");
        }
    }
}

fn part(directory: &str, apart: &[&str]) -> ReleaseScope {
    let apart = apart.iter().map(|it| (*it).to_owned()).collect();
    ReleaseScope { package: Some("it".into()), directory: directory.to_owned(), apart }
}

fn edited_part(list: &[(&str, &str)], scope: &ReleaseScope, version: &str) -> Edits {
    let files = files(list);
    let old = current(&files, scope, None).map(|(old, _)| old);
    with_version(&files, scope, old.as_ref(), &Version::parse(version).unwrap())
}

#[test]
fn of_a_workspace_one_package_moves_with_what_the_others_ask_of_it() {
    let root = "[workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\na = { path = \"crates/a\", version = \"1.1.0\" }\n";
    let a = "[package]\nname = \"a\"\nversion = \"1.1.0\"\n";
    // The same version, and none of ours.
    let b = "[package]\nname = \"b\"\nversion = \"1.1.0\"\n[dependencies]\na.workspace = true\n";
    let lock = "[[package]]\nname = \"a\"\nversion = \"1.1.0\"\n\n[[package]]\nname = \"b\"\nversion = \"1.1.0\"\n";
    let all = [
        ("Cargo.toml", root),
        ("Cargo.lock", lock),
        ("crates/a/Cargo.toml", a),
        ("crates/b/Cargo.toml", b),
        ("VERSION", "1.1.0\n"),
    ];
    let edits = edited_part(&all, &part("crates/a", &[]), "2.0.0");
    assert_eq!(edits.left, [] as [&str; 0]);
    let changed: Vec<&str> = edits.changed.keys().map(String::as_str).collect();
    assert_eq!(changed, ["Cargo.lock", "Cargo.toml", "crates/a/Cargo.toml"]);
    assert_eq!(edits.changed["Cargo.toml"], root.replace("1.1.0", "2.0.0"));
    assert_eq!(edits.changed["Cargo.lock"], lock.replacen("1.1.0", "2.0.0", 1));
    // What inherits has no version of its own.
    let inherits = a.replace("version = \"1.1.0\"", "version.workspace = true");
    let with = root.to_owned() + "[workspace.package]\nversion = \"1.1.0\"\n";
    let all = [("Cargo.toml", &*with), ("crates/a/Cargo.toml", &*inherits)];
    let edits = edited_part(&all, &part("crates/a", &[]), "2.0.0");
    // Where all who inherit are released together, it is theirs.
    assert_eq!(edits.changed["Cargo.toml"], with.replace("1.1.0", "2.0.0"));
    let b = "[package]\nname = \"b\"\nversion.workspace = true\n";
    let all = [all[0], all[1], ("crates/b/Cargo.toml", b)];
    let edits = edited_part(&all, &part("crates/a", &[]), "2.0.0");
    let left = "`crates/a/Cargo.toml` inherits the version of its workspace, which moves with all who do: give it one of its own";
    assert_eq!((edits.changed.len(), &*edits.left), (0, &[left.to_owned()][..]));
    let edits = edited_part(&all, &part("", &[]), "2.0.0");
    assert_eq!(edits.changed["Cargo.toml"], with.replace("1.1.0", "2.0.0"));
    // What is never published has a version all the same.
    let private = "[package]\nname = \"a\"\nversion = \"1.1.0\"\npublish = false\n";
    let all = [("Cargo.toml", root), ("crates/a/Cargo.toml", private)];
    let edits = edited_part(&all, &part("crates/a", &[]), "1.2.0");
    assert_eq!(edits.changed["crates/a/Cargo.toml"], private.replace("1.1.0", "1.2.0"));
}

#[test]
fn of_npm_and_uv_workspaces_one_package_moves_and_a_root_beside_them_is_a_package_too() {
    let root = "{\"name\": \"top\", \"version\": \"1.1.0\", \"workspaces\": [\"packages/*\"]}\n";
    let a = "{\"name\": \"a\", \"version\": \"1.1.0\"}\n";
    let b = "{\"name\": \"b\", \"version\": \"1.1.0\", \"dependencies\": {\"a\": \"^1.1.0\"}}\n";
    let lock = "{\"name\": \"top\", \"version\": \"1.1.0\", \"packages\": {\"\": {\"version\": \"1.1.0\"}, \"packages/a\": {\"version\": \"1.1.0\"}, \"packages/b\": {\"version\": \"1.1.0\", \"dependencies\": {\"a\": \"^1.1.0\"}}}}\n";
    let all = [
        ("package.json", root),
        ("package-lock.json", lock),
        ("packages/a/package.json", a),
        ("packages/b/package.json", b),
    ];
    let edits = edited_part(&all, &part("packages/a", &[]), "2.0.0");
    assert_eq!(edits.changed["packages/a/package.json"], a.replace("1.1.0", "2.0.0"));
    assert_eq!(edits.changed["packages/b/package.json"], b.replace("^1.1.0", "^2.0.0"));
    let own = "\"packages/a\": {\"version\": \"1.1.0\"}";
    let moved = lock.replace(own, &own.replace("1.1.0", "2.0.0")).replace("^1.1.0", "^2.0.0");
    assert_eq!(edits.changed["package-lock.json"], moved);
    assert_eq!((edits.changed.len(), edits.left.len()), (3, 0));
    let private = a.replace("}", ", \"private\": true}");
    let some = [("package.json", root), ("packages/a/package.json", &*private)];
    let edits = edited_part(&some, &part("packages/a", &[]), "2.0.0");
    assert_eq!(edits.changed["packages/a/package.json"], private.replace("1.1.0", "2.0.0"));
    let top = edited_part(&all, &part("", &["packages/a", "packages/b"]), "1.2.0");
    let changed: Vec<&str> = top.changed.keys().map(String::as_str).collect();
    assert_eq!(changed, ["package-lock.json", "package.json"]);

    let root = "[project]\nname = \"top\"\nversion = \"0.1.0\"\n[tool.uv.workspace]\nmembers = [\"libs/*\"]\n";
    let a = "[project]\nname = \"a\"\nversion = \"1.1.0\"\n";
    let b = "[project]\nname = \"b\"\nversion = \"1.1.0\"\ndependencies = [\"a==1.1.0\"]\n";
    let all =
        [("pyproject.toml", root), ("libs/a/pyproject.toml", a), ("libs/b/pyproject.toml", b)];
    let edits = edited_part(&all, &part("libs/a", &[]), "1.2.0");
    assert_eq!(edits.changed["libs/a/pyproject.toml"], a.replace("1.1.0", "1.2.0"));
    assert_eq!(edits.changed["libs/b/pyproject.toml"], b.replace("a==1.1.0", "a==1.2.0"));
    assert_eq!((edits.changed.len(), edits.left.len()), (2, 0));
}

#[test]
fn a_package_outside_every_workspace_is_released_from_its_own_directory() {
    let web = "{\"name\": \"web\", \"version\": \"1.1.0\"}\n";
    let lock = "{\"name\": \"web\", \"version\": \"1.1.0\", \"packages\": {\"\": {\"version\": \"1.1.0\"}}}\n";
    let all = [
        ("Cargo.toml", CARGO),
        ("Cargo.lock", CARGO_LOCK),
        ("web/package.json", web),
        ("web/package-lock.json", lock),
        ("web/VERSION", "v1.1.0\n"),
        ("tool/pyproject.toml", "[project]\nname = \"tool\"\ndynamic = [\"version\"]\n"),
    ];
    let edits = edited_part(&all, &part("web", &[]), "1.2.0");
    let changed: Vec<&str> = edits.changed.keys().map(String::as_str).collect();
    assert_eq!(changed, ["web/VERSION", "web/package-lock.json", "web/package.json"]);
    assert_eq!(edits.left, [] as [&str; 0]);
    let edits = edited_part(&all, &part("tool", &[]), "1.2.0");
    let left = ["`tool/pyproject.toml` takes its version from elsewhere (`dynamic`)"];
    assert_eq!((edits.changed.len(), &*edits.left), (0, &left.map(str::to_owned)[..]));
    let names = package_names(&files(&all), &part("web", &[]));
    assert_eq!((names.crates.len(), &*names.npm), (0, &["web".to_owned()][..]));
}

//! Which commands check a change in this project, found out from its files at the base commit.
//!
//! Verifiers are switched on by what the repository contains; what its rules configure comes first.
//! Invariants: no command is named that has nothing behind it, and a path of the repository is part
//! of one only where a shell reads it as one plain word.

use super::packages;

/// A command, and what it was found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundCommand {
    /// As a shell takes it.
    pub line: String,
    /// The file of the repository that says so; for people.
    pub from: String,
}

impl FoundCommand {
    fn new(line: impl Into<String>, from: impl Into<String>) -> Self {
        Self { line: line.into(), from: from.into() }
    }
}

/// The commands to run, in order. Empty: nothing is known that tests anything here. `paths` are
/// those of all files, relative and with `/`; `read` gives the content of one, if it has any that
/// is of use.
///
/// # Errors
/// What `read` could not do.
pub fn commands<E>(
    paths: &[&str],
    mut read: impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Vec<FoundCommand>, E> {
    let mut commands = Vec::new();
    let has = |name: &str| paths.contains(&name);
    if has("Cargo.toml") {
        let locked = if has("Cargo.lock") { " --locked" } else { "" };
        // Without `--workspace` a package at the root is all that is tested; without
        // `--no-fail-fast`, nothing after the first red target.
        let line = format!("cargo test --workspace{locked} --offline --no-fail-fast");
        commands.push(FoundCommand::new(line, "Cargo.toml"));
    }
    let of_packages = packages::command(paths, &mut read)?;
    commands.extend(of_packages.map(|line| FoundCommand::new(line, "package.json")));
    if let Some(first) = paths.iter().find(|path| is_pytest_file(path)) {
        commands.push(FoundCommand::new("pytest -q", *first));
    } else if let Some(file) = PYTHON_TESTS.into_iter().find(|file| has(file)) {
        commands.push(FoundCommand::new(format!("pytest -q {file}"), file));
    }
    if has("go.mod") {
        commands.push(FoundCommand::new("go test ./...", "go.mod"));
    }
    commands.extend(of_java(&has));
    commands.extend(of_ruby(paths, &mut read)?);
    let phpunit = PHPUNIT.into_iter().find(|name| has(name));
    commands.extend(phpunit.map(|name| FoundCommand::new("vendor/bin/phpunit", name)));
    if commands.is_empty() {
        commands.extend(by_build_system(paths, &mut read)?);
    }
    Ok(commands)
}

const PHPUNIT: [&str; 3] = ["phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml"];

/// Maven before Gradle: where there are both, one of them is most often for something else.
fn of_java(has: &impl Fn(&str) -> bool) -> Option<FoundCommand> {
    if has("pom.xml") {
        let line = "mvn --offline --batch-mode --no-transfer-progress test";
        return Some(FoundCommand::new(line, "pom.xml"));
    }
    let settings = ["build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts"];
    let from = settings.into_iter().find(|name| has(name))?;
    let program = if has("gradlew") { "sh ./gradlew" } else { "gradle" };
    Some(FoundCommand::new(format!("{program} --offline --console=plain test"), from))
}

fn of_ruby<E>(
    paths: &[&str],
    read: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<FoundCommand>, E> {
    let bundled = if paths.contains(&"Gemfile") { "bundle exec " } else { "" };
    let spec = paths.iter().find(|path| path.starts_with("spec/") && path.ends_with("_spec.rb"));
    if let Some(spec) = spec {
        return Ok(Some(FoundCommand::new(format!("{bundled}rspec"), *spec)));
    }
    if !paths.contains(&"Rakefile") {
        return Ok(None);
    }
    let text = read("Rakefile")?.unwrap_or_default();
    let tests = ["TestTask", "Minitest", "task :test", "task test"];
    let is_there = tests.iter().any(|sign| text.contains(sign));
    Ok(is_there.then(|| FoundCommand::new(format!("{bundled}rake test"), "Rakefile")))
}

/// Files of tests that pytest does not find by itself.
const PYTHON_TESTS: [&str; 2] = ["test.py", "tests.py"];
/// How cmake is asked for its tests, outside the tree.
const CMAKE: &str = "cmake -S . -B /tmp/build\ncmake --build /tmp/build --parallel 2\n\
                     ctest --test-dir /tmp/build --output-on-failure";
const MESON: &str = "meson setup /tmp/build\nmeson test -C /tmp/build --print-errorlogs";
const MAKEFILES: [&str; 3] = ["GNUmakefile", "Makefile", "makefile"];
/// What a target of tests is called, the usual name first.
const TEST_TARGETS: [&str; 2] = ["test", "check"];

/// Where no language's own tool is known: what the build system at the top tests.
fn by_build_system<E>(
    paths: &[&str],
    read: &mut impl FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Option<FoundCommand>, E> {
    if paths.contains(&"CMakeLists.txt") {
        let text = read("CMakeLists.txt")?.unwrap_or_default().to_ascii_lowercase();
        if text.contains("enable_testing(") || text.contains("include(ctest") {
            return Ok(Some(FoundCommand::new(CMAKE, "CMakeLists.txt")));
        }
    }
    if paths.contains(&"meson.build") && reads_as(read("meson.build")?, "test(") {
        return Ok(Some(FoundCommand::new(MESON, "meson.build")));
    }
    let makefile = MAKEFILES.into_iter().find(|name| paths.contains(name));
    if makefile.is_none() && paths.contains(&"configure") && paths.contains(&"Makefile.in") {
        let text = read("Makefile.in")?.unwrap_or_default();
        let target = test_target(&text);
        let line = |target| format!("sh ./configure\nmake -j2\nmake {target}");
        return Ok(target.map(|target| FoundCommand::new(line(target), "configure")));
    }
    let Some(makefile) = makefile else { return Ok(None) };
    let target = test_target(&read(makefile)?.unwrap_or_default());
    Ok(target.map(|target| FoundCommand::new(format!("make {target}"), makefile)))
}

fn reads_as(text: Option<String>, sign: &str) -> bool {
    text.is_some_and(|text| text.contains(sign))
}

/// The target of a makefile that tests.
fn test_target(text: &str) -> Option<&'static str> {
    let is_target = |line: &str, target: &str| {
        let rest = line.strip_prefix(target).map(str::trim_start);
        rest.is_some_and(|rest| rest.starts_with(':') && !rest.starts_with(":="))
    };
    let has = |target: &&str| text.lines().any(|line| is_target(line, target));
    TEST_TARGETS.into_iter().find(has)
}

/// Whether pytest takes a file for tests, by its name.
pub fn is_pytest_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_test = name.starts_with("test_") || name.ends_with("_test.py");
    is_test && name.ends_with(".py")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// The commands for these files; a text stands behind those that are read.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let text = |path: &str| Some(files.iter().find(|it| it.0 == path)?.1.to_owned());
        let found = commands(&paths, |path| Ok::<_, Infallible>(text(path))).unwrap();
        found.into_iter().map(|found| found.line).collect()
    }

    const PLACEHOLDER: &str =
        r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#;
    const TESTED: &str = r#"{"scripts":{"test":"node --test"}}"#;
    const UNTESTED: &str = r#"{"scripts":{"build":"tsc"}}"#;

    #[test]
    fn each_kind_of_project_gets_its_own_test_command() {
        let bare = found(&[("Cargo.toml", ""), ("src/lib.rs", "")]);
        assert_eq!(bare, ["cargo test --workspace --offline --no-fail-fast"]);
        let locked = found(&[("Cargo.toml", ""), ("Cargo.lock", "")]);
        assert_eq!(locked, ["cargo test --workspace --locked --offline --no-fail-fast"]);
        assert_eq!(found(&[("package.json", TESTED)]), ["npm test --silent"]);
        assert_eq!(found(&[("pkg/tests/test_api.py", "")]), ["pytest -q"]);
        assert_eq!(found(&[("test.py", ""), ("slugify/x.py", "")]), ["pytest -q test.py"]);
        assert_eq!(found(&[("test.py", ""), ("test_x.py", "")]), ["pytest -q"]);
        let maven = "mvn --offline --batch-mode --no-transfer-progress test";
        assert_eq!(found(&[("pom.xml", ""), ("build.gradle", "")]), [maven]);
        let gradle = ["gradle --offline --console=plain test"];
        assert_eq!(found(&[("build.gradle.kts", "")]), gradle);
        let wrapper = ["sh ./gradlew --offline --console=plain test"];
        assert_eq!(found(&[("settings.gradle", ""), ("gradlew", "")]), wrapper);
        assert_eq!(found(&[("spec/a_spec.rb", ""), ("Rakefile", "")]), ["rspec"]);
        let rake = ("Rakefile", "Minitest::TestTask.create\n");
        assert_eq!(found(&[rake, ("Gemfile", "")]), ["bundle exec rake test"]);
        assert_eq!(found(&[("Rakefile", "task :build\n")]), [] as [&str; 0]);
        assert_eq!(found(&[("phpunit.xml.dist", "")]), ["vendor/bin/phpunit"]);
    }

    #[test]
    fn where_no_language_has_a_tool_the_build_system_is_asked() {
        let make = "CC := cc\ntest := 1\nall: x\n\ncheck: all\n\t./t.sh\n";
        assert_eq!(found(&[("Makefile", make), ("a.c", "")]), ["make check"]);
        let both = format!("{make}test : check\n");
        assert_eq!(found(&[("Makefile", &both)]), ["make test"]);
        assert_eq!(found(&[("Makefile", "all:\n\tcc a.c\n\ntests:\n")]), [] as [&str; 0]);
        let cmake = "project(x C)\nenable_testing()\nadd_test(a a)\n";
        assert_eq!(found(&[("CMakeLists.txt", cmake), ("Makefile", make)]), [CMAKE]);
        assert_eq!(
            found(&[("CMakeLists.txt", "project(x C)\n"), ("Makefile", make)]),
            ["make check"]
        );
        assert_eq!(found(&[("go.mod", "module x\n"), ("Makefile", make)]), ["go test ./..."]);
        let autotools = [("configure", ""), ("Makefile.in", make), ("a.c", "")];
        assert_eq!(found(&autotools), ["sh ./configure\nmake -j2\nmake check"]);
        assert_eq!(found(&[autotools[0], ("Makefile.in", "all:\n")]), [] as [&str; 0]);
        let meson = "project('x', 'c')\ntest('a', executable('a', 'a.c'))\n";
        assert_eq!(found(&[("meson.build", meson), ("Makefile", make)]), [MESON]);
        assert_eq!(found(&[("meson.build", "project('x')\n")]), [] as [&str; 0]);
        let tested = [("package.json", TESTED), ("Makefile", make)];
        assert_eq!(found(&tested), ["npm test --silent"], "it knows better");
    }

    #[test]
    fn what_would_test_nothing_is_not_run() {
        assert!(found(&[("package.json", PLACEHOLDER)]).is_empty());
        assert!(found(&[("package.json", "{")]).is_empty());
        assert!(found(&[("setup.py", ""), ("src/app.py", ""), ("latest_news.py", "")]).is_empty());
        assert!(found(&[("vendor/Cargo.toml", "")]).is_empty());
    }

    #[test]
    fn the_members_of_a_workspace_are_tested_by_the_manager_that_is_theirs() {
        let npm = r#"{"workspaces":["packages/*"]}"#;
        let object = r#"{"workspaces":{"packages":["./packages/*/"]}}"#;
        let classic = r#"{"workspaces":["packages/*"],"packageManager":"yarn@1.22.22"}"#;
        let berry = r#"{"workspaces":["packages/*"],"packageManager":"yarn@4.18.1"}"#;
        let pnpm = "packages:\n  # ours\n  - 'packages/*' # all\n  - \"!packages/old\"\n\nx: 1\n";
        let all = ["npm test --workspaces --if-present"];
        let yarn = ["yarn workspaces foreach --all run test"];
        for (top, more, command) in [
            (npm, None, &all),
            (object, None, &all),
            (classic, None, &all),
            (npm, Some(("yarn.lock", "")), &all),
            (berry, None, &yarn),
            (npm, Some((".yarnrc.yml", "")), &yarn),
            ("{}", Some(("pnpm-workspace.yaml", pnpm)), &["pnpm -r test"]),
            (PLACEHOLDER, Some(("pnpm-workspace.yaml", pnpm)), &["pnpm -r test"]),
            ("{}", Some(("pnpm-workspace.yaml", "packages: [packages/*]\n")), &["pnpm -r test"]),
        ] {
            let mut files = vec![
                ("package.json", top),
                ("packages/a/package.json", TESTED),
                ("packages/b/package.json", UNTESTED),
            ];
            files.extend(more);
            assert_eq!(found(&files), *command, "{top} {more:?}");
            // A test script at the top knows better.
            let tested = top.replacen('{', r#"{"scripts":{"test":"turbo test"},"#, 1);
            let tested = tested.replace(",}", "}");
            files[0] = ("package.json", &tested);
            if top != PLACEHOLDER {
                assert_eq!(found(&files), ["npm test --silent"], "{tested}");
            }
        }
    }

    #[test]
    fn a_workspace_where_nothing_is_tested_has_no_command() {
        let top = ("package.json", r#"{"workspaces":["packages/*","!packages/old"]}"#);
        for member in [
            ("packages/a/package.json", UNTESTED),
            ("packages/a/package.json", PLACEHOLDER),
            ("packages/a/package.json", "{"),
            // No members.
            ("packages/a/b/package.json", TESTED),
            ("packages/old/package.json", TESTED),
            ("tools/a/package.json", TESTED),
            ("packages/node_modules/package.json", TESTED),
        ] {
            assert!(found(&[top, member]).is_empty(), "{member:?}");
        }
        // Not a workspace at all.
        for text in ["{}", r#"{"workspaces":7}"#, r#"{"workspaces":["["]}"#] {
            assert!(found(&[("package.json", text), ("a/package.json", TESTED)]).is_empty());
        }
        let pnpm = ("pnpm-workspace.yaml", "onlyBuiltDependencies:\n  - packages/*\n");
        let files = [("package.json", "{}"), pnpm, ("packages/a/package.json", TESTED)];
        assert!(found(&files).is_empty());
    }

    #[test]
    fn members_whose_test_script_is_npms_own_are_left_out() {
        let members =
            [("packages/a/package.json", TESTED), ("packages/b/package.json", PLACEHOLDER)];
        let npm = r#"{"workspaces":["packages/*"]}"#;
        let of = |top: (&'static str, &'static str), more: &[(&'static str, &'static str)]| {
            found(&[&[top], more, &members].concat())
        };
        assert_eq!(of(("package.json", npm), &[]), ["npm test --workspace=packages/a"]);
        let pnpm = ("pnpm-workspace.yaml", "packages:\n- packages/*\n");
        assert_eq!(of(("package.json", "{}"), &[pnpm]), ["pnpm --filter=./packages/a test"]);
        assert_eq!(
            of(("package.json", npm), &[(".yarnrc.yml", "")]),
            ["yarn workspaces foreach --all --include=packages/a run test"]
        );
        // A name that a shell would read otherwise is in no command.
        let odd = ("packages/a;rm -rf x/package.json", TESTED);
        assert!(of(("package.json", npm), &[odd]).is_empty());
    }

    #[test]
    fn of_a_hostile_number_of_patterns_the_first_count() {
        let many: Vec<String> = (0..20_000).map(|i| format!("packages/{i}/*")).collect();
        let top = serde_json::json!({ "workspaces": many }).to_string();
        let paths: Vec<String> =
            (0..20_000).map(|i| format!("packages/{i}/a/package.json")).collect();
        let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (&**path, TESTED)).collect();
        files.truncate(2);
        files.extend(paths[2..].iter().map(|path| (&**path, "{}")));
        files.push(("package.json", &top));
        assert_eq!(found(&files), ["npm test --workspaces --if-present"]);
        let last = [("package.json", &*top), (&*paths[19_999], TESTED)];
        assert!(found(&last).is_empty());
    }
}

//! Packages of JavaScript, by the package manager that is the project's own.
//!
//! Invariants: no setting of the repository decides where packages come from, or runs a program;
//! no install script runs while there is a way out.

mod npm;
mod pnpm;
mod yarn;

use std::collections::BTreeMap;

use serde_json::Value;

use super::{FetchPlan, PACKAGES, PlannedCommand};

const PACKAGE: &str = "package.json";
const DEPENDENCIES: [&str; 3] = ["dependencies", "devDependencies", "optionalDependencies"];

/// The package manager of a project, with its version where the project names one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Installer {
    Npm,
    Pnpm(Option<String>),
    /// Version 1.
    YarnClassic(Option<String>),
    /// From version 2 on.
    YarnBerry(Option<String>),
}

/// The manifests of a project and of the members of its workspace.
struct Manifests {
    top: Value,
    files: BTreeMap<String, Vec<u8>>,
}

/// What is fetched for a JavaScript project, if it has dependencies.
///
/// # Errors
/// In words for people: it cannot be fetched without running something.
pub(super) fn plan(
    paths: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<FetchPlan>, String> {
    let Some(manifests) = Manifests::of(paths, read) else { return Ok(None) };
    Ok(match manifests.manager(paths, read) {
        Installer::Npm => npm::plan(manifests.files, paths, read),
        Installer::Pnpm(version) => pnpm::plan(manifests.files, version, read),
        Installer::YarnClassic(version) => yarn::classic(manifests.files, version, read),
        Installer::YarnBerry(version) => {
            return yarn::berry(manifests.files, version, paths, read).map(Some);
        }
    })
}

/// Whether a package manager of JavaScript asks for the content of such a file.
pub(super) fn is_manifest(name: &str) -> bool {
    name == PACKAGE
        || npm::LOCKS.contains(&name)
        || [pnpm::LOCK, pnpm::WORKSPACE, yarn::LOCK].contains(&name)
        || name.ends_with(yarn::PATCH)
}

impl Manifests {
    /// All of them, if any names a dependency.
    fn of(paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        if !paths.contains(&PACKAGE) {
            return None;
        }
        let top = serde_json::from_str(&read(PACKAGE)?).ok()?;
        let mut files = BTreeMap::new();
        let mut has_dependencies = false;
        for path in paths {
            let mut parts = path.rsplit('/');
            if parts.next() != Some(PACKAGE) || parts.any(|part| part == "node_modules") {
                continue;
            }
            // What is not understood here, a package manager might.
            let Ok(Value::Object(mut package)) = serde_json::from_str(&read(path)?) else {
                continue;
            };
            let some = |key: &&str| {
                package.get(*key).and_then(Value::as_object).is_some_and(|all| !all.is_empty())
            };
            has_dependencies |= DEPENDENCIES.iter().any(some);
            // Some run the project's own whatever they are told.
            package.remove("scripts");
            files.insert((*path).to_owned(), Value::Object(package).to_string().into_bytes());
        }
        has_dependencies.then_some(Self { top, files })
    }

    /// The one that the project names, else the one whose lockfile there is.
    fn manager(&self, paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Installer {
        let named = self.top.get("packageManager").and_then(Value::as_str).unwrap_or_default();
        let (name, version) = named.split_once('@').unwrap_or((named, ""));
        // `9.15.0+sha512.…`
        let version = version.split('+').next().filter(|it| semver::Version::parse(it).is_ok());
        let version = version.map(str::to_owned);
        let has = |name: &str| paths.contains(&name);
        let is_classic = || read(yarn::LOCK).is_none_or(|lock| yarn::is_classic(&lock));
        match name {
            "npm" => Installer::Npm,
            "pnpm" => Installer::Pnpm(version),
            "yarn" if version.as_ref().map_or_else(is_classic, |it| it.starts_with("1.")) => {
                Installer::YarnClassic(version)
            }
            "yarn" => Installer::YarnBerry(version),
            _ if npm::LOCKS.iter().any(|lock| has(lock)) => Installer::Npm,
            _ if has(pnpm::LOCK) => Installer::Pnpm(None),
            _ if has(yarn::LOCK) && is_classic() => Installer::YarnClassic(None),
            _ if has(yarn::LOCK) => Installer::YarnBerry(None),
            _ => Installer::Npm,
        }
    }
}

/// A package manager that comes from the registry like any package: where it is put, and how.
struct FetchedProgram {
    home: String,
    install: PlannedCommand,
}

impl FetchedProgram {
    /// `name` is what it is called here, `package` what npm is asked for.
    fn new(name: &str, package: &str) -> Self {
        let home = format!("{PACKAGES}/{name}");
        let words = ["npm", "install", "--prefix", &home, "--no-package-lock", "--ignore-scripts"];
        let words = [&words[..], &["--no-audit", "--no-fund", package]].concat();
        let env = [("npm_config_cache", &*format!("{home}/npm")), npm::NO_GIT];
        Self { install: PlannedCommand::new(&words, &env), home }
    }

    fn programs(&self) -> String {
        format!("{}/node_modules/.bin", self.home)
    }

    fn program(&self, name: &str) -> String {
        format!("{}/{name}", self.programs())
    }

    /// What was needed to fetch, and is not to run.
    fn clear(&self, directories: &[&str]) -> PlannedCommand {
        let directories = directories.iter().map(|directory| format!("{}/{directory}", self.home));
        let words: Vec<String> =
            ["rm", "-rf"].map(str::to_owned).into_iter().chain(directories).collect();
        PlannedCommand::new(&words.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(files: &[(&str, &str)]) -> Option<FetchPlan> {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        plan(&paths, &|path| Some(files.iter().find(|it| it.0 == path)?.1.to_owned())).unwrap()
    }

    const NEEDS: (&str, &str) = (PACKAGE, r#"{"devDependencies": {"mocha": "1"}}"#);
    const CLASSIC: (&str, &str) = ("yarn.lock", "# yarn lockfile v1\n\n\nmocha@1:\n");
    const BERRY: (&str, &str) = ("yarn.lock", "__metadata:\n  version: 8\n");

    fn named(manager: &str) -> String {
        format!(r#"{{"packageManager": "{manager}", "devDependencies": {{"mocha": "1"}}}}"#)
    }

    #[test]
    fn npm_runs_no_script_and_reads_no_settings_of_the_repository() {
        let plan = planned(&[
            NEEDS,
            ("package-lock.json", "{}"),
            (".npmrc", "registry=https://evil.example\n"),
            ("packages/a/package.json", "{}"),
            ("packages/a/.npmrc", "registry=https://evil.example\n"),
            ("node_modules/b/package.json", "{}"),
            ("index.js", "evil()"),
        ])
        .unwrap();
        assert_eq!(plan.fetch[0].words[..3], ["npm", "ci", "--ignore-scripts"]);
        let found: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(found, ["package-lock.json", "package.json", "packages/a/package.json"]);
        let unlocked = planned(&[NEEDS]).unwrap();
        let words = ["npm", "install", "--no-package-lock", "--ignore-scripts"];
        assert_eq!(unlocked.fetch[0].words[..4], words);
        assert_eq!(planned(&[(PACKAGE, "{\"dependencies\": {}}")]), None);
    }

    #[test]
    fn no_script_and_no_generator_of_the_repository_runs_while_packages_are_fetched() {
        let scripts = r#"{"scripts": {"postinstall": "node evil.js"}, "dependencies": {"a": "1"}}"#;
        let member = ("packages/a/package.json", r#"{"name": "a", "scripts": {"prepare": "x"}}"#);
        let odd = ("packages/b/package.json", "\u{feff}{\"scripts\": {\"install\": \"x\"}}");
        for lock in [CLASSIC, BERRY, ("package-lock.json", "{}"), ("pnpm-lock.yaml", "")] {
            let plan = planned(&[(PACKAGE, scripts), member, odd, lock]).unwrap();
            let all: String = plan.files.values().map(|it| String::from_utf8_lossy(it)).collect();
            assert!(!all.contains("scripts") && all.contains("dependencies"), "{lock:?}: {all}");
        }
        let refused = |manifest: &str, lock: &str| {
            let files = [(PACKAGE, manifest), ("yarn.lock", lock)];
            let read = |path: &str| Some(files.iter().find(|it| it.0 == path)?.1.to_owned());
            plan(&[PACKAGE, "yarn.lock"], &read)
        };
        let plain = r#"{"dependencies": {"a": "1"}}"#;
        for (manifest, lock) in [
            (r#"{"dependencies": {"a": "exec:./.yarn/patches/evil.patch"}}"#, BERRY.1.to_owned()),
            (r#"{"dependencies": {"a": "\u0065xec:./evil"}}"#, BERRY.1.to_owned()),
            (plain, format!("{}\"a@exec:./evil\":\n", BERRY.1)),
            (plain, format!("{}\"a@\\x65xec:./evil\":\n", BERRY.1)),
        ] {
            let why = refused(manifest, &lock).unwrap_err();
            assert!(why.contains("that a program makes"), "{why}");
        }
        let like = format!("{}  cross-exec: \"npm:^1\"\n  execa: 1\n", BERRY.1);
        assert!(refused(plain, &like).unwrap().is_some(), "names may sound like it");
    }

    #[test]
    fn the_package_manager_is_the_one_that_the_project_names_or_locked_with() {
        let manager = |files: &[(&str, &str)]| {
            let plan = planned(files).unwrap();
            let asked_for = plan.fetch[0].words.last().unwrap().clone();
            (plan.manager, if plan.fetch.len() > 1 { asked_for } else { String::new() })
        };
        let pnpm = ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n");
        for (files, manager_of, package) in [
            (&[NEEDS][..], "npm", ""),
            (&[NEEDS, CLASSIC, ("package-lock.json", "{}")], "npm", ""),
            (&[NEEDS, ("bun.lock", "")], "npm", ""),
            (&[NEEDS, pnpm], "pnpm", "pnpm@9"),
            (&[NEEDS, ("pnpm-lock.yaml", "lockfileVersion: '6.0'\n")], "pnpm", "pnpm@8"),
            (&[NEEDS, ("pnpm-lock.yaml", "lockfileVersion: 5.4\n")], "pnpm", "pnpm@7"),
            (&[(PACKAGE, &named("pnpm@10.4.1+sha512.c753")), pnpm], "pnpm", "pnpm@10.4.1"),
            (&[(PACKAGE, &named("pnpm@file:evil")), pnpm], "pnpm", "pnpm@9"),
            (&[NEEDS, CLASSIC], "yarn", "yarn@1"),
            (&[(PACKAGE, &named("yarn@1.22.19")), CLASSIC], "yarn", "yarn@1.22.19"),
            (&[NEEDS, BERRY], "yarn", "@yarnpkg/cli-dist@4"),
            (&[(PACKAGE, &named("yarn@3.6.1")), BERRY], "yarn", "@yarnpkg/cli-dist@3.6.1"),
        ] {
            assert_eq!(manager(files), (manager_of, package.to_owned()), "{files:?}");
        }
    }

    #[test]
    fn settings_of_pnpm_and_yarn_that_lead_elsewhere_or_run_something_are_left_out() {
        let workspace = "packages:\n  - 'packages/*'\nregistries:\n  default: https://evil.example\n\
                         catalog:\n  a: 1\n\n\"pnpmfile\": evil.cjs\n{registry: x}\n";
        let plan = planned(&[
            NEEDS,
            ("pnpm-lock.yaml", "lockfileVersion: '9.0'\n"),
            ("pnpm-workspace.yaml", workspace),
            (".npmrc", "registry=https://evil.example\n"),
            (".pnpmfile.cjs", "evil()"),
        ])
        .unwrap();
        let found: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(found, ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"]);
        let kept = String::from_utf8(plan.files["pnpm-workspace.yaml"].clone()).unwrap();
        assert_eq!(kept, "packages:\n  - 'packages/*'\ncatalog:\n  a: 1\n\n");
        let words = &plan.fetch[1].words;
        assert!(words.contains(&"--ignore-scripts".to_owned()), "{words:?}");
        assert!(words.contains(&"--ignore-pnpmfile".to_owned()), "{words:?}");
        let lock =
            "# yarn lockfile v1\n\nx@1:\n  resolved \"https://registry.yarnpkg.com/x.tgz\"\n";
        let plan =
            planned(&[NEEDS, ("yarn.lock", lock), (".yarnrc", "yarn-path evil.js\n")]).unwrap();
        let found: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(found, ["package.json", "yarn.lock"]);
        let lock = String::from_utf8(plan.files["yarn.lock"].clone()).unwrap();
        assert!(lock.contains("\"https://registry.npmjs.org/x.tgz\""), "{lock}");
        let plan = planned(&[
            NEEDS,
            BERRY,
            (".yarnrc.yml", "yarnPath: evil.cjs\n"),
            (".yarn/patches/a.patch", "diff"),
            (".yarn/plugins/evil.cjs", "evil()"),
        ])
        .unwrap();
        let found: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(found, [".yarn/patches/a.patch", "package.json", "yarn.lock"]);
        let env = &plan.fetch[1].env;
        assert!(env.contains(&("YARN_ENABLE_SCRIPTS".to_owned(), "0".to_owned())), "{env:?}");
    }
}

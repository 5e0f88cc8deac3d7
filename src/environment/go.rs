//! Modules of Go.

use std::collections::BTreeMap;

use super::{FetchPlan, PACKAGES, PlannedCommand};

pub(super) const MANIFESTS: [&str; 4] = ["go.mod", "go.sum", "go.work", "go.work.sum"];

/// Where they are kept while the repository brings them itself.
const VENDORED: &str = "vendor/modules.txt";
/// What the mirror does not hold is not to be had: Go would ask the host of the module with git,
/// and so any host that a manifest names.
const MIRROR: &str = "https://proxy.golang.org";

/// What is fetched for a module of Go at the top, if it or one beside it needs others.
pub(super) fn plan(paths: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Option<FetchPlan> {
    if !paths.contains(&"go.mod") || paths.contains(&VENDORED) {
        return None;
    }
    let mut files = BTreeMap::new();
    for path in paths {
        let name = path.rsplit('/').next().unwrap_or(path);
        if MANIFESTS.contains(&name) {
            files.insert((*path).to_owned(), read(path)?.into_bytes());
        }
    }
    let is_manifest = |path: &str| path == "go.mod" || path.ends_with("/go.mod");
    let mut manifests = files.iter().filter(|(path, _)| is_manifest(path));
    if !manifests.any(|(_, text)| needs_others(&String::from_utf8_lossy(text))) {
        return None;
    }
    let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let from = ["go.sum", "go.mod"].into_iter().find(|path| files.contains_key(*path))?;
    Some(FetchPlan {
        manager: "go",
        from: vec![from.to_owned()],
        files,
        // Its directories can be removed again only so.
        fetch: vec![PlannedCommand::new(
            &["go", "mod", "download"],
            &[("GOPROXY", MIRROR), ("GOFLAGS", "-modcacherw")],
        )],
        build: Vec::new(),
        env: vec![
            own("GOMODCACHE", &format!("{PACKAGES}/go/mod")),
            own("GOENV", "off"),
            // Another version of Go is not to be had without a network.
            own("GOTOOLCHAIN", "local"),
        ],
        programs: None,
    })
}

fn needs_others(manifest: &str) -> bool {
    manifest.lines().any(|line| line.split_whitespace().next() == Some("require"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Command, Output};

    use super::*;

    const NEEDS: &str = "module example.com/widgets\n\ngo 1.18\n\nrequire example.com/dep v1.2.0\n";

    fn planned(files: &[(&str, &str)]) -> Option<FetchPlan> {
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        plan(&paths, &|path| Some(files.iter().find(|it| it.0 == path)?.1.to_owned()))
    }

    #[test]
    fn go_finds_its_manifests_and_nothing_else_of_the_repository() {
        let plan = planned(&[
            ("go.mod", NEEDS),
            ("go.sum", "example.com/dep v1.2.0 h1:x\n"),
            ("main.go", "package main\n"),
            ("tools/go.mod", "module example.com/tools\n"),
            ("go.env", "GOPROXY=https://evil.example\n"),
        ])
        .unwrap();
        let names: Vec<&str> = plan.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["go.mod", "go.sum", "tools/go.mod"]);
        assert_eq!(plan.fetch[0].words, ["go", "mod", "download"]);
        assert!(plan.fetch[0].env.contains(&("GOPROXY".into(), MIRROR.into())), "and not git");
        assert_eq!((plan.from, plan.build), (vec!["go.sum".to_owned()], Vec::new()));
    }

    #[test]
    fn where_nothing_is_needed_or_all_of_it_is_there_nothing_is_fetched() {
        assert_eq!(planned(&[("go.mod", "module a\n// require nothing\n")]), None);
        assert_eq!(planned(&[("go.mod", NEEDS), (VENDORED, "# example.com/dep v1.2.0\n")]), None);
        assert_eq!(planned(&[("a/go.mod", NEEDS)]), None, "none at the top");
        let block = "module a\nrequire (\n\texample.com/dep v1.2.0\n)\n";
        assert!(planned(&[("go.mod", block)]).is_some());
    }

    /// A mirror of one module in a directory, as Go reads one.
    fn mirror(below: &Path) -> String {
        let there = below.join("mirror/example.com/dep/@v");
        std::fs::create_dir_all(&there).unwrap();
        let manifest = "module example.com/dep\n\ngo 1.18\n";
        std::fs::write(there.join("list"), "v1.2.0\n").unwrap();
        std::fs::write(there.join("v1.2.0.info"), "{\"Version\":\"v1.2.0\"}").unwrap();
        std::fs::write(there.join("v1.2.0.mod"), manifest).unwrap();
        let packed = std::fs::File::create(there.join("v1.2.0.zip")).unwrap();
        let mut packed = zip::ZipWriter::new(packed);
        for (name, text) in [
            ("go.mod", manifest),
            ("dep.go", "package dep\n\nfunc Twice(x int) int { return 2 * x }\n"),
        ] {
            let name = format!("example.com/dep@v1.2.0/{name}");
            packed.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
        }
        packed.finish().unwrap();
        format!("file://{}", below.join("mirror").display())
    }

    #[test]
    #[ignore = "needs Go in /usr/bin or /usr/local/go/bin"]
    fn the_real_go_fetches_what_is_planned_and_tests_with_it_without_a_network() {
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path();
        let mirror = mirror(below);
        let (tree, packages) = (below.join("tree"), below.join("packages"));
        let own_cache = below.join("cache");
        let go = |words: &[String], env: &[(String, String)], proxy: &str| -> Output {
            #[allow(clippy::disallowed_methods)] // nothing but the real Go can say what it needs
            let mut go = Command::new(&words[0]);
            go.args(&words[1..]).current_dir(&tree).env_clear();
            go.env("PATH", "/usr/local/go/bin:/usr/bin:/bin").env("HOME", below);
            let placed = |value: &str| value.replace(PACKAGES, &packages.display().to_string());
            go.envs(env.iter().map(|(name, value)| (name, placed(value))));
            go.env("GOPROXY", proxy).env("GONOSUMDB", "*").env("GOCACHE", &own_cache);
            go.output().unwrap()
        };
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let sum = "example.com/dep v1.2.0 h1:SmEywsyPvULeaITI/ZF2YIgEsNXSWzz2O6AYTVLrA9A=\n\
            example.com/dep v1.2.0/go.mod h1:WSQVVkzisfSKy5IAGHvpHm0MKSrZhF0Zc7f0B3QEwJc=\n";
        let code = "package widgets\n\nimport \"example.com/dep\"\n\n\
            func Count(x int) int { return dep.Twice(x) }\n";
        let test = "package widgets\n\nimport \"testing\"\n\nfunc TestCount(t *testing.T) {\n\
            \tif Count(3) != 6 {\n\t\tt.Fatal(Count(3))\n\t}\n}\n";
        let plan = planned(&[("go.mod", NEEDS), ("go.sum", sum)]).unwrap();
        plan.lay(&tree).unwrap();
        let env = [&*plan.env, &*plan.fetch[0].env].concat();
        let fetched = go(&plan.fetch[0].words, &env, &mirror);
        assert!(fetched.status.success(), "{fetched:?}");

        std::fs::write(tree.join("widgets.go"), code).unwrap();
        std::fs::write(tree.join("widgets_test.go"), test).unwrap();
        let tested = go(&words("go test ./..."), &plan.env, "off");
        let said = String::from_utf8_lossy(&tested.stdout).into_owned();
        assert!(tested.status.success() && said.contains("ok"), "{tested:?}");
        std::fs::remove_dir_all(&packages).unwrap();
        let without = go(&words("go test ./..."), &plan.env, "off");
        assert!(!without.status.success(), "it came from what was fetched");
    }
}

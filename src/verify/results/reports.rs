//! Machine-readable reports of test runners: how they are asked for, and what was written.
//!
//! Invariants: a report is written outside the tree, into a directory that was empty before the
//! run; it is read as data, no link is followed, and no more than a bound is read. A command of
//! which it is not sure that its last part is that runner is left as it is.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::commands::CommandList;
use super::javascript::{starts_jest, starts_vitest};
use super::php::starts_phpunit;
use crate::workspace::confined;

/// Bytes of one report.
const LARGEST_REPORT: u64 = 16 << 20;
const PYTEST: &str = "pytest.xml";
const JEST: &str = "jest.json";
const VITEST: &str = "vitest.json";
const PHPUNIT: &str = "phpunit.xml";
const RSPEC: &str = "rspec.json";
const GOTESTSUM: &str = "gotestsum.jsonl";

/// What runners wrote.
#[derive(Debug, Default)]
pub struct Reports {
    /// JUnit XML.
    pub pytest: Option<Vec<u8>>,
    /// jest's JSON.
    pub jest: Option<Vec<u8>>,
    /// vitest's.
    pub vitest: Option<Vec<u8>>,
    /// JUnit XML.
    pub phpunit: Option<Vec<u8>>,
    /// RSpec's JSON.
    pub rspec: Option<Vec<u8>>,
    /// The events that gotestsum had of `go test`.
    pub gotestsum: Option<Vec<u8>>,
    /// Where the tree was while the command ran: reports name files in it.
    pub tree: PathBuf,
}

impl Reports {
    /// Reads them. What is not there, or is no plain file, is none.
    pub fn read(directory: &Path, tree: PathBuf) -> Self {
        let root = std::fs::File::open(directory).ok();
        let read = |name: &str| {
            let (mut file, _) = confined::open_file(root.as_ref()?, name.as_bytes()).ok()?;
            confined::read_all(&mut file, LARGEST_REPORT).ok()
        };
        Self {
            pytest: read(PYTEST),
            jest: read(JEST),
            vitest: read(VITEST),
            phpunit: read(PHPUNIT),
            rspec: read(RSPEC),
            gotestsum: read(GOTESTSUM),
            tree,
        }
    }
}

/// Asks for reports in `directory`, as the command sees it, beside what its environment asks for.
pub fn ask_by_environment(environment: &mut Vec<(String, String)>, directory: &Path) {
    const OPTIONS: &str = "PYTEST_ADDOPTS";
    let file = directory.join(PYTEST);
    let wish = format!("--junitxml={} -o junit_family=xunit1", file.display());
    match environment.iter_mut().find(|(name, _)| name == OPTIONS) {
        Some((_, options)) => *options = format!("{options} {wish}"),
        // What the sandbox's own variable of this name has.
        None => environment.push((OPTIONS.to_owned(), format!("-p no:cacheprovider {wish}"))),
    }
    let events = directory.join(GOTESTSUM).display().to_string();
    environment.push(("GOTESTSUM_JSONFILE".to_owned(), events));
    // Go remembers a green result.
    environment.push(("GOFLAGS".to_owned(), "-count=1".to_owned()));
    // They stand in the place of the formatters that the project names: these print the same end.
    let rspec = directory.join(RSPEC);
    let formatters = format!("--format progress --format json --out {}", rspec.display());
    environment.push(("SPEC_OPTS".to_owned(), formatters));
}

/// The name of a shell for npm, among the reports.
const SHELL: &str = "script-shell";

/// npm, pnpm and yarn run scripts by the shell that they are told. This one puts what asks for a
/// report behind the name of a runner, wherever in a script that stands, and takes mocha's reporter
/// away. What comes of it may be wrong where the name means something else, so it serves only to
/// learn more, and never to find a change red.
fn shell_that_asks(directory: &Path) -> String {
    let place = directory.display();
    format!(
        r#"#!/bin/sh
for last; do :; done
script=$(printf '%s' "$last" | sed -E \
  -e 's#(^|[ ;&/])jest( |;|$)#\1jest --json --outputFile={place}/{JEST}\2#' \
  -e 's#(^|[ ;&/])vitest( run| --run)?( |;|$)#\1vitest run --reporter=default --reporter=json --outputFile.json={place}/{VITEST}\3#' \
  -e ':a' -e 's#(^|[ ;&/])(mocha .*)(--reporter|-R)[= ][A-Za-z./_-]+#\1\2#' -e 'ta')
exec /bin/sh -c "$script"
"#
    )
}

/// Asks through the scripts of `package.json` too, with a shell written to `directory`, which the
/// command sees at `seen_at`.
///
/// # Errors
/// When it cannot be written.
pub fn ask_through_scripts(
    environment: &mut Vec<(String, String)>,
    directory: &Path,
    seen_at: &Path,
) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(directory.join(SHELL))?;
    file.write_all(shell_that_asks(seen_at).as_bytes())?;
    let shell = seen_at.join(SHELL).display().to_string();
    environment.push(("npm_config_script_shell".to_owned(), shell));
    Ok(())
}

/// A command whose runner takes such a wish only as arguments, with these.
pub fn asked_for(line: &str, directory: &Path) -> String {
    if let Some(with_events) = super::select::with_go_events(line) {
        return with_events;
    }
    let list = CommandList::of(line, None);
    let Some(last) = list.last() else { return line.to_owned() };
    let file = |name: &str| directory.join(name).display().to_string();
    let options = if starts_jest(last) {
        format!("--json --outputFile={}", file(JEST))
    } else if starts_vitest(last) {
        format!("--reporter=default --reporter=json --outputFile.json={}", file(VITEST))
    } else if starts_phpunit(last) {
        format!("--log-junit {}", file(PHPUNIT))
    } else {
        return line.to_owned();
    };
    super::select::with_options(line, &options).unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_starts_jest_or_vitest_itself_is_given_arguments() {
        let asked = |line: &str| asked_for(line, Path::new("/tmp/report"));
        let jest = "--json --outputFile=/tmp/report/jest.json";
        assert_eq!(asked("npx jest"), format!("npx jest {jest}"));
        assert_eq!(
            asked("npx vitest run"),
            "npx vitest run --reporter=default --reporter=json \
             --outputFile.json=/tmp/report/vitest.json"
        );
        for line in ["npm test", "jest | cat", "jest; true", "jest && eslint .", "mocha"] {
            assert_eq!(asked(line), line);
        }
    }

    #[test]
    fn the_shell_for_scripts_puts_what_asks_behind_the_name_of_a_runner() {
        let place = tempfile::tempdir().unwrap();
        let mut environment = Vec::new();
        let seen_at = place.path();
        ask_through_scripts(&mut environment, place.path(), seen_at).unwrap();
        assert_eq!(environment[0].0, "npm_config_script_shell");
        // Each program prints its arguments.
        for name in ["jest", "vitest", "mocha", "nyc", "eslint"] {
            let path = place.path().join(name);
            std::fs::write(&path, "#!/bin/sh\necho \"${0##*/} $*\"\n").unwrap();
            let may_run = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, may_run).unwrap();
        }
        let json = |name: &str| format!("{}/{name}.json", place.path().display());
        let asked = format!("jest --json --outputFile={} --coverage", json("jest"));
        let vitest = "vitest run --reporter=default --reporter=json --outputFile.json=";
        for (script, runs) in [
            ("jest --coverage && eslint .", format!("{asked}\neslint .\n")),
            ("vitest", format!("{vitest}{}\n", json("vitest"))),
            ("vitest run a.ts", format!("{vitest}{} a.ts\n", json("vitest"))),
            (
                "nyc --reporter=lcov mocha --require x --reporter dot test",
                "nyc --reporter=lcov mocha --require x test\n".to_owned(),
            ),
            ("eslint --plugin myjest .", "eslint --plugin myjest .\n".to_owned()),
        ] {
            #[allow(clippy::disallowed_methods, reason = "what npm would start")]
            let shell = std::process::Command::new(place.path().join(SHELL))
                .args(["-c", script])
                .env("PATH", format!("{}:/usr/bin:/bin", place.path().display()))
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&shell.stdout), runs, "{script}");
        }
    }

    #[test]
    fn a_report_that_is_a_link_or_too_large_is_none() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("elsewhere"), "<testsuites/>").unwrap();
        let link = place.path().join(PYTEST);
        std::os::unix::fs::symlink(place.path().join("elsewhere"), link).unwrap();
        std::fs::write(place.path().join(JEST), "{}").unwrap();
        let vitest = std::fs::File::create(place.path().join(VITEST)).unwrap();
        vitest.set_len(LARGEST_REPORT + 1).unwrap();
        let reports = Reports::read(place.path(), PathBuf::new());
        assert_eq!((reports.pytest, reports.vitest), (None, None));
        assert_eq!(reports.jest.as_deref(), Some(&b"{}"[..]));
    }
}

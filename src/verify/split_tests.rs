use super::*;

const BEFORE: &str = "\
pub fn mean(n: &[u32]) -> u32 {
    n.iter().sum::<u32>() / n.len()
}

pub fn other() {}

#[cfg(test)]
mod tests {
    #[test]
    fn one() {
        assert_eq!(super::mean(&[1]), 1);
    }
}
";

fn edited(path: &str, before: &str, after: &str) -> (Patch, BaseFiles) {
    let path: RepoPath = path.parse().unwrap();
    let oid = "a".repeat(40).parse().unwrap();
    let change = Change::Write { mode: FileMode::File, content: after.into(), replaces: Some(oid) };
    let file = BaseFile { mode: EntryMode::File, content: before.into() };
    (Patch { changes: [(path.clone(), change)].into() }, BaseFiles::from([(path, file)]))
}

fn text(patch: &Patch) -> Option<String> {
    match patch.changes.values().next()? {
        Change::Write { content, .. } => Some(String::from_utf8_lossy(content).into_owned()),
        Change::Delete { .. } => None,
    }
}

#[test]
fn the_unit_tests_of_a_file_are_told_from_its_code() {
    let code = BEFORE.replace("n.len()", "n.len().max(1)");
    let new_test = "    #[test]\n    fn none() {\n        super::mean(&[]);\n    }\n}\n";
    let with_test =
        |text: &str| format!("{}{new_test}", text.strip_suffix("}\n").unwrap().to_owned() + "\n");
    let (patch, base) = edited("src/lib.rs", BEFORE, &with_test(&code));
    let split = split(&patch, &base, &TestMap::default());
    assert_eq!(text(&split.tests).unwrap(), with_test(BEFORE));
    assert_eq!(text(&split.rest).unwrap(), code);
    let parts = parts(&patch, &base, &TestMap::default());
    assert_eq!(parts.len(), 1);
    assert_eq!((parts[0].line, parts[0].added, parts[0].removed), (2, 1, 1));
    assert_eq!(text(&parts[0].without).unwrap(), with_test(BEFORE));
}

#[test]
fn code_and_tests_that_come_in_one_piece_are_divided() {
    let code = "pub fn a() {}\n";
    let more = "\npub fn b() {}\n";
    let tests = "\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn a() {}\n}\n";
    let (patch, base) = edited("src/lib.rs", code, &format!("{code}{more}{tests}"));
    let divided = split(&patch, &base, &TestMap::default());
    let told = |patch| text(patch).unwrap().replace('\n', "");
    assert_eq!(told(&divided.tests), format!("{code}{tests}").replace('\n', ""));
    assert_eq!(told(&divided.rest), format!("{code}{more}").replace('\n', ""));
    // The other way round: all of it goes.
    let (patch, base) = edited("src/lib.rs", &format!("{code}{more}{tests}"), code);
    let divided = split(&patch, &base, &TestMap::default());
    assert_eq!(told(&divided.tests), format!("{code}{more}").replace('\n', ""));
}

#[test]
fn a_file_of_tests_is_wholly_of_the_tests_and_a_new_file_of_code_of_the_rest() {
    let oid = || "a".repeat(40).parse().unwrap();
    let write =
        |replaces| Change::Write { mode: FileMode::File, content: b"x\n".to_vec(), replaces };
    let path = |path: &str| path.parse::<RepoPath>().unwrap();
    let patch = Patch {
        changes: [
            (path("tests/a.rs"), write(None)),
            (path("tests/old.rs"), Change::Delete { replaces: oid() }),
            (path("src/new.rs"), write(None)),
            (
                path("logo.png"),
                Change::Write { mode: FileMode::File, content: vec![0, 1], replaces: Some(oid()) },
            ),
        ]
        .into(),
    };
    let divided = split(&patch, &BaseFiles::new(), &TestMap::default());
    let names = |patch: &Patch| patch.changes.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&divided.tests), ["tests/a.rs", "tests/old.rs"]);
    assert_eq!(names(&divided.rest), ["logo.png", "src/new.rs"]);
    assert!(replaces_tests(&divided.tests));
    let parts = parts(&patch, &BaseFiles::new(), &TestMap::default());
    assert_eq!(parts.len(), 2);
    assert!(!parts[0].without.changes.contains_key(&parts[0].path));
}

#[test]
fn a_part_is_taken_back_alone_and_the_largest_comes_first() {
    let after = BEFORE
        .replace("n.len()", "n.len().max(1)")
        .replace("pub fn other() {}", "pub fn other() {\n    let _ = 1;\n}");
    let (patch, base) = edited("src/lib.rs", BEFORE, &after);
    let parts = parts(&patch, &base, &TestMap::default());
    assert_eq!(parts.iter().map(|it| it.line).collect::<Vec<_>>(), [5, 2]);
    assert_eq!(text(&parts[0].without).unwrap(), BEFORE.replace("n.len()", "n.len().max(1)"));
    let whole = split(&patch, &base, &TestMap::default());
    assert_eq!((whole.tests.is_empty(), text(&whole.rest).unwrap()), (true, after));
}

use super::*;
use crate::core::test_results::FailureCause;

fn lines(said: &str) -> Vec<&str> {
    said.lines().filter(|line| !line.is_empty()).collect()
}

fn states(results: &TestResults) -> Vec<(&str, TestState)> {
    results.iter().map(|(id, it)| (id, it.state)).collect()
}

fn cause_in(results: &TestResults, id: &str) -> FailureCause {
    results.get(id).unwrap().failure.clone().unwrap().cause
}

const ALL: [(&str, TestState); 6] = [
    ("adds", TestState::Failed),
    ("outer > bad", TestState::Failed),
    ("outer > inner", TestState::Passed),
    ("skipped", TestState::Skipped),
    ("suite > works", TestState::Passed),
    ("todo", TestState::ExpectedFailure),
];

#[test]
fn nodes_tap_names_each_test_by_its_suites() {
    // node 20.20.2
    let said = "\
TAP version 13
# Subtest: adds
not ok 1 - adds
  ---
  duration_ms: 2.3
  failureType: 'testCodeFailure'
  error: |-
    Expected values to be strictly equal:
    2 !== 3
  code: 'ERR_ASSERTION'
  name: 'AssertionError'
  ...
# Subtest: outer
    # Subtest: inner
    ok 1 - inner
      ---
      duration_ms: 0.1
      ...
    # Subtest: bad
    not ok 2 - bad
      ---
      error: 'x is not a function'
      name: 'TypeError'
      ...
    1..2
not ok 2 - outer
  ---
  failureType: 'subtestsFailed'
  error: '1 subtest failed'
  ...
# Subtest: skipped
ok 3 - skipped # SKIP
# Subtest: todo
not ok 4 - todo # TODO
# Subtest: suite
    # Subtest: works
    ok 1 - works
    1..1
ok 5 - suite
  ---
  type: 'suite'
  ...
# Subtest: /work/tree/b.test.js
ok 6 - /work/tree/b.test.js
1..6";
    let results = read_tap(&lines(said)).unwrap();
    assert_eq!(states(&results), ALL);
    assert_eq!(cause_in(&results, "adds"), FailureCause::Assertion);
    assert_eq!(cause_in(&results, "outer > bad"), FailureCause::Missing("TypeError".to_owned()));
    assert_eq!(read_tap(&["TAP version 13", "1..0"]), None);
}

#[test]
fn nodes_own_reporter_names_each_test_the_same() {
    // node 24.9.0
    let said = "\
✖ adds (1.986911ms)
▶ outer
  ✔ inner (0.179117ms)
  ✖ bad (0.106839ms)
✖ outer (0.692739ms)
﹣ skipped (0.154119ms) # SKIP
✖ todo (0.165136ms) # TODO
▶ suite
  ✔ works (0.852817ms)
✔ suite (1.034316ms)
✔ b.test.js (33.1ms)
ℹ tests 7
ℹ pass 2
✖ failing tests:
test at a.test.js:2:1
✖ adds (1.986911ms)
  AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
  2 !== 3
      at TestContext.<anonymous> (/work/tree/a.test.js:2:25)
test at a.test.js:3:62
✖ bad (0.106839ms)
  TypeError: x is not a function
      at TestContext.<anonymous> (/work/tree/a.test.js:3:84)";
    let results = read_node_spec(&lines(said)).unwrap();
    assert_eq!(states(&results), ALL);
    assert_eq!(cause_in(&results, "adds"), FailureCause::Assertion);
    assert_eq!(cause_in(&results, "outer > bad"), FailureCause::Missing("TypeError".to_owned()));
}

/// mocha 11.7.5
const MOCHA: &str = "
  ✔ top
  sums
    ✔ adds (52ms)
    1) is wrong
    - later
    nested
      ✔ works
      2) throws
  3 passing (11ms)
  1 pending
  2 failing
  1) sums
       is wrong:
      AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
1 !== 2
      + expected - actual
      at Context.<anonymous> (m/a.spec.js:2:68)
  2) sums
       nested
         throws:
     TypeError: x is not a function
      at Context.<anonymous> (m/a.spec.js:2:166)";

#[test]
fn mochas_tests_are_named_by_their_suites_with_their_reasons() {
    let results = read_mocha(&lines(MOCHA)).unwrap();
    assert_eq!(
        states(&results),
        [
            ("sums > adds", TestState::Passed),
            ("sums > is wrong", TestState::Failed),
            ("sums > later", TestState::Skipped),
            ("sums > nested > throws", TestState::Failed),
            ("sums > nested > works", TestState::Passed),
            ("top", TestState::Passed),
        ]
    );
    assert_eq!(cause_in(&results, "sums > is wrong"), FailureCause::Assertion);
    let throws = cause_in(&results, "sums > nested > throws");
    assert_eq!(throws, FailureCause::Missing("TypeError".to_owned()));
}

#[test]
fn a_red_test_of_mochas_outside_of_all_suites_has_its_reason() {
    let said = "
  ✔ one
  1) two
  1 passing (3ms)
  1 failing
  1) two:
      AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:
1 !== 2
      at Context.<anonymous> (m/a.spec.js:2:68)";
    let results = read_mocha(&lines(said)).unwrap();
    assert_eq!(cause_in(&results, "two"), FailureCause::Assertion);
}

#[test]
fn lines_of_mocha_that_do_not_add_up_are_no_results() {
    let less = MOCHA.replacen("      ✔ works\n", "", 1);
    assert_eq!(read_mocha(&lines(&less)), None);
    let more = MOCHA.replacen("  sums\n", "  sums\n    ✔ printed by a test\n", 1);
    assert_eq!(read_mocha(&lines(&more)), None);
}

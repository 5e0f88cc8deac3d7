#!/bin/sh
# tape 5.10.2: a test that is skipped leaves no trace in the TAP output.
#
# Looked at: 2026-11-29, tape 5.10.2, Node.js 20.20.2, Linux x86_64.
# Expected:  TAP has a directive for it, so a file in which one of two tests is `test.skip` prints
#            `ok 2 … # SKIP`, or at least a comment, and `# skip 1`; so does node's own runner, and
#            so does tape for a skipped *assertion*.
# Happens:   `test.skip` prints nothing, and nothing counts it. What is printed is the same, byte
#            for byte, as if the test had been deleted, and the run is green. Only the option
#            `{ skip: true }` leaves a line, a comment that no reader of TAP has to look at.
# Way out:   to see that a test is skipped now, what ran before has to be known. Gander compares
#            the tests that ran without a change with those that run with it, by name.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-save --prefix . tape@5.10.2
say() {
  printf "const test = require('tape');\ntest('one', (t) => { t.ok(true); t.end(); });\n%s\n" "$1" >a.js
  node a.js
}
skipped=$(say "test.skip('two', (t) => { t.ok(false); t.end(); });")
deleted=$(say "")
option=$(say "test('two', { skip: true }, (t) => { t.ok(false); t.end(); });")
assertion=$(say "test('two', (t) => { t.ok(false, 'no', { skip: true }); t.end(); });")
printf '%s\n' "test.skip:" "$skipped" "" "the option:" "$option" "" "an assertion:" "$assertion"

[ "$skipped" = "$deleted" ] || { echo "changed: test.skip leaves a trace"; exit 1; }
case $option in *"# SKIP two"*) ;; *) echo "changed: the option leaves no comment"; exit 1 ;; esac
case $assertion in *"ok 2 no # SKIP"*) echo "as described" ;; *) echo "changed: a skipped assertion"; exit 1 ;; esac

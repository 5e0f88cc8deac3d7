#!/bin/sh
# CTest 3.31.6: its JUnit report and its exit status disagree about a test whose program is missing.
#
# Looked at: 2026-11-29, cmake 3.31.6 (the wheel), Linux x86_64; the same with Debian's 3.25.1.
# Expected:  `--output-junit` tells what the run tells: two tests failed, so two <failure>s, and
#            failures="2".
# Happens:   a test whose executable is not there fails the run (exit 8, "tests failed", listed
#            under "FAILED" as "Not Run"), and is <skipped message="Unable to find executable"/> in
#            the report. failures= is one short, and a reader of the report alone takes a test that
#            was never built for one that somebody chose to leave out.
# Way out:   read the lines that ctest prints. Gander does, and does not ask for the report.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv tools
tools/bin/pip install --quiet cmake==3.31.6
cat >CMakeLists.txt <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(tests NONE)
enable_testing()
add_test(NAME green COMMAND true)
add_test(NAME red COMMAND false)
add_test(NAME missing COMMAND was-never-built)
CMAKE
tools/bin/cmake -S . -B build >/dev/null
code=0
tools/bin/ctest --test-dir build --output-junit "$work/report.xml" >said.txt 2>&1 || code=$?
cat said.txt report.xml

changed() {
  echo "changed: $1"
  exit 1
}
[ "$code" = 8 ] || changed "exit $code"
grep -q '2 tests failed out of 3' said.txt || changed "it counts otherwise"
grep -q 'failures="1"' report.xml || changed "the report's count"
grep -q '<skipped message="Unable to find executable"' report.xml || changed "it is not skipped"
echo "as described"

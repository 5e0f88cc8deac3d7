#!/bin/sh
# pytest 9.2.0: -q in the settings and -q on the command line leave no closing line.
#
# Looked at: 2026-11-28, pytest 9.2.0, Python 3.11, Linux x86_64.
# Expected:  `pytest -q` ends with `1 passed in 0.01s` in any project: tools that wrap pytest
#            look for that.
# Happens:   -q adds up over the settings, PYTEST_ADDOPTS and the command line. Where `addopts`
#            has one already, as in many projects, a second one takes the closing line away: dots
#            and exit code 0 are all there is, and a run that a test ended early looks the same.
# Way out:   `--verbosity=0` in PYTEST_ADDOPTS: it comes after the settings and before the
#            command line, so that one -q is left. src/verify/python.rs does so.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0
printf '[pytest]\naddopts = -q\n' >pytest.ini
printf 'def test_a():\n    pass\n' >test_a.py

once=$(venv/bin/pytest 2>&1)
twice=$(venv/bin/pytest -q 2>&1)
mended=$(PYTEST_ADDOPTS=--verbosity=0 venv/bin/pytest -q 2>&1)
printf '%s\n' "settings -q:" "$once" "" "settings -q, command -q:" "$twice" "" \
    "settings -q, variable, command -q:" "$mended"

case $once in *"1 passed in"*) ;; *) echo "changed: one -q leaves no closing line"; exit 1 ;; esac
case $twice in *"passed"*) echo "changed: two leave the closing line"; exit 1 ;; esac
case $mended in *"1 passed in"*) echo "as described" ;; *) echo "changed: it is not brought back"; exit 1 ;; esac

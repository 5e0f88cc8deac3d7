#!/bin/sh
# pytest 9.2.0: `--deselect` takes the neighbours of the test that it names, too.
#
# Looked at: 2026-11-28, pytest 9.2.0, Python 3.11, Linux x86_64.
# Expected:  `--deselect tests/test_a.py::test_add` leaves out that one test, as `pytest
#            tests/test_a.py::test_add` runs that one test.
# Happens:   the id is taken for the beginning of an id. `test_add_carries` is left out, too: it
#            fails, nobody sees it, and pytest exits with 0. The one trace is `2 deselected` in
#            the closing line. There is no way to end the id.
# Way out:   compare that count with the number of tests named. src/verify/results/select.rs does
#            so.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0
mkdir tests
cat >tests/test_a.py <<'END'
def test_add():
    assert 1 + 1 == 3


def test_add_carries():
    assert 9 + 1 == 11


def test_other():
    pass
END

named=$(venv/bin/pytest -q tests/test_a.py::test_add 2>&1) && named_exit=0 || named_exit=$?
left_out=$(venv/bin/pytest -q --deselect tests/test_a.py::test_add 2>&1) && exit=0 || exit=$?
printf 'run by its id: exit %s\n%s\n\n' "$named_exit" "$(echo "$named" | tail -1)"
printf 'left out by its id: exit %s\n%s\n' "$exit" "$(echo "$left_out" | tail -1)"

[ "$named_exit" = 1 ] || { echo "changed: the id no longer runs a red test"; exit 1; }
case $named in *"1 failed in"*) ;; *) echo "changed: the id runs more than one test"; exit 1 ;; esac
[ "$exit" = 0 ] || { echo "changed: the neighbour is no longer left out"; exit 1; }
case $left_out in
*"1 passed, 2 deselected in"*) echo "as described" ;;
*) echo "changed: another number is left out"; exit 1 ;;
esac

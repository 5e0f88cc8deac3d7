#!/bin/sh
# hatchling 1.27.0: `build-system.requires` is not all that an editable install needs.
#
# Looked at: 2026-11-28, hatchling 1.27.0, pip 25.3, Python 3.11, Linux x86_64.
# Expected:  who has installed what `[build-system] requires` lists can build the project without
#            build isolation and without an index: `pip install --no-build-isolation -e .`.
# Happens:   a wheel is built, but an editable install fails: hatchling asks for the package
#            `editables` by a hook of PEP 660, and without build isolation nobody installs what the
#            hooks ask for. pip does not say so beforehand: the backend's import fails.
# Way out:   install `editables` beside hatchling. src/environment/python.rs does so.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pip==25.3 hatchling==1.27.0
mkdir -p src/widget
printf 'x = 1\n' >src/widget/__init__.py
cat >pyproject.toml <<'END'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "widget"
version = "1"
END
install() {
    venv/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps \
        --no-build-isolation "$@" >said 2>&1 && echo installed || { echo failed; grep -m 3 editables said; }
}
wheel=$(install .)
editable=$(install -e .)
venv/bin/pip install --quiet --disable-pip-version-check editables==0.5
mended=$(install -e .)
printf '%s\n' "a wheel: $wheel" "" "editable: $editable" "" "editable, with editables: $mended"

case $wheel in installed) ;; *) echo "changed: not even a wheel is built"; exit 1 ;; esac
case $editable in *editables*) ;; *) echo "changed: an editable install works"; exit 1 ;; esac
case $mended in installed) echo "as described" ;; *) echo "changed: it still fails"; exit 1 ;; esac

"""Fetches and installs the packages of a Python project, in a sandbox of Gander's.

fetch: wheels for all requirements. Where a package has none for this Python, its source archive is
fetched as data, and a wheel that holds nothing but its name and needs stands in for it, so that pip
can go on. Nothing that was fetched is run.
install: without a network. Source archives are built, then all is installed.

What cannot be had is left out and named in `left-out`: whether tests need it, they say.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import urllib.request
import zipfile

from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.version import InvalidVersion, Version

REQUIREMENTS, CONSTRAINTS = "gander-requirements.txt", "gander-constraints.txt"
MOST_ROUNDS = 60
LARGEST_SOURCE = 200 << 20
MISSING = re.compile(r"No matching distribution found for ([A-Za-z0-9][A-Za-z0-9._-]*)([^\s;(]*)")
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def folded(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(line):
    found = NAME.match(line)
    return folded(found.group(1)) if found else ""


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line.strip() for line in file if line.strip()]


def write(path, lines):
    with open(path, "w") as file:
        file.write("".join(line + "\n" for line in lines))


def pip(*words):
    command = [sys.executable, "-I", "-m", "pip", "--quiet", "--no-input", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, done.stdout.decode(errors="replace")


class Packages:
    """What is fetched, and where it lies."""

    def __init__(self, place):
        self.wheels, self.stubs = place + "/wheels", place + "/stubs"
        self.sources, self.left_out = place + "/sources", place + "/left-out"
        for directory in (self.wheels, self.stubs, self.sources):
            os.makedirs(directory, exist_ok=True)

    def leave_out(self, names):
        known = set(lines_of(self.left_out)) | {name for name in names if name}
        if known:
            write(self.left_out, sorted(known))

    def download(self, lines, locked):
        write("wanted.txt", lines)
        write("locked.txt", locked)
        return pip(
            "download", "--only-binary=:all:", "--dest", self.wheels, "--find-links", self.stubs,
            "-r", "wanted.txt", "-c", "locked.txt",
        )


def fetch(packages):
    """All at once; what stands in the way is taken out of it, one thing after the other."""
    wanted, locked = lines_of(REQUIREMENTS), lines_of(CONSTRAINTS)
    tried = set()
    for _ in range(MOST_ROUNDS):
        done, said = packages.download(wanted, locked)
        if done:
            break
        missing = MISSING.search(said)
        if missing is None:
            if locked:
                # The versions of the lock file do not go together with this Python.
                locked = []
                continue
            if not one_by_one(packages, wanted):
                sys.exit(said)
            break
        name, bounds = folded(missing.group(1)), missing.group(2)
        if any(name_of(line) == name for line in locked):
            locked = [line for line in locked if name_of(line) != name]
        elif name not in tried:
            tried.add(name)
            wanted += fetch_source(packages, name, bounds) or []
        elif any(name_of(line) == name for line in wanted):
            wanted = [line for line in wanted if name_of(line) != name]
            packages.leave_out([name])
        elif not one_by_one(packages, wanted):
            sys.exit(said)
        else:
            break
    for stub in os.listdir(packages.stubs):
        fetched = os.path.join(packages.wheels, stub)
        if os.path.exists(fetched):
            os.remove(fetched)


def one_by_one(packages, wanted):
    """Whether any can be had; those that cannot are left out."""
    had = [line for line in wanted if packages.download([line], [])[0]]
    packages.leave_out(name_of(line) for line in wanted if line not in had)
    return had


def fetch_source(packages, name, bounds):
    """The newest source archive within these bounds; what is needed to build it. `None`: there is
    none."""
    index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
    kind = {"Accept": "application/vnd.pypi.simple.v1+json"}
    try:
        asked = urllib.request.Request("%s/%s/" % (index, name), headers=kind)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            listed = json.load(answer)["files"]
        within = SpecifierSet(bounds)
    except (OSError, ValueError, KeyError, InvalidSpecifier):
        return None
    python = "%d.%d.%d" % sys.version_info[:3]
    best = None
    for file in listed:
        stem = re.sub(r"\.(tar\.gz|zip)$", "", file["filename"])
        if stem == file["filename"] or file.get("yanked") or "-" not in stem:
            continue
        own, _, number = stem.rpartition("-")
        try:
            version = Version(number)
            fits = SpecifierSet(file.get("requires-python") or "").contains(python)
        except (InvalidVersion, InvalidSpecifier):
            continue
        if folded(own) == name and fits and within.contains(version):
            if best is None or version > best[0]:
                best = (version, file)
    if best is None:
        return None
    version, file = best
    path = os.path.join(packages.sources, os.path.basename(file["filename"]))
    address = urllib.request.urljoin("%s/%s/" % (index, name), file["url"])
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            content = answer.read(LARGEST_SOURCE + 1)
    except OSError:
        return None
    digest = file.get("hashes", {}).get("sha256")
    if len(content) > LARGEST_SOURCE or (digest and hashlib.sha256(content).hexdigest() != digest):
        return None
    with open(path, "wb") as out:
        out.write(content)
    needs, to_build = needs_of(path)
    stand_in(packages, name, version, needs)
    return to_build


def texts_in(path):
    """The small files at the top of a source archive, by name: read, never unpacked."""
    found = {}
    wanted = ("requires.txt", "pyproject.toml")
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.endswith(wanted) and entry.file_size < 1 << 20:
                    found.setdefault(entry.filename.rsplit("/", 1)[1], archive.read(entry))
        return found
    with tarfile.open(path) as archive:
        for entry in archive:
            if entry.isfile() and entry.name.endswith(wanted) and entry.size < 1 << 20:
                if "/" in entry.name:
                    name = entry.name.rsplit("/", 1)[1]
                    found.setdefault(name, archive.extractfile(entry).read())
    return found


def needs_of(path):
    """What a source archive says that it needs, and what it is built with."""
    try:
        texts = texts_in(path)
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, EOFError):
        return [], []
    needs = []
    for line in texts.get("requires.txt", b"").decode(errors="replace").splitlines():
        if line.startswith("["):
            break
        if line.strip():
            needs.append(line.strip())
    project = texts.get("pyproject.toml", b"").decode(errors="replace")
    built = re.search(r"\[build-system\][^\[]*?requires\s*=\s*\[(.*?)\]", project, re.S)
    to_build = re.findall(r"[\"']([^\"']+)[\"']", built.group(1)) if built else []
    return plain(needs), plain(to_build)


def plain(lines):
    """Names with bounds only: an address or an option could lead elsewhere."""
    of = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._, -]*\])?[ 0-9A-Za-z.*+!,<>=~()]*$")
    return [line for line in lines if of.match(line.split(";")[0])]


def stand_in(packages, name, version, needs):
    own = name.replace("-", "_")
    place = "%s-%s.dist-info/" % (own, version)
    wheel = os.path.join(packages.stubs, "%s-%s-py3-none-any.whl" % (own, version))
    required = "".join("Requires-Dist: %s\n" % need for need in needs)
    with zipfile.ZipFile(wheel, "w") as archive:
        about = "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s" % (name, version, required)
        archive.writestr(place + "METADATA", about)
        kind = "Wheel-Version: 1.0\nGenerator: gander\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(place + "WHEEL", kind)
        archive.writestr(place + "RECORD", "")


def install(packages):
    here = ["--no-index", "--find-links", packages.wheels]
    left_out = set(lines_of(packages.left_out))
    wanted = [line for line in lines_of(REQUIREMENTS) if name_of(line) not in left_out]
    sources = sorted(os.listdir(packages.sources))
    if sources:
        pip("install", *here, "setuptools", "wheel")
    for source in sources:
        path = os.path.join(packages.sources, source)
        apart = ["--no-deps", "--no-build-isolation", "--wheel-dir", packages.wheels]
        pip("wheel", *here, *apart, path)
    done, said = pip("install", *here, *wanted)
    if done:
        return
    had = [line for line in wanted if pip("install", *here, line)[0]]
    if not had:
        sys.exit(said)
    packages.leave_out(name_of(line) for line in wanted if line not in had)


if __name__ == "__main__":
    {"fetch": fetch, "install": install}[sys.argv[1]](Packages(sys.argv[2]))

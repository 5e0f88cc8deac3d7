//! New files that Python would load in the place of its own modules or the test runner's.
//!
//! The tree comes first in Python's path, so that the tests import what is checked. A new
//! `pytest.py` at its top would then be the test runner.
//!
//! Invariants: only what a change adds counts; a module that the base has already is the project's.

use std::collections::BTreeSet;

use super::detect::is_pytest_file;
use crate::core::patch::{Change, Patch};

/// What the usual runners are made of, and what Python loads at every start.
const RUNNERS: &[&str] = &[
    "_hypothesis_pytestplugin",
    "_pytest",
    "anyio",
    "coverage",
    "exceptiongroup",
    "execnet",
    "hypothesis",
    "iniconfig",
    "nose2",
    "nox",
    "packaging",
    "pluggy",
    "py",
    "pygments",
    "pytest",
    "pytest_asyncio",
    "pytest_benchmark",
    "pytest_cov",
    "pytest_django",
    "pytest_httpserver",
    "pytest_httpx",
    "pytest_metadata",
    "pytest_mock",
    "pytest_randomly",
    "pytest_rerunfailures",
    "pytest_socket",
    "pytest_subtests",
    "pytest_sugar",
    "pytest_timeout",
    "sitecustomize",
    "tomli",
    "tox",
    "usercustomize",
    "xdist",
];
/// The modules of Python 3.10 to 3.13, as `sys.stdlib_module_names` names them.
const STANDARD: &str = "\
     __future__ _abc _aix_support _android_support _ast _asyncio _bisect _blake2 _bootsubprocess _bz2 \
     _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections \
     _collections_abc _colorize _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses \
     _curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external \
     _functools _gdbm _hashlib _heapq _imp _interpchannels _interpqueues _interpreters _io \
     _ios_support _json _locale _lsprof _lzma _markupbase _md5 _msi _multibytecodec _multiprocessing \
     _opcode _opcode_metadata _operator _osx_support _overlapped _pickle _posixshmem _posixsubprocess \
     _py_abc _pydatetime _pydecimal _pyio _pylong _pyrepl _queue _random _scproxy _sha1 _sha2 _sha256 \
     _sha3 _sha512 _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string \
     _strptime _struct _suggestions _symtable _sysconfig _thread _threading_local _tkinter _tokenize \
     _tracemalloc _typing _uuid _warnings _weakref _weakrefset _winapi _wmi _zoneinfo abc aifc \
     argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii binhex bisect \
     builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys \
     compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses \
     dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum \
     errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath \
     getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib imghdr imp \
     importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma \
     mailbox mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis \
     nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb pickle \
     pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd \
     py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource \
     rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib \
     sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics \
     string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile \
     telnetlib tempfile termios textwrap threading time timeit tkinter token tokenize tomllib trace \
     traceback tracemalloc tty types typing unicodedata unittest urllib uu uuid venv warnings wave \
     weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib \
     zoneinfo";

/// A path that a change adds, and whose module takes the place of another. `base` are the paths of
/// all files without the change; `more_roots` are directories that the project puts into the path.
pub(super) fn new_in_place_of_another<'p>(
    patch: &'p Patch,
    base: &[&'p str],
    more_roots: &'p [String],
) -> Option<&'p str> {
    let added = patch.changes.iter().filter(|(_, change)| matches!(change, Change::Write { .. }));
    let paths = added.map(|(path, _)| path.as_str());
    let known: BTreeSet<&str> = base.iter().copied().collect();
    if let Some(path) = paths.clone().find(|path| !known.contains(path) && is_loaded_unseen(path)) {
        return Some(path);
    }
    let in_path = |path: &&str| is_pytest_file(path) || path.ends_with("conftest.py");
    let tests = base.iter().copied().chain(paths.clone()).filter(in_path);
    // Tests are run with their own directory in the path, too.
    let of_tests: BTreeSet<&str> = tests.map(directory).collect();
    let more = more_roots.iter().map(String::as_str);
    let roots = ["", "src", "lib"].into_iter().chain(of_tests).chain(more);
    let roots: BTreeSet<&str> = roots.collect();
    paths.into_iter().find(|path| {
        above(path).filter(|root| roots.contains(root)).any(|root| {
            let module = module_at(path, root).filter(|module| is_taken(module));
            module.is_some_and(|module| {
                !base.iter().any(|path| module_at(path, root) == Some(module))
            })
        })
    })
}

/// The directories that pytest's settings put into the path: `pythonpath = ["backend"]`.
pub(super) fn python_path(settings: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, name) in settings.match_indices("pythonpath") {
        let Some(rest) =
            settings[at + name.len()..].trim_start_matches([' ', '"']).strip_prefix('=')
        else {
            continue;
        };
        let list = match rest.trim_start_matches(' ').strip_prefix('[') {
            Some(list) => list.split(']').next().unwrap_or_default(),
            // One line, and those that are indented below it.
            None => {
                let ends = |(at, _): &(usize, &str)| !rest[at + 1..].starts_with([' ', '\t']);
                rest.match_indices('\n').find(ends).map_or(rest, |(end, _)| &rest[..end])
            }
        };
        let words = list.split(|c: char| c.is_whitespace() || "\"',".contains(c));
        let plain = words.map(|word| word.trim_start_matches("./").trim_end_matches('/'));
        found.extend(plain.filter(|word| !word.is_empty()).map(str::to_owned));
    }
    found
}

/// Whether Python loads such a file without anybody importing it by its name, or in the place of
/// its source.
fn is_loaded_unseen(path: &str) -> bool {
    const DIRECTORIES: [&str; 3] = [".dist-info", ".egg-info", ".egg"];
    path.split('/').any(|part| {
        part == "__pycache__"
            || [".pyc", ".pth"].iter().any(|end| part.ends_with(end))
            || DIRECTORIES.iter().any(|end| part.ends_with(end))
    })
}

/// The directories that a path is in, the top first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(path.match_indices('/').map(|(at, _)| &path[..at]))
}

fn directory(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The module that a file is, or is part of, where its directory is in Python's path.
fn module_at<'p>(path: &'p str, root: &str) -> Option<&'p str> {
    let inside = match root {
        "" => path,
        root => path.strip_prefix(root)?.strip_prefix('/')?,
    };
    match inside.split_once('/') {
        Some((package, rest)) => is_code(rest).then_some(package),
        None => is_code(inside).then(|| inside.split('.').next()).flatten(),
    }
}

fn is_code(path: &str) -> bool {
    [".py", ".so"].iter().any(|end| path.ends_with(end))
}

fn is_taken(module: &str) -> bool {
    RUNNERS.contains(&module) || STANDARD.split_ascii_whitespace().any(|name| name == module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::patch::FileMode;

    fn found(added: &str, base: &[&str]) -> bool {
        let change = Change::Write { mode: FileMode::File, content: Vec::new(), replaces: None };
        let patch = Patch { changes: [(added.parse().unwrap(), change)].into() };
        let more = ["backend".to_owned()];
        new_in_place_of_another(&patch, base, &more).is_some()
    }

    #[test]
    fn a_new_module_may_not_take_the_place_of_the_runners_or_pythons_own() {
        let base = ["widget.py", "tests/test_widget.py", "src/x/__init__.py"];
        for added in [
            "pytest.py",
            "argparse.py",
            "src/pluggy.py",
            "_pytest/__init__.py",
            "src/iniconfig/__init__.py",
            "json/__init__.py",
            "sitecustomize.py",
            "tests/json.py",
            "_socket.cpython-311-x86_64-linux-gnu.so",
            "pytest/__init__.abi3.so",
            "pytest.pyc",
            "pytest/__init__.pyc",
            "src/x/__pycache__/a.cpython-311.pyc",
            "nice-1.0.dist-info/entry_points.txt",
            "src/nice.egg-info/PKG-INFO",
            "lib/pytest.py",
            "backend/json.py",
            "backend/_pytest/x.py",
            "_hypothesis_pytestplugin.py",
        ] {
            assert!(found(added, &base), "{added}");
        }
        for added in
            ["widgets.py", "src/x/json.py", "docs/json.py", "json/readme.md", "x/pytest.py"]
        {
            assert!(!found(added, &base), "{added}");
        }
        let own = ["_pytest/config.py", "test_x.py"];
        assert!(!found("_pytest/more.py", &own), "it is the project's");
        assert!(!found("json.py", &["json.py"]), "it was there");
    }

    #[test]
    fn what_pytests_settings_put_into_the_path_is_read() {
        for settings in [
            "[tool.pytest.ini_options]\npythonpath = [\"a\", './b/']\nx = [\"c\"]\n",
            "[pytest]\npythonpath = a b\nx = c\n",
            "[pytest]\npythonpath =\n    a\n    b\nx = c\n",
        ] {
            assert_eq!(python_path(settings), ["a", "b"], "{settings}");
        }
        assert!(python_path("# pythonpath is not set\n").is_empty());
    }
}

//! What a Python project needs, read from its files.

use super::*;

fn needs(files: &[(&str, &str)]) -> Vec<String> {
    let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let read = |path: &str| Some(files.iter().find(|it| it.0 == path)?.1.to_owned());
    let Some(plan) = plan(&paths, &read, None).unwrap() else { return Vec::new() };
    let text = String::from_utf8(plan.files[REQUIREMENTS].clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_a_project_and_its_tests_need_is_read_from_where_people_say_it() {
    let pyproject = r#"
        [build-system]
        requires = ["hatchling>=1"]
        [project]
        name = "Widget_x"
        dependencies = ["requests>=2 ; python_version > '3'", "evil @ https://evil.example/x"]
        [project.optional-dependencies]
        test = ["widget-x[cli]", "coverage"]
        cli = ["click"]
        docs = ["sphinx"]
        [dependency-groups]
        dev = ["hypothesis", {include-group = "typing"}]
        typing = ["mypy"]
    "#;
    let found = needs(&[("pyproject.toml", pyproject)]);
    let all = ["click", "coverage", "editables", "hatchling>=1", "hypothesis", "mypy", "pytest"];
    let more = ["requests>=2 ; python_version > '3'", "setuptools", "wheel"];
    assert_eq!(found, [&all[..], &more].concat());
    let cfg = "[options]\ninstall_requires =\n    six>=1\n    attrs\npackages = find:\n\
               [options.extras_require]\ntesting =\n    mock\ndocs = sphinx\n";
    assert_eq!(
        needs(&[("setup.cfg", cfg)]),
        ["attrs", "mock", "pytest", "setuptools", "six>=1", "wheel"]
    );
    let setup = "setup(\n    name='x',\n    install_requires=['six', \"attrs>=1\"],\n)\n";
    assert_eq!(needs(&[("setup.py", setup)]), ["attrs>=1", "pytest", "setuptools", "six", "wheel"]);
    let extras = "EXTRAS = {\n    'tests': ['pytz', \"simplejson\"],\n    'docs': ['sphinx'],\n}\n";
    assert_eq!(
        needs(&[("setup.py", extras)]),
        ["pytest", "pytz", "setuptools", "simplejson", "wheel"]
    );
}

#[test]
fn a_requirements_file_redirects_nothing() {
    let text = "--index-url https://evil.example/simple\n-r other.txt\n-e .\nsix==1.16.0 \\\n    \
                --hash=sha256:abc\nhttps://evil.example/x.whl\ngit+https://evil.example/x\n./x\n\
                attrs # why\n";
    let found = needs(&[("requirements-dev.txt", text)]);
    assert_eq!(found, ["attrs", "pytest", "setuptools", "six==1.16.0", "wheel"]);
    assert!(needs(&[("docs/requirements.txt", "sphinx\n")]).is_empty());
    assert!(needs(&[("requirements.txt", "# nothing\n")]).is_empty());
}

#[test]
fn pip_keeps_to_what_another_tool_locked() {
    let project = "[project]\ndependencies = [\"six\"]\n";
    let uv = "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\n\
              source = { registry = \"https://pypi.org/simple\" }\n\
              [[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\
              source = { editable = \".\" }\n\
              [[package]]\nname = \"two\"\nversion = \"1\"\n\
              [[package]]\nname = \"two\"\nversion = \"2\"\n\
              [[package]]\nname = \"evil\"\nversion = \"1 --no-binary=evil\"\n";
    let poetry = "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\n";
    let pipenv = r#"{"default": {"six": {"version": "==1.16.0", "index": "pypi"}}}"#;
    for (lock, text) in [("uv.lock", uv), ("poetry.lock", poetry), ("Pipfile.lock", pipenv)] {
        assert_eq!(locked(lock, text), ["six==1.16.0"], "{lock}");
        let read = |path: &str| match path {
            "pyproject.toml" => Some(project.to_owned()),
            _ => (path == lock).then(|| text.to_owned()),
        };
        let plan = plan(&["pyproject.toml", lock], &read, None).unwrap().unwrap();
        assert!(plan.from.contains(&lock.to_owned()), "{:?}", plan.from);
        assert_eq!(plan.files[CONSTRAINTS], b"six==1.16.0");
    }
    assert_eq!(
        needs(&[("Pipfile", "[dev-packages]\nsix = \"==1.16\"\nx = \"*\"\n")]),
        ["pytest", "setuptools", "six==1.16", "wheel", "x"]
    );
}

#[test]
fn lists_of_a_setup_script_are_read_whole_whatever_stands_beside_them() {
    let script = "REQUIRES = [\n    'six', # isn't \"old\"\n    \"zope.interface>=4\",\n]\n\
                  EXTRAS = {\n    \"docs\": [\"sphinx\"],\n    \"tests\": [\n        \
                  # 5.0 it's [new]\n        \"coverage[toml]>=5.0.2\",\n        \"hypothesis\",\n    \
                  ],\n}\nEXTRAS[\"dev\"] = EXTRAS[\"tests\"] + [\"pre-commit\"]\n\
                  EXTRAS['testing'] = ('mock',)\nsetup(install_requires=REQUIRES)\n";
    let expected = [
        "coverage[toml]>=5.0.2",
        "hypothesis",
        "mock",
        "pytest",
        "setuptools",
        "six",
        "wheel",
        "zope.interface>=4",
    ];
    assert_eq!(needs(&[("setup.py", script)]), expected);
    let hostile = "install_requires=".repeat(100_000) + "[" + &"'".repeat(100_001);
    assert!(needs(&[("setup.py", &hostile)]).len() <= 3);
}

#[test]
fn a_requirement_is_one_line_whatever_it_holds() {
    for end in ["\\n", "\\r", "\\u000B", "\\u000C", "\\u001C", "\\u0085", "\\u2028", "\\t"] {
        let text = format!("[project]\ndependencies = [\"six\", \"evil{end}--no-binary=evil\"]\n");
        assert_eq!(
            needs(&[("pyproject.toml", &text)]),
            ["pytest", "setuptools", "six", "wheel"],
            "{end}"
        );
    }
}

#[test]
fn what_pip_would_take_for_a_file_or_an_option_is_left_out() {
    for line in [
        "file:gander-requirements.txt",
        "file:%2Ftmp%2Fx",
        "gander-requirements.txt",
        "evil.zip",
        "evil-1.0.tar.gz",
        "six -f x",
        "six ; python_version > '3' -f x",
        "six @ x",
        "six \\ \\",
        "six:x",
        "./six",
        "~/six",
    ] {
        assert_eq!(plain(line), None, "{line}");
    }
    for line in [
        "six",
        "Six[a, b-c] >=1.0, !=1.3.*; python_version < '3.11' and extra == \"x-y\"",
        "zope.interface~=5.0",
        "six (>=1)",
    ] {
        assert_eq!(plain(line).as_deref(), Some(line));
    }
}

#[test]
fn poetrys_bounds_are_said_in_pips_words() {
    for (poetry, pip) in [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2", "==1.2"),
        ("*", ""),
        (">=1,<3", ">=1,<3"),
        ("~=1.4", "~=1.4"),
    ] {
        let value = Value::String(poetry.to_owned());
        assert_eq!(of_poetry("x", &value), Some(format!("x{pip}")), "{poetry}");
    }
    assert_eq!(of_poetry("python", &Value::String("^3".to_owned())), None);
}

#[test]
fn groups_and_extras_that_include_each_other_are_read_once() {
    let groups: String = (0..2_000).map(|i| format!("g{i} = [\"p{i}\"]\n")).collect();
    let includes = "{include-group = \"g1\"}, ".repeat(3_000);
    let tests: String = (0..20).map(|i| format!("test-{i} = [{includes}]\n")).collect();
    let found = needs(&[("pyproject.toml", &format!("[dependency-groups]\n{groups}{tests}"))]);
    assert_eq!(found, ["p1", "pytest", "setuptools", "wheel"]);
    let nested = "[dependency-groups]\ntest = [{include-group = \"a\"}]\n\
                  a = [\"six\", {include-group = \"b\"}]\nb = [\"attrs\", {include-group = \"a\"}]\n";
    let found = needs(&[("pyproject.toml", nested)]);
    assert_eq!(found, ["attrs", "pytest", "setuptools", "six", "wheel"]);
    let names: Vec<String> = (0..20_000).map(|i| format!("e{i}")).collect();
    let all: String = names.iter().map(|name| format!("{name} = [\"x[{name}]\"]\n")).collect();
    let project = format!(
        "[project]\nname = \"x\"\n[project.optional-dependencies]\n{all}test = [\"x[{}]\", \"six\"]\n",
        names.join(",")
    );
    let found = needs(&[("pyproject.toml", &project)]);
    assert_eq!(found, ["pytest", "setuptools", "six", "wheel"]);
}

#[test]
fn a_project_that_names_packages_without_end_is_told_so() {
    let text: String = (0..=MOST_REQUIREMENTS).map(|i| format!("p{i}\n")).collect();
    let why = plan(&["requirements.txt"], &|_| Some(text.clone()), None).unwrap_err();
    assert!(why.contains("more than 20000"), "{why}");
}

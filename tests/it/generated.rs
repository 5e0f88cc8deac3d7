//! What is written down elsewhere is what the code says: help, settings, permissions.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what is missing here fails the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use gander::core::command::help_table;
use gander::core::policy::Rules;
use gander::forge::Scope;
use quote::ToTokens;
use serde_json::Value;

use strum::VariantArray;
use syn::visit::Visit;

const MANIFEST: &str = include_str!("../../app-manifest.json");
const COMMANDS: &str = include_str!("../../docs/commands.md");
const CONFIG: &str = include_str!("../../docs/config.md");
const README: &str = include_str!("../../README.md");
const INSTALL: &str = include_str!("../../docs/install.md");
const SECURITY: &str = include_str!("../../SECURITY.md");

/// What the App asks for; more than this is a decision, not an accident.
const PERMISSIONS: [(&str, &str); 7] = [
    ("actions", "read"),
    ("checks", "write"),
    ("contents", "write"),
    ("issues", "write"),
    ("metadata", "read"),
    ("pull_requests", "write"),
    ("statuses", "read"),
];

const EVENTS: [&str; 10] = [
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
    "workflow_run",
];

#[test]
fn the_table_of_commands_is_what_the_parser_knows() {
    assert_eq!(
        between(COMMANDS, "<!-- begin table -->\n", "<!-- end table -->"),
        help_table("/gander"),
        "docs/commands.md is stale: paste the right-hand side between the marks"
    );
}

#[test]
fn the_page_about_rules_is_made_of_the_rules() {
    let page = include_str!("../../docs/rules.md");
    assert_eq!(page, gander::verify::cheat::rules_page(), "gander rules --list > docs/rules.md");
}

#[test]
fn the_app_asks_for_what_was_decided_and_nothing_else() {
    let asked = permissions();
    let decided = PERMISSIONS.map(|(name, level)| (name.to_owned(), level.to_owned()));
    assert_eq!(asked, BTreeMap::from(decided));
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    assert_eq!(manifest["default_events"], serde_json::json!(EVENTS));
}

#[test]
fn every_event_that_is_acted_upon_is_subscribed_to_and_no_other() {
    let mut acted = FirstOfPatterns::default();
    acted.visit_file(&source("src/core/event.rs"));
    assert!(acted.0.contains("issue_comment"), "the events are not found: {:?}", acted.0);
    let subscribed: BTreeSet<String> = EVENTS.map(str::to_owned).into();
    assert_eq!(acted.0, subscribed, "left: acted upon; right: in app-manifest.json");
}

/// What people may give and need not.
const OPTIONAL: Scope = Scope::Rerun;

#[test]
fn every_permission_that_a_token_asks_for_is_asked_of_people_and_no_other_without_reason() {
    let mut used = Pairs::default();
    used.visit_file(&source("src/forge/auth.rs"));
    assert!(used.0.contains(&("contents".into(), "write".into())), "not found: {:?}", used.0);
    let asked = permissions();
    let optional = between(
        INSTALL,
        "<!-- begin optional permissions -->",
        "<!-- end optional permissions -->",
    );
    for (name, level) in &used.0 {
        let told = optional.contains(&format!("`{name}`: {level}"));
        if told && OPTIONAL.permissions().contains(&(name.as_str(), level.as_str())) {
            continue;
        }
        let given = asked.get(name).map(String::as_str);
        assert!(given == Some(level) || given == Some("write"), "{name} {level}: {given:?}");
    }
    let needed = |name: &String, level: &String| used.0.contains(&(name.clone(), level.clone()));
    let unused: Vec<_> = asked.iter().filter(|(name, level)| !needed(name, level)).collect();
    assert!(unused.is_empty(), "in app-manifest.json, but no token asks for it: {unused:?}");
}

#[test]
fn no_token_needs_more_than_the_app_asks_for() {
    let asked = permissions();
    for scope in Scope::VARIANTS.iter().filter(|scope| **scope != OPTIONAL) {
        for (name, level) in scope.permissions() {
            let given =
                asked.get(*name).unwrap_or_else(|| panic!("{scope:?}: {name} is not asked"));
            assert!(given == level || given == "write", "{scope:?}: {name} {level}, given {given}");
        }
    }
}

#[test]
fn the_guide_tells_the_same_permissions_and_events() {
    let told = between(INSTALL, "<!-- begin permissions -->", "<!-- end permissions -->");
    for (name, level) in PERMISSIONS {
        assert!(told.contains(&format!("`{name}`: {level}")), "docs/install.md: {name} {level}");
    }
    let told = between(INSTALL, "<!-- begin events -->", "<!-- end events -->");
    let told: BTreeSet<String> = in_code_marks(told).collect();
    assert_eq!(told, EVENTS.map(str::to_owned).into());
}

/// The suites of attacks, with how many each has.
const SUITES: [(char, u32); 9] = [
    ('A', 14),
    ('M', 20),
    ('R', 16),
    ('C', 13),
    ('X', 11),
    ('N', 14),
    ('S', 9),
    ('F', 10),
    ('O', 9),
];
/// What there is no attack on yet.
const NOT_CARRIED_OUT: [&str; 0] = [];

#[test]
fn every_attack_in_the_list_is_carried_out_by_a_test() {
    let mut real = Tests::default();
    for top in ["src", "tests"] {
        for path in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(top)) {
            real.visit_file(&syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap());
        }
    }
    let list = between(SECURITY, "<!-- begin attacks -->", "<!-- end attacks -->");
    let mut told = BTreeSet::new();
    for (suite, many) in SUITES {
        for number in 1..=many {
            let attack = format!("{suite}{number:02}");
            let item = list.split(&format!("\n- **{attack}**: ")).nth(1);
            let item = item.unwrap_or_else(|| panic!("SECURITY.md has no attack {attack}"));
            let tests = item.lines().skip(1).take_while(|line| line.starts_with("  "));
            let names: Vec<String> = tests.flat_map(in_code_marks).collect();
            let not = item.contains("Not carried out: ") && NOT_CARRIED_OUT.contains(&&*attack);
            assert_eq!(names.is_empty(), not, "{attack}");
            for name in &names {
                assert!(real.0.contains(name), "{attack}: there is no test {name}");
            }
            if suite == 'A' {
                let prefix = attack.to_lowercase();
                assert!(names.iter().all(|it| it.starts_with(&prefix)), "{attack}: {names:?}");
                told.extend(names);
            }
        }
    }
    let next = list.lines().filter(|line| line.starts_with("- **")).count();
    assert_eq!(next, SUITES.iter().map(|(_, many)| *many as usize).sum::<usize>());
    let is_numbered = |name: &&String| {
        let number = name.strip_prefix('a').and_then(|rest| rest.split_once('_')).map(|it| it.0);
        number.is_some_and(|it| it.len() == 2 && it.parse::<u32>().is_ok())
    };
    let numbered: BTreeSet<String> = real.0.iter().filter(is_numbered).cloned().collect();
    assert_eq!(told, numbered, "SECURITY.md and the tests do not name the same attacks");
}

fn rust_files(below: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = entries.partition(|path| path.is_dir());
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|end| end == "rs");
    let inner = folders.iter().flat_map(|folder| rust_files(folder));
    files.into_iter().filter(is_rust).chain(inner).collect()
}

#[test]
fn the_readme_lists_the_subcommands_of_the_program() {
    let help = Command::new(env!("CARGO_BIN_EXE_gander")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let real = between(&help, "Commands:\n", "\n\n").lines().filter_map(|line| {
        let (name, what) = line.trim().split_once(' ')?;
        (name != "help").then(|| format!("| `gander {name}` | {} |", what.trim()))
    });
    let real: Vec<String> = real.collect();
    let told = between(README, "<!-- begin subcommands -->\n", "<!-- end subcommands -->");
    let told: Vec<&str> = told.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(told, real, "README.md is stale: the right-hand side is what the program says");
}

#[test]
fn every_rule_is_documented_with_its_default() {
    let mut real = BTreeMap::new();
    flatten("", &serde_json::to_value(Rules::default()).unwrap(), &mut real);
    let rows = rows(between(CONFIG, "## The repository", "## The server"));
    let told: BTreeSet<&str> = rows.keys().map(String::as_str).collect();
    assert_eq!(told, real.keys().map(String::as_str).collect(), "docs/config.md");
    for (key, default) in &real {
        let row = &rows[key];
        assert_eq!(row.len(), 5, "{key}: key, type, default, unit, what");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{key} has an empty cell");
        match default {
            // What it is without a value is told in words.
            Value::Null => assert!(!row[2].contains('`'), "{key}: {}", row[2]),
            value => assert_eq!(row[2], format!("`{value}`"), "the default of {key}"),
        }
    }
}

#[test]
fn ganders_own_rules_are_rules_and_what_they_build_with_is_there() {
    let rules = Rules::parse(include_str!("../../.github/gander.toml")).unwrap();
    assert!(!rules.release.build.is_empty());
    for line in &rules.release.build {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(line).is_file(), "{line}");
    }
}

#[test]
fn the_example_rules_are_rules() {
    let example = between(CONFIG, "```toml\n", "```");
    let rules = Rules::parse(example).unwrap();
    assert_ne!(rules, Rules::default());
}

#[test]
fn every_key_of_the_server_file_is_documented() {
    let mut structs = Structs::default();
    for file in ["src/config.rs", "src/config/retention.rs", "src/config/slack.rs"] {
        structs.visit_file(&source(file));
    }
    let mut real = BTreeSet::new();
    for (field, kind) in &structs.0["File"] {
        match structs.0.get(kind) {
            Some(section) => real.extend(section.keys().map(|key| format!("{field}.{key}"))),
            None => drop(real.insert(field.clone())),
        }
    }
    let rows = rows(between(CONFIG, "## The server", "Logs go to"));
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), real, "docs/config.md");
}

#[test]
fn every_variable_is_documented() {
    let mut real = Variables::default();
    for file in [
        "src/config.rs",
        "src/config/place.rs",
        "src/config/sign_in.rs",
        "src/config/slack.rs",
        "src/cli.rs",
        "src/cli/run.rs",
        "src/cli/serve.rs",
    ] {
        real.visit_file(&source(file));
    }
    let told: BTreeSet<String> =
        in_code_marks(between(CONFIG, "## The server", "`gander serve` looks"))
            .filter(|word| is_variable(word.split('=').next().unwrap_or_default()))
            .map(|word| word.split('=').next().unwrap_or_default().to_owned())
            .collect();
    assert_eq!(told, real.0, "docs/config.md");
}

/// What may speak of proof: it explains it, or words what a run of Gander's showed.
const SPEAK_OF_PROOF: &[&str] = &[
    "ARCHITECTURE.md",
    "README.md",
    "SECURITY.md",
    "docs/config.md",
    "docs/no-server.md",
    "docs/proof.md",
    "docs/decisions/0018-what-proven-means.md",
    "action/examples/gander-fix.yml",
    "src/cli/action.rs",
    "src/cli/demo/shown.rs",
    "src/cli/demo/story.rs",
    "src/cli/run/report.rs",
    "src/cli/without_server.rs",
    "src/core/evidence.rs",
    "src/core/policy/values.rs",
    "src/core/report.rs",
    "src/core/report/checks.rs",
    "src/core/report/explain.rs",
    "src/core/report/proof.rs",
    "src/verify/reproduce.rs",
    "src/worker/proof.rs",
];

/// Most of what Gander sees is checks that pass: nothing else is called more than that.
#[test]
fn only_what_a_run_showed_is_called_proven() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for place in
        ["README.md", "SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs", "action"]
            .into_iter()
            .chain(["app-manifest.json", "src"])
    {
        files_below(&root.join(place), &mut texts);
    }
    let mut wrong = Vec::new();
    for path in &texts {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        let told = if !name.ends_with(".rs") {
            text.lines().map(str::to_owned).collect()
        } else if name.ends_with("tests.rs") {
            continue;
        } else {
            let mut said = Said { docs: name.starts_with("src/cli"), texts: Vec::new() };
            said.visit_file(&source(&name));
            said.texts
        };
        let claims = told.iter().filter(|text| claims_proof(text));
        let claims = claims.filter(|_| !SPEAK_OF_PROOF.contains(&&*name));
        wrong.extend(claims.map(|text| format!("{name}: {text}")));
    }
    assert!(texts.len() > 200, "the texts are not found: {}", texts.len());
    assert!(wrong.is_empty(), "say `checks passed`:\n{}", wrong.join("\n"));
}

#[test]
fn the_words_for_proof_are_recognised() {
    for bad in
        ["a proven pull request", "**Unproven.**", "gander:unproven", "### Proof", "it_proves"]
    {
        assert!(claims_proof(bad), "{bad}");
    }
    for good in ["approves", "provenance", "improved", "Checks passed", "waterproofed"] {
        assert!(!claims_proof(good), "{good}");
    }
    let mut said = Said { docs: false, texts: Vec::new() };
    let code = "/// Proof\nfn f() { g(\"a\", format!(\"b {}\", h(\"c\"))); }";
    said.visit_file(&syn::parse_file(code).unwrap());
    assert_eq!(said.texts, ["a", "b {}", "c"]);
}

fn claims_proof(text: &str) -> bool {
    let words = ["prove", "proves", "proved", "proven", "unproven", "proof", "proofs"];
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| words.contains(&word))
}

fn files_below(path: &Path, found: &mut Vec<std::path::PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.for_each(|entry| files_below(&entry.unwrap().path(), found)),
        Err(_) => found.push(path.to_owned()),
    }
}

fn permissions() -> BTreeMap<String, String> {
    let manifest: Value = serde_json::from_str(MANIFEST).unwrap();
    serde_json::from_value(manifest["default_permissions"].clone()).unwrap()
}

fn between<'t>(text: &'t str, begin: &str, end: &str) -> &'t str {
    let start = text.find(begin).unwrap_or_else(|| panic!("{begin:?} is not there")) + begin.len();
    let rest = &text[start..];
    &rest[..rest.find(end).unwrap_or_else(|| panic!("{end:?} is not there after {begin:?}"))]
}

fn in_code_marks(text: &str) -> impl Iterator<Item = String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned)
}

/// The rows of Markdown tables whose first cell is a key in code marks.
fn rows(text: &str) -> BTreeMap<String, Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let rows = rows.map(|line| {
        let cells = line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        let cells: Vec<String> = cells.collect();
        (cells[0].trim_matches('`').to_owned(), cells)
    });
    rows.collect()
}

fn flatten(prefix: &str, value: &Value, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if prefix.is_empty() { "" } else { "." };
                flatten(&format!("{prefix}{dot}{name}"), value, found);
            }
        }
        value => drop(found.insert(prefix.to_owned(), value.clone())),
    }
}

fn source(path: &str) -> syn::File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut file = syn::parse_file(&std::fs::read_to_string(path).unwrap()).unwrap();
    file.items.retain(|item| !matches!(item, syn::Item::Mod(module) if module.ident == "tests"));
    file
}

fn is_variable(word: &str) -> bool {
    let ours = word.starts_with("GANDER_");
    let known = ["APP_ID", "PRIVATE_KEY", "WEBHOOK_SECRET", "API_KEY", "PRIVATE_KEY_PATH"];
    let upper = word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    upper && (ours || known.iter().any(|end| word.ends_with(end)))
}

/// Texts that come first in a pattern of two, as `("issues", Some("closed"))`.
#[derive(Default)]
struct FirstOfPatterns(BTreeSet<String>);

impl<'ast> Visit<'ast> for FirstOfPatterns {
    fn visit_pat_tuple(&mut self, pattern: &'ast syn::PatTuple) {
        if let Some(syn::Pat::Lit(first)) = pattern.elems.first()
            && let syn::Lit::Str(text) = &first.lit
        {
            self.0.insert(text.value());
        }
    }
}

/// The names of tests, and of the stories that each store has to live through.
#[derive(Default)]
struct Tests(BTreeSet<String>);

impl<'ast> Visit<'ast> for Tests {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let attributes = item.attrs.iter().filter_map(|it| it.path().segments.last());
        let is_test = attributes.clone().any(|segment| segment.ident == "test");
        let of_stores = item.sig.inputs.iter().any(|input| match input {
            syn::FnArg::Typed(typed) => typed.ty.to_token_stream().to_string() == "Memory",
            syn::FnArg::Receiver(_) => false,
        });
        if is_test || of_stores {
            self.0.insert(item.sig.ident.to_string());
        }
    }

    fn visit_macro(&mut self, of: &'ast syn::Macro) {
        if of.path.is_ident("proptest") {
            let tokens = of.tokens.to_string();
            let names =
                tokens.split("fn ").skip(1).filter_map(|rest| rest.split([' ', '(']).next());
            self.0.extend(names.map(str::to_owned));
        }
    }
}

/// Pairs of texts, as `("contents", "write")`.
#[derive(Default)]
struct Pairs(BTreeSet<(String, String)>);

impl<'ast> Visit<'ast> for Pairs {
    fn visit_expr_tuple(&mut self, pair: &'ast syn::ExprTuple) {
        let text = |part: &syn::Expr| match part {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        };
        let texts: Vec<String> = pair.elems.iter().filter_map(text).collect();
        if let [name, level] = &texts[..] {
            self.0.insert((name.clone(), level.clone()));
        }
        syn::visit::visit_expr_tuple(self, pair);
    }
}

/// Structs by name: each field and its type.
#[derive(Default)]
struct Structs(BTreeMap<String, BTreeMap<String, String>>);

impl<'ast> Visit<'ast> for Structs {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        let fields = item.fields.iter().filter_map(|field| {
            let syn::Type::Path(kind) = &field.ty else { return None };
            let kind = kind.path.segments.last()?.ident.to_string();
            Some((field.ident.as_ref()?.to_string(), kind))
        });
        self.0.insert(item.ident.to_string(), fields.collect());
    }
}

/// Texts that are names of variables.
#[derive(Default)]
struct Variables(BTreeSet<String>);

impl<'ast> Visit<'ast> for Variables {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.0.extend(Some(text.value()).filter(|text| is_variable(text)));
    }
}

/// Texts that a program can print, also those within macros; with `docs`, comments too: clap prints
/// them.
struct Said {
    docs: bool,
    texts: Vec<String>,
}

impl Said {
    fn in_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.in_tokens(group.stream()),
                proc_macro2::TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                        self.texts.push(text.value());
                    }
                }
                _ => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Said {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.texts.push(text.value());
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.in_tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if self.docs || !attribute.path().is_ident("doc") {
            syn::visit::visit_attribute(self, attribute);
        }
    }
}

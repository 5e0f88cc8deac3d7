//! The walk over one version of a file.
//!
//! Invariants: each node is looked at once, and its parents and neighbours are never searched for:
//! tree-sitter walks from the root for them.

use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use tree_sitter::Node;

use super::body::{self, Body};
use super::facts::{
    CallFact, FunctionFacts, RowText, SourceFacts, SpecialCase, TestFacts, Unheard,
};
use super::language::Language;
use super::layout::{LONGEST, plain, source};
use crate::verify::syntax::parse;

/// A file of more bytes has lines and no syntax.
const LARGEST: usize = 1 << 20;
/// What is nested deeper in the tree is not looked at.
const DEEPEST: u32 = 300;
/// The facts of a file; none where its language is not known.
pub(super) fn read(path: &str, text: &str) -> SourceFacts {
    let mut facts = SourceFacts::default();
    let Some((language, grammar)) = Language::of(path) else { return facts };
    let tree = if text.len() > LARGEST { None } else { parse(&grammar, text) };
    match tree {
        Some(tree) => FactsReader { text, language, facts: &mut facts }.read(tree.root_node()),
        None => facts.is_cut = true,
    }
    facts
}

/// Stands for a text without these parts, and without white space.
fn code_without(text: &str, mut parts: Vec<Range<usize>>) -> u64 {
    parts.sort_unstable_by_key(|part| part.start);
    let mut code = DefaultHasher::new();
    let mut at = 0;
    let end = text.len();
    for part in parts.into_iter().chain(std::iter::once(end..end)) {
        let between = text.as_bytes().get(at..part.start).unwrap_or_default();
        for word in between.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
            code.write(word);
        }
        at = at.max(part.end);
    }
    code.finish()
}

struct FactsReader<'t, 'f> {
    text: &'t str,
    language: Language,
    facts: &'f mut SourceFacts,
}

/// A node that waits, with what stands around it.
#[derive(Clone, Copy)]
struct Waiting<'t> {
    node: Node<'t>,
    /// Its kind: asking for it takes its time.
    kind: &'t str,
    /// The kind of what it stands in.
    inside: &'t str,
    /// The name of the function around it.
    function: Option<Node<'t>>,
    /// The test around it, by number.
    test: Option<usize>,
    /// Whether an attribute before it makes it a test.
    is_marked: bool,
    /// Whether it is in a class that no runner collects, or in a function.
    is_left_out: bool,
    is_inside: bool,
    /// Of Go: what has to hold that it is reached.
    condition: Option<Node<'t>>,
    /// Why an assertion in it could not fail.
    unheard: Option<Unheard>,
    /// The name of the function inside of a test that it stands in.
    inner: Option<Node<'t>>,
    /// How many nodes are around it.
    depth: u32,
}

impl<'t> FactsReader<'t, '_> {
    fn read(&mut self, root: Node<'t>) {
        let mut waiting = vec![Waiting {
            node: root,
            kind: root.kind(),
            inside: "",
            function: None,
            test: None,
            is_marked: false,
            is_left_out: false,
            is_inside: false,
            condition: None,
            unheard: None,
            inner: None,
            depth: 0,
        }];
        // What is no code of the program: comments, documentation, tests.
        let mut no_code: Vec<Range<usize>> = Vec::new();
        while let Some(mut at) = waiting.pop() {
            let was_outside = at.test.is_none();
            self.look_at(&mut at);
            if body::is_no_code(at.node, at.kind) {
                no_code.push(at.node.byte_range());
                continue;
            }
            if was_outside && at.test.is_some() {
                no_code.push(at.node.byte_range());
            }
            if at.depth >= DEEPEST {
                self.facts.is_cut |= at.node.child_count() > 0;
                continue;
            }
            let mut cursor = at.node.walk();
            let begin = waiting.len();
            let mut is_marked = false;
            for node in at.node.named_children(&mut cursor) {
                let (kind, inside) = (node.kind(), at.kind);
                let unheard = at.unheard.or_else(|| self.unheard(&at, (node, kind)));
                let depth = at.depth + 1;
                waiting.push(Waiting { node, kind, inside, is_marked, unheard, depth, ..at });
                is_marked = match kind {
                    "attribute_item" => is_marked || self.makes_a_test(node),
                    "line_comment" | "block_comment" => is_marked,
                    _ => false,
                };
            }
            // The first of them comes next.
            waiting.get_mut(begin..).unwrap_or_default().reverse();
        }
        self.facts.code = code_without(self.text, no_code);
    }

    /// Takes what one node says; a function or a test is around all that stands in it.
    fn look_at(&mut self, at: &mut Waiting<'t>) {
        let (node, kind) = (at.node, at.kind);
        if at.test.is_some() && at.inner.is_none() && at.inside != "decorated_definition" {
            at.inner = body::inner_function(node, kind);
        }
        if self.language.functions().contains(&kind)
            && let Some(name) = node.child_by_field_name("name")
        {
            at.function = Some(name);
            let own = self.own(name);
            // A function inside of another is no test of Python's.
            at.is_left_out |= self.language == Language::Python && at.is_inside;
            at.is_inside = true;
            if !at.is_left_out && (at.is_marked || self.is_test(&own, node)) {
                at.test = Some(self.begin_test(own.clone(), node));
            }
            self.function(own, node);
        }
        if kind == "class_definition" {
            at.is_left_out = !self.is_collected(node);
        }
        if self.language == Language::Go && kind == "if_statement" {
            at.condition = node.child_by_field_name("condition");
        }
        if self.language.marks().contains(&kind) {
            let mark = self.told(node);
            self.facts.marks.push(mark);
        }
        if self.language.calls().contains(&kind) {
            let call = self.call(node, at.function);
            if let Some(title) = self.title(&call, node) {
                at.test = Some(self.begin_test(title, node));
            }
            if is_assertion(self.language, &call.name) && !self.is_link(at.inside) {
                self.assertion(at);
            }
            self.facts.calls.push(call);
        }
        if kind == "assert_statement" {
            self.assertion(at);
        }
        if body::swallows(node, kind, self.text) {
            let handler = self.told(node);
            self.facts.swallowed.push(handler);
        }
        if let Some((input, output)) = body::special_case(node, kind, self.text) {
            let row = node.start_position().row;
            let is_entry = ["pair", "array"].contains(&kind);
            self.facts.special_cases.push(SpecialCase { row, input, output, is_entry });
        }
    }

    /// Whether an attribute of Rust's is that of a test.
    fn makes_a_test(&self, attribute: Node<'_>) -> bool {
        let text = self.plain(attribute);
        text == "#[test]" || text.contains("::test") || text == "#[rstest]"
    }

    /// Whether pytest or unittest looks for tests in a class of Python's.
    fn is_collected(&self, class: Node<'_>) -> bool {
        let name = class.child_by_field_name("name").map(|name| self.own(name));
        let has_bases = class.child_by_field_name("superclasses").is_some();
        has_bases || name.is_some_and(|name| name.starts_with("Test"))
    }

    /// Why an assertion in this part of a node could not make a test fail.
    fn unheard(
        &self,
        &Waiting { node, kind, .. }: &Waiting<'_>,
        (part, part_kind): (Node<'_>, &str),
    ) -> Option<Unheard> {
        match kind {
            "try_statement" if Some(part) == node.child_by_field_name("body") => {
                let mut cursor = node.walk();
                let handlers = node.named_children(&mut cursor);
                let mut handlers = handlers
                    .into_iter()
                    .filter(|it| ["except_clause", "catch_clause"].contains(&it.kind()));
                let caught = handlers.any(|it| body::hides_assertions(it, self.text));
                // What leaves from there leaves the failure behind.
                let mut cursor = node.walk();
                let left = node.named_children(&mut cursor).any(|it| {
                    it.kind() == "finally_clause" && source(it, self.text).contains("return")
                });
                (caught || left).then_some(Unheard::Caught)
            }
            "with_statement" if Some(part) == node.child_by_field_name("body") => {
                const TAKES: &[&str] = &[
                    "suppress(Exception",
                    "suppress(AssertionError",
                    "raises(AssertionError",
                    "raises(Exception)",
                ];
                let mut cursor = node.walk();
                let clause =
                    node.named_children(&mut cursor).find(|it| it.kind() == "with_clause")?;
                let told = self.plain(clause);
                TAKES.iter().any(|it| told.contains(it)).then_some(Unheard::Caught)
            }
            "if_statement" | "while_statement" | "if_expression" => {
                let condition = node.child_by_field_name("condition")?;
                let never = ["False", "false", "(false)", "0", "(0)"];
                let is_body = ["consequence", "body"]
                    .iter()
                    .any(|field| node.child_by_field_name(field) == Some(part));
                (is_body && never.contains(&&*self.plain(condition)))
                    .then_some(Unheard::NeverReached)
            }
            "for_statement" | "for_in_statement" | "for_expression" => {
                let over =
                    node.child_by_field_name("right").or(node.child_by_field_name("value"))?;
                let none = ["[]", "()", "range(0)", "0..0"].contains(&&*self.plain(over));
                let is_body = node.child_by_field_name("body") == Some(part);
                (none && is_body).then_some(Unheard::NeverReached)
            }
            "go_statement" => Some(Unheard::NotAwaited),
            "unary_expression" if source(node, self.text).starts_with("void ") => {
                Some(Unheard::NotAwaited)
            }
            "call_expression" if Some(part) == node.child_by_field_name("arguments") => {
                let name = node.child_by_field_name("function").map(|it| self.plain(it))?;
                name.ends_with("catch_unwind").then_some(Unheard::Caught)
            }
            // `check().catch(() => {})`
            "call_expression" if Some(part) == node.child_by_field_name("function") => {
                let own = source(node, self.text);
                let empty = [".catch(() => {})", ".catch(() => null)", ".catch(() => undefined)"];
                empty.iter().any(|it| own.ends_with(it)).then_some(Unheard::Caught)
            }
            "let_declaration" => {
                let own = source(node, self.text);
                let dropped = own.starts_with("let _ = ") && own.contains("spawn(");
                dropped.then_some(Unheard::Caught)
            }
            // `promise.then(…);` of which nobody waits for the end.
            "expression_statement" if part_kind == "call_expression" => {
                let name = part.child_by_field_name("function").map(|it| self.plain(it))?;
                let later = [".then", ".catch", ".finally"].iter().any(|it| name.ends_with(it))
                    || ["setTimeout", "setImmediate", "process.nextTick", "queueMicrotask"]
                        .contains(&&*name);
                later.then_some(Unheard::NotAwaited)
            }
            _ => None,
        }
    }

    fn own(&self, node: Node<'_>) -> String {
        let text = source(node, self.text);
        text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
    }

    /// Its text in one line.
    fn plain(&self, node: Node<'_>) -> String {
        plain(node, self.text)
    }

    fn told(&self, node: Node<'_>) -> RowText {
        RowText { row: node.start_position().row, text: self.plain(node) }
    }

    fn function(&mut self, name: String, node: Node<'_>) {
        let Some(body) = node.child_by_field_name("body") else { return };
        let Body { statements, constant, .. } = Body::of(body, self.text);
        let (row, text) = (node.start_position().row, self.plain(node));
        let facts = FunctionFacts { name, row, statements, constant, text };
        self.facts.functions.push(facts);
    }

    fn begin_test(&mut self, name: String, node: Node<'_>) -> usize {
        let rows = node.start_position().row..node.end_position().row + 1;
        let text = self.plain(node);
        let body = body::of_test(node).map(|body| Body::of(body, self.text)).unwrap_or_default();
        let Body { statements, cut_short, .. } = body;
        let (assertions, unheard) = (Vec::new(), Vec::new());
        let test = TestFacts { name, rows, text, assertions, unheard, statements, cut_short };
        self.facts.tests.push(test);
        self.facts.tests.len() - 1
    }

    fn assertion(&mut self, at: &Waiting<'_>) {
        let mut told = self.told(at.node);
        if let Some(condition) = at.condition {
            told.text = format!("if {}, {}", self.plain(condition), told.text);
        }
        let inner = at.inner.map(|name| self.own(name));
        // A callback says when it is over.
        let is_async = |test: &TestFacts| {
            ["done", "resolve(", "new Promise", ".Wait()", "<-"]
                .iter()
                .any(|it| test.text.contains(it))
        };
        if let Some(test) = at.test.and_then(|at| self.facts.tests.get_mut(at)) {
            let uncalled = inner.is_some_and(|name| !body::is_used(&test.text, &name));
            let unheard = at.unheard.or(uncalled.then_some(Unheard::NotCalled));
            let promised = [").resolves.", ").rejects."].iter().any(|it| told.text.contains(it));
            let dropped = promised && at.inside == "expression_statement";
            let unheard = unheard.or(dropped.then_some(Unheard::NotAwaited));
            if let Some(why) = unheard
                && !(why == Unheard::NotAwaited && is_async(test))
            {
                test.unheard.push((told.clone(), why));
            }
            test.assertions.push(told);
        }
    }

    /// Whether a function is a test by its name, or by what stands in it before that.
    fn is_test(&self, name: &str, node: Node<'_>) -> bool {
        match self.language {
            Language::Python => name.starts_with("test"),
            Language::Go => {
                // `Testable` is none, and `TestMain` runs the others.
                let rest = ["Test", "Fuzz"].iter().find_map(|begin| name.strip_prefix(begin));
                let is_name = |rest: &str| !rest.starts_with(char::is_lowercase) && rest != "Main";
                rest.is_some_and(is_name)
            }
            Language::Java => {
                let mut cursor = node.walk();
                let modifiers = node.children(&mut cursor).find(|it| it.kind() == "modifiers");
                // JUnit passes over private ones.
                modifiers.map(|it| self.plain(it)).is_some_and(|it| {
                    it.contains("Test") && !it.split(' ').any(|word| word == "private")
                })
            }
            Language::Rust | Language::JavaScript => false,
        }
    }

    /// The title of a test of JavaScript's runners.
    fn title(&self, call: &CallFact, node: Node<'_>) -> Option<String> {
        const TESTS: &[&str] = &["it", "test", "specify", "xit", "fit", "xtest", "tape"];
        let first = call.name.split(['.', '(']).next()?;
        if self.language != Language::JavaScript || !TESTS.contains(&first) {
            return None;
        }
        let arguments = node.child_by_field_name("arguments")?;
        let title = arguments.named_child(0)?;
        let is_text = ["string", "template_string"].contains(&title.kind());
        is_text.then(|| self.own(title).trim_matches(['\'', '"', '`']).to_owned())
    }

    fn call(&self, node: Node<'_>, function: Option<Node<'_>>) -> CallFact {
        let named = ["function", "macro", "constructor", "type"];
        let called = named.iter().find_map(|field| node.child_by_field_name(field));
        let mut name = called.map(|called| self.plain(called)).unwrap_or_default();
        if self.language == Language::Java
            && let Some(own) = node.child_by_field_name("name")
        {
            let object = node.child_by_field_name("object").map(|it| self.plain(it) + ".");
            name = object.unwrap_or_default() + &self.plain(own);
        }
        if node.kind() == "macro_invocation" {
            name.push('!');
        }
        let text = self.plain(node);
        let function = function.map(|name| self.own(name)).unwrap_or_default();
        CallFact { name, text, row: node.start_position().row, function }
    }

    /// Whether what stands in this is a link of a longer chain: `expect(a)` in `expect(a).toBe(b)`.
    fn is_link(&self, inside: &str) -> bool {
        ["member_expression", "attribute", "field_expression", "selector_expression"]
            .contains(&inside)
            || self.language == Language::Java && inside == "method_invocation"
    }
}

/// Whether such a call asserts something.
fn is_assertion(language: Language, name: &str) -> bool {
    let last = name.rsplit(['.', ':']).next().unwrap_or(name);
    match language {
        Language::Rust => name.trim_start_matches("debug_").starts_with("assert"),
        Language::Python => {
            last.starts_with("assert") || name.starts_with("pytest.raises") || last == "fail"
        }
        Language::JavaScript => {
            const OF_T: &[&str] = &[
                "equal",
                "equals",
                "is",
                "deepEqual",
                "same",
                "ok",
                "notOk",
                "true",
                "false",
                "throws",
                "not",
                "match",
                "strictEqual",
                "deepStrictEqual",
                "error",
            ];
            name.starts_with("expect(")
                || name.starts_with("assert")
                || name.contains(".should.")
                || name.strip_prefix("t.").is_some_and(|it| OF_T.contains(&it))
        }
        Language::Go => {
            let of_t = ["Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow"].contains(&last);
            of_t || name.starts_with("assert.") || name.starts_with("require.")
        }
        Language::Java => {
            last.starts_with("assert")
                || last == "fail"
                || last == "verify"
                || name.contains("assertThat(")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(path: &str, text: &str) -> Vec<(String, Vec<String>)> {
        let facts = read(path, text);
        let texts = |it: TestFacts| it.assertions.into_iter().map(|it| it.text).collect();
        facts.tests.into_iter().map(|it| (it.name.clone(), texts(it))).collect()
    }

    #[test]
    fn tests_and_their_assertions_are_found_in_each_language() {
        for (path, text, name, assertions) in [
            (
                "a.rs",
                "#[test]\nfn one() {\n    assert_eq!(f(1), 2);\n    // assert!(x);\n}\n",
                "one",
                &["assert_eq!(f(1), 2)"][..],
            ),
            (
                "test_a.py",
                "def test_one():\n    assert f(1) == 2\n    with pytest.raises(E):\n        f(0)\n",
                "test_one",
                &["assert f(1) == 2", "pytest.raises(E)"],
            ),
            (
                "a.test.ts",
                "it('one', () => {\n  expect(f(1)).toBe(2);\n  t.equal(1, 2);\n});\n",
                "one",
                &["expect(f(1)).toBe(2)", "t.equal(1, 2)"],
            ),
            (
                "a_test.go",
                "package a\n\nfunc TestOne(t *testing.T) {\n\tif f(1) != 2 {\n\t\tt.Errorf(\"no\")\n\t}\n}\n",
                "TestOne",
                &["if f(1) != 2, t.Errorf(\"no\")"],
            ),
            (
                "AT.java",
                "class AT {\n  @Test\n  void one() {\n    assertEquals(2, f(1));\n  }\n}\n",
                "one",
                &["assertEquals(2, f(1))"],
            ),
        ] {
            let wanted: Vec<String> = assertions.iter().map(|it| (*it).to_owned()).collect();
            assert_eq!(seen(path, text), [(name.to_owned(), wanted)], "{path}");
        }
    }

    #[test]
    fn a_failure_that_is_caught_and_dropped_is_seen() {
        for (path, text, is_seen) in [
            ("a.py", "try:\n    f()\nexcept Exception:\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept:\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept KeyError:\n    pass\n", false),
            ("a.py", "try:\n    f()\nexcept Exception:\n    log()\n", true),
            ("a.py", "try:\n    f()\nexcept Exception:\n    g()\n", false),
            ("a.js", "try { f(); } catch (e) {\n  // never mind\n}\n", true),
            ("a.js", "try { f(); } catch (e) { log(e); }\n", true),
            ("a.js", "try { f(); } catch (e) { return g(e); }\n", false),
            ("A.java", "class A { void a() { try { f(); } catch (E e) { } } }", true),
        ] {
            let facts = read(path, text);
            assert_eq!(!facts.swallowed.is_empty(), is_seen, "{path}: {text}");
        }
    }
}

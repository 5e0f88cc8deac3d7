//! What one version of a file says, as far as rules ask: its tests with their assertions, its
//! calls, and what stands before its functions.
//!
//! Invariants: read from syntax, so that strings and comments are none of it; a file with errors is
//! read as far as it goes; texts are laid out in one way, so that layout makes no difference. Each
//! node is looked at once, and its parents and neighbours are never searched for: tree-sitter walks
//! from the root for them.

use std::ops::Range;

use tree_sitter::{Node, Parser};

use super::language::Language;

/// The facts of one version. Rows begin at 0.
#[derive(Debug, Default)]
pub(super) struct SourceFacts {
    pub(super) tests: Vec<TestFacts>,
    pub(super) calls: Vec<CallFact>,
    /// Attributes, decorators and annotations.
    pub(super) marks: Vec<RowText>,
    /// Statements that catch a failure and do nothing with it.
    pub(super) swallowed: Vec<RowText>,
}

/// One test.
#[derive(Debug)]
pub(super) struct TestFacts {
    pub(super) name: String,
    pub(super) rows: Range<usize>,
    pub(super) text: String,
    pub(super) assertions: Vec<RowText>,
}

/// A call, by what is called.
#[derive(Debug)]
pub(super) struct CallFact {
    /// `self.assertEqual`, `process.exit`, `assert_eq!`.
    pub(super) name: String,
    /// With its arguments.
    pub(super) text: String,
    pub(super) row: usize,
    /// The function that it stands in, by name; empty outside of all.
    pub(super) function: String,
}

/// A text and its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowText {
    pub(super) row: usize,
    pub(super) text: String,
}

/// A text is cut after so many bytes.
const LONGEST: usize = 2_000;
/// A file of more bytes has lines and no syntax.
const LARGEST: usize = 1 << 20;

impl SourceFacts {
    /// Of a file; none where its language is not known.
    pub(super) fn of(path: &str, text: &str) -> Self {
        let mut facts = Self::default();
        let known = Language::of(path).filter(|_| text.len() <= LARGEST);
        let Some((language, grammar)) = known else { return facts };
        let mut parser = Parser::new();
        let tree = parser.set_language(&grammar).ok().and_then(|()| parser.parse(text, None));
        if let Some(tree) = tree {
            FactsReader { text, language, facts: &mut facts }.read(tree.root_node());
        }
        facts
    }
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
    /// The kind of what it stands in.
    inside: &'t str,
    /// The name of the function around it.
    function: Option<Node<'t>>,
    /// The test around it, by number.
    test: Option<usize>,
    /// Whether an attribute before it makes it a test.
    is_marked: bool,
}

impl<'t> FactsReader<'t, '_> {
    fn read(&mut self, root: Node<'t>) {
        let (function, test) = (None, None);
        let first = Waiting { node: root, inside: "", function, test, is_marked: false };
        let mut waiting = vec![first];
        while let Some(mut at) = waiting.pop() {
            self.look_at(&mut at);
            let mut cursor = at.node.walk();
            let begin = waiting.len();
            let mut is_marked = false;
            for node in at.node.named_children(&mut cursor) {
                let inside = at.node.kind();
                waiting.push(Waiting { node, inside, is_marked, ..at });
                is_marked = match node.kind() {
                    "attribute_item" => is_marked || self.makes_a_test(node),
                    "line_comment" | "block_comment" => is_marked,
                    _ => false,
                };
            }
            // The first of them comes next.
            waiting.get_mut(begin..).unwrap_or_default().reverse();
        }
    }

    /// Takes what one node says; a function or a test is around all that stands in it.
    fn look_at(&mut self, at: &mut Waiting<'t>) {
        let (node, kind) = (at.node, at.node.kind());
        if self.language.functions().contains(&kind)
            && let Some(name) = node.child_by_field_name("name")
        {
            at.function = Some(name);
            if at.is_marked || self.is_test(&self.own(name), node) {
                at.test = Some(self.begin_test(self.own(name), node));
            }
        }
        let told =
            |reader: &Self| RowText { row: node.start_position().row, text: reader.plain(node) };
        if self.language.marks().contains(&kind) {
            let mark = told(self);
            self.facts.marks.push(mark);
        }
        if self.language.calls().contains(&kind) {
            let call = self.call(node, at.function);
            if let Some(title) = self.title(&call, node) {
                at.test = Some(self.begin_test(title, node));
            }
            if is_assertion(self.language, &call.name) && !self.is_link(at.inside) {
                self.assertion(at.test, told(self));
            }
            self.facts.calls.push(call);
        }
        if kind == "assert_statement" {
            self.assertion(at.test, told(self));
        }
        if self.swallows(node) {
            let handler = told(self);
            self.facts.swallowed.push(handler);
        }
    }

    /// Whether an attribute of Rust's is that of a test.
    fn makes_a_test(&self, attribute: Node<'_>) -> bool {
        let text = self.plain(attribute);
        text == "#[test]" || text.contains("::test") || text == "#[rstest]"
    }

    fn own(&self, node: Node<'_>) -> String {
        self.text.get(node.byte_range()).unwrap_or_default().chars().take(LONGEST).collect()
    }

    /// Its text in one line.
    fn plain(&self, node: Node<'_>) -> String {
        in_one_line(self.text.get(node.byte_range()).unwrap_or_default())
    }

    fn begin_test(&mut self, name: String, node: Node<'_>) -> usize {
        let rows = node.start_position().row..node.end_position().row + 1;
        let text = self.plain(node);
        self.facts.tests.push(TestFacts { name, rows, text, assertions: Vec::new() });
        self.facts.tests.len() - 1
    }

    fn assertion(&mut self, test: Option<usize>, told: RowText) {
        if let Some(test) = test.and_then(|at| self.facts.tests.get_mut(at)) {
            test.assertions.push(told);
        }
    }

    /// Whether a function is a test by its name, or by what stands in it before that.
    fn is_test(&self, name: &str, node: Node<'_>) -> bool {
        match self.language {
            Language::Python => name.starts_with("test"),
            Language::Go => ["Test", "Fuzz"].iter().any(|begin| name.starts_with(begin)),
            Language::Java => {
                let mut cursor = node.walk();
                let modifiers = node.children(&mut cursor).find(|it| it.kind() == "modifiers");
                modifiers.is_some_and(|it| self.plain(it).contains("Test"))
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

    /// Whether it catches a failure and does nothing with it.
    fn swallows(&self, node: Node<'_>) -> bool {
        let is_empty = |body: Node<'_>| {
            let mut cursor = body.walk();
            let statements = body.named_children(&mut cursor);
            statements.into_iter().all(|it| {
                ["comment", "line_comment", "block_comment", "pass_statement"].contains(&it.kind())
                    || self.plain(it) == "..."
            })
        };
        match node.kind() {
            "except_clause" => {
                let caught = node.named_child(0).map(|it| self.plain(it)).unwrap_or_default();
                let mut cursor = node.walk();
                let body = node.named_children(&mut cursor).find(|it| it.kind() == "block");
                let all = node.named_child_count() < 2
                    || ["Exception", "BaseException"].iter().any(|it| caught.starts_with(it));
                all && body.is_some_and(is_empty)
            }
            "catch_clause" => node.child_by_field_name("body").is_some_and(is_empty),
            _ => false,
        }
    }
}

/// A text with one space where there was white space, and none inside of brackets.
fn in_one_line(text: &str) -> String {
    let mut line = String::new();
    let mut space = false;
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        let opened = line.is_empty() || line.ends_with(['(', '[', '{']);
        if [')', ']', '}'].contains(&c) && line.ends_with(',') {
            line.pop();
        }
        if space && !opened && !")]}.,;".contains(c) {
            line.push(' ');
        }
        space = false;
        line.push(c);
        if line.len() > LONGEST {
            break;
        }
    }
    line
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
        let facts = SourceFacts::of(path, text);
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
                &["t.Errorf(\"no\")"],
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
    fn layout_makes_no_difference() {
        for text in ["f(1, [2])", "f(\n    1,\n    [2],\n)", "f( 1,  [ 2 ] )"] {
            assert_eq!(in_one_line(text), "f(1, [2])");
        }
        assert_eq!(in_one_line("assert f(1)  is not\nNone"), "assert f(1) is not None");
    }

    #[test]
    fn a_failure_that_is_caught_and_dropped_is_seen() {
        for (path, text, is_seen) in [
            ("a.py", "try:\n    f()\nexcept Exception:\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept:\n    pass\n", true),
            ("a.py", "try:\n    f()\nexcept KeyError:\n    pass\n", false),
            ("a.py", "try:\n    f()\nexcept Exception:\n    log()\n", false),
            ("a.js", "try { f(); } catch (e) {\n  // never mind\n}\n", true),
            ("a.js", "try { f(); } catch (e) { log(e); }\n", false),
            ("A.java", "class A { void a() { try { f(); } catch (E e) { } } }", true),
        ] {
            let facts = SourceFacts::of(path, text);
            assert_eq!(!facts.swallowed.is_empty(), is_seen, "{path}: {text}");
        }
    }
}

//! What one version of a file says, as far as rules ask: its tests with their assertions, its
//! calls, and what stands before its functions.
//!
//! Invariants: read from syntax, so that strings and comments are none of it; a file with errors is
//! read as far as it goes; texts are laid out in one way, so that layout makes no difference.

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
    /// Functions with their names and whole texts.
    pub(super) functions: Vec<(String, RowText)>,
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
/// So many nodes of one file are looked at.
const MOST_NODES: usize = 2_000_000;

impl SourceFacts {
    /// Of a file; none where its language is not known.
    pub(super) fn of(path: &str, text: &str) -> Self {
        let mut facts = Self::default();
        let Some((language, grammar)) = Language::of(path) else { return facts };
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

/// A node that waits, with the function and the test around it.
struct Waiting<'t> {
    node: Node<'t>,
    function: String,
    test: Option<usize>,
}

impl<'t> FactsReader<'t, '_> {
    fn read(&mut self, root: Node<'t>) {
        let mut waiting = vec![Waiting { node: root, function: String::new(), test: None }];
        let mut seen = 0;
        while let Some(Waiting { node, mut function, mut test }) = waiting.pop() {
            seen += 1;
            if seen > MOST_NODES {
                break;
            }
            let kind = node.kind();
            if self.language.functions().contains(&kind)
                && let Some(name) = node.child_by_field_name("name")
            {
                function = self.own(name);
                let whole = RowText { row: node.start_position().row, text: self.plain(node) };
                if self.is_test(&function, node) {
                    test = Some(self.begin_test(function.clone(), node));
                }
                self.facts.functions.push((function.clone(), whole));
            }
            if self.language.marks().contains(&kind) {
                let text = self.plain(node);
                self.facts.marks.push(RowText { row: node.start_position().row, text });
            }
            if self.language.calls().contains(&kind) {
                let call = self.call(node, &function);
                if let Some(title) = self.title(&call, node) {
                    test = Some(self.begin_test(title, node));
                }
                if is_assertion(self.language, &call.name) && !self.is_inner(node) {
                    self.assertion(test, node);
                }
                self.facts.calls.push(call);
            }
            if kind == "assert_statement" {
                self.assertion(test, node);
            }
            if self.swallows(node) {
                let text = self.plain(node);
                self.facts.swallowed.push(RowText { row: node.start_position().row, text });
            }
            let mut cursor = node.walk();
            let mut children: Vec<Node<'t>> = node.named_children(&mut cursor).collect();
            children.reverse();
            let below = |node| Waiting { node, function: function.clone(), test };
            waiting.extend(children.into_iter().map(below));
        }
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

    fn assertion(&mut self, test: Option<usize>, node: Node<'_>) {
        let told = RowText { row: node.start_position().row, text: self.plain(node) };
        if let Some(test) = test.and_then(|at| self.facts.tests.get_mut(at)) {
            test.assertions.push(told);
        }
    }

    /// Whether a function is a test by its name, or by what stands before it.
    fn is_test(&self, name: &str, node: Node<'_>) -> bool {
        match self.language {
            Language::Python => name.starts_with("test"),
            Language::Go => ["Test", "Fuzz"].iter().any(|begin| name.starts_with(begin)),
            Language::Rust => {
                let mut before = node.prev_named_sibling();
                while let Some(sibling) = before {
                    match sibling.kind() {
                        "attribute_item" => {
                            let text = self.plain(sibling);
                            if text == "#[test]" || text.contains("::test") || text == "#[rstest]" {
                                return true;
                            }
                        }
                        "line_comment" | "block_comment" => {}
                        _ => return false,
                    }
                    before = sibling.prev_named_sibling();
                }
                false
            }
            Language::Java => {
                let mut cursor = node.walk();
                let modifiers = node.children(&mut cursor).find(|it| it.kind() == "modifiers");
                modifiers.is_some_and(|it| self.plain(it).contains("Test"))
            }
            Language::JavaScript => false,
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

    fn call(&self, node: Node<'_>, function: &str) -> CallFact {
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
        CallFact { name, text, row: node.start_position().row, function: function.to_owned() }
    }

    /// Whether a call is a link of a longer chain: `expect(a)` in `expect(a).toBe(b)`.
    fn is_inner(&self, node: Node<'_>) -> bool {
        let links = ["member_expression", "attribute", "field_expression", "selector_expression"];
        let parent = node.parent();
        parent.is_some_and(|it| {
            links.contains(&it.kind())
                || self.language == Language::Java && it.kind() == "method_invocation"
        })
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

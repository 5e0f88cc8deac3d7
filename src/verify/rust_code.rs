//! What of a file of Rust is tests, by its syntax.
//!
//! Invariants: what stands in a string or a comment is no code; a file with errors is read as far
//! as it goes, and what cannot be read is of the program.

use tree_sitter::Node;

use super::syntax::parse;

/// Attributes, without their spaces, that make tests of what they stand before.
const WHOLE: &[&str] = &["#[test]", "#[cfg(test)]", "#![cfg(test)]", "#[bench]"];
const BEGINS: &[&str] = &[
    "#[cfg(all(test,",
    "#![cfg(all(test,",
    "#[rstest",
    "#[test_case",
    "#[quickcheck",
    "#[proptest",
];
const ENDS: &[&str] = &["::test]", "::bench]", "::rstest]"];
const HOLDS: &[&str] = &["::test(", "::rstest("];

/// What of a file is tests.
#[derive(Debug, Default)]
pub(super) struct RustTests {
    /// Of each line, whether it is.
    pub(super) lines: Vec<bool>,
    /// Modules in files of their own that are only built for tests, by name, or by the path that
    /// `#[path]` gives.
    pub(super) modules: Vec<String>,
}

/// Reads a file of so many lines.
pub(super) fn rust_tests(lines: &[&str]) -> RustTests {
    let text = lines.join("\n");
    let mut found = RustTests { lines: vec![false; lines.len()], modules: Vec::new() };
    if let Some(tree) = parse(&tree_sitter_rust::LANGUAGE.into(), &text) {
        let mut reading = RustReading { text: &text, found: &mut found, documentation: Vec::new() };
        reading.all_below(tree.root_node());
        let documentation = reading.documentation;
        for row in examples(lines, &documentation) {
            found.mark(row, row);
        }
    }
    found
}

impl RustTests {
    fn mark(&mut self, first: usize, last: usize) {
        let last = last.min(self.lines.len().saturating_sub(1));
        self.lines.get_mut(first..=last).unwrap_or_default().fill(true);
    }
}

struct RustReading<'a> {
    text: &'a str,
    found: &'a mut RustTests,
    /// Rows of comments that are documentation.
    documentation: Vec<usize>,
}

impl<'a> RustReading<'a> {
    fn all_below(&mut self, root: Node<'a>) {
        let mut waiting = vec![root];
        while let Some(node) = waiting.pop() {
            let mut cursor = node.walk();
            // The attributes before an item: where the first begins, and whether one is a test's.
            let (mut first, mut of_tests, mut path) = (None, false, None);
            for child in node.children(&mut cursor) {
                match child.kind() {
                    "line_comment" => self.comment(child),
                    "block_comment" => {}
                    "attribute_item" => {
                        let text = self.without_spaces(child);
                        of_tests |= makes_tests(&text);
                        // A condition before it decides whether there are tests at all.
                        first = match text.starts_with("#[cfg(") && !of_tests {
                            true => None,
                            false => first.or(Some(child.start_position().row)),
                        };
                        path = path.or(path_of(&text));
                    }
                    "inner_attribute_item" if makes_tests(&self.without_spaces(child)) => {
                        self.found.mark(node.start_position().row, node.end_position().row);
                    }
                    _ if of_tests => {
                        let begin = first.unwrap_or(child.start_position().row);
                        self.found.mark(begin, child.end_position().row);
                        self.module(child, path.take());
                        (first, of_tests) = (None, false);
                    }
                    _ => {
                        (first, path) = (None, None);
                        waiting.push(child);
                    }
                }
            }
        }
    }

    /// `mod tests;`, which stands in another file.
    fn module(&mut self, item: Node<'a>, path: Option<String>) {
        if item.kind() == "mod_item"
            && item.child_by_field_name("body").is_none()
            && let Some(name) = item.child_by_field_name("name")
        {
            let name = self.text.get(name.byte_range()).unwrap_or_default().to_owned();
            self.found.modules.push(path.unwrap_or(name));
        }
    }

    fn comment(&mut self, comment: Node<'a>) {
        let text = self.text.get(comment.byte_range()).unwrap_or_default();
        if text.starts_with("///") || text.starts_with("//!") {
            self.documentation.push(comment.start_position().row);
        }
    }

    fn without_spaces(&self, node: Node<'a>) -> String {
        let text = self.text.get(node.byte_range()).unwrap_or_default();
        text.chars().filter(|c| !c.is_whitespace()).collect()
    }
}

fn makes_tests(attribute: &str) -> bool {
    WHOLE.contains(&attribute)
        || BEGINS.iter().any(|it| attribute.starts_with(it))
        || ENDS.iter().any(|it| attribute.ends_with(it))
        || HOLDS.iter().any(|it| attribute.contains(it))
}

/// `x.rs` of `#[path="x.rs"]`.
fn path_of(attribute: &str) -> Option<String> {
    let path = attribute.strip_prefix("#[path=\"")?.strip_suffix("\"]")?;
    Some(path.to_owned())
}

/// The rows of documentation between its fences, with those.
fn examples(lines: &[&str], documentation: &[usize]) -> Vec<usize> {
    let mut rows = documentation.to_vec();
    rows.sort_unstable();
    let (mut inside, mut last) = (false, None);
    let mut found = Vec::new();
    for row in rows {
        // What follows other lines is another comment.
        inside &= last.is_none_or(|last| last + 1 == row);
        last = Some(row);
        let line = lines.get(row).map_or("", |line| line.trim());
        let fence = line.trim_start_matches(['/', '!']).trim_start().starts_with("```");
        if fence || inside {
            found.push(row);
        }
        inside ^= fence;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_tests(text: &str) -> Vec<&str> {
        let lines: Vec<&str> = text.lines().collect();
        let found = rust_tests(&lines);
        lines.into_iter().zip(found.lines).filter(|it| it.1).map(|it| it.0.trim()).collect()
    }

    #[test]
    fn what_stands_in_a_string_ends_no_module() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        \
                    let s = r#\"\n}\n);\n\"#;\n        assert_eq!(s, a());\n    }\n}\nfn b() {}\n";
        let found = of_tests(text);
        assert_eq!(found.len(), 11, "{found:?}");
        assert!(found.contains(&"assert_eq!(s, a());"));
        assert!(!found.contains(&"fn b() {}"));
        let text = "fn a() -> &'static str {\n    \"\n#[test]\nfn x() {}\n\"\n}\n";
        assert_eq!(of_tests(text), [""; 0]);
    }

    #[test]
    fn attributes_and_comments_may_stand_between() {
        let text =
            "#[ cfg( test ) ]\n// Words.\n#[allow(dead_code)]\nfn helper() {\n}\nfn a() {}\n";
        assert_eq!(of_tests(text).len(), 5);
        let text =
            "impl A {\n    #[tokio::test(flavor = \"x\")]\n    async fn t() {}\n    fn b() {}\n}";
        assert_eq!(of_tests(text).len(), 2);
        let off = "#[cfg(any())]\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(of_tests(off).len(), 3, "what switches them off is none of them");
        assert_eq!(of_tests("#![cfg(test)]\nfn a() {}\n").len(), 2);
        assert_eq!(of_tests("#[cfg(not(test))]\nfn a() {}\n"), [""; 0]);
        assert_eq!(of_tests("#[test]\nfn a( {\n").len(), 2, "it does not parse");
    }

    #[test]
    fn modules_that_are_built_for_tests_alone_are_named() {
        let text = "#[cfg(test)]\nmod fixtures;\nmod a;\n#[cfg(test)]\n#[path = \"checks/b.rs\"]\n\
                    mod b;\n#[cfg(test)]\nmod c {}\n";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(rust_tests(&lines).modules, ["fixtures", "checks/b.rs"]);
    }

    #[test]
    fn examples_are_what_stands_between_fences_of_documentation() {
        let text = "//! Words.\n//! ```\n//! a();\n//! ```\n// ```\nfn a() {}\n/// ```\n/// b();\n\
                    /// ```\nfn b() {\n    let s = \"\n/// ```\n\";\n}\n";
        assert_eq!(of_tests(text).len(), 6);
    }
}

//! Code in one line, so that how it is laid out makes no difference.

use tree_sitter::Node;

/// A text is cut after so many bytes.
pub(super) const LONGEST: usize = 2_000;

/// The text of a node as it stands there, without the end
/// of its line: Go counts that in.
pub(super) fn source<'t>(node: Node<'_>, text: &'t str) -> &'t str {
    text.get(node.byte_range()).unwrap_or_default().trim()
}

/// The text of a node in one line.
pub(super) fn plain(node: Node<'_>, text: &str) -> String {
    in_one_line(source(node, text))
}

/// Whether a line brings names in from elsewhere.
pub(super) fn is_import(line: &str) -> bool {
    const BEGINS: &[&str] =
        &["import ", "from ", "use ", "pub use ", "export {", "const {", "#include"];
    let line = line.trim();
    BEGINS.iter().any(|it| line.starts_with(it))
        || line.contains("require(")
        || line.contains(" from ")
}

/// A text with one space where there was white space, and none inside of brackets.
fn in_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(LONGEST + 8));
    let (mut space, mut last) = (false, '(');
    for c in text.chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        if matches!(c, ')' | ']' | '}') && last == ',' {
            line.pop();
            last = line.chars().next_back().unwrap_or('(');
        }
        let opened = matches!(last, '(' | '[' | '{');
        if space && !opened && !matches!(c, ')' | ']' | '}' | '.' | ',' | ';') {
            line.push(' ');
        }
        (space, last) = (false, c);
        line.push(c);
        if line.len() > LONGEST {
            break;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_makes_no_difference() {
        for text in ["f(1, [2])", "f(\n    1,\n    [2],\n)", "f( 1,  [ 2 ] )"] {
            assert_eq!(in_one_line(text), "f(1, [2])");
        }
        assert_eq!(in_one_line("assert f(1)  is not\nNone"), "assert f(1) is not None");
    }
}

//! What the bodies of functions, tests and handlers do, statement by statement.
//!
//! Invariants: what is said of a body follows from its own statements; nothing is followed into
//! what they call.

use tree_sitter::Node;

use super::facts::RowText;
use super::layout::{plain, source};
use crate::core::text::words_at;

/// So deep lists of literals are literals themselves.
const DEEPEST: usize = 10;

/// A body's statements in numbers.
#[derive(Default)]
pub(super) struct Body {
    /// Without those that do nothing.
    pub(super) statements: usize,
    /// What it always returns, where that is all that it does.
    pub(super) constant: Option<String>,
    /// Statements that end it before others.
    pub(super) cut_short: Vec<RowText>,
}

impl Body {
    /// Of a block.
    pub(super) fn of(block: Node<'_>, text: &str) -> Self {
        let all: Vec<Node<'_>> = statements(block, text);
        let constant = match &*all {
            [only] => {
                returned(*only).filter(|it| is_literal(*it, DEEPEST) || is_constant(*it, text))
            }
            _ => None,
        };
        const ENDS: &[&str] = &["return", "return;", "return true;", "return None"];
        const BRANCHES: &[&str] = &[
            " return;",
            "; return;}",
            "{return;}",
            "{return}",
            ": return",
            ") return",
            ": return None",
        ];
        let ends = |node: &&Node<'_>| {
            if !["return", "if"].iter().any(|it| source(**node, text).starts_with(it)) {
                return false;
            }
            let told = plain(**node, text);
            let branch = told.starts_with("if") && BRANCHES.iter().any(|it| told.ends_with(it));
            ENDS.contains(&&*told) || branch
        };
        let before_last = all.split_last().map_or(&[][..], |it| it.1);
        let cut_short = before_last.iter().filter(ends);
        let row = |node: &Node<'_>| node.start_position().row;
        Self {
            statements: all.len(),
            constant: constant.map(|it| plain(it, text)),
            cut_short: cut_short
                .map(|it| RowText { row: row(it), text: plain(*it, text) })
                .collect(),
        }
    }
}

/// The body of a test: its own, or that of the function it is given.
pub(super) fn of_test(node: Node<'_>) -> Option<Node<'_>> {
    if let Some(body) = node.child_by_field_name("body") {
        return Some(body);
    }
    let arguments = node.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    let mut given = arguments.named_children(&mut cursor);
    given.find_map(|it| it.child_by_field_name("body"))
}

/// The name of a function that is written inside of a test, where this is one.
pub(super) fn inner_function<'t>(node: Node<'t>, kind: &str) -> Option<Node<'t>> {
    const FUNCTIONS: &[&str] = &[
        "arrow_function",
        "function_expression",
        "lambda_expression",
        "closure_expression",
        "func_literal",
        "async_block",
    ];
    let name = match kind {
        "function_definition" => return node.child_by_field_name("name"),
        "variable_declarator" => node.child_by_field_name("name")?,
        "let_declaration" => node.child_by_field_name("pattern")?,
        _ => return None,
    };
    let value = node.child_by_field_name("value")?;
    FUNCTIONS.contains(&value.kind()).then_some(name)
}

/// Whether a test calls a function of its own, or hands it on.
pub(super) fn is_used(test: &str, name: &str) -> bool {
    // Where it is made, given back, or only looked at.
    const NO_USE: &[&str] = &[
        "def ",
        "const ",
        "let ",
        "var ",
        "Runnable ",
        "return ",
        "assertThat(",
        "assert_that(",
        "assertNotNull(",
    ];
    words_at(test, name).any(|at| {
        let before = test.get(..at).unwrap_or_default();
        let after = test.get(at + name.len()..).unwrap_or_default();
        let is_own = NO_USE.iter().any(|it| before.ends_with(it));
        !is_own && after.starts_with(['(', '.', ')', ',', '}', ']', ';'])
    })
}

/// Whether a node is a comment or documentation.
pub(super) fn is_no_code(node: Node<'_>, kind: &str) -> bool {
    kind.contains("comment")
        || kind == "expression_statement"
            && node.named_child(0).is_some_and(|it| it.kind() == "string")
}

/// The statements of a block that do something.
fn statements<'t>(block: Node<'t>, text: &str) -> Vec<Node<'t>> {
    let mut cursor = block.walk();
    let children: Vec<Node<'t>> = block.named_children(&mut cursor).collect();
    if let [only] = &*children
        && only.kind() == "statement_list"
    {
        return statements(*only, text);
    }
    let does_something = |it: &Node<'_>| {
        let told = source(*it, text);
        let nothing = it.kind() == "pass_statement" || is_no_code(*it, it.kind());
        !nothing && !["...", ";"].contains(&told) && !sets_aside(told)
    };
    children.into_iter().filter(does_something).collect()
}

/// Whether a statement names something only so that it counts as used.
fn sets_aside(statement: &str) -> bool {
    let named =
        ["let _ = ", "_ = ", "void ", "del "].iter().find_map(|it| statement.strip_prefix(it));
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    named.is_some_and(|it| it.trim_end_matches(';').chars().all(of_name))
}

/// What a statement returns: by a word for it, or as the value of a block.
fn returned(statement: Node<'_>) -> Option<Node<'_>> {
    match statement.kind() {
        "return_statement" | "return_expression" => {
            let value = statement.named_child(0)?;
            match value.kind() {
                "expression_list" if value.named_child_count() == 1 => value.named_child(0),
                _ => Some(value),
            }
        }
        "expression_statement" => {
            let only = statement.named_child(0)?;
            (only.kind() == "return_expression").then(|| returned(only)).flatten()
        }
        _ => Some(statement),
    }
}

/// What `"a".to_string()` is made of.
fn owned(node: Node<'_>) -> Node<'_> {
    let bare = node.kind() == "call_expression"
        && node.child_by_field_name("arguments").is_some_and(|it| it.named_child_count() == 0);
    let inner = node.child_by_field_name("function").filter(|_| bare);
    inner.and_then(|it| it.child_by_field_name("value")).unwrap_or(node)
}

/// `Duration::ZERO`
fn is_constant(node: Node<'_>, text: &str) -> bool {
    let path = plain(node, text);
    let name = path.rsplit_once("::").filter(|_| node.kind() == "scoped_identifier");
    name.is_some_and(|it| !it.1.contains(char::is_lowercase))
}

/// Whether an expression is written out: a number, a text, a list of such.
fn is_literal(node: Node<'_>, deepest: usize) -> bool {
    const LITERALS: &[&str] = &[
        "integer",
        "float",
        "string",
        "true",
        "false",
        "none",
        "number",
        "template_string",
        "null",
        "undefined",
        "integer_literal",
        "float_literal",
        "string_literal",
        "raw_string_literal",
        "boolean_literal",
        "char_literal",
        "int_literal",
        "interpreted_string_literal",
        "rune_literal",
        "nil",
        "decimal_integer_literal",
        "decimal_floating_point_literal",
        "hex_integer_literal",
        "null_literal",
        "character_literal",
    ];
    const OF_OTHERS: &[&str] = &[
        "unary_operator",
        "unary_expression",
        "list",
        "array",
        "tuple",
        "dictionary",
        "object",
        "pair",
        "array_expression",
        "tuple_expression",
        "expression_list",
        "parenthesized_expression",
        "binary_expression",
        "binary_operator",
        "argument_list",
        "arguments",
        "literal_value",
        "literal_element",
        "keyed_element",
        "map_type",
        "type_identifier",
    ];
    if LITERALS.contains(&node.kind()) {
        return true;
    }
    // `List.of(1, 2)`, `Some("a")`, `&Spec{1}`: what is called or made is no input.
    const MADE: &[&str] = &[
        "method_invocation",
        "call_expression",
        "call",
        "composite_literal",
        "new_expression",
        "object_creation_expression",
    ];
    if MADE.contains(&node.kind()) {
        let given = ["arguments", "body"].iter().find_map(|it| node.child_by_field_name(it));
        return deepest > 0
            && given.is_some_and(|it| it.named_child_count() > 0 && is_literal(it, deepest - 1));
    }
    let mut cursor = node.walk();
    deepest > 0
        && OF_OTHERS.contains(&node.kind())
        && node.named_children(&mut cursor).all(|it| is_literal(it, deepest - 1))
}

/// Whether it catches any failure and goes on as if there were none.
pub(super) fn swallows(node: Node<'_>, kind: &str, text: &str) -> bool {
    if !["except_clause", "catch_clause"].contains(&kind) {
        return false;
    }
    let drops = |body| kind == "catch_clause" && statements(body, text).is_empty();
    handler(node).is_some_and(|body| drops(body) || catches_all(node, text) && is_inert(body, text))
}

/// Whether an assertion's failure is not heard beyond this handler.
pub(super) fn hides_assertions(node: Node<'_>, text: &str) -> bool {
    let head = plain(node, text);
    let takes = catches_all(node, text) || head.contains("Assertion");
    takes && handler(node).is_some_and(|body| is_inert(body, text))
}

fn catches_all(node: Node<'_>, text: &str) -> bool {
    const WIDE: &[&str] = &["Exception", "BaseException", "Throwable", "RuntimeException", "Error"];
    match node.kind() {
        "except_clause" => {
            let mut cursor = node.walk();
            let caught = node.named_children(&mut cursor).find(|it| it.kind() != "comment");
            caught.is_none_or(|it| {
                let caught = plain(it, text);
                let name = caught.split([' ', ',']).next().unwrap_or_default();
                it.kind() == "block" || WIDE.contains(&name.trim_matches(['(', ')']))
            })
        }
        "catch_clause" => {
            let mut cursor = node.walk();
            let of_java =
                node.named_children(&mut cursor).find(|it| it.kind() == "catch_formal_parameter");
            of_java.is_none_or(|it| {
                let told = plain(it, text);
                told.split([' ', '|']).any(|word| WIDE.contains(&word))
            })
        }
        _ => false,
    }
}

fn handler(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    let mut children = node.named_children(&mut cursor);
    node.child_by_field_name("body").or_else(|| children.find(|it| it.kind() == "block"))
}

/// Whether a handler does nothing but give a constant, or say something.
fn is_inert(body: Node<'_>, text: &str) -> bool {
    const SAYS: &[&str] = &["print(", "console.", "log", "logger", "System.err", "System.out"];
    const PRINTS: &str = ".printStackTrace()";
    statements(body, text).into_iter().all(|it| match it.kind() {
        "continue_statement" | "break_statement" => true,
        "return_statement" => it.named_child(0).is_none_or(|value| is_literal(value, DEEPEST)),
        "expression_statement" => {
            let told = plain(it, text);
            SAYS.iter().any(|begin| told.starts_with(begin)) || told.contains(PRINTS)
        }
        _ => false,
    })
}

/// The literal that a branch asks for, and the literal that it ends in.
pub(super) fn special_case(node: Node<'_>, kind: &str, text: &str) -> Option<(String, String)> {
    match kind {
        "if_statement" | "if_expression" | "elif_clause" => {
            let condition = plain(node.child_by_field_name("condition")?, text);
            let input = compared_with(&condition).unwrap_or_default();
            let branch = node.child_by_field_name("consequence")?;
            let all = statements(branch, text);
            let first = if all.is_empty() { returned(branch) } else { returned(*all.first()?) };
            let output = first.filter(|it| is_literal(*it, DEEPEST))?;
            (all.len() < 2).then(|| (input, plain(output, text)))
        }
        "match_arm" => {
            let input = plain(node.child_by_field_name("pattern")?, text);
            let output = returned(node.child_by_field_name("value")?);
            let output = output.map(owned).filter(|it| is_literal(*it, DEEPEST))?;
            let written = input.starts_with(|c: char| c.is_ascii_digit() || c == '"' || c == '-')
                || input.starts_with("(\"");
            written.then(|| (input, plain(output, text)))
        }
        "array" if node.named_child_count() == 2 => {
            let (input, output) = (node.named_child(0)?, node.named_child(1)?);
            let pair = input.kind() == "string" && is_literal(output, DEEPEST);
            pair.then(|| (plain(input, text), plain(output, text)))
        }
        "pair" => {
            let (input, output) =
                (node.child_by_field_name("key")?, node.child_by_field_name("value")?);
            let both = [input, output].iter().all(|it| is_literal(*it, DEEPEST));
            both.then(|| (plain(input, text), plain(output, text)))
        }
        "conditional_expression" | "ternary_expression" => {
            // Python's has its condition in the middle, and no names.
            let (condition, output, other) = match node.child_by_field_name("condition") {
                Some(condition) => (
                    condition,
                    node.child_by_field_name("consequence")?,
                    node.child_by_field_name("alternative")?,
                ),
                None => (node.named_child(1)?, node.named_child(0)?, node.named_child(2)?),
            };
            let input = compared_with(&plain(condition, text))?;
            let special = is_literal(output, DEEPEST) && !is_literal(other, DEEPEST);
            special.then(|| (input, plain(output, text)))
        }
        "switch_case" | "expression_case" | "case_clause" | "switch_block_statement_group" => {
            let mut cursor = node.walk();
            let children: Vec<Node<'_>> = node.named_children(&mut cursor).collect();
            let (input, rest) = children.split_first()?;
            let input = plain(*input, text);
            let input = input.strip_prefix("case ").unwrap_or(&input).to_owned();
            let written = input.starts_with(|c: char| c.is_ascii_digit() || "\"'-".contains(c));
            let mut output = rest.first().copied()?;
            if ["statement_list", "block"].contains(&output.kind()) {
                output = output.named_child(0)?;
            }
            let output = returned(output).filter(|it| is_literal(*it, DEEPEST))?;
            written.then(|| (input, plain(output, text)))
        }
        _ => None,
    }
}

/// The literal that a condition compares something with.
fn compared_with(condition: &str) -> Option<String> {
    const PARTS: &[&str] = &[
        ".startswith(",
        ".startsWith(",
        ".starts_with(",
        ".endswith(",
        ".endsWith(",
        ".ends_with(",
        ".includes(",
        ".contains(",
        ".Contains(",
        ".HasPrefix(",
        ".HasSuffix(",
    ];
    if let Some((_, given)) = PARTS.iter().find_map(|it| condition.split_once(it)) {
        // In Go what is looked for comes second.
        let given = given.split_once([')', '&', '|']).map_or(given, |it| it.0);
        let given = given.rsplit_once(", ").map_or(given, |it| it.1).trim();
        return given.starts_with(['"', '\'', '`']).then(|| given.to_owned());
    }
    let condition = condition.trim_start_matches('(').trim_end_matches(')');
    let sides = ["===", "==", ".equals(", " is ", " in "]
        .iter()
        .find_map(|sign| condition.split_once(sign))?;
    let side = |side: &str| {
        let first = side.split(" and ").next()?.split(" && ").next()?.trim();
        let first = first.trim_end_matches(')');
        let written = first.starts_with(|c: char| c.is_ascii_digit() || "\"'`-[".contains(c))
            && first.len() < 80;
        written.then(|| first.to_owned())
    };
    side(sides.1).or_else(|| side(sides.0))
}

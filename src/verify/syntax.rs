//! Reads the syntax of a file that anybody may have written.
//!
//! Invariants: a file that no program is like is not given to a parser, and a parser that does not
//! come to an end is stopped after so much work, on any machine the same.

use std::ops::ControlFlow;

use tree_sitter::{Language, ParseOptions, ParseState, Parser, Tree};

/// Brackets in each other. Not every parser is made for more.
const DEEPEST: usize = 1_000;
/// How often a parser may ask whether to go on: it asks some 9,000 times in a megabyte of Rust
/// (tree-sitter 0.27, this repository's own code).
const MOST_ASKED: usize = 200_000;

/// The tree of a text. `None`: it is no text for a parser.
pub(super) fn parse(language: &Language, text: &str) -> Option<Tree> {
    parse_within(MOST_ASKED, language, text)
}

fn parse_within(most: usize, language: &Language, text: &str) -> Option<Tree> {
    let mut parser = Parser::new();
    if depth(text) > DEEPEST || parser.set_language(language).is_err() {
        return None;
    }
    let mut asked = 0;
    let mut goes_on = |_: &ParseState| {
        asked += 1;
        if asked > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut goes_on);
    let mut rest = |at: usize, _| text.as_bytes().get(at..).unwrap_or_default();
    parser.parse_with_options(&mut rest, None, Some(options))
}

/// How deep brackets stand in each other, wherever they are.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_no_program_is_like_has_no_tree_and_a_broken_one_has() {
        let rust = tree_sitter_rust::LANGUAGE.into();
        assert!(parse(&rust, &"(".repeat(DEEPEST + 1)).is_none());
        for text in ["", "fn f( {", &"(".repeat(DEEPEST), &"()".repeat(DEEPEST * 2)] {
            assert!(parse(&rust, text).is_some(), "{text:.20}");
        }
        let long = "fn f() {}\n".repeat(1_000);
        assert!(parse_within(0, &rust, &long).is_none() && parse(&rust, &long).is_some());
    }
}

//! The languages whose syntax the rules see.
//!
//! Invariants: a file of any other language has lines and no syntax.

use tree_sitter::Language as Grammar;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    /// With TypeScript, which has the same calls.
    JavaScript,
    Go,
    Java,
}

impl Language {
    /// By the name of a file, with what reads it.
    pub(super) fn of(path: &str) -> Option<(Self, Grammar)> {
        let end = path.rsplit_once('.').map_or("", |(_, end)| end);
        Some(match end {
            "rs" => (Self::Rust, tree_sitter_rust::LANGUAGE.into()),
            "py" | "pyi" => (Self::Python, tree_sitter_python::LANGUAGE.into()),
            "js" | "mjs" | "cjs" | "jsx" => {
                (Self::JavaScript, tree_sitter_javascript::LANGUAGE.into())
            }
            "ts" | "mts" | "cts" => {
                (Self::JavaScript, tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into())
            }
            "tsx" => (Self::JavaScript, tree_sitter_typescript::LANGUAGE_TSX.into()),
            "go" => (Self::Go, tree_sitter_go::LANGUAGE.into()),
            "java" => (Self::Java, tree_sitter_java::LANGUAGE.into()),
            _ => return None,
        })
    }

    /// The kinds of its calls.
    pub(super) fn calls(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["call_expression", "macro_invocation"],
            Self::Python => &["call"],
            Self::JavaScript => &["call_expression", "new_expression"],
            Self::Go => &["call_expression"],
            Self::Java => &["method_invocation", "object_creation_expression"],
        }
    }

    /// The kinds of its functions that have names.
    pub(super) fn functions(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["function_item"],
            Self::Python => &["function_definition"],
            Self::JavaScript => &["function_declaration", "method_definition"],
            Self::Go => &["function_declaration", "method_declaration"],
            Self::Java => &["method_declaration"],
        }
    }

    /// What stands before a function and says something of it.
    pub(super) fn marks(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["attribute_item"],
            Self::Python => &["decorator"],
            Self::JavaScript | Self::Go => &[],
            Self::Java => &["annotation", "marker_annotation"],
        }
    }
}

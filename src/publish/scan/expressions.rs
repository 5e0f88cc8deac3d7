//! Secrets that a text names in its expressions.
//!
//! Invariants: an expression ends where GitHub ends it, at the first `}}` outside of a string; one
//! that cannot be read counts as naming all secrets, if the word stands in it at all. One that is
//! longer or more nested than people write is not read: that would use up the stack.

use std::collections::BTreeSet;

use github_actions_expressions::Expr;

use super::Why;

/// The token of the run itself, whose powers are named by `permissions`.
const OWN_TOKEN: &str = "github_token";

/// The longest expression that is read, and the most signs in it that may stand in each other.
const LONGEST: usize = 10_000;
const MOST_SIGNS: usize = 100;

/// Secrets that a text names between `${{` and `}}`.
pub(super) fn secrets_in_text(text: &str) -> Vec<Why> {
    fenced(text).into_iter().flat_map(secrets_of).collect()
}

/// Secrets that an expression names.
pub(super) fn secrets_of(expression: &str) -> Vec<Why> {
    if !expression.to_ascii_lowercase().contains("secrets") {
        return Vec::new();
    }
    let signs = expression.bytes().filter(|byte| b"([!&|<>=".contains(byte)).count();
    if expression.len() > LONGEST || signs > MOST_SIGNS {
        return vec![Why::AllSecrets];
    }
    let Ok(parsed) = Expr::parse(expression) else { return vec![Why::AllSecrets] };
    let patterns = parsed.contexts().into_iter().map(|(context, _)| context.as_pattern());
    let found: BTreeSet<Why> = patterns.filter_map(|pattern| named(pattern.as_deref())).collect();
    found.into_iter().collect()
}

/// What a path such as `secrets.key` names. `None` in: nobody knows.
fn named(pattern: Option<&str>) -> Option<Why> {
    let Some(pattern) = pattern else { return Some(Why::AllSecrets) };
    let pattern = pattern.to_ascii_lowercase();
    let (context, rest) = pattern.split_once('.').unwrap_or((&pattern, "*"));
    match rest {
        _ if context != "secrets" => None,
        OWN_TOKEN => None,
        "" | "*" => Some(Why::AllSecrets),
        name => Some(Why::Secret(name.to_ascii_uppercase())),
    }
}

/// What stands between `${{` and `}}`. One without an end counts to the end.
fn fenced(text: &str) -> Vec<&str> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some((_, after)) = rest.split_once("${{") {
        let mut in_string = false;
        let end = after.bytes().enumerate().position(|(at, byte)| {
            in_string ^= byte == b'\'';
            !in_string && after.as_bytes()[at..].starts_with(b"}}")
        });
        let (inside, behind) = after.split_at(end.unwrap_or(after.len()));
        found.push(inside);
        rest = behind;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secret(name: &str) -> Why {
        Why::Secret(name.to_owned())
    }

    #[test]
    fn an_expression_ends_where_github_ends_it() {
        for (text, found) in [
            ("${{ format('}}{0}', secrets.K) }}", vec![secret("K")]),
            ("${{ '}}' }} secrets.K", vec![]),
            ("${{ 'it''s }}' || secrets.K }}", vec![secret("K")]),
            ("a ${{ secrets.A }} b ${{ secrets.B }}", vec![secret("A"), secret("B")]),
            ("${{ secrets.A", vec![secret("A")]),
            ("${{ 'open }} ${{ secrets.A }}", vec![Why::AllSecrets]),
            ("$ {{ secrets.A }}", vec![]),
        ] {
            assert_eq!(secrets_in_text(text), found, "{text}");
        }
    }

    #[test]
    fn an_expression_that_would_use_up_the_stack_counts_as_naming_all_secrets() {
        let nested = |begin: &str, end: &str, times: usize| {
            format!("{}secrets.K{}", begin.repeat(times), end.repeat(times))
        };
        for (begin, end) in [("(", ")"), ("!", ""), ("toJSON(", ")"), ("a[", "]"), ("a || ", "")] {
            assert_eq!(secrets_of(&nested(begin, end, 100_000)), [Why::AllSecrets], "{begin}");
            assert_eq!(secrets_of(&nested(begin, end, 5)), [secret("K")], "{begin}");
        }
    }

    #[test]
    fn a_secret_is_named_however_it_is_asked_for() {
        for (expression, found) in [
            ("SECRETS['npm_token']", vec![secret("NPM_TOKEN")]),
            ("secrets . KEY", vec![secret("KEY")]),
            ("secrets[format('{0}', 'K')]", vec![Why::AllSecrets]),
            ("secrets.*", vec![Why::AllSecrets]),
            ("toJSON(secrets)", vec![Why::AllSecrets]),
            ("fromJSON(toJSON(secrets)).K", vec![Why::AllSecrets]),
            ("github[secrets.K]", vec![secret("K")]),
            ("secrets.GITHUB_TOKEN || github.token", vec![]),
            ("inputs.my_secrets && 'secrets.K' && env.secrets", vec![]),
            ("secrets.K ? 1 : 2", vec![Why::AllSecrets]),
        ] {
            assert_eq!(secrets_of(expression), found, "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\$\\{\\{|\\}\\}|'|secrets|[.a*()\\[\\]!é ]){0,40}") {
            let _ = secrets_in_text(&text);
        }
    }
}

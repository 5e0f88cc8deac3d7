//! Text with `${{ … }}` in it, and conditions.
//!
//! Invariants: what may be seen where is checked when the file is read, with its line.

use super::evaluate::{Sight, as_text, is_true};
use super::expression::{Expression, Function, parse};
use super::yaml::{Fault, Node};

/// The contexts that may be used in one place.
pub(crate) type Place = &'static [&'static str];

pub(crate) const RUN_NAME: Place = &["github", "inputs"];
pub(crate) const WORKFLOW: Place = &["github", "secrets", "inputs"];
pub(crate) const JOB: Place = &["github", "needs", "secrets", "inputs"];
pub(crate) const JOB_IF: Place = &["github", "needs", "inputs"];
pub(crate) const STEP: Place =
    &["github", "needs", "secrets", "inputs", "env", "job", "steps", "runner"];
pub(crate) const STEP_IF: Place = &["github", "needs", "inputs", "env", "job", "steps", "runner"];
pub(crate) const ACTION: Place = &["github", "inputs", "env", "job", "steps", "runner"];
pub(crate) const ACTION_DEFAULT: Place = &["github", "job", "runner"];

/// Text in which expressions stand.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template {
    head: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Expression(Expression),
}

impl Template {
    pub(crate) fn read(node: &Node, what: &str, place: Place) -> Result<Self, Fault> {
        Self::parse(node.text_or_empty(what)?, node.line, place)
    }

    pub(crate) fn parse(text: &str, line: usize, place: Place) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find("${{") {
            let (before, inside) = (&rest[..at], &rest[at + 3..]);
            let line = line + text[..text.len() - rest.len() + at].matches('\n').count();
            let end = end_of(inside).ok_or_else(|| Fault::new(line, "`${{` is never closed"))?;
            let expression = parse(&inside[..end]).map_err(|says| Fault::new(line, says))?;
            check(&expression, line, place, Statuses::Refused)?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::Expression(expression));
            rest = &inside[end + 2..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let head = text.trim().lines().next().unwrap_or_default().to_owned();
        Ok(Self { head, parts })
    }

    /// The first line, with expressions as they are written.
    pub(crate) fn first_line(&self) -> &str {
        &self.head
    }

    pub(crate) fn fill(&self, sight: &Sight) -> Result<String, String> {
        let mut filled = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Expression(one) => filled.push_str(&as_text(&sight.evaluate(one)?)),
            }
        }
        Ok(filled)
    }
}

/// Where the braces close that were opened just before; quotes may hold braces.
fn end_of(inside: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in inside.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '}' if !quoted && inside[at..].starts_with("}}") => return Some(at),
            _ => {}
        }
    }
    None
}

/// What an `if` says. Unless it asks how things went, it also means `success()`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Condition {
    expression: Expression,
}

impl Condition {
    pub(crate) fn read(node: Option<&Node>, place: Place) -> Result<Self, Fault> {
        let success = || Expression::Call(Function::Success, Vec::new());
        let Some(node) = node else { return Ok(Self { expression: success() }) };
        let text = node.text("`if`")?.trim();
        let inner = text.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}"));
        let inner = inner.unwrap_or(text);
        if inner.contains("${{") {
            let says = "an `if` with text around `${{ }}` is always true: write one expression";
            return Err(Fault::new(node.line, says));
        }
        let mut expression = parse(inner).map_err(|says| Fault::new(node.line, says))?;
        check(&expression, node.line, place, Statuses::Allowed)?;
        let mut asks = false;
        expression.walk(&mut |part| {
            asks |= matches!(part, Expression::Call(function, _) if function.is_status());
        });
        if !asks {
            expression = Expression::And(Box::new(success()), Box::new(expression));
        }
        Ok(Self { expression })
    }

    pub(crate) fn holds(&self, sight: &Sight) -> Result<bool, String> {
        sight.evaluate(&self.expression).map(|value| is_true(&value))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Statuses {
    Allowed,
    Refused,
}

fn check(
    expression: &Expression,
    line: usize,
    place: Place,
    statuses: Statuses,
) -> Result<(), Fault> {
    let mut wrong = None;
    let mut named = 0;
    let mut secrets = 0;
    expression.walk(&mut |part| match part {
        Expression::Context(name) if !place.contains(&&**name) => {
            wrong = Some(format!("the context `{name}` is not there in this place"));
        }
        Expression::Context(name) if name == "secrets" => secrets += 1,
        Expression::Property(of, _) if **of == Expression::Context("secrets".to_owned()) => {
            named += 1;
        }
        Expression::Call(function, _) if function.is_status() && statuses == Statuses::Refused => {
            wrong = Some("how things went may only be asked in an `if`".to_owned());
        }
        _ => {}
    });
    if secrets > named {
        wrong = Some("secrets may only be named, as `secrets.NAME`".to_owned());
    }
    wrong.map_or(Ok(()), |says| Err(Fault::new(line, says)))
}

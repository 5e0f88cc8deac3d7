//! What an expression comes to.
//!
//! Invariants: GitHub's own rules of truth, equality and conversion; what is not there is `null`.

use serde_json::{Map, Value};

use super::expression::{Comparison, Expression, Function};

/// How things went so far, for `success()` and its like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) failed: bool,
    pub(crate) cancelled: bool,
    /// Something needed was skipped, which is neither success nor failure.
    pub(crate) skipped: bool,
}

/// What an expression can see.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// `github`, `env`, …
    pub(crate) contexts: Map<String, Value>,
    pub(crate) standing: Standing,
}

impl Sight {
    pub(crate) fn evaluate(&self, expression: &Expression) -> Result<Value, String> {
        Ok(match expression {
            Expression::Literal(value) => value.clone(),
            Expression::Context(name) => self.contexts.get(name).cloned().unwrap_or_default(),
            Expression::Property(of, name) => {
                let (of_secrets, value) = (is_secrets(of), property(&self.evaluate(of)?, name));
                match of_secrets && value.is_null() {
                    true => return Err(format!("the runner was given no secret {name}")),
                    false => value,
                }
            }
            Expression::Index(of, index) => {
                let (of, index) = (self.evaluate(of)?, self.evaluate(index)?);
                match (&of, as_number(&index)) {
                    (Value::Array(items), at) if at.fract() == 0.0 && at >= 0.0 => {
                        items.get(at as usize).cloned().unwrap_or_default()
                    }
                    _ => property(&of, &as_text(&index)),
                }
            }
            Expression::Call(function, arguments) => self.call(*function, arguments)?,
            Expression::Not(of) => Value::Bool(!is_true(&self.evaluate(of)?)),
            Expression::Compare(how, one, other) => {
                Value::Bool(compare(*how, &self.evaluate(one)?, &self.evaluate(other)?))
            }
            Expression::And(one, other) => {
                let left = self.evaluate(one)?;
                if is_true(&left) { self.evaluate(other)? } else { left }
            }
            Expression::Or(one, other) => {
                let left = self.evaluate(one)?;
                if is_true(&left) { left } else { self.evaluate(other)? }
            }
        })
    }

    fn call(&self, function: Function, arguments: &[Expression]) -> Result<Value, String> {
        let values: Result<Vec<Value>, String> =
            arguments.iter().map(|argument| self.evaluate(argument)).collect();
        let values = values?;
        let none = Value::Null;
        let (first, second) = (values.first().unwrap_or(&none), values.get(1).unwrap_or(&none));
        let lower = |value: &Value| as_text(value).to_lowercase();
        let Standing { failed, cancelled, skipped } = self.standing;
        Ok(Value::from(match function {
            Function::Contains => match first {
                Value::Array(items) => {
                    items.iter().any(|item| compare(Comparison::Equal, item, second))
                }
                _ => lower(first).contains(&lower(second)),
            },
            Function::StartsWith => lower(first).starts_with(&lower(second)),
            Function::EndsWith => lower(first).ends_with(&lower(second)),
            Function::Success => !failed && !cancelled && !skipped,
            Function::Failure => failed && !cancelled,
            Function::Always => true,
            Function::Cancelled => cancelled,
            Function::Format => return format(&as_text(first), &values[1..]).map(Value::String),
            Function::Join => {
                let between = if values.len() > 1 { as_text(second) } else { ",".to_owned() };
                let Value::Array(items) = first else { return Ok(as_text(first).into()) };
                let items: Vec<String> = items.iter().map(as_text).collect();
                return Ok(items.join(&between).into());
            }
            Function::ToJson => {
                let text = serde_json::to_string_pretty(first);
                return text.map(Value::String).map_err(|error| error.to_string());
            }
            Function::FromJson => {
                let text = as_text(first);
                return serde_json::from_str(&text)
                    .map_err(|error| format!("fromJSON('{text}'): {error}"));
            }
        }))
    }
}

fn is_secrets(expression: &Expression) -> bool {
    matches!(expression, Expression::Context(name) if name == "secrets")
}

/// Names are the same in any case.
fn property(of: &Value, name: &str) -> Value {
    let Value::Object(entries) = of else { return Value::Null };
    if let Some(value) = entries.get(name) {
        return value.clone();
    }
    let found = entries.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}

pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::String(text) => text.clone(),
        Value::Array(_) => "Array".to_owned(),
        Value::Object(_) => "Object".to_owned(),
    }
}

fn as_number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        Value::String(text) if text.trim().is_empty() => 0.0,
        Value::String(text) => text.trim().parse().unwrap_or(f64::NAN),
        Value::Array(_) | Value::Object(_) => f64::NAN,
    }
}

fn compare(how: Comparison, one: &Value, other: &Value) -> bool {
    let ordering = match (one, other) {
        (Value::String(one), Value::String(other)) => {
            Some(one.to_uppercase().cmp(&other.to_uppercase()))
        }
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => None,
        _ => as_number(one).partial_cmp(&as_number(other)),
    };
    match how {
        Comparison::Equal => ordering.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::Unequal => !ordering.is_some_and(std::cmp::Ordering::is_eq),
        Comparison::Less => ordering.is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => ordering.is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => ordering.is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => ordering.is_some_and(std::cmp::Ordering::is_ge),
    }
}

/// `{0}` stands for the first value, `{{` for a brace.
fn format(pattern: &str, values: &[Value]) -> Result<String, String> {
    let bad = || format!("format('{pattern}') does not fit its values");
    let mut made = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        made.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        let tail = &rest[at + 1..];
        if let Some(tail) = tail.strip_prefix(brace) {
            made.push_str(brace);
            rest = tail;
            continue;
        }
        let (index, tail) = tail.split_once('}').filter(|_| brace == "{").ok_or_else(bad)?;
        let value = index.parse::<usize>().ok().and_then(|index| values.get(index));
        made.push_str(&as_text(value.ok_or_else(bad)?));
        rest = tail;
    }
    made.push_str(rest);
    Ok(made)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::expression::parse;
    use super::*;

    fn sight() -> Sight {
        let contexts = json!({
            "github": { "event": { "n": 3, "list": ["a", "B"] }, "ref": "refs/heads/main" },
            "needs": { "test": { "result": "success" } },
        });
        let Value::Object(contexts) = contexts else { panic!("no object") };
        Sight { contexts, standing: Standing { failed: true, cancelled: false, skipped: false } }
    }

    #[test]
    fn expressions_come_to_what_github_says() {
        for (text, value) in [
            ("github.ref", json!("refs/heads/main")),
            ("github['REF'] == 'REFS/heads/main'", json!(true)),
            ("github.nothing.at.all", json!(null)),
            ("github.event.list[1]", json!("B")),
            ("contains(github.event.list, 'b')", json!(true)),
            ("contains(github.ref, 'HEADS')", json!(true)),
            ("startsWith(github.ref, 'refs/tags/')", json!(false)),
            ("endsWith(github.ref, '/main')", json!(true)),
            ("format('{{{0}}} {1}', 'a', github.event.n)", json!("{a} 3")),
            ("join(github.event.list, '+')", json!("a+B")),
            ("fromJSON('{\"a\": [1]}').a[0] == 1", json!(true)),
            ("'it''s'", json!("it's")),
            ("null == 0 && '' == 0 && true == 1", json!(true)),
            ("'abc' == 0", json!(false)),
            ("!(1 < 2) || 2 >= 2 && 'x' != 'y'", json!(true)),
            ("'' || 'fallback'", json!("fallback")),
            ("github.event == github.event", json!(false)),
            ("success()", json!(false)),
            ("failure() && always() && !cancelled()", json!(true)),
            ("needs.test.result == 'success'", json!(true)),
        ] {
            assert_eq!(sight().evaluate(&parse(text).unwrap()), Ok(value), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "a b",
            "'open",
            "hashFiles('x')",
            "github.*",
            "a == ",
            "(a",
            "a[1",
            "success(1)",
            "\"a\"",
            "a = b",
            "contains('a')",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        for text in ["format('{1}', 'a')", "format('{', 'a')", "fromJSON('{')"] {
            assert!(sight().evaluate(&parse(text).unwrap()).is_err(), "{text}");
        }
    }
}

//! Which members the description requires, nested: the table by which the emulator plays a server
//! that sends no others, and the judge of what it then sends.

use std::collections::BTreeMap;
use std::fmt::Write;

use gander_emulator::Emulator;
use serde_json::Value;

use crate::document::{Document, json_of};

/// What must be in a JSON value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    /// A plain value, or one whose members the description leaves open.
    Open,
    Object(BTreeMap<String, Shape>),
    List(Box<Shape>),
    Choice(Vec<Shape>),
}

/// Members that the description does not mark as required, for they are not always there, and of
/// which it says in words when they are. Beside which others they stand.
const SAID_IN_WORDS: [(&str, &str); 4] = [
    // Of the forms of a text, it "is the default if you do not pass any specific media type".
    ("body", "body_html"),
    // "You can identify pull requests by the `pull_request` key."
    ("pull_request", "labels_url"),
    // Reviews "created in the PENDING state […] do not include the `submitted_at` property".
    ("submitted_at", "commit_id"),
    // Payloads "contain the `installation` property when the event is configured for and sent to a
    // GitHub App".
    ("installation", "sender"),
];

const HEAD: &str = "\
# Which members GitHub's description requires in each answer and webhook. Made by `make required`
# from the OpenAPI description that tests/contract names; do not edit.
#
# `N = {a b=M}`  shape N: an object that must have a, and b of shape M; a? where it applies
# `N = [M]`      a list of shape M
# `N = M|O`      the first of these shapes that fits
# `METHOD /route STATUS = N`, `event.action = N`  what has shape N
";

/// The table of every route of the emulator, and of the events that an App can hear of.
pub(crate) fn table(document: &Document, events: &[&str]) -> String {
    let mut shapes = Vec::new();
    let mut bodies = String::new();
    for route in Emulator::routes() {
        let (method, pattern) = route.split_once(' ').unwrap();
        let Some(operation) = document.find(method, pattern) else { continue };
        for (status, response) in &operation.responses {
            let Some(schema) = json_of(&response.contents) else { continue };
            let shape = shape_at(document, schema);
            if let Some(number) = number_of(&shape, &mut shapes) {
                writeln!(bodies, "{route} {status} = {number}").unwrap();
            }
        }
    }
    for (name, hook) in &document.webhooks {
        let event = name.split('.').next().unwrap_or_default();
        let shape = shape_at(document, &hook.body);
        if events.contains(&event)
            && let Some(number) = number_of(&shape, &mut shapes)
        {
            writeln!(bodies, "{name} = {number}").unwrap();
        }
    }
    let mut text = HEAD.to_owned();
    for (number, shape) in shapes.iter().enumerate() {
        writeln!(text, "{number} = {shape}").unwrap();
    }
    text + &bodies
}

/// What a body has that the description does not require, with where it is.
pub(crate) fn optional(document: &Document, schema: &str, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    surplus(&shape_at(document, schema), value, "", &mut found);
    found
}

fn surplus(shape: &Shape, value: &Value, at: &str, found: &mut Vec<String>) {
    match (shape, value) {
        (Shape::Object(members), Value::Object(fields)) => {
            for (name, field) in fields {
                match members.get(name).or_else(|| members.get(&format!("{name}?"))) {
                    Some(shape) => surplus(shape, field, &format!("{at}/{name}"), found),
                    None => found.push(format!("{at}/{name} is not required")),
                }
            }
        }
        (Shape::List(shape), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                surplus(shape, item, &format!("{at}/{index}"), found);
            }
        }
        (Shape::Choice(shapes), value) => {
            let all = shapes.iter().map(|shape| {
                let mut found = Vec::new();
                surplus(shape, value, at, &mut found);
                found
            });
            found.extend(all.min_by_key(Vec::len).unwrap_or_default());
        }
        _ => {}
    }
}

fn shape_at(document: &Document, schema: &str) -> Shape {
    shape_of(document, &serde_json::json!({ "$ref": schema }), 0)
}

/// How deep shapes go; a schema that holds itself ends here.
const DEEPEST: usize = 12;

fn shape_of(document: &Document, schema: &Value, depth: usize) -> Shape {
    let schema = document.follow(schema);
    if depth > DEEPEST {
        return Shape::Open;
    }
    if let Some(items) = schema.get("items") {
        return match shape_of(document, items, depth + 1) {
            Shape::Open => Shape::Open,
            item => Shape::List(Box::new(item)),
        };
    }
    if schema["properties"].is_object() || schema["allOf"].is_array() {
        return object(document, schema, depth);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let shapes = choices.iter().map(|one| shape_of(document, one, depth + 1));
            return choose(shapes.filter(|shape| *shape != Shape::Open).collect());
        }
    }
    Shape::Open
}

fn choose(mut shapes: Vec<Shape>) -> Shape {
    let mut seen = Vec::new();
    shapes.retain(|shape| {
        let new = !seen.contains(shape);
        seen.push(shape.clone());
        new
    });
    match shapes.len() {
        0 => Shape::Open,
        1 => shapes.remove(0),
        _ => Shape::Choice(shapes),
    }
}

fn object(document: &Document, schema: &Value, depth: usize) -> Shape {
    let mut members = BTreeMap::new();
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for name in required {
        let shape = shape_of(document, &schema["properties"][name], depth + 1);
        members.insert(name.to_owned(), shape);
    }
    for (name, beside) in SAID_IN_WORDS {
        let property = &schema["properties"][name];
        if !property.is_null()
            && !schema["properties"][beside].is_null()
            && !members.contains_key(name)
        {
            members.insert(format!("{name}?"), shape_of(document, property, depth + 1));
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        match shape_of(document, part, depth) {
            Shape::Object(more) => members.extend(more),
            Shape::Open => {}
            other if members.is_empty() && !schema["properties"].is_object() => return other,
            Shape::List(_) | Shape::Choice(_) => return Shape::Open,
        }
    }
    Shape::Object(members)
}

/// The number of a shape in the list, or nothing when it leaves all open.
fn number_of(shape: &Shape, lines: &mut Vec<String>) -> Option<usize> {
    let line = match shape {
        Shape::Open => return None,
        Shape::Object(members) => {
            let members = members.iter().map(|(name, shape)| match number_of(shape, lines) {
                Some(number) => format!("{name}={number}"),
                None => name.clone(),
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(" "))
        }
        Shape::List(shape) => format!("[{}]", number_of(shape, lines)?),
        Shape::Choice(shapes) => {
            let numbers = shapes.iter().filter_map(|shape| number_of(shape, lines));
            numbers.map(|number| number.to_string()).collect::<Vec<_>>().join("|")
        }
    };
    Some(lines.iter().position(|known| *known == line).unwrap_or_else(|| {
        lines.push(line);
        lines.len() - 1
    }))
}

//! OpenAPI 3.0 made digestible: operations by path, and schemas that JSON Schema understands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Where the schemas are said to live.
pub(crate) const BASE: &str = "urn:github";

/// Names in a path that may stand for more than one segment.
const GREEDY: [&str; 5] = ["path", "ref", "branch", "basehead", "tree_sha"];

pub(crate) struct Document {
    /// All schemas, those of operations included, under names of their own.
    pub(crate) schemas: Value,
    operations: Vec<Operation>,
}

/// What may be asked at one method and path. Schemas are addresses.
pub(crate) struct Operation {
    method: String,
    template: Vec<String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) body: Option<String>,
    pub(crate) needs_body: bool,
    pub(crate) responses: BTreeMap<u16, Option<String>>,
}

impl Document {
    pub(crate) fn new(mut openapi: Value) -> Self {
        let paths = openapi["paths"].take();
        let mut components = openapi["components"].take();
        let mut schemas = components["schemas"].take();
        translate(&mut schemas);
        let mut document = Self {
            schemas: json!({ "components": { "schemas": schemas } }),
            operations: Vec::new(),
        };
        components["schemas"] = Value::Null;
        for (path, item) in paths.as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                document.read(path, &method.to_uppercase(), operation, &components);
            }
        }
        document
    }

    /// Describes an operation that GitHub has and does not describe.
    pub(crate) fn add(&mut self, method: &str, path: &str, answer: &str) {
        let schema = format!("{BASE}#/components/schemas/{answer}");
        self.operations.push(Operation {
            method: method.to_owned(),
            template: segments(path),
            query: BTreeMap::new(),
            body: None,
            needs_body: false,
            responses: [(200, Some(schema))].into(),
        });
    }

    /// Replaces the schema of an answer where the description errs.
    pub(crate) fn correct(&mut self, method: &str, path: &str, status: u16, schema: &Value) {
        let place = self.keep(&format!("{method} {path} {status} corrected"), schema);
        let template = segments(path);
        for operation in &mut self.operations {
            if operation.method == method && operation.template == template {
                operation.responses.insert(status, Some(place.clone()));
            }
        }
    }

    fn read(&mut self, path: &str, method: &str, operation: &Value, components: &Value) {
        let name = format!("{method} {path}");
        let mut query = BTreeMap::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(parameter, components);
            if parameter["in"] == "query" {
                let key = parameter["name"].as_str().unwrap_or_default().to_owned();
                let place = self.keep(&format!("{name} ?{key}"), &parameter["schema"]);
                query.insert(key, place);
            }
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        let needs_body = operation["requestBody"]["required"] == true;
        let body = (!body.is_null()).then(|| self.keep(&format!("{name} body"), body));
        let mut responses = BTreeMap::new();
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let response = resolve(response, components);
            let schema = &response["content"]["application/json"]["schema"];
            let place = (!schema.is_null()).then(|| self.keep(&format!("{name} {status}"), schema));
            responses.extend(status.parse::<u16>().ok().map(|status| (status, place)));
        }
        let (method, template) = (method.to_owned(), segments(path));
        self.operations.push(Operation { method, template, query, body, needs_body, responses });
    }

    /// Keeps a schema under a name; says its address.
    fn keep(&mut self, name: &str, schema: &Value) -> String {
        let mut schema = schema.clone();
        translate(&mut schema);
        let key: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        self.schemas["components"]["schemas"][&key] = schema;
        format!("{BASE}#/components/schemas/{key}")
    }

    /// The operation that spells out most of a path.
    pub(crate) fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        let given: Vec<&str> = path.trim_matches('/').split('/').collect();
        self.operations
            .iter()
            .filter(|operation| operation.method == method && fits(&operation.template, &given))
            .max_by_key(|operation| {
                operation.template.iter().filter(|piece| !piece.starts_with('{')).count()
            })
    }

    /// The fields of `value` that the schema does not know, with where they are.
    pub(crate) fn undescribed(&self, schema: &str, value: &Value) -> Vec<String> {
        self.strangers(&json!({ "$ref": schema }), value, "")
    }

    fn strangers(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let schema = self.follow(schema);
        let own = !schema["properties"].is_null();
        for choice in ["oneOf", "anyOf"].into_iter().filter(|_| !own) {
            if let Some(choices) = schema[choice].as_array() {
                let all = choices.iter().map(|one| self.strangers(one, value, at));
                return all.min_by_key(Vec::len).unwrap_or_default();
            }
        }
        match value {
            Value::Array(items) => {
                let inner = items.iter().enumerate().flat_map(|(index, item)| {
                    self.strangers(&schema["items"], item, &format!("{at}/{index}"))
                });
                inner.collect()
            }
            Value::Object(fields) => {
                let known = self.properties(schema);
                if known.is_empty() || schema["additionalProperties"].is_object() {
                    return Vec::new();
                }
                let mut found = Vec::new();
                for (name, inner) in fields {
                    match known.get(name.as_str()) {
                        None => found.push(format!("{at}/{name} is not described")),
                        Some(schema) => {
                            found.extend(self.strangers(schema, inner, &format!("{at}/{name}")));
                        }
                    }
                }
                found
            }
            _ => Vec::new(),
        }
    }

    fn properties<'d>(&'d self, schema: &'d Value) -> BTreeMap<&'d str, &'d Value> {
        let mut known: BTreeMap<&str, &Value> = BTreeMap::new();
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            known.insert(name, inner);
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            known.extend(self.properties(self.follow(part)));
        }
        known
    }

    fn follow<'d>(&'d self, mut schema: &'d Value) -> &'d Value {
        let mut seen = BTreeSet::new();
        while let Some(target) = schema["$ref"].as_str() {
            let name = target.rsplit('/').next().unwrap_or_default();
            if !seen.insert(name) {
                break;
            }
            schema = &self.schemas["components"]["schemas"][name];
        }
        schema
    }
}

fn segments(path: &str) -> Vec<String> {
    path.trim_matches('/').split('/').map(str::to_owned).collect()
}

fn resolve<'a>(item: &'a Value, components: &'a Value) -> &'a Value {
    let Some(target) = item["$ref"].as_str() else { return item };
    let inside = target.trim_start_matches("#/components");
    components.pointer(inside).unwrap_or(item)
}

fn fits(template: &[String], given: &[&str]) -> bool {
    match template.split_first() {
        None => given.is_empty(),
        Some((piece, rest)) => {
            let name = piece.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
            match name {
                None => given.first() == Some(&piece.as_str()) && fits(rest, &given[1..]),
                Some(name) if GREEDY.contains(&name) => {
                    (1..=given.len()).any(|count| fits(rest, &given[count..]))
                }
                Some(_) => !given.is_empty() && fits(rest, &given[1..]),
            }
        }
    }
}

/// OpenAPI 3.0 says `nullable: true` where JSON Schema wants `null` among the types.
fn translate(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(translate),
        Value::Object(fields) => {
            for name in ["example", "examples", "discriminator"] {
                // A property may well be called so: only then it holds a schema.
                if fields.get(name).is_some_and(|inner| !looks_like_schema(inner)) {
                    fields.remove(name);
                }
            }
            // The address of a bot, `1+gander[bot]@…`, is none in the eyes of RFC 5321.
            if fields.get("format") == Some(&json!("email")) {
                fields.remove("format");
            }
            fields.values_mut().for_each(translate);
            if fields.get("nullable") == Some(&json!(true)) {
                fields.remove("nullable");
                allow_null(fields);
            }
        }
        _ => {}
    }
}

fn looks_like_schema(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| {
        ["type", "$ref", "oneOf", "anyOf", "allOf"].iter().any(|key| fields.contains_key(*key))
    })
}

fn allow_null(fields: &mut Map<String, Value>) {
    if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut)
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
    match fields.get("type").cloned() {
        Some(Value::String(kind)) => {
            fields.insert("type".to_owned(), json!([kind, "null"]));
        }
        Some(_) => {}
        None => {
            let plain = Value::Object(std::mem::take(fields));
            fields.insert("anyOf".to_owned(), json!([plain, { "type": "null" }]));
        }
    }
}

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
    /// By `event.action`, or `event` alone.
    pub(crate) webhooks: BTreeMap<String, Webhook>,
}

/// What may be asked at one method and path. Schemas are addresses.
pub(crate) struct Operation {
    method: String,
    template: Vec<String>,
    params: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) needed_query: Vec<String>,
    /// By media type.
    pub(crate) body: Contents,
    pub(crate) needs_body: bool,
    pub(crate) responses: BTreeMap<u16, Response>,
}

/// One answer.
pub(crate) struct Response {
    pub(crate) contents: Contents,
    /// By name, in small letters.
    pub(crate) headers: BTreeMap<String, String>,
}

/// One event and action of webhooks.
pub(crate) struct Webhook {
    /// By name, in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Schemas by media type.
pub(crate) type Contents = BTreeMap<String, Option<String>>;

/// The schema of JSON.
pub(crate) fn json_of(contents: &Contents) -> Option<&str> {
    contents.get("application/json").and_then(Option::as_deref)
}

impl Document {
    pub(crate) fn new(mut openapi: Value) -> Self {
        let (paths, webhooks) = (openapi["paths"].take(), openapi["x-webhooks"].take());
        let mut components = openapi["components"].take();
        let mut schemas = components["schemas"].take();
        translate(&mut schemas);
        let mut document = Self {
            schemas: json!({ "components": { "schemas": schemas } }),
            operations: Vec::new(),
            webhooks: BTreeMap::new(),
        };
        components["schemas"] = Value::Null;
        for (path, item) in paths.as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                document.read(path, &method.to_uppercase(), operation, &components);
            }
        }
        for hook in webhooks.as_object().into_iter().flatten().map(|(_, hook)| &hook["post"]) {
            document.read_webhook(hook, &components);
        }
        document
    }

    /// Describes an operation that GitHub has and does not describe.
    pub(crate) fn add(&mut self, method: &str, path: &str, answer: &str) {
        let schema = format!("{BASE}#/components/schemas/{answer}");
        let contents = [("application/json".to_owned(), Some(schema))].into();
        self.operations.push(Operation {
            method: method.to_owned(),
            template: segments(path),
            params: BTreeMap::new(),
            query: BTreeMap::new(),
            needed_query: Vec::new(),
            body: Contents::new(),
            needs_body: false,
            responses: [(200, Response { contents, headers: BTreeMap::new() })].into(),
        });
    }

    /// Replaces the schema of an answer where the description errs.
    pub(crate) fn correct(&mut self, method: &str, path: &str, status: u16, schema: &Value) {
        let place = self.keep(&format!("{method} {path} {status} corrected"), schema);
        let template = segments(path);
        for operation in &mut self.operations {
            if operation.method == method && operation.template == template {
                let response = operation.responses.get_mut(&status).unwrap();
                response.contents.insert("application/json".to_owned(), Some(place.clone()));
            }
        }
    }

    fn read(&mut self, path: &str, method: &str, operation: &Value, components: &Value) {
        let name = format!("{method} {path}");
        let (mut params, mut query) = (BTreeMap::new(), BTreeMap::new());
        let mut needed_query = Vec::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(parameter, components);
            let key = parameter["name"].as_str().unwrap_or_default().to_owned();
            let place = self.keep(&format!("{name} ?{key}"), &parameter["schema"]);
            match parameter["in"].as_str() {
                Some("query") => {
                    if parameter["required"] == true {
                        needed_query.push(key.clone());
                    }
                    query.insert(key, place);
                }
                Some("path") => drop(params.insert(key, place)),
                other => panic!("{name}: a parameter in {other:?}"),
            }
        }
        let body = self.contents(&name, &operation["requestBody"]["content"]);
        let needs_body = operation["requestBody"]["required"] == true;
        let mut responses = BTreeMap::new();
        for (status, response) in operation["responses"].as_object().into_iter().flatten() {
            let (name, response) = (format!("{name} {status}"), resolve(response, components));
            let contents = self.contents(&name, &response["content"]);
            let mut headers = BTreeMap::new();
            for (header, value) in response["headers"].as_object().into_iter().flatten() {
                let schema = &resolve(value, components)["schema"];
                let place = self.keep(&format!("{name} {header}"), schema);
                headers.insert(header.to_lowercase(), place);
            }
            responses.insert(status.parse().unwrap(), Response { contents, headers });
        }
        self.operations.push(Operation {
            method: method.to_owned(),
            template: segments(path),
            params,
            query,
            needed_query,
            body,
            needs_body,
            responses,
        });
    }

    fn contents(&mut self, name: &str, content: &Value) -> Contents {
        let kinds = content.as_object().into_iter().flatten();
        let schemas = kinds.map(|(kind, inner)| {
            let schema = &inner["schema"];
            let place = (!schema.is_null()).then(|| self.keep(&format!("{name} {kind}"), schema));
            (kind.clone(), place)
        });
        schemas.collect()
    }

    fn read_webhook(&mut self, hook: &Value, components: &Value) {
        // As `pull-request/ready-for-review`; the events and actions themselves have underscores.
        let name = hook["operationId"].as_str().unwrap_or_default();
        let name = name.replace('-', "_").replace('/', ".");
        let mut headers = BTreeMap::new();
        for parameter in hook["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(parameter, components);
            let header = parameter["name"].as_str().unwrap_or_default().to_lowercase();
            let place = self.keep(&format!("{name} {header}"), &parameter["schema"]);
            headers.insert(header, place);
        }
        let schema = &hook["requestBody"]["content"]["application/json"]["schema"];
        let body = self.keep(&format!("webhook {name}"), schema);
        self.webhooks.insert(name, Webhook { headers, body });
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
            .filter(|operation| {
                operation.method == method && fit(&operation.template, &given).is_some()
            })
            .max_by_key(|operation| {
                operation.template.iter().filter(|piece| !piece.starts_with('{')).count()
            })
    }

    /// The names in the path of an operation, what stands for them, and their schemas.
    pub(crate) fn params<'d>(
        &self,
        operation: &'d Operation,
        path: &str,
    ) -> Vec<(String, String, Option<&'d str>)> {
        let given: Vec<&str> = path.trim_matches('/').split('/').collect();
        let found = fit(&operation.template, &given).unwrap_or_default();
        let known = |name: &str| operation.params.get(name).map(String::as_str);
        found.into_iter().map(|(name, text)| (name.clone(), text, known(&name))).collect()
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

    pub(crate) fn follow<'d>(&'d self, mut schema: &'d Value) -> &'d Value {
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

/// What the names in a template stand for in a path, or nothing when it is not of that form.
fn fit(template: &[String], given: &[&str]) -> Option<Vec<(String, String)>> {
    let Some((piece, rest)) = template.split_first() else {
        return given.is_empty().then(Vec::new);
    };
    let name = piece.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
    let Some(name) = name else {
        return if given.first() == Some(&piece.as_str()) { fit(rest, &given[1..]) } else { None };
    };
    let most = if GREEDY.contains(&name) { given.len() } else { given.len().min(1) };
    (1..=most).find_map(|count| {
        let mut found = fit(rest, &given[count..])?;
        let text = given[..count].join("/");
        let text = percent_encoding::percent_decode_str(&text).decode_utf8_lossy();
        found.insert(0, (name.to_owned(), text.into_owned()));
        Some(found)
    })
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

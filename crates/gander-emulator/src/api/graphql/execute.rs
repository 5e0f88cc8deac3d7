//! A document, executed: operations, fragments, variables, aliases, field by field.
//!
//! Invariants: it knows nothing of what the fields mean; a field that fails is null and has an
//! error with its path, and a document that makes no sense has no data at all.

use std::collections::BTreeMap;

use graphql_parser::query::{
    Definition, Document, Field, OperationDefinition, Selection, SelectionSet, TypeCondition,
    Value as Literal,
};
use serde_json::{Map, Value, json};

use super::{Arguments, Object, Problem, Resolved, mutate, object};
use crate::api::Call;

struct Execution<'d> {
    fragments: BTreeMap<&'d str, (&'d str, &'d SelectionSet<'d, String>)>,
    variables: Map<String, Value>,
    errors: Vec<Value>,
    path: Vec<Value>,
    /// Something in the document makes no sense: there will be no data.
    senseless: bool,
}

/// Executes a document; says what GitHub would answer.
pub(super) fn run(call: &mut Call<'_>, text: &str, name: Option<&str>, given: &Value) -> Value {
    let failed = |problem: Problem| json!({ "errors": [problem.to_json(&[])] });
    let document: Document<'_, String> = match graphql_parser::parse_query(text) {
        Ok(document) => document,
        Err(error) => return failed(Problem::senseless(format!("Parse error: {error}"))),
    };
    let mut execution = Execution {
        fragments: BTreeMap::new(),
        variables: Map::new(),
        errors: Vec::new(),
        path: Vec::new(),
        senseless: false,
    };
    let mut operations = Vec::new();
    for definition in &document.definitions {
        match definition {
            Definition::Fragment(fragment) => {
                let TypeCondition::On(on) = &fragment.type_condition;
                let known = (on.as_str(), &fragment.selection_set);
                execution.fragments.insert(fragment.name.as_str(), known);
            }
            Definition::Operation(operation) => operations.push(operation),
        }
    }
    let wanted = operations.into_iter().find(|operation| {
        let own = match operation {
            OperationDefinition::Query(query) => query.name.as_deref(),
            OperationDefinition::Mutation(mutation) => mutation.name.as_deref(),
            OperationDefinition::SelectionSet(_) | OperationDefinition::Subscription(_) => None,
        };
        name.is_none_or(|name| own == Some(name))
    });
    let data = match wanted {
        Some(OperationDefinition::SelectionSet(set)) => execution.object(call, &Object::Query, set),
        Some(OperationDefinition::Query(query)) => {
            execution.declare(&query.variable_definitions, given);
            execution.object(call, &Object::Query, &query.selection_set)
        }
        Some(OperationDefinition::Mutation(mutation)) => {
            execution.declare(&mutation.variable_definitions, given);
            execution.object(call, &Object::Mutation, &mutation.selection_set)
        }
        Some(OperationDefinition::Subscription(_)) | None => {
            return failed(Problem::senseless("No operation to execute".to_owned()));
        }
    };
    let errors = execution.errors;
    match (execution.senseless, errors.is_empty()) {
        (true, _) => json!({ "errors": errors }),
        (false, true) => json!({ "data": data }),
        (false, false) => json!({ "data": data, "errors": errors }),
    }
}

type Definitions<'d> = [graphql_parser::query::VariableDefinition<'d, String>];

impl<'d> Execution<'d> {
    fn declare(&mut self, declared: &Definitions<'d>, given: &Value) {
        for definition in declared {
            let default = definition.default_value.as_ref();
            let default = default.and_then(|literal| self.literal(literal).ok());
            let value = given.get(&definition.name).cloned().or(default);
            let required =
                matches!(definition.var_type, graphql_parser::query::Type::NonNullType(_));
            if required && value.as_ref().is_none_or(Value::is_null) {
                let words = format!("Variable ${} was provided invalid value", definition.name);
                self.fail(&Problem::senseless(words));
            }
            self.variables.insert(definition.name.clone(), value.unwrap_or(Value::Null));
        }
    }

    fn fail(&mut self, problem: &Problem) {
        self.senseless |= problem.kind.is_none();
        self.errors.push(problem.to_json(&self.path));
    }

    fn object(
        &mut self,
        call: &mut Call<'_>,
        object: &Object,
        set: &'d SelectionSet<'d, String>,
    ) -> Value {
        let mut fields = Map::new();
        self.select(call, object, set, &mut fields);
        Value::Object(fields)
    }

    fn select(
        &mut self,
        call: &mut Call<'_>,
        object: &Object,
        set: &'d SelectionSet<'d, String>,
        fields: &mut Map<String, Value>,
    ) {
        for selection in &set.items {
            let (on, inner) = match selection {
                Selection::Field(field) => {
                    let key = field.alias.as_ref().unwrap_or(&field.name);
                    self.path.push(json!(key));
                    let value = self.field(call, object, field);
                    self.path.pop();
                    merge(fields, key, value);
                    continue;
                }
                Selection::InlineFragment(fragment) => {
                    let on = fragment.type_condition.as_ref();
                    let on = on.map(|TypeCondition::On(on)| on.as_str());
                    (on, &fragment.selection_set)
                }
                Selection::FragmentSpread(spread) => {
                    match self.fragments.get(spread.fragment_name.as_str()) {
                        Some((on, inner)) => (Some(*on), *inner),
                        None => {
                            let name = &spread.fragment_name;
                            let words = format!("Fragment {name} was used, but not defined");
                            self.fail(&Problem::senseless(words));
                            continue;
                        }
                    }
                }
            };
            if on.is_none_or(|on| object::is(call.state, object, on)) {
                self.select(call, object, inner, fields);
            }
        }
    }

    fn field(
        &mut self,
        call: &mut Call<'_>,
        object: &Object,
        field: &'d Field<'d, String>,
    ) -> Value {
        if !field.directives.is_empty() {
            let words = "The emulator knows no directives".to_owned();
            self.fail(&Problem::senseless(words));
            return Value::Null;
        }
        let resolved = self.arguments(field).and_then(|arguments| match object {
            Object::Mutation => mutate::field(call, &field.name, arguments),
            _ => object::field(call, object, &field.name, arguments),
        });
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(problem) => {
                self.fail(&problem);
                return Value::Null;
            }
        };
        let leaf = matches!(resolved, Resolved::Value(_));
        if leaf != field.selection_set.items.is_empty() {
            let kind = object::type_name(call.state, object);
            let words = if leaf { "can't have selections" } else { "must have selections" };
            self.fail(&Problem::senseless(format!("Field '{}' of {kind} {words}", field.name)));
            return Value::Null;
        }
        match resolved {
            Resolved::Value(value) => value,
            Resolved::One(None) => Value::Null,
            Resolved::One(Some(inner)) => self.object(call, &inner, &field.selection_set),
            Resolved::Many(items) => {
                let mut list = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    self.path.push(json!(index));
                    list.push(self.object(call, item, &field.selection_set));
                    self.path.pop();
                }
                Value::Array(list)
            }
        }
    }

    fn arguments(&self, field: &Field<'d, String>) -> Result<Arguments, Problem> {
        let mut given = BTreeMap::new();
        for (name, literal) in &field.arguments {
            given.insert(name.clone(), self.literal(literal)?);
        }
        Ok(Arguments { field: field.name.clone(), given })
    }

    fn literal(&self, literal: &Literal<'d, String>) -> Result<Value, Problem> {
        Ok(match literal {
            Literal::Variable(name) => {
                let words = || Problem::senseless(format!("Variable ${name} is not defined"));
                self.variables.get(name).cloned().ok_or_else(words)?
            }
            Literal::Int(number) => json!(number.as_i64()),
            Literal::Float(number) => json!(number),
            Literal::String(text) | Literal::Enum(text) => json!(text),
            Literal::Boolean(truth) => json!(truth),
            Literal::Null => Value::Null,
            Literal::List(items) => {
                let items: Result<Vec<_>, _> =
                    items.iter().map(|item| self.literal(item)).collect();
                json!(items?)
            }
            Literal::Object(fields) => {
                let mut object = Map::new();
                for (name, value) in fields {
                    object.insert(name.clone(), self.literal(value)?);
                }
                Value::Object(object)
            }
        })
    }
}

/// Puts a field in; what two fragments ask of one object comes together.
fn merge(fields: &mut Map<String, Value>, key: &str, value: Value) {
    match (fields.get_mut(key), value) {
        (Some(Value::Object(known)), Value::Object(more)) => {
            for (name, inner) in more {
                merge(known, &name, inner);
            }
        }
        (Some(Value::Array(known)), Value::Array(more)) => {
            for (known, more) in known.iter_mut().zip(more) {
                if let (Value::Object(known), Value::Object(more)) = (known, more) {
                    for (name, inner) in more {
                        merge(known, &name, inner);
                    }
                }
            }
        }
        (_, value) => {
            fields.insert(key.to_owned(), value);
        }
    }
}

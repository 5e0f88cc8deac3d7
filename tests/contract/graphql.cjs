// Judges what was sent to GraphQL, and what came back, by GitHub's own schema. Reads a list of
// { query, variables, data } and writes, for each, a list of what is wrong with it.
"use strict";

const {
  buildSchema, getNullableType, getVariableValues, isCompositeType, isEnumType,
  isListType, isNonNullType, isObjectType, Kind, parse, validate,
} = require("graphql");
const { readFileSync } = require("node:fs");

const idl = readFileSync(`${process.env.NODE_PATH}/@octokit/graphql-schema/schema.graphql`, "utf8");
const schema = buildSchema(idl, { assumeValid: true });

// The fields that a selection asks of an object of this type, by the name they come back under.
function collect(set, type, fragments, fields = new Map()) {
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      const key = (selection.alias ?? selection.name).value;
      const known = fields.get(key) ?? { name: selection.name.value, sets: [] };
      if (selection.selectionSet) known.sets.push(selection.selectionSet);
      fields.set(key, known);
      continue;
    }
    const fragment =
      selection.kind === Kind.FRAGMENT_SPREAD ? fragments[selection.name.value] : selection;
    const on = fragment.typeCondition?.name.value;
    const applies = on === undefined || on === type.name
      || (isCompositeType(schema.getType(on)) && !isObjectType(schema.getType(on))
        && schema.isSubType(schema.getType(on), type));
    if (applies) collect(fragment.selectionSet, type, fragments, fields);
  }
  return fields;
}

const plain = {
  Int: Number.isInteger,
  Float: (value) => typeof value === "number",
  Boolean: (value) => typeof value === "boolean",
  DateTime: (value) => typeof value === "string" && !Number.isNaN(Date.parse(value)),
};

function compare(value, type, sets, fragments, path, found, nullable) {
  if (value === null || value === undefined) {
    if (isNonNullType(type) && !nullable) found.push(`${path} is null`);
    return;
  }
  type = getNullableType(type);
  if (isListType(type)) {
    if (!Array.isArray(value)) return found.push(`${path} is no list`);
    value.forEach((item, at) =>
      compare(item, type.ofType, sets, fragments, `${path}/${at}`, found, nullable));
  } else if (isEnumType(type)) {
    if (!type.getValue(value)) found.push(`${path} is no ${type.name}`);
  } else if (!isCompositeType(type)) {
    const fits = plain[type.name] ?? ((inner) => typeof inner === "string");
    if (!fits(value)) found.push(`${path} is no ${type.name}`);
  } else {
    const candidates = isObjectType(type) ? [type] : schema.getPossibleTypes(type);
    // Which of them it is shows in what came back.
    const results = candidates.map((candidate) => {
      const inner = [];
      const fields = new Map();
      for (const set of sets) collect(set, candidate, fragments, fields);
      for (const [key, field] of fields) {
        if (!(key in value)) { inner.push(`${path}/${key} is missing`); continue; }
        if (field.name === "__typename") {
          if (value[key] !== candidate.name) inner.push(`${path} is no ${value[key]}`);
          continue;
        }
        const known = candidate.getFields()[field.name];
        compare(value[key], known.type, field.sets, fragments, `${path}/${key}`, inner, nullable);
      }
      for (const key of Object.keys(value)) {
        if (!fields.has(key)) inner.push(`${path}/${key} was not asked for`);
      }
      return inner;
    });
    results.sort((one, other) => one.length - other.length);
    found.push(...(results[0] ?? [`${path} is nothing of ${type.name}`]));
  }
}

function judge({ query, variables, data, errors }) {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return [error.message];
  }
  const found = validate(schema, document).map((error) => error.message);
  if (found.length > 0) return found;
  const fragments = {};
  for (const one of document.definitions) {
    if (one.kind === Kind.FRAGMENT_DEFINITION) fragments[one.name.value] = one;
  }
  const operation = document.definitions.find((one) => one.kind === Kind.OPERATION_DEFINITION);
  const given = getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {});
  found.push(...(given.errors ?? []).map((error) => error.message));
  if (data !== null && data !== undefined) {
    const root = schema.getRootType(operation.operation);
    compare(data, root, [operation.selectionSet], fragments, "data", found, Boolean(errors));
  }
  return found;
}

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (part) => { text += part; });
process.stdin.on("end", () => {
  process.stdout.write(JSON.stringify(JSON.parse(text).map(judge)));
});

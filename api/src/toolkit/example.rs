//! Examples of what schemas describe, made of those that the schemas have.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};

/// Makes examples of schemas (JSON Schema 2020-12, as OpenAPI 3.1 has them) that refer to named ones.
pub(crate) struct Examples(HashMap<String, Value>);

impl Examples {
    pub(crate) fn new(schemas: impl IntoIterator<Item = (String, RefOr<Schema>)>) -> Self {
        let json = |schema| serde_json::to_value(schema).unwrap_or_default();
        Self(schemas.into_iter().map(|(name, schema)| (name, json(schema))).collect())
    }

    /// An example of the schema with this name.
    pub(crate) fn named(&self, name: &str) -> Value {
        self.0
            .get(name)
            .map(|schema| self.within(&[name], schema))
            .unwrap_or_default()
    }

    /// An example of a schema: its own, or one that is put together from those of its parts. A value without one that
    /// may be null is null.
    pub(crate) fn of(&self, schema: &Value) -> Value {
        self.within(&[], schema)
    }

    /// An example of a part of these schemas. Where one refers to itself, the example ends.
    fn within(&self, names: &[&str], schema: &Value) -> Value {
        let of = |part: &Value| self.within(names, part);
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return match self.0.get(name) {
                Some(target) if !names.contains(&name) => self.within(&[names, &[name]].concat(), target),
                _ => Value::Null,
            };
        }
        if let Some(shown) = shown(schema) {
            return shown.clone();
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().map(of).fold(json!({}), both);
        }
        if let Some(choice) = ["oneOf", "anyOf"].iter().find_map(|word| schema[*word].as_array()) {
            let value = choice.iter().find(|one| one["type"] != "null");
            return value.map(of).unwrap_or_default();
        }
        match kind(schema) {
            Some("object") => {
                let properties = schema["properties"].as_object().into_iter().flatten();
                let members = properties.map(|(name, property)| (name.clone(), of(property)));
                Value::Object(members.collect::<Map<_, _>>())
            }
            Some("array") => match of(&schema["items"]) {
                Value::Null => json!([]),
                element => json!([element]),
            },
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            Some("boolean") => json!(false),
            Some("string") => text(schema).into(),
            _ => Value::Null,
        }
    }
}

/// The example that a schema has itself, or a value that it names.
fn shown(schema: &Value) -> Option<&Value> {
    let lists = ["examples", "enum"].map(|list| &schema[list][0]);
    let values = ["example", "const", "default"].map(|value| &schema[value]);
    values.into_iter().chain(lists).find(|value| !value.is_null())
}

/// The type of its values; null where they may be null.
fn kind(schema: &Value) -> Option<&str> {
    match &schema["type"] {
        Value::Array(kinds) if kinds.iter().any(|kind| kind == "null") => None,
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    }
}

fn text(schema: &Value) -> &'static str {
    match schema["format"].as_str() {
        Some("date-time") => "2026-11-22T12:00:00.123456Z",
        Some("date") => "2026-11-22",
        Some("uuid") => "019a9b8c-7d6e-7f50-8a1b-2c3d4e5f6a7b",
        Some("email") => "ada@example.com",
        Some("uri") => "https://example.com",
        _ => "text",
    }
}

/// An object with the members of both.
fn both(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            one.into()
        }
        (_, other) => other,
    }
}

#[cfg(test)]
mod tests {
    use utoipa::{PartialSchema, ToSchema};

    use super::*;

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Shop {
        #[schema(example = "Corner")]
        name: String,
        #[schema(minimum = 3)]
        shelves: u8,
        is_open: bool,
        /// A person.
        owner: Option<Owner>,
        rooms: Vec<Room>,
        closed_at: Option<String>,
        #[schema(format = DateTime)]
        opened_at: String,
        #[schema(no_recursion)]
        branches: Vec<Shop>,
    }

    #[derive(ToSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Owner {
        #[schema(example = 7)]
        id: i64,
    }

    #[derive(ToSchema)]
    #[schema(rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Room {
        Cellar,
        Attic,
    }

    #[test]
    fn an_example_has_the_examples_of_its_parts_and_ends() {
        let schemas = [
            ("Shop".to_owned(), Shop::schema()),
            ("Owner".to_owned(), Owner::schema()),
            ("Room".to_owned(), Room::schema()),
        ];
        let shop = Examples::new(schemas).named("Shop");
        let expected = json!({
            "name": "Corner", "shelves": 3, "is_open": false, "owner": {"id": 7}, "rooms": ["cellar"],
            "closed_at": null, "opened_at": "2026-11-22T12:00:00.123456Z", "branches": [],
        });
        assert_eq!(shop, expected);
    }
}

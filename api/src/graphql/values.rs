//! Types of values, and how they are written in JSON and in GraphQL.

use async_graphql::Value as Graphql;
use serde_json::{Map, Number, Value as Json};

use super::{answer::append, catalog::Catalog};

/// A type, and whether a value is always there.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Type {
    pub(super) kind: Kind,
    pub(super) is_required: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// Of a number where `numeric`.
    Id {
        numeric: bool,
    },
    /// Of 32 bits.
    Int,
    /// Of 64 bits.
    Long,
    Float,
    Boolean,
    Text,
    /// RFC 3339.
    DateTime,
    /// Whatever JSON can say.
    Json,
    Enum(String),
    /// An object that is answered, or an input object where it is sent.
    Object(String),
    List(Box<Type>),
}

impl Type {
    pub(super) fn required(kind: Kind) -> Self {
        Self {
            kind,
            is_required: true,
        }
    }

    pub(super) fn optional(kind: Kind) -> Self {
        Self {
            kind,
            is_required: false,
        }
    }

    /// The object whose fields are selected in a value.
    pub(super) fn object(&self) -> Option<&str> {
        match &self.kind {
            Kind::Object(name) => Some(name),
            Kind::List(inner) => inner.object(),
            _ => None,
        }
    }
}

/// Writes a scalar of an answer.
pub(super) fn append_scalar(json: &mut Vec<u8>, kind: &Kind, value: &Json) {
    match (kind, value) {
        (Kind::Id { .. }, Json::Number(number)) => append(json, &number.to_string()),
        (Kind::Enum(_), Json::String(word)) => append(json, &word.to_ascii_uppercase()),
        (_, value) => append(json, value),
    }
}

/// JSON as a value of GraphQL.
pub(super) fn to_graphql(value: &Json) -> Graphql {
    Graphql::from_json(value.clone()).unwrap_or_default()
}

/// What was sent, as the operation takes it. The types were checked before; what is wrong besides is for the operation
/// to refuse.
pub(super) fn to_json(catalog: &Catalog, kind: &Kind, value: Graphql) -> Json {
    match (kind, value) {
        (Kind::List(inner), Graphql::List(values)) => {
            let values = values.into_iter().map(|value| to_json(catalog, &inner.kind, value));
            Json::Array(values.collect())
        }
        (_, Graphql::Null) => Json::Null,
        // One value stands for a list of it (GraphQL §3.11).
        (Kind::List(inner), value) => Json::Array(vec![to_json(catalog, &inner.kind, value)]),
        // As the number is written, and in no other way.
        (Kind::Id { numeric: true }, Graphql::String(text)) => match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => Json::Number(Number::from(number)),
            _ => Json::String(text),
        },
        (Kind::Id { numeric: false }, Graphql::Number(number)) => Json::String(number.to_string()),
        (Kind::Enum(_), Graphql::Enum(name)) => Json::String(name.to_ascii_lowercase()),
        (Kind::Enum(_), Graphql::String(name)) => Json::String(name.to_ascii_lowercase()),
        (Kind::Object(name), Graphql::Object(fields)) => {
            let known = catalog.inputs.get(name);
            let fields =
                fields
                    .into_iter()
                    .map(|(name, value)| match known.and_then(|known| known.get(name.as_str())) {
                        Some(field) => (field.key.clone(), to_json(catalog, &field.kind.kind, value)),
                        None => (name.to_string(), to_json(catalog, &Kind::Json, value)),
                    });
            Json::Object(fields.collect::<Map<_, _>>())
        }
        (_, value) => value.into_json().unwrap_or_default(),
    }
}

/// An argument as the text of a query or a path; a list with commas between.
pub(super) fn to_text(value: Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text),
        Json::Array(values) => {
            let texts = values.into_iter().filter_map(to_text);
            Some(texts.collect::<Vec<_>>().join(","))
        }
        other => Some(other.to_string()),
    }
}

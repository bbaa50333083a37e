//! An operation of the API as a field of GraphQL's query or mutation.

use async_graphql::indexmap::IndexMap;

use super::values::Type;

pub(super) struct Operation {
    pub(super) method: String,
    /// Such as `/users/{id}`.
    pub(super) path: String,
    pub(super) about: String,
    pub(super) arguments: IndexMap<String, Argument>,
    pub(super) answer: Answer,
}

pub(super) struct Argument {
    pub(super) place: Place,
    pub(super) value: Type,
    pub(super) about: String,
}

/// Where an argument goes in the request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    Path(String),
    Query(String),
    Header(String),
    Body,
    Page(Paging),
}

/// The arguments of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Paging {
    First,
    After,
    Last,
    Before,
}

/// What it answers.
pub(super) enum Answer {
    /// No body: the field is true.
    Nothing,
    Value(Type),
    /// A page of a list, as the connection of this name.
    Page(String),
}

impl Answer {
    /// The field's type. An operation that fails leaves the others of the same request as they are, so it may be null.
    pub(super) fn object(&self) -> Option<&str> {
        match self {
            Self::Nothing => None,
            Self::Value(value) => value.object(),
            Self::Page(connection) => Some(connection),
        }
    }
}

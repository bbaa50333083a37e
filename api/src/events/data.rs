//! What the data of an event is.

use std::borrow::Cow;

use usher_shared::events::EventType;
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// Schemas with their names.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;

/// Types of events, and the schema of their data.
#[derive(Clone)]
pub(crate) struct EventData {
    pub(crate) kinds: Vec<EventType>,
    /// The schema's name.
    pub(super) name: Cow<'static, str>,
    /// The schema, and those that it refers to.
    pub(crate) schemas: fn() -> Schemas,
}

impl EventData {
    /// The data of these types is a `T`.
    pub(crate) fn of<T: ToSchema>(kinds: impl IntoIterator<Item = EventType>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            name: T::name(),
            schemas: named::<T>,
        }
    }
}

/// A schema and those that it refers to.
pub(crate) fn named<T: ToSchema>() -> Schemas {
    let mut schemas = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut schemas);
    schemas
}

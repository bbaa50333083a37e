//! The types of events as the documents show them: the schema and an example of each.

use serde_json::{Value, json};
use usher_shared::events::EventType;
use utoipa::{
    ToSchema,
    openapi::{
        Ref, RefOr, Schema,
        schema::{AllOfBuilder, ObjectBuilder, Type},
    },
};

use super::{
    data::{EventData, Schemas, named},
    shape::EventOut,
};
use crate::toolkit::example::Examples;

/// Types of events, and what is known of their data.
pub(crate) struct Catalog {
    pub(super) kinds: Vec<EventType>,
    data: Vec<EventData>,
    /// Of the schemas, and of what refers to them.
    pub(super) examples: Examples,
}

impl Catalog {
    pub(crate) fn new(kinds: impl IntoIterator<Item = EventType>, data: Vec<EventData>) -> Self {
        Self {
            kinds: kinds.into_iter().collect(),
            examples: Examples::new(schemas(&data)),
            data,
        }
    }

    /// The schema of events, those of their data, and all that they refer to.
    pub(super) fn schemas(&self) -> Schemas {
        schemas(&self.data)
    }

    /// An event whose type is this one, and whose data is what the type's events have.
    pub(super) fn schema(&self, kind: EventType) -> RefOr<Schema> {
        let word = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some([kind.as_str()]));
        let mut of_type = ObjectBuilder::new().property("type", word);
        if let Some(name) = self.data_name(kind) {
            of_type = of_type.property("data", Ref::from_schema_name(name));
        }
        let event = Ref::from_schema_name(EventOut::name());
        Schema::AllOf(AllOfBuilder::new().item(event).item(of_type).build()).into()
    }

    /// An event of this type, made of the examples that the schemas have.
    pub(super) fn example(&self, kind: EventType) -> Value {
        let mut event = self.examples.named(&EventOut::name());
        event["type"] = kind.as_str().into();
        event["object"]["type"] = kind.object_type().into();
        event["data"] = match self.data_name(kind) {
            Some(name) => self.examples.named(name),
            None => json!({"id": 1}),
        };
        event["object"]["id"] = match &event["data"]["id"] {
            Value::String(id) => id.as_str().into(),
            Value::Number(id) => id.to_string().into(),
            _ => event["object"]["id"].take(),
        };
        event
    }

    fn data_name(&self, kind: EventType) -> Option<&str> {
        let data = self.data.iter().find(|data| data.kinds.contains(&kind));
        data.map(|data| &*data.name)
    }
}

fn schemas(data: &[EventData]) -> Schemas {
    let of_data = data.iter().flat_map(|data| (data.schemas)());
    named::<EventOut>().into_iter().chain(of_data).collect()
}

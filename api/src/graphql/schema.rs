//! The catalog as a schema of `async-graphql`, which checks queries against it and answers questions about it. What runs
//! them is in `execute`.

use std::sync::Arc;

use async_graphql::{
    Error, Request, Response, Value,
    dynamic::{
        Enum, EnumItem, Field, FieldFuture, FieldValue, InputObject, InputValue, Object, Scalar, Schema, Subscription,
        SubscriptionField, SubscriptionFieldFuture, TypeRef,
    },
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
    indexmap::IndexMap,
};
use futures::stream;

use super::{
    catalog::{Catalog, EVENT},
    operation::{Answer, Argument, Operation},
    values::{Kind, Type},
};

/// The deepest nesting of a query: introspection by common tools takes 13.
const MAX_DEPTH: usize = 16;
/// Directives on one field.
const MAX_DIRECTIVES: usize = 8;

pub(super) const QUERY: &str = "Query";
pub(super) const MUTATION: &str = "Mutation";
pub(super) const SUBSCRIPTION: &str = "Subscription";
/// The subscription's one field, and what it takes.
pub(super) const EVENTS: &str = "events";
pub(super) const AFTER: &str = "after";
pub(super) const TYPES: &str = "types";

const DATE_TIME: &str = "DateTime";
const INT64: &str = "Int64";
const JSON: &str = "JSON";

/// Checks queries.
pub(super) struct Checked(Schema);

impl Checked {
    /// # Errors
    ///
    /// What the catalog says that no schema can.
    pub(super) fn new(catalog: &Catalog, allows_introspection: bool) -> Result<Self, String> {
        let subscription = catalog.objects.contains_key(EVENT);
        let mutation = !catalog.mutations.is_empty();
        let mut schema = Schema::build(
            QUERY,
            mutation.then_some(MUTATION),
            subscription.then_some(SUBSCRIPTION),
        )
        .limit_depth(MAX_DEPTH)
        .limit_directives(MAX_DIRECTIVES)
        .extension(CheckAlone)
        .register(root(QUERY, &catalog.queries));
        if mutation {
            schema = schema.register(root(MUTATION, &catalog.mutations));
        }
        if subscription {
            schema = schema.register(subscriptions());
        }
        for scalar in scalars() {
            schema = schema.register(scalar);
        }
        for (name, values) in &catalog.enums {
            let items = values.iter().map(EnumItem::new);
            schema = schema.register(Enum::new(name).items(items));
        }
        for (name, fields) in &catalog.inputs {
            let input = fields.iter().fold(InputObject::new(name), |input, (name, field)| {
                input.field(described_input(
                    InputValue::new(name, reference(&field.kind)),
                    &field.about,
                ))
            });
            schema = schema.register(input);
        }
        for (name, object) in &catalog.objects {
            let mut made = Object::new(name);
            if !object.about.is_empty() {
                made = made.description(&object.about);
            }
            for (name, field) in &object.fields {
                let mut of = Field::new(name, reference(&field.kind), |_| FieldFuture::from_value(None));
                if let Some(related) = &field.related
                    && let (true, Some(list)) = (related.is_many, catalog.queries.get(&related.list))
                {
                    of = with_arguments(of, related.arguments(list));
                }
                made = made.field(match field.about.is_empty() {
                    true => of,
                    false => of.description(&field.about),
                });
            }
            schema = schema.register(made);
        }
        if !allows_introspection {
            schema = schema.disable_introspection().disable_suggestions();
        }
        schema.finish().map(Self).map_err(|error| format!("GraphQL: {error}"))
    }

    pub(super) fn sdl(&self) -> String {
        self.0.sdl()
    }

    /// Checks a query. What it answers is no data, but the faults. Questions about the schema are answered.
    pub(super) async fn check(&self, request: Request, is_introspection: bool) -> Response {
        let request = match is_introspection {
            true => request.data(Introspection),
            false => request,
        };
        self.0.execute(request).await
    }
}

/// That a request asks about the schema.
struct Introspection;

/// Ends after the checks, unless the schema is asked about.
struct CheckAlone;

impl ExtensionFactory for CheckAlone {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for CheckAlone {
    async fn execute(&self, ctx: &ExtensionContext<'_>, name: Option<&str>, next: NextExecute<'_>) -> Response {
        match ctx.data_opt::<Introspection>() {
            Some(_) => next.run(ctx, name).await,
            None => Response::new(Value::Null),
        }
    }
}

fn root(name: &str, operations: &IndexMap<String, Operation>) -> Object {
    operations.iter().fold(Object::new(name), |root, (name, operation)| {
        let kind = match &operation.answer {
            Answer::Nothing => TypeRef::named(TypeRef::BOOLEAN),
            Answer::Value(value) => reference(&Type::optional(value.kind.clone())),
            Answer::Page(connection) => TypeRef::named(connection),
        };
        // Runs only beside questions about the schema.
        let field = Field::new(name, kind, |_| {
            FieldFuture::new(async {
                let message = "Ask about the schema (__schema, __type) in a request of its own";
                Err::<Option<FieldValue<'_>>, _>(Error::new(message))
            })
        });
        root.field(with_arguments(field, operation.arguments.iter()).description(&operation.about))
    })
}

fn with_arguments<'a>(field: Field, arguments: impl Iterator<Item = (&'a String, &'a Argument)>) -> Field {
    arguments.fold(field, |field, (name, argument)| {
        field.argument(described_input(
            InputValue::new(name, reference(&argument.value)),
            &argument.about,
        ))
    })
}

fn described_input(input: InputValue, about: &str) -> InputValue {
    match about.is_empty() {
        true => input,
        false => input.description(about),
    }
}

fn reference(value: &Type) -> TypeRef {
    let kind = match &value.kind {
        Kind::Id { .. } => TypeRef::named(TypeRef::ID),
        Kind::Int => TypeRef::named(TypeRef::INT),
        Kind::Long => TypeRef::named(INT64),
        Kind::Float => TypeRef::named(TypeRef::FLOAT),
        Kind::Boolean => TypeRef::named(TypeRef::BOOLEAN),
        Kind::Text => TypeRef::named(TypeRef::STRING),
        Kind::DateTime => TypeRef::named(DATE_TIME),
        Kind::Json => TypeRef::named(JSON),
        Kind::Enum(name) | Kind::Object(name) => TypeRef::named(name),
        Kind::List(inner) => TypeRef::List(Box::new(reference(inner))),
    };
    match value.is_required {
        true => TypeRef::NonNull(Box::new(kind)),
        false => kind,
    }
}

fn scalars() -> [Scalar; 3] {
    [
        Scalar::new(DATE_TIME)
            .description("A moment in RFC 3339, such as `2026-11-22T12:00:00.123456Z`.")
            .specified_by_url("https://www.rfc-editor.org/rfc/rfc3339")
            .validator(|value| matches!(value, Value::String(_))),
        Scalar::new(INT64)
            .description("A whole number of up to 64 bits, as a number of JSON.")
            .validator(|value| matches!(value, Value::Number(number) if number.is_i64())),
        Scalar::new(JSON).description("Any value of JSON."),
    ]
}

/// The stream of events.
fn subscriptions() -> Subscription {
    let events = SubscriptionField::new(EVENTS, TypeRef::named_nn(EVENT), |_| {
        SubscriptionFieldFuture::new(async { Ok(stream::empty::<Result<FieldValue<'_>, Error>>()) })
    });
    let after = InputValue::new(AFTER, TypeRef::named(INT64));
    let types = InputValue::new(TYPES, TypeRef::named_nn_list(TypeRef::STRING));
    Subscription::new(SUBSCRIPTION).field(
        events
            .description("What happens from now on, or after a position, in order.")
            .argument(after.description("Begins after this position."))
            .argument(types.description("Only these types; `user.*` for all of an object.")),
    )
}

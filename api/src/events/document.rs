//! What the document says of webhooks: each type of event, as a request that Usher sends (OpenAPI 3.1 §4.8.1).

use serde_json::{Value, json};
use usher_shared::events::EventType;
use utoipa::{
    ToSchema,
    openapi::{
        ContentBuilder, HttpMethod, OpenApi, PathItem, Ref, RefOr, Required, ResponseBuilder, Schema,
        path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathsBuilder},
        request_body::RequestBodyBuilder,
        schema::{AllOfBuilder, ObjectBuilder, Type},
        security::SecurityRequirement,
    },
};

use super::shape::EventOut;
use crate::toolkit::schema::text;

/// Adds every type of event that this program has.
pub(crate) fn describe(document: &mut OpenApi) {
    let webhooks = EventType::all().fold(PathsBuilder::new(), |webhooks, kind| {
        let operation = OperationBuilder::new()
            .operation_id(Some(format!("webhook.{}", kind.as_str())))
            .tag("Webhooks")
            .summary(Some(kind.about()))
            .description(Some(format!(
                "Sent to webhooks with the type `{}`. {SIGNED}",
                kind.as_str()
            )))
            .parameters(Some(headers()))
            // The signature takes the place of a credential.
            .security(SecurityRequirement::default())
            .request_body(Some(
                RequestBodyBuilder::new()
                    .required(Some(Required::True))
                    .content(
                        "application/json",
                        ContentBuilder::new()
                            .schema(Some(schema(kind)))
                            .example(Some(example(kind)))
                            .build(),
                    )
                    .build(),
            ))
            .response("2XX", ResponseBuilder::new().description("The event was taken").build())
            .response(
                "410",
                ResponseBuilder::new().description("Disables the webhook").build(),
            )
            .response(
                "default",
                ResponseBuilder::new()
                    .description("It is sent again later, as `Retry-After` asks")
                    .build(),
            );
        webhooks.path(kind.as_str(), PathItem::new(HttpMethod::Post, operation))
    });
    document.webhooks = Some(webhooks.build());
}

const SIGNED: &str = "Check the signature before you trust it, and remember `webhook-id`: an event can come twice. Answer \
    within 15 seconds.";

fn headers() -> Vec<Parameter> {
    [
        ("webhook-id", "The event's id, the same whenever it is sent."),
        ("webhook-timestamp", "When the request was sent, in Unix seconds."),
        (
            "webhook-signature",
            "One signature `v1,…` (HMAC-SHA-256) and one `v1a,…` (ed25519) for each key, with spaces between.",
        ),
    ]
    .into_iter()
    .map(|(name, about)| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::True)
            .description(Some(about))
            .schema(Some(text()))
            .build()
    })
    .collect()
}

/// An event whose type is this one, and whose data is what the API shows of its object.
fn schema(kind: EventType) -> RefOr<Schema> {
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some([kind.as_str()]));
    let of_type = ObjectBuilder::new().property("type", word);
    let of_type = match kind.object_type() {
        "user" if kind != EventType::USER_PURGED => of_type.property("data", Ref::from_schema_name("UserDetails")),
        _ => of_type,
    };
    let event = Ref::from_schema_name(EventOut::name());
    Schema::AllOf(AllOfBuilder::new().item(event).item(of_type).build()).into()
}

fn example(kind: EventType) -> Value {
    let user = json!({
        "id": 7, "name": "Ada Lovelace", "email": "ada@example.com", "created_at": "2026-11-22T12:00:00.123456Z",
        "age": 36, "status": "active", "verified": false, "external_id": null,
        "updated_at": "2026-11-22T12:00:00.123456Z",
    });
    let data = match kind.object_type() {
        "user" if kind != EventType::USER_PURGED => user,
        _ => json!({"id": 7}),
    };
    json!({
        "id": "019a9b8c-7d6e-7f50-8a1b-2c3d4e5f6a7b", "position": 4711, "type": kind.as_str(),
        "timestamp": "2026-11-22T12:00:00.123456Z",
        "object": {"type": kind.object_type(), "id": "7", "version": 1},
        "actor": {"type": "api_key", "id": 3, "on_behalf_of": null},
        "request_id": "019a9b8c-7d6e-7f50-8a1b-000000000000", "data": data,
    })
}

//! What the document says of webhooks: each type of event, as a request that Usher sends (OpenAPI 3.1 §4.8.1).

use utoipa::openapi::{
    ContentBuilder, HttpMethod, OpenApi, PathItem, Required, ResponseBuilder,
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn, PathsBuilder},
    request_body::RequestBodyBuilder,
    security::SecurityRequirement,
};

use super::catalog::Catalog;
use crate::toolkit::schema::text;

/// Adds these types of events, and the schemas of their data.
pub(crate) fn describe(document: &mut OpenApi, catalog: &Catalog) {
    let components = document.components.get_or_insert_default();
    for (name, schema) in catalog.schemas() {
        components.schemas.entry(name).or_insert(schema);
    }
    let webhooks = catalog.kinds.iter().fold(PathsBuilder::new(), |webhooks, &kind| {
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
                            .schema(Some(catalog.schema(kind)))
                            .example(Some(catalog.example(kind)))
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

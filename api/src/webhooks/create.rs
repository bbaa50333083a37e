//! `POST /webhooks`.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use usher_shared::{
    events::EventType,
    webhooks::{self, NewEndpoint},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{access::may_see, input::NewWebhookIn, shape::NewWebhookOut};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::{ApiKey, WebhooksWrite},
        error::ApiError,
        etag::etag,
        openapi::{BODY_ERRORS, Errors, KEY_ERRORS, error_list},
        request::Context,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Create a webhook
///
/// From now on events of these types are sent there, signed by the Standard Webhooks specification. The response has the
/// secret that checks the signatures, this once. The key needs the scope of each type besides `webhooks:write`, such as
/// `users:read`. Whoever created the key gets an email if the webhook is disabled.
#[utoipa::path(
    post, path = "/webhooks", operation_id = "createWebhook", tag = "Webhooks",
    request_body(content = NewWebhookIn, content_type = "application/json"),
    responses(
        (
            status = 201, description = "The webhook with its secret, shown this once", body = NewWebhookOut,
            headers(
                ("Location" = String, description = "The webhook's address"),
                ("ETag" = String, description = "The version of the webhook"),
            ),
        ),
        Errors<Create>,
    ),
    security(("apiKey" = ["webhooks:write"])),
)]
async fn create(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    Body(body): Body<NewWebhookIn>,
) -> Result<Response, ApiError> {
    let new = NewEndpoint::from(body);
    let types: Vec<&str> = new.types.iter().copied().map(EventType::as_str).collect();
    may_see(&key, &types.join(" "))?;
    let newest = state.events.newest().await?;
    let tx = state.begin().await?;
    key.hold(&tx).await?;
    let (creator, actor) = (key.row().created_by, key.actor(&context));
    let (webhook, keys) = webhooks::create(&tx, new, newest, creator, &state.config.secret_key, &actor).await?;
    tx.commit().await?;
    let address = format!("{}/webhooks/{}", state.root, webhook.id);
    let location: HeaderValue = address.parse().map_err(anyhow::Error::from)?;
    let headers = [(header::LOCATION, location), (header::ETAG, etag(webhook.version))];
    Ok((StatusCode::CREATED, headers, Secret(NewWebhookOut::new(webhook, &keys))).into_response())
}

error_list!(Create, [BODY_ERRORS, KEY_ERRORS], [ANSWER_NOT_KEPT]);

//! Changing, enabling, disabling and deleting a webhook, and giving it new keys.

use axum::{extract::State, response::Response};
use axum::{http::header, response::IntoResponse};
use usher_api_macros::operation;
use usher_shared::{
    events::EventType,
    foundation::entity::webhook_endpoint::Model,
    jobs::Tx,
    webhooks::{self, EndpointEdit},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    access::{self, may_see},
    input::WebhookPatchIn,
    shape::{NewWebhookOut, WebhookOut},
};
use crate::{
    operations,
    state::AppState,
    toolkit::{
        answers::{NoContent, Versioned},
        body::Body,
        caller::{ApiKey, WebhooksWrite},
        error::ApiError,
        etag::{IfMatch, etag},
        openapi::{Errors, KEY_ERRORS, error_list},
        path_id::PathId,
        request::Context,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    operations![update_webhook, enable_webhook, disable_webhook, delete_webhook].routes(routes!(rotate))
}

/// The webhook, held for a change of the version that was seen.
async fn hold(tx: &Tx, key: &ApiKey<WebhooksWrite>, id: &PathId, expected: &IfMatch) -> Result<Model, ApiError> {
    let webhook = access::hold(tx, key, id).await?;
    expected.allows(webhook.version)?;
    Ok(webhook)
}

/// Change a webhook
///
/// A JSON merge patch, or the whole webhook as it was read: a different value in a field that this operation doesn't
/// change is rejected. What waits is sent to the new URL. The key needs the scope of each type.
#[operation(patch, "/webhooks/{id}", ok = "The webhook as it is now")]
async fn update_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    expected: IfMatch,
    Body(body): Body<WebhookPatchIn>,
) -> Result<Versioned<WebhookOut>, ApiError> {
    let tx = state.begin().await?;
    let before = hold(&tx, &key, &id, &expected).await?;
    body.fixed.must_be(|| WebhookOut::from(before.clone()))?;
    let edit = EndpointEdit::from(body);
    if let Some(types) = &edit.types {
        let types: Vec<&str> = types.iter().copied().map(EventType::as_str).collect();
        may_see(&key, &types.join(" "))?;
    }
    let webhook = webhooks::edit(&tx, before, edit, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(Versioned::new(webhook.version, webhook))
}

/// Enable a webhook
///
/// Deliveries that waited are sent now, and what happens from now on. What happened in between is not; replay it if you
/// need it.
#[operation(post, "/webhooks/{id}/enable", ok = "The webhook as it is now")]
async fn enable_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    expected: IfMatch,
) -> Result<Versioned<WebhookOut>, ApiError> {
    let newest = state.events.newest().await?;
    let tx = state.begin().await?;
    let before = hold(&tx, &key, &id, &expected).await?;
    let webhook = webhooks::enable(&tx, before, newest, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(Versioned::new(webhook.version, webhook))
}

/// Disable a webhook
///
/// Nothing is sent any more. What waits stays.
#[operation(post, "/webhooks/{id}/disable", ok = "The webhook as it is now")]
async fn disable_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    expected: IfMatch,
) -> Result<Versioned<WebhookOut>, ApiError> {
    let tx = state.begin().await?;
    let before = hold(&tx, &key, &id, &expected).await?;
    let webhook = webhooks::disable(&tx, before, None, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(Versioned::new(webhook.version, webhook))
}

/// Delete a webhook
///
/// Its deliveries are deleted with it.
#[operation(delete, "/webhooks/{id}", ok = "The webhook is deleted")]
async fn delete_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    expected: IfMatch,
) -> Result<NoContent, ApiError> {
    let tx = state.begin().await?;
    let webhook = hold(&tx, &key, &id, &expected).await?;
    webhooks::delete(&tx, webhook, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(NoContent)
}

/// Replace the keys of a webhook
///
/// The response has the new secret, this once. Requests are signed with the old keys as well for 24 hours, so that
/// receivers can switch without a gap. Rotate twice if a secret has leaked.
#[utoipa::path(
    post, path = "/webhooks/{id}/rotate", operation_id = "rotateWebhook", tag = "Webhooks",
    params(("id" = i64, Path, description = "The webhook's id.", example = 1), IfMatch),
    responses(
        (
            status = 200, description = "The webhook with its new secret, shown this once", body = NewWebhookOut,
            headers(("ETag" = String, description = "The version of the webhook")),
        ),
        Errors<Rotate>,
    ),
    security(("apiKey" = ["webhooks:write"])),
)]
async fn rotate(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    expected: IfMatch,
) -> Result<Response, ApiError> {
    let tx = state.begin().await?;
    let before = hold(&tx, &key, &id, &expected).await?;
    let secret_key = &state.config.secret_key;
    let (webhook, keys) = webhooks::rotate(&tx, before, secret_key, &key.actor(&context)).await?;
    tx.commit().await?;
    let tag = [(header::ETAG, etag(webhook.version))];
    Ok((tag, Secret(NewWebhookOut::new(webhook, &keys))).into_response())
}

error_list!(
    Rotate,
    [KEY_ERRORS],
    [NOT_FOUND, PRECONDITION_FAILED, INVALID_REQUEST, ANSWER_NOT_KEPT],
    PathId::fault
);

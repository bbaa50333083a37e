//! `GET /webhooks` and `GET /webhooks/{id}`.

use axum::extract::State;
use sea_orm::Condition;
use usher_api_macros::operation;
use usher_shared::foundation::entity::webhook_endpoint;
use utoipa_axum::router::OpenApiRouter;

use super::shape::WebhookOut;
use crate::{
    operations,
    state::AppState,
    toolkit::{
        answers::Versioned,
        caller::{ApiKey, WebhooksRead},
        error::ApiError,
        etag::IfNoneMatch,
        list::{ListOut, ListQuery},
        path_id::PathId,
        query::Query,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    operations![list_webhooks, get_webhook]
}

/// List webhooks
///
/// Newest first unless `sort` says otherwise.
#[operation(get, "/webhooks", ok = "A page of webhooks")]
async fn list_webhooks(
    State(state): State<AppState>,
    _key: ApiKey<WebhooksRead>,
    Query(query): Query<ListQuery<WebhookOut>>,
) -> Result<ListOut<WebhookOut>, ApiError> {
    query.list(&state, []).await
}

/// Look a webhook up
#[operation(get, "/webhooks/{id}", ok = "The webhook")]
async fn get_webhook(
    State(state): State<AppState>,
    _key: ApiKey<WebhooksRead>,
    id: PathId,
    known: IfNoneMatch,
) -> Result<Versioned<WebhookOut>, ApiError> {
    let webhook = id.row::<webhook_endpoint::Entity>(&state.db, Condition::all()).await?;
    Ok(known.answer(webhook.version, webhook))
}

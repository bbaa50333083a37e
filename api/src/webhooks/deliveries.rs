//! How events were delivered, and sending some again.

use axum::{Json, extract::State};
use sea_orm::{ColumnTrait, Condition, sea_query::IntoCondition};
use usher_api_macros::operation;
use usher_shared::{
    foundation::entity::{
        webhook_delivery::Column,
        webhook_endpoint::{Entity, Model, WebhookStatus},
    },
    jobs::Tx,
    webhooks,
};
use utoipa_axum::router::OpenApiRouter;

use super::{
    access::hold,
    input::ReplayIn,
    shape::{DeliveryOut, ReplayedOut},
};
use crate::{
    operations,
    state::AppState,
    toolkit::{
        answers::Accepted,
        body::Body,
        caller::{ApiKey, WebhooksRead, WebhooksWrite},
        code::Code,
        error::ApiError,
        list::{Filter, ListOut, ListQuery},
        path_id::PathId,
        query::Query,
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    operations![list_webhook_deliveries, test_webhook, replay_webhook]
}

/// List the deliveries of a webhook
///
/// Newest first unless `sort` says otherwise. They are kept as long as events.
#[operation(get, "/webhooks/{id}/deliveries", object = "deliveries", ok = "A page of deliveries")]
async fn list_webhook_deliveries(
    State(state): State<AppState>,
    _key: ApiKey<WebhooksRead>,
    id: PathId,
    Query(query): Query<ListQuery<DeliveryOut>>,
) -> Result<ListOut<DeliveryOut>, ApiError> {
    let webhook = id.row::<Entity>(&state.db, Condition::all()).await?;
    let own = Column::EndpointId.eq(webhook.id).into_condition();
    query.list(&state, [Filter::indexed(own)]).await
}

/// Send a test event
///
/// An event of the type `webhook.test` is sent to this webhook alone. `GET /webhooks/{id}/deliveries` shows how it went.
#[operation(post, "/webhooks/{id}/test", ok = "It will be sent", errors(Code::WEBHOOK_DISABLED))]
async fn test_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
) -> Result<Accepted, ApiError> {
    let tx = state.begin().await?;
    let webhook = enabled(&tx, &key, &id).await?;
    webhooks::send_test(&tx, &webhook, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(Accepted)
}

/// Send events again
///
/// Those of the webhook's types after a position, whether they were delivered before or not: what it missed while it
/// was disabled, or what its receiver has lost. They come under their old ids.
#[operation(
    post,
    "/webhooks/{id}/replay",
    ok = "How many are sent again",
    errors(Code::WEBHOOK_DISABLED)
)]
async fn replay_webhook(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<WebhooksWrite>,
    id: PathId,
    Body(body): Body<ReplayIn>,
) -> Result<Json<ReplayedOut>, ApiError> {
    let newest = state.events.newest().await?;
    let tx = state.begin().await?;
    let webhook = enabled(&tx, &key, &id).await?;
    let through = body.through.map_or(newest, |through| through.get().min(newest));
    let (events, through) = webhooks::replay(&tx, &webhook, body.after.get(), through, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(Json(ReplayedOut { events, through }))
}

async fn enabled(tx: &Tx, key: &ApiKey<WebhooksWrite>, id: &PathId) -> Result<Model, ApiError> {
    let webhook = hold(tx, key, id).await?;
    match webhook.status {
        WebhookStatus::Enabled => Ok(webhook),
        WebhookStatus::Disabled => Err(Code::WEBHOOK_DISABLED.into()),
    }
}

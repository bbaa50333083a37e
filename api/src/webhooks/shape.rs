//! Webhooks and deliveries as the API shows them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_api_macros::Listed;
use usher_shared::{
    foundation::entity::{
        webhook_delivery::{self, DeliveryState},
        webhook_endpoint::{self, WebhookStatus},
    },
    webhooks::Keys,
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::toolkit::moment;

/// Where events are sent.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = Webhook)]
#[listed(entity = webhook_endpoint::Entity)]
pub(super) struct WebhookOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "https://example.org/webhooks")]
    url: String,
    #[schema(example = "Newsletter")]
    description: String,
    #[schema(example = json!(["user.created", "user.deleted"]))]
    #[listed(with = words)]
    types: Vec<String>,
    #[listed(with = Status::of)]
    status: Status,
    /// Why Usher or somebody disabled it.
    disabled_reason: Option<String>,
    /// With which the signatures `v1a` are checked.
    #[schema(example = "whpk_rJYy2oBNEkbUsSzYTiWQPQHOSvRTSnLNbnUSQ6tmjQY=")]
    public_key: String,
    /// Since when every attempt has failed. After five days the webhook is disabled.
    #[serde(serialize_with = "moment::fixed_or_null")]
    failing_since: Option<DateTime<Utc>>,
    /// Until when nothing is sent, because attempts have failed.
    #[serde(serialize_with = "moment::fixed_or_null")]
    paused_until: Option<DateTime<Utc>>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
}

/// For a column whose name is a word of Rust.
fn as_it_is(text: String) -> String {
    text
}

fn words(text: String) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Whether events are sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookStatus)]
enum Status {
    Enabled,
    Disabled,
}

impl Status {
    fn of(status: WebhookStatus) -> Self {
        match status {
            WebhookStatus::Enabled => Self::Enabled,
            WebhookStatus::Disabled => Self::Disabled,
        }
    }
}

/// A webhook with its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub(super) struct NewWebhookOut {
    #[serde(flatten)]
    row: WebhookOut,
    /// With which the signatures `v1` are checked. It cannot be shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: String,
}

impl NewWebhookOut {
    pub(super) fn new(webhook: webhook_endpoint::Model, keys: &Keys) -> Self {
        Self {
            row: webhook.into(),
            secret: keys.secret(),
        }
    }
}

/// One event for one webhook, and how its last attempt went.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = WebhookDelivery)]
#[listed(entity = webhook_delivery::Entity)]
pub(super) struct DeliveryOut {
    #[schema(example = 1)]
    id: i64,
    /// The event's position in the stream.
    #[schema(example = 4711)]
    position: i64,
    /// The event's id, which is `webhook-id` of each request.
    event_id: Uuid,
    #[schema(example = "user.created")]
    #[listed(from(kind), with = as_it_is)]
    r#type: String,
    #[listed(with = State::of)]
    state: State,
    #[schema(example = 1, minimum = 0)]
    attempts: i32,
    /// When it is tried next, if it is pending.
    #[serde(serialize_with = "moment::fixed")]
    next_attempt_at: DateTime<Utc>,
    /// The status of the last answer; null if there was none.
    #[schema(example = 204)]
    last_status: Option<i32>,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// The first kilobyte of the last answer.
    last_response: Option<String>,
    #[schema(example = 31, minimum = 0)]
    last_duration_ms: Option<i32>,
    #[serde(serialize_with = "moment::fixed_or_null")]
    delivered_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
}

/// How far a delivery has come.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryState)]
enum State {
    Pending,
    Delivered,
    /// It is not tried again by itself; `POST /webhooks/{id}/replay` sends it again.
    Failed,
}

impl State {
    fn of(state: DeliveryState) -> Self {
        match state {
            DeliveryState::Pending => Self::Pending,
            DeliveryState::Delivered => Self::Delivered,
            DeliveryState::Failed => Self::Failed,
        }
    }
}

/// What is sent again.
#[derive(Serialize, ToSchema)]
#[schema(as = Replayed)]
pub(super) struct ReplayedOut {
    /// How many events are sent again.
    #[schema(example = 12, minimum = 0)]
    pub(super) events: u64,
    /// Up to which position: one call replays at most 10,000. Go on after it, if there is more.
    #[schema(example = 4800)]
    pub(super) through: i64,
}

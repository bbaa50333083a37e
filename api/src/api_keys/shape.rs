//! API keys as the API shows them: everything but the hashes.

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_api_macros::Listed;
use usher_shared::foundation::{entity::api_key, time::now, token::Token};
use utoipa::{IntoParams, IntoResponses, ToSchema};

use crate::toolkit::{etag::etag, moment};

/// An API key; the secret itself is shown only when it is made.
#[derive(Serialize, ToSchema, Listed)]
#[schema(as = ApiKey)]
#[listed(entity = api_key::Entity)]
pub(crate) struct KeyOut {
    #[schema(example = 1)]
    pub(super) id: i64,
    #[schema(example = "billing")]
    name: String,
    /// The first characters of the key, to recognize it by.
    #[schema(example = "uak_0aB1")]
    hint: String,
    #[listed(from(revoked_at, expires_at), with = KeyState::of)]
    state: KeyState,
    /// Those of a newer release that this one does not know may be among them.
    #[schema(example = json!(["users:read"]))]
    #[listed(with = words)]
    scopes: Vec<String>,
    /// Empty for everywhere.
    #[schema(example = json!(["192.0.2.0/24"]))]
    #[listed(with = words_of)]
    allowed_cidrs: Vec<String>,
    /// Null for the installation's default.
    #[schema(example = 1200)]
    requests_per_minute: Option<i32>,
    /// The superuser who made it; null when it was made by a command.
    #[schema(example = 1)]
    created_by: Option<i64>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
    #[schema(example = "2100-01-01T00:00:00Z")]
    #[serde(serialize_with = "moment::fixed_or_null")]
    expires_at: Option<DateTime<Utc>>,
    /// To the minute.
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed_or_null")]
    last_used_at: Option<DateTime<Utc>>,
    #[schema(example = json!(null))]
    #[serde(serialize_with = "moment::fixed_or_null")]
    revoked_at: Option<DateTime<Utc>>,
    /// Until when the secret before the last rotation works.
    #[schema(example = json!(null))]
    #[serde(serialize_with = "moment::fixed_or_null")]
    #[listed(with = to_come)]
    previous_until: Option<DateTime<Utc>>,
}

/// Whether the key opens anything.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ApiKeyState)]
enum KeyState {
    Active,
    Expired,
    Revoked,
}

impl KeyState {
    fn of(revoked_at: Option<DateTime<Utc>>, expires_at: Option<DateTime<Utc>>) -> Self {
        match (revoked_at, expires_at) {
            (Some(_), _) => Self::Revoked,
            (None, Some(end)) if end <= now() => Self::Expired,
            _ => Self::Active,
        }
    }
}

fn words(text: String) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn words_of(text: Option<String>) -> Vec<String> {
    text.map(words).unwrap_or_default()
}

fn to_come(until: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    until.filter(|until| *until > now())
}

/// An API key with its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKeyWithSecret)]
pub(super) struct NewKeyOut {
    #[serde(flatten)]
    row: KeyOut,
    /// The key itself. It is not stored and cannot be shown again.
    #[schema(example = "uak_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    key: String,
}

impl NewKeyOut {
    pub(super) fn new(key: api_key::Model, token: &Token) -> Self {
        Self {
            row: key.into(),
            key: token.as_str().to_owned(),
        }
    }
}

/// A key in an address, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only describes what `PathId` reads")]
pub(super) struct KeyPath {
    /// The key's id.
    #[param(example = 1)]
    id: i64,
}

/// The key as it is now
#[derive(IntoResponses)]
#[response(status = 200, headers(("ETag" = String, description = "The version of the key")))]
#[expect(dead_code, reason = "only describes what `answer` sends")]
pub(super) struct KeyNow(KeyOut);

pub(super) fn answer(key: api_key::Model) -> Response {
    ([(header::ETAG, etag(key.version))], Json(KeyOut::from(key))).into_response()
}

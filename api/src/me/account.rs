//! `GET` and `PATCH /me`.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::users::{self, Edit},
    foundation::{
        entity::user,
        rules::{Age, Name},
    },
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::CurrentUser,
        code::Code,
        error::ApiError,
        etag::{IfMatch, etag, may_change},
        fields::Patch,
        fixed::{Fixed, Sent},
        moment,
        openapi::{Errors, PATCH_ERRORS, USER_ERRORS, error_list},
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show, update))
}

/// The signed-in person's own account.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
struct MeOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Ada Lovelace")]
    name: String,
    #[schema(example = "ada@example.com")]
    email: String,
    /// In whole years.
    #[schema(example = 36, minimum = 0, maximum = 150)]
    age: Option<i16>,
    /// Whether the email address is confirmed.
    #[schema(example = true)]
    verified: bool,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    updated_at: DateTime<Utc>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed_or_null")]
    password_changed_at: Option<DateTime<Utc>>,
    /// When the account will be deleted, if its owner has asked for that.
    #[schema(example = json!(null))]
    #[serde(serialize_with = "moment::fixed_or_null")]
    delete_at: Option<DateTime<Utc>>,
}

impl From<user::Model> for MeOut {
    fn from(user: user::Model) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            age: user.age,
            verified: user.email_verified_at.is_some(),
            created_at: user.created_at,
            updated_at: user.updated_at,
            password_changed_at: user.password_changed_at,
            delete_at: user.delete_at,
        }
    }
}

fn answer(user: user::Model) -> Response {
    let tag = [(axum::http::header::ETAG, etag(user.version))];
    (tag, Json(MeOut::from(user))).into_response()
}

/// Your account
#[utoipa::path(
    get, path = "/me", operation_id = "getMe", tag = "Me",
    responses(
        (
            status = 200, description = "The signed-in person", body = MeOut,
            headers(("ETag" = String, description = "The version of the account")),
        ),
        Errors<Show>,
    ),
    security(("accessToken" = [])),
)]
async fn show(current: CurrentUser) -> Response {
    answer(current.0.user)
}

error_list!(Show, [USER_ERRORS], []);

/// What to change of one's own account; what is absent stays as it is (RFC 7396).
#[derive(FromFields)]
#[schema(as = MePatch)]
struct UpdateMeIn {
    name: Patch<Name>,
    /// Null takes it away.
    #[schema(example = 37)]
    age: Patch<Option<Age>>,
    #[schema(fixed = FIXED)]
    fixed: Sent,
}

/// Fields that people change elsewhere, or not at all.
const FIXED: &[Fixed] = &[
    Fixed::new("id", "Ids never change"),
    Fixed::new("email", "Use POST /me/email-change"),
    Fixed::new("verified", "You confirm an address with a mailed link"),
    Fixed::new("status", "Only services and staff can change it"),
    Fixed::new("external_id", "The service that created the account gave it"),
    Fixed::new("created_at", "It never changes"),
    Fixed::moving("updated_at"),
    Fixed::moving("password_changed_at"),
    Fixed::new("password", "Use POST /me/password"),
    Fixed::new("delete_at", "Use DELETE /me, or POST /auth/keep-account to undo it"),
];

/// Change your account
///
/// Name and age. Change the email address with `POST /me/email-change`, the password with `POST /me/password`. You can
/// send back the whole account as you read it; a different value in a field that this operation doesn't change is
/// rejected.
#[utoipa::path(
    patch, path = "/me", operation_id = "updateMe", tag = "Me",
    params(IfMatch),
    request_body(content(
        (UpdateMeIn = "application/merge-patch+json"),
        (UpdateMeIn = "application/json"),
    )),
    responses(
        (
            status = 200, description = "The account as it is now", body = MeOut,
            headers(("ETag" = String, description = "The version of the account")),
        ),
        Errors<Update>,
    ),
    security(("accessToken" = [])),
)]
async fn update(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    headers: HeaderMap,
    Body(body): Body<UpdateMeIn>,
) -> Result<Response, ApiError> {
    let tx = state.job_store.begin().await?;
    let before = users::find_for_change(&tx, current.0.user.id).await?;
    let before = before.ok_or(Code::INVALID_CREDENTIAL)?;
    may_change(&headers, &etag(before.version))?;
    body.fixed.must_be(|| MeOut::from(before.clone()))?;
    let edit = Edit {
        name: body.name.0,
        age: body.age.0,
        ..Edit::default()
    };
    let user = users::edit(&tx, before, edit, &current.actor(&context)).await?;
    tx.commit().await?;
    Ok(answer(user))
}

error_list!(Update, [PATCH_ERRORS, USER_ERRORS], [PRECONDITION_FAILED]);

//! The signed-in person's own account.

mod deletion;
mod email;
mod mfa;
mod password;
mod sessions;

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_shared::{
    db,
    entity::user,
    rules::{Age, Name},
    users::{self, Edit},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::CurrentUser,
    code::Code,
    error::ApiError,
    etag::{IfMatch, etag, may_change},
    fields::{Fields, FromFields},
    json_body::Body,
    openapi::{ANY_ERRORS, BODY_ERRORS, ErrorList, Errors, USER_ERRORS},
    request::Context,
    state::AppState,
};

pub(crate) use sessions::{SessionOut, SessionsOut, ended};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show, update))
        .merge(deletion::router())
        .merge(password::router())
        .merge(email::router())
        .merge(sessions::router())
        .merge(mfa::router())
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
    /// Whether the email address has been proved to be the person's.
    #[schema(example = true)]
    verified: bool,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    created_at: DateTime<Utc>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    updated_at: DateTime<Utc>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    password_changed_at: Option<DateTime<Utc>>,
    /// When the account will be deleted, if its owner has asked for that.
    #[schema(example = json!(null))]
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

struct Show;
impl ErrorList for Show {
    const CODES: &'static [&'static [Code]] = &[USER_ERRORS, ANY_ERRORS];
}

/// What to change of one's own account; what is absent stays as it is (RFC 7396).
#[derive(ToSchema)]
#[schema(as = MePatch)]
struct UpdateMeIn {
    /// 1–255 characters after trimming, none of them a control character.
    #[schema(
        example = "Ada King",
        value_type = String,
        required = false,
        nullable = false,
        min_length = 1,
        pattern = r"^\s*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]{0,254}\s*$",
    )]
    name: Option<Name>,
    /// In whole years; null takes it away.
    #[schema(example = 37, value_type = Option<i16>, minimum = 0, maximum = 150)]
    age: Option<Option<Age>>,
}

impl FromFields<AppState> for UpdateMeIn {
    fn from_fields(fields: &mut Fields<'_>, _: &AppState) -> Option<Self> {
        let name = fields.change("name", Name::parse);
        let age = fields.change_or_clear("age", Age::parse);
        Some(Self { name: name?, age: age? })
    }
}

/// Change your account
///
/// Name and age. The email address moves with `POST /me/email-change`, the password with `POST /me/password`.
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
    let tx = db::begin(&state.db).await?;
    let before = users::find_for_change(&tx, current.0.user.id).await?;
    let before = before.ok_or(ApiError::InvalidCredential)?;
    may_change(&headers, &etag(before.version))?;
    let edit = Edit {
        name: body.name,
        age: body.age,
        ..Edit::default()
    };
    let user = users::edit(&tx, before, edit, &current.actor(&context)).await?;
    tx.commit().await?;
    Ok(answer(user))
}

struct Update;
impl ErrorList for Update {
    const CODES: &'static [&'static [Code]] = &[BODY_ERRORS, USER_ERRORS, &[Code::PreconditionFailed], ANY_ERRORS];
}

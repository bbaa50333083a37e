//! `GET /me/sessions`, `DELETE /me/sessions` and `DELETE /me/sessions/{id}`.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_shared::{
    accounts::sessions::{self, Which},
    audit::{self, Entry},
    foundation::{
        db,
        entity::session::{self, SessionKind},
    },
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    auth::about,
    caller::CurrentUser,
    code::Code,
    error::ApiError,
    moment,
    openapi::{ANY_ERRORS, ErrorList, Errors, USER_ERRORS},
    path_id::uuid,
    request::Context,
    state::AppState,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, end_others))
        .routes(routes!(end))
}

/// One device that is signed in.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionOut {
    #[schema(example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")]
    id: Uuid,
    kind: Kind,
    /// Whether it is the one that asks.
    #[schema(example = true)]
    current: bool,
    /// Where it was started from.
    #[schema(example = "203.0.113.7")]
    address: Option<String>,
    /// The `User-Agent` that started it.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    user_agent: Option<String>,
    /// Whether the second factor was given.
    #[schema(example = false)]
    mfa: bool,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
    /// To about five minutes.
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    last_seen_at: DateTime<Utc>,
    /// When it ends whatever happens; a session that nobody uses ends earlier.
    #[schema(example = "2026-12-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    expires_at: DateTime<Utc>,
}

/// Where the session is used: the API, or the admin of the staff.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionKind)]
enum Kind {
    Api,
    Admin,
}

impl SessionOut {
    pub(crate) fn of(session: session::Model, current: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            kind: match session.kind {
                SessionKind::Api => Kind::Api,
                SessionKind::Admin => Kind::Admin,
            },
            current: current == Some(session.id),
            address: session.address,
            user_agent: session.user_agent,
            mfa: session.mfa_at.is_some(),
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        }
    }

    /// The session that asks.
    pub(crate) fn current(session: session::Model) -> Self {
        let id = session.id;
        Self::of(session, Some(id))
    }
}

/// All sessions of one person.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(crate) struct SessionsOut {
    /// Newest first, a hundred at most.
    pub(crate) data: Vec<SessionOut>,
}

/// Your sessions
#[utoipa::path(
    get, path = "/me/sessions", operation_id = "listMySessions", tag = "Me",
    responses((status = 200, description = "Every device that is signed in", body = SessionsOut), Errors<List>),
    security(("accessToken" = [])),
)]
async fn list(State(state): State<AppState>, current: CurrentUser) -> Result<Json<SessionsOut>, ApiError> {
    let own = Some(current.0.session.id);
    let rows = sessions::list(&state.db, current.0.user.id).await?;
    let data = rows.into_iter().map(|row| SessionOut::of(row, own)).collect();
    Ok(Json(SessionsOut { data }))
}

struct List;
impl ErrorList for List {
    const CODES: &'static [&'static [Code]] = &[USER_ERRORS, ANY_ERRORS];
}

/// Sign out everywhere else
///
/// Ends all sessions but the one that asks.
#[utoipa::path(
    delete, path = "/me/sessions", operation_id = "endMyOtherSessions", tag = "Me",
    responses((status = 204, description = "All other sessions are ended"), Errors<List>),
    security(("accessToken" = [])),
)]
async fn end_others(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
) -> Result<StatusCode, ApiError> {
    let (user, own) = (&current.0.user, current.0.session.id);
    let tx = db::begin(&state.db).await?;
    sessions::end(&tx, user.id, Which::Others(own), "ended by the user").await?;
    audit::record(&tx, &current.actor(&context), about(user, "end_other_sessions")).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End one of your sessions
#[utoipa::path(
    delete, path = "/me/sessions/{id}", operation_id = "endMySession", tag = "Me",
    params(("id" = Uuid, Path, description = "The session's id", example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")),
    responses((status = 204, description = "The session is ended"), Errors<End>),
    security(("accessToken" = [])),
)]
async fn end(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let id = id_of(id).ok_or(ApiError::SessionNotFound)?;
    let tx = db::begin(&state.db).await?;
    if sessions::end(&tx, current.0.user.id, Which::One(id), "ended by the user").await? == 0 {
        return Err(ApiError::SessionNotFound);
    }
    audit::record(&tx, &current.actor(&context), ended(id, &current.0.user.email)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

struct End;
impl ErrorList for End {
    const CODES: &'static [&'static [Code]] = &[USER_ERRORS, &[Code::SessionNotFound], ANY_ERRORS];
}

/// The audit row of a session that somebody ends.
pub(crate) fn ended(id: Uuid, owner: &str) -> Entry<'static> {
    Entry {
        action: "end_session",
        object_type: "session",
        object_id: Some(id.to_string()),
        object_label: Some(owner.to_owned()),
        ..Entry::default()
    }
}

/// A UUID in the address; what is none names nothing.
pub(super) fn id_of(segment: Result<Path<String>, PathRejection>) -> Option<Uuid> {
    segment.ok().and_then(|Path(text)| uuid(&text))
}

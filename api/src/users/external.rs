//! `PUT` and `GET /users/by-external-id/{id}`: another system keeps its people here without knowing our ids.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, RawPathParams, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::Response,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use usher_shared::{
    accounts::{
        staff::policy::Act,
        users::{self, Edit, NewUser},
    },
    foundation::{
        entity::user::{self, Column},
        rules::{ExternalId, Violation},
    },
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    change::may_be_changed,
    input::CreateUserIn,
    shape::{FIXED, UserDetailsOut, UserNow, answer, answer_if_new, location, shown, tag_of},
};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::{ApiKey, UsersSee, UsersWrite},
        code::Code,
        error::ApiError,
        etag::{IfMatch, IfNoneMatch, may_create, may_replace},
        fields::{FieldError, Fields, FromFields, Step},
        fixed::Sent,
        openapi::{BODY_ERRORS, Errors, KEY_ERRORS, error_list},
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show, put))
}

/// The `{id}` of the address as another system's id.
struct PathExternalId(ExternalId);

impl<S: Send + Sync> FromRequestParts<S> for PathExternalId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let text = params
            .as_ref()
            .ok()
            .and_then(|params| params.iter().find(|(name, _)| *name == "id"));
        let (_, text) = text.ok_or_else(|| ApiError::Invalid(vec![not_utf8()]))?;
        let id = ExternalId::parse(text);
        id.map(Self)
            .map_err(|violation| ApiError::Invalid(vec![fault(violation)]))
    }
}

/// The other system's id in an address, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only describes what `PathExternalId` reads")]
struct ExternalIdPath {
    /// The other system's id. At least one visible character; no control, bidirectional, private-use or unassigned
    /// characters; joiners and selectors only where a script or an emoji needs them.
    #[param(
        example = "crm-4711",
        min_length = 1,
        max_length = 255,
        pattern = r"^[^\x00-\x1f\x7f-\x9f�]+$"
    )]
    id: String,
}

/// The user with that id. As for `POST /users`, but fields that can't be set are checked: the URL says whose it is.
struct PutUserIn {
    user: CreateUserIn,
    fixed: Sent,
}

impl FromFields for PutUserIn {
    fn from_fields(fields: &mut Fields<'_>) -> Option<Self> {
        let user = CreateUserIn::from_fields(fields)?;
        let fixed = Sent::read(fields, FIXED);
        Some(Self { user, fixed })
    }
}

fn not_utf8() -> FieldError {
    fault(Violation::value("The id in the address must be UTF-8"))
}

fn fault(violation: Violation) -> FieldError {
    FieldError::new("path", Some(Step::Key(Cow::Borrowed("id"))), violation)
}

/// Look a user up by another system's id
///
/// As `GET /users/{id}`, by the id that another system knows the person by.
#[utoipa::path(
    get, path = "/users/by-external-id/{id}", operation_id = "getUserByExternalId", tag = "Users",
    params(ExternalIdPath, IfNoneMatch),
    responses(
        UserNow,
        (status = 304, description = "Not changed since the version in `If-None-Match`"),
        Errors<Show>,
    ),
    security(("apiKey" = ["users:read"])),
)]
async fn show(
    State(state): State<AppState>,
    key: ApiKey<UsersSee>,
    PathExternalId(id): PathExternalId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let there = user::Entity::find().filter(Column::ExternalId.eq(id.as_str()));
    let user = there.filter(Column::DeletedAt.is_null()).one(&state.db).await?;
    let user = user.ok_or(Code::USER_NOT_FOUND)?;
    answer_if_new(&headers, user, &key)
}

error_list!(Show, [KEY_ERRORS], [USER_NOT_FOUND, INVALID_REQUEST], not_utf8);

/// Create or replace a user by another system's id
///
/// Creates the user as `POST /users` does if no user has the id; otherwise sets name, email and age as `PATCH
/// /users/{id}` does, and an absent age is removed. Two requests at once create one user. Send `If-None-Match: *` to
/// create only, `If-Match` to replace only. A deleted user keeps the id for 30 days (409).
#[utoipa::path(
    put, path = "/users/by-external-id/{id}", operation_id = "putUserByExternalId", tag = "Users",
    params(ExternalIdPath, IfMatch, IfNoneMatch),
    request_body(content = CreateUserIn, content_type = "application/json"),
    responses(
        UserNow,
        (
            status = 201, description = "The new user; the welcome mail is on its way", body = UserDetailsOut,
            headers(
                ("Location" = String, description = "The user's address"),
                ("ETag" = String, description = "The version of the user"),
            ),
        ),
        Errors<Put>,
    ),
    security(("apiKey" = ["users:write"])),
)]
async fn put(request: PutRequest, Body(body): Body<PutUserIn>) -> Result<Response, ApiError> {
    let PutUserIn { user, fixed } = body;
    let new = NewUser {
        name: user.name,
        email: user.email,
        age: user.age,
    };
    // Another request may have put the same user between the read and the insert. The database decides which of the two
    // unique indexes reports first; a second try finds the other request's user.
    match request.put(&new, &fixed).await {
        Err(ApiError::Coded(Code::EMAIL_EXISTS | Code::STATUS_CONFLICT)) => request.put(&new, &fixed).await,
        done => done,
    }
}

/// Which user is put, and who asks.
#[derive(FromRequestParts)]
#[from_request(state(AppState))]
struct PutRequest {
    #[from_request(via(State))]
    state: AppState,
    context: Context,
    key: ApiKey<UsersWrite>,
    id: PathExternalId,
    headers: HeaderMap,
}

impl PutRequest {
    async fn put(&self, new: &NewUser, fixed: &Sent) -> Result<Response, ApiError> {
        let Self {
            state, key, headers, ..
        } = self;
        let (id, actor) = (&self.id.0, key.actor(&self.context.0));
        let tx = state.job_store.begin().await?;
        if let Some(user) = users::find_external_for_change(&tx, id).await? {
            if user.deleted_at.is_some() {
                return Err(Code::STATUS_CONFLICT.into());
            }
            let user = may_be_changed(user, headers, key, Act::ChangeUser)?;
            may_replace(headers, &tag_of(&user))?;
            fixed.must_be(|| shown(user.clone(), key))?;
            let edit = Edit {
                name: Some(new.name.clone()),
                email: Some(new.email.clone()),
                age: Some(new.age),
            };
            let user = users::edit(&tx, user, edit, &actor).await?;
            tx.commit().await?;
            return answer(user, key);
        }
        may_create(headers)?;
        fixed.must_be(|| json!({"external_id": id.as_str(), "status": "active", "verified": false}))?;
        let user = users::create_external(&tx, new, id, &actor).await?;
        let user = user.ok_or(Code::STATUS_CONFLICT)?;
        tx.commit().await?;
        let location = location(state, &user)?;
        let mut response = answer(user, key)?;
        *response.status_mut() = StatusCode::CREATED;
        response.headers_mut().insert(header::LOCATION, location);
        Ok(response)
    }
}

error_list!(
    Put,
    [BODY_ERRORS, KEY_ERRORS],
    [EMAIL_EXISTS, STATUS_CONFLICT, STAFF_PROTECTED, PRECONDITION_FAILED]
);

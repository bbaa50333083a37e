//! `PATCH` and `DELETE /users/{id}`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use sea_orm::DatabaseTransaction;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{
        staff::policy::Act,
        users::{self, ChangeError, Edit},
    },
    foundation::{
        db,
        entity::user,
        rules::{Age, Email, Name},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::shape::{FIXED, UserNow, UserPath, answer, shown, tag_of};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::{Access, ApiKey, UsersDelete, UsersWrite},
        code::Code,
        error::ApiError,
        etag::{IfMatch, may_change},
        fields::Patch,
        fixed::Sent,
        openapi::{Errors, KEY_ERRORS, PATCH_ERRORS, error_list},
        path_id::PathId,
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(update, delete))
}

/// Changes to a user; absent fields stay as they are (RFC 7396).
#[derive(FromFields)]
#[schema(as = UserPatch)]
struct UpdateUserIn {
    name: Patch<Name>,
    email: Patch<Email>,
    /// Null takes it away.
    #[schema(example = 37)]
    age: Patch<Option<Age>>,
    #[schema(fixed = FIXED)]
    fixed: Sent,
}

/// Change a user
///
/// A JSON merge patch: absent fields stay as they are, null removes a value. You can send back the whole user as you
/// read it; a different value in a field that this operation doesn't change is rejected, and the error names the
/// operation that changes it. A new email address counts as unverified: sessions and mailed links end, the new address
/// gets a link that confirms it and asks for a password, and the old one a link that undoes the change. Send the `ETag`
/// you have seen as `If-Match`, so that you don't overwrite someone else's change.
#[utoipa::path(
    patch, path = "/users/{id}", operation_id = "updateUser", tag = "Users",
    params(UserPath, IfMatch),
    request_body(content(
        (UpdateUserIn = "application/merge-patch+json"),
        (UpdateUserIn = "application/json"),
    )),
    responses(UserNow, Errors<Update>),
    security(("apiKey" = ["users:write"])),
)]
async fn update(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersWrite>,
    PathId(id): PathId,
    headers: HeaderMap,
    Body(body): Body<UpdateUserIn>,
) -> Result<Response, ApiError> {
    let tx = state.job_store.begin().await?;
    let before = changeable(&tx, id, &headers, &key, Act::ChangeUser).await?;
    body.fixed.must_be(|| shown(before.clone(), &key))?;
    let edit = Edit {
        name: body.name.0,
        email: body.email.0,
        age: body.age.0,
    };
    let user = users::edit(&tx, before, edit, &key.actor(&context)).await?;
    tx.commit().await?;
    answer(user, &key)
}

error_list!(Update, [PATCH_ERRORS, KEY_ERRORS, CHANGE_ERRORS], [EMAIL_EXISTS]);

/// Delete a user
///
/// The user is gone for the API immediately: sessions end and mailed links stop working. After 30 days the data is
/// removed for good; until then the email address stays taken.
#[utoipa::path(
    delete, path = "/users/{id}", operation_id = "deleteUser", tag = "Users",
    params(UserPath, IfMatch),
    responses((status = 204, description = "The user is deleted"), Errors<Delete>),
    security(("apiKey" = ["users:delete"])),
)]
async fn delete(
    State(state): State<AppState>,
    Context(context): Context,
    key: ApiKey<UsersDelete>,
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let tx = db::begin(&state.db).await?;
    let before = changeable(&tx, id, &headers, &key, Act::DeleteUser).await?;
    users::delete(&tx, before, None, &key.actor(&context)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(Delete, [KEY_ERRORS, CHANGE_ERRORS], [INVALID_REQUEST], PathId::fault);

/// Errors of operations that change an existing user.
pub(super) const CHANGE_ERRORS: &[Code] = &[Code::USER_NOT_FOUND, Code::STAFF_PROTECTED, Code::PRECONDITION_FAILED];

/// The user, held for the change, if the table of acts lets this key do it.
pub(super) async fn changeable<A: Access>(
    tx: &DatabaseTransaction,
    id: Option<i64>,
    headers: &HeaderMap,
    key: &ApiKey<A>,
    act: Act,
) -> Result<user::Model, ApiError> {
    let id = id.ok_or(Code::USER_NOT_FOUND)?;
    let user = users::find_for_change(tx, id).await?.ok_or(Code::USER_NOT_FOUND)?;
    may_be_changed(user, headers, key, act)
}

/// API keys can't change staff: a key that can change a superuser's address could take over the account by a mailed
/// link.
pub(super) fn may_be_changed<A: Access>(
    user: user::Model,
    headers: &HeaderMap,
    key: &ApiKey<A>,
    act: Act,
) -> Result<user::Model, ApiError> {
    key.may(act, &user)?;
    may_change(headers, &tag_of(&user))?;
    Ok(user)
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::EmailTaken => Code::EMAIL_EXISTS.into(),
            ChangeError::Refused(errors) => errors.into(),
            ChangeError::Status => Code::STATUS_CONFLICT.into(),
            ChangeError::Db(error) => error.into(),
        }
    }
}

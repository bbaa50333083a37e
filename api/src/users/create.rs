//! `POST /users`.

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use usher_shared::{
    accounts::users::{CreateUserError, NewUser},
    audit::Actor,
    foundation::{config::SignUp, entity::audit_log::ActorKind},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    input::CreateUserIn,
    shape::{UserOut, location},
};
use crate::{
    state::AppState,
    toolkit::{
        body::Body,
        caller::{Access, ApiKey, Caller, UsersWrite},
        code::Code,
        error::ApiError,
        etag::etag,
        limits::Limit,
        openapi::{BODY_ERRORS, Errors, KEY_ERRORS, error_list},
        request::{Context, RequestContext},
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create))
}

/// Sign a person up
///
/// Creates the user and, in the same transaction, the job that sends a welcome email with a link to set a password.
/// Needs `users:write`, or no credential where the installation has open sign-up; then the limit is ten sign-ups an
/// hour from one address.
#[utoipa::path(
    post, path = "/users", operation_id = "createUser", tag = "Users",
    request_body(content = CreateUserIn, content_type = "application/json"),
    responses(
        (
            status = 201, description = "The user; the welcome mail is on its way", body = UserOut,
            headers(
                ("Location" = String, description = "The user's address"),
                ("ETag" = String, description = "The version of the user"),
            ),
        ),
        Errors<Create>,
    ),
    security((), ("apiKey" = ["users:write"])),
)]
async fn create(
    State(state): State<AppState>,
    Context(context): Context,
    creator: Creator,
    Body(body): Body<CreateUserIn>,
) -> Result<Response, ApiError> {
    creator.charge(&state, &context).await?;
    let new = NewUser {
        name: body.name,
        email: body.email,
        age: body.age,
    };
    let user = state.intake.create(new, creator.actor(&context)).await?;
    let headers = [
        (header::LOCATION, location(&state, &user)?),
        (header::ETAG, etag(user.version)),
    ];
    Ok((StatusCode::CREATED, headers, Json(UserOut::from(user))).into_response())
}

error_list!(Create, [BODY_ERRORS, KEY_ERRORS], [EMAIL_EXISTS]);

/// Who may create users: a key with `users:write`, or anyone where sign-up is open.
enum Creator {
    Key(ApiKey<UsersWrite>),
    Anybody,
}

impl FromRequestParts<AppState> for Creator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Key(key) => ApiKey::of(key).map(Self::Key),
            Caller::User(_) => Err(ApiError::InsufficientScope(UsersWrite::ONE_OF)),
            Caller::Anonymous if state.config.sign_up == SignUp::Open => Ok(Self::Anybody),
            Caller::Anonymous => Err(Code::AUTHENTICATION_REQUIRED.into()),
        }
    }
}

impl Creator {
    /// Counts a sign-up without a credential; only valid ones count, so that a typo costs nothing.
    async fn charge(&self, state: &AppState, context: &RequestContext) -> Result<(), ApiError> {
        match self {
            Self::Key(_) => Ok(()),
            Self::Anybody => Limit::of_sign_ups(context.address).charge(state, context).await,
        }
    }

    fn actor(&self, context: &RequestContext) -> Actor {
        match self {
            Self::Key(key) => key.actor(context),
            Self::Anybody => context.actor(ActorKind::Anonymous, None, "sign-up"),
        }
    }
}

impl From<CreateUserError> for ApiError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::EmailTaken => Code::EMAIL_EXISTS.into(),
            CreateUserError::Refused(errors) => errors.into(),
            CreateUserError::Db(error) => error.into(),
            CreateUserError::Enqueue(error) => error.into(),
        }
    }
}

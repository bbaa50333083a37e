//! People with an account, for the services and front ends that create and look them up.
#![expect(unused_qualifications, reason = "utoipa writes them for the types in `params`")]

mod change;
mod external;
mod list;
mod sessions;
mod standing;

use std::{borrow::Cow, sync::Arc};

use axum::{
    Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use usher_shared::{
    accounts::{
        api_keys::Scope,
        users::{CreateUserError, NewUser},
    },
    audit::Actor,
    foundation::{
        config::SignUp,
        entity::{audit_log::ActorKind, user},
        rules::{Age, Email, Name, SPECIAL_DOMAINS},
        time::now,
    },
};
use utoipa::{
    IntoParams, IntoResponses, ToSchema,
    openapi::{KnownFormat, Object, RefOr, Schema, SchemaFormat, Type},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    caller::{self, Access, ApiKey, Caller, UsersSee, UsersWrite},
    code::Code,
    error::ApiError,
    etag::{IfNoneMatch, etag, is_known},
    fields::{FieldError, Fields, FromFields},
    fixed::Fixed,
    json_body::Body,
    limits::Limit,
    moment,
    openapi::{ANY_ERRORS, BODY_ERRORS, ErrorList, Errors, KEY_ERRORS},
    path_id::PathId,
    request::{Context, RequestContext},
    state::AppState,
    visible_text,
};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(list::router())
        .routes(routes!(create))
        .routes(routes!(show))
        .merge(change::router())
        .merge(external::router())
        .merge(standing::router())
        .merge(sessions::router())
}

/// A person to sign up.
#[derive(ToSchema)]
#[schema(as = NewUser)]
struct CreateUserIn {
    #[schema(schema_with = visible_text::name)]
    name: Name,
    #[schema(schema_with = email_schema)]
    email: Email,
    /// In whole years.
    #[schema(example = 36, value_type = Option<i16>, minimum = 0, maximum = 150)]
    age: Option<Age>,
}

/// JSON Schema says of an email only that it is one; that special-use domains are refused needs a `not`, for which
/// utoipa has no builder.
pub(crate) fn email_schema() -> Object {
    let refused = format!(r"\.({})$", SPECIAL_DOMAINS.join("|"));
    let mut schema = Object::with_type(Type::String);
    schema.format = Some(SchemaFormat::KnownFormat(KnownFormat::Email));
    schema.max_length = Some(254);
    let about = "An address that mail reaches, so none of a special-use domain such as `.test` or `.local` unless the \
        installation allows them. The domain is lower-cased; addresses that differ in letter case only are the same.";
    schema.description = Some(about.to_owned());
    schema.example = Some(json!("ada@example.com"));
    schema.extensions = Some([("not", json!({ "pattern": refused }))].into_iter().collect());
    schema
}

impl FromFields<AppState> for CreateUserIn {
    fn from_fields(fields: &mut Fields<'_>, state: &AppState) -> Option<Self> {
        let name = fields.required("name", Name::parse);
        let email = fields.required("email", |raw| Email::parse(raw, state.config.email_policy));
        let age = fields.optional("age", Age::parse);
        Some(Self {
            name: name?,
            email: email?,
            age: age?,
        })
    }
}

/// A person with an account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
struct UserOut {
    #[schema(example = 1)]
    id: i64,
    #[schema(example = "Ada Lovelace")]
    name: String,
    /// As typed, its domain lower-cased.
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
}

/// What callers with `users:read` see besides.
#[derive(Serialize, ToSchema)]
struct UserMore {
    /// In whole years.
    #[schema(example = 36, minimum = 0, maximum = 150)]
    age: Option<i16>,
    status: Status,
    /// Whether the email address has been proved to be the person's.
    #[schema(example = false)]
    verified: bool,
    /// The id that another system knows the person by.
    #[schema(example = "crm-4711")]
    external_id: Option<String>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    updated_at: DateTime<Utc>,
}

/// A user as one caller sees it.
#[derive(Serialize)]
struct UserDetailsOut {
    #[serde(flatten)]
    user: UserOut,
    #[serde(flatten)]
    more: Option<UserMore>,
}

/// One object whose further fields need not be there, which derived schemas cannot say.
impl utoipa::PartialSchema for UserDetailsOut {
    fn schema() -> RefOr<Schema> {
        let mut user = <UserOut as utoipa::PartialSchema>::schema();
        let more = <UserMore as utoipa::PartialSchema>::schema();
        if let (RefOr::T(Schema::Object(user)), RefOr::T(Schema::Object(more))) = (&mut user, more) {
            user.properties.extend(more.properties);
            let about = "A person with an account. The fields besides `User`'s are for callers with `users:read`.";
            user.description = Some(about.to_owned());
        }
        user
    }
}

impl ToSchema for UserDetailsOut {
    fn name() -> Cow<'static, str> {
        "UserDetails".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Status::name().into_owned(), <Status as utoipa::PartialSchema>::schema()));
    }
}

/// Whether the person may sign in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UserStatus)]
enum Status {
    Active,
    Locked,
    Deactivated,
}

impl From<user::UserStatus> for Status {
    fn from(status: user::UserStatus) -> Self {
        match status {
            user::UserStatus::Active => Self::Active,
            user::UserStatus::Locked => Self::Locked,
            user::UserStatus::Deactivated => Self::Deactivated,
        }
    }
}

impl From<user::Model> for UserOut {
    fn from(user: user::Model) -> Self {
        Self {
            id: user.id,
            name: user.name,
            email: user.email,
            created_at: user.created_at,
        }
    }
}

impl From<&user::Model> for UserMore {
    fn from(user: &user::Model) -> Self {
        Self {
            age: user.age,
            status: user.status_at(now()).into(),
            verified: user.email_verified_at.is_some(),
            external_id: user.external_id.clone(),
            updated_at: user.updated_at,
        }
    }
}

/// Sign a person up
///
/// Creates the user and, in the same transaction, the job that mails them a welcome with a link to choose a
/// password. Needs `users:write`, or no credential at all where the installation has open sign-up; then ten
/// sign-ups an hour are allowed from one address.
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

fn location(state: &AppState, user: &user::Model) -> Result<HeaderValue, ApiError> {
    let address = format!("{}/users/{}", state.root, user.id);
    Ok(address.parse().map_err(anyhow::Error::from)?)
}

struct Create;
impl ErrorList for Create {
    const CODES: &'static [&'static [Code]] = &[BODY_ERRORS, KEY_ERRORS, &[Code::EmailExists], ANY_ERRORS];
}

/// Who may create users: a key with `users:write`, or anybody where sign-up is open.
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
            Caller::Anonymous => Err(ApiError::AuthenticationRequired),
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
            Self::Anybody => caller::actor(ActorKind::Anonymous, None, "sign-up", context),
        }
    }
}

impl From<CreateUserError> for ApiError {
    fn from(error: CreateUserError) -> Self {
        match error {
            CreateUserError::EmailTaken => Self::EmailExists,
            CreateUserError::Db(error) => error.into(),
            CreateUserError::Enqueue(error) => error.into(),
        }
    }
}

/// A user in an address, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only describes what `PathId` reads")]
struct UserPath {
    /// The user's id.
    #[param(example = 1)]
    id: i64,
}

/// The user as it is now
#[derive(IntoResponses)]
#[response(status = 200, headers(("ETag" = String, description = "The version of the user")))]
#[expect(dead_code, reason = "only describes what `answer` sends")]
struct UserNow(UserDetailsOut);

/// Look a user up
///
/// With `users:read` the whole user; with `users:write` alone the four basic fields, so that a service can read
/// back what it created.
#[utoipa::path(
    get, path = "/users/{id}", operation_id = "getUser", tag = "Users",
    params(UserPath, IfNoneMatch),
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
    PathId(id): PathId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = id.ok_or(ApiError::UserNotFound)?;
    let user = state.users.find(id).await?.ok_or(ApiError::UserNotFound)?;
    let tag = tag_of(&user);
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, caching(tag)).into_response());
    }
    answer(Arc::unwrap_or_clone(user), &key)
}

/// The tag of what a user looks like now. The end of a lock changes that and not the row's version.
fn tag_of(user: &user::Model) -> HeaderValue {
    if user.status == user.status_at(now()) {
        return etag(user.version);
    }
    HeaderValue::from_str(&format!("\"{}-unlocked\"", user.version)).expect("a word in quotes is a header value")
}

/// The body depends on the key's scopes, so a cache may keep it for that key alone.
fn caching(tag: HeaderValue) -> [(HeaderName, HeaderValue); 3] {
    [
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        (header::VARY, header::AUTHORIZATION.into()),
        (header::ETAG, tag),
    ]
}

/// The user as this key may see it.
fn answer<A: Access>(user: user::Model, key: &ApiKey<A>) -> Result<Response, ApiError> {
    let caching = caching(tag_of(&user));
    Ok((caching, Json(shown(user, key))).into_response())
}

fn shown<A: Access>(user: user::Model, key: &ApiKey<A>) -> UserDetailsOut {
    let more = key.allows(Scope::UsersRead).then(|| UserMore::from(&user));
    UserDetailsOut {
        user: user.into(),
        more,
    }
}

/// What of a user no key changes by sending the user.
const FIXED: &[Fixed] = &[
    Fixed::new("id", "An id stays"),
    Fixed::new("created_at", "It stays"),
    Fixed::new(
        "status",
        "Use POST /users/{id}/lock, /unlock, /deactivate or /reactivate",
    ),
    Fixed::new(
        "verified",
        "The owner confirms the address with the link that is mailed there",
    ),
    Fixed::new(
        "external_id",
        "A user gets it when PUT /users/by-external-id/{id} creates them, and keeps it",
    ),
    Fixed::moving("updated_at"),
    Fixed::new(
        "password",
        "The owner chooses it, with the link of POST /auth/password-reset",
    ),
];

struct Show;
impl ErrorList for Show {
    const CODES: &'static [&'static [Code]] = &[KEY_ERRORS, &[Code::UserNotFound, Code::InvalidRequest], ANY_ERRORS];

    fn fault() -> FieldError {
        PathId::fault()
    }
}

//! Users as the API shows them.

use std::borrow::Cow;

use axum::{
    Json,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_shared::{
    accounts::api_keys::Scope,
    events::EventType,
    foundation::{entity::user, time::now},
};
use utoipa::{
    IntoParams, IntoResponses, ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    events::EventData,
    state::AppState,
    toolkit::{
        caller::{Access, ApiKey},
        error::ApiError,
        etag::{etag, is_known},
        fixed::Fixed,
        moment,
    },
};

/// A person with an account.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserOut {
    #[schema(example = 1)]
    pub(super) id: i64,
    #[schema(example = "Ada Lovelace")]
    pub(super) name: String,
    /// As typed, its domain lower-cased.
    #[schema(example = "ada@example.com")]
    pub(super) email: String,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    pub(super) created_at: DateTime<Utc>,
}

/// What callers with `users:read` see besides.
#[derive(Serialize, ToSchema)]
pub(super) struct UserMore {
    /// In whole years.
    #[schema(example = 36, minimum = 0, maximum = 150)]
    pub(super) age: Option<i16>,
    pub(super) status: Status,
    /// Whether the email address is confirmed.
    #[schema(example = false)]
    pub(super) verified: bool,
    /// The id that another system knows the person by.
    #[schema(example = "crm-4711")]
    pub(super) external_id: Option<String>,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    pub(super) updated_at: DateTime<Utc>,
}

/// A user as one caller sees it.
#[derive(Serialize)]
pub(super) struct UserDetailsOut {
    #[serde(flatten)]
    pub(super) user: UserOut,
    #[serde(flatten)]
    pub(super) more: Option<UserMore>,
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

/// What is left of a user who was removed for good.
#[derive(ToSchema)]
#[schema(as = PurgedUser)]
#[expect(dead_code, reason = "only describes what `usher_shared::accounts` writes")]
struct PurgedUserOut {
    #[schema(example = 1)]
    id: i64,
}

/// What the data of events about users is.
pub(super) fn event_data() -> [EventData; 2] {
    let whole = [
        EventType::USER_CREATED,
        EventType::USER_UPDATED,
        EventType::USER_DELETED,
        EventType::USER_RESTORED,
    ];
    [
        EventData::of::<UserDetailsOut>(whole),
        EventData::of::<PurgedUserOut>([EventType::USER_PURGED]),
    ]
}

/// Whether the person may sign in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UserStatus)]
pub(super) enum Status {
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

/// A user in an address, for the documents.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only describes what `PathId` reads")]
pub(super) struct UserPath {
    /// The user's id.
    #[param(example = 1)]
    id: i64,
}

/// The user as it is now
#[derive(IntoResponses)]
#[response(status = 200, headers(("ETag" = String, description = "The version of the user")))]
#[expect(dead_code, reason = "only describes what `answer` sends")]
pub(super) struct UserNow(UserDetailsOut);

/// The tag of what a user looks like now. The end of a lock changes that and not the row's version.
pub(super) fn tag_of(user: &user::Model) -> HeaderValue {
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
pub(super) fn answer<A: Access>(user: user::Model, key: &ApiKey<A>) -> Result<Response, ApiError> {
    let caching = caching(tag_of(&user));
    Ok((caching, Json(shown(user, key))).into_response())
}

/// The same, where the client has not seen this version yet.
pub(super) fn answer_if_new<A: Access>(
    headers: &HeaderMap,
    user: user::Model,
    key: &ApiKey<A>,
) -> Result<Response, ApiError> {
    let tag = tag_of(&user);
    match is_known(headers, &tag) {
        true => Ok((StatusCode::NOT_MODIFIED, caching(tag)).into_response()),
        false => answer(user, key),
    }
}

pub(super) fn shown<A: Access>(user: user::Model, key: &ApiKey<A>) -> UserDetailsOut {
    let more = key.allows(Scope::USERS_READ).then(|| UserMore::from(&user));
    UserDetailsOut {
        user: user.into(),
        more,
    }
}

/// Fields of a user that a patch can't change.
pub(super) const FIXED: &[Fixed] = &[
    Fixed::new("id", "Ids never change"),
    Fixed::new("created_at", "It never changes"),
    Fixed::new(
        "status",
        "Use POST /users/{id}/lock, /unlock, /deactivate or /reactivate",
    ),
    Fixed::new("verified", "The owner confirms the address with a mailed link"),
    Fixed::new(
        "external_id",
        "A user gets it when PUT /users/by-external-id/{id} creates them, and keeps it",
    ),
    Fixed::moving("updated_at"),
    Fixed::new(
        "password",
        "The owner sets it with the link from POST /auth/password-reset",
    ),
];

pub(super) fn location(state: &AppState, user: &user::Model) -> Result<HeaderValue, ApiError> {
    let address = format!("{}/users/{}", state.root, user.id);
    Ok(address.parse().map_err(anyhow::Error::from)?)
}

//! The events of accounts.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr};
use serde::Serialize;
use serde_json::json;

use crate::{
    audit::Actor,
    events::{self, Event, EventType},
    foundation::{
        entity::user,
        time::{now, rfc3339},
    },
};

/// A user as the API shows it to keys with `users:read`; a test compares the two.
#[derive(Serialize)]
struct UserFace<'a> {
    id: i64,
    name: &'a str,
    email: &'a str,
    created_at: String,
    age: Option<i16>,
    status: String,
    verified: bool,
    external_id: Option<&'a str>,
    updated_at: String,
}

impl<'a> From<&'a user::Model> for UserFace<'a> {
    fn from(user: &'a user::Model) -> Self {
        Self {
            id: user.id,
            name: &user.name,
            email: &user.email,
            created_at: rfc3339(user.created_at),
            age: user.age,
            status: user.status_at(now()).to_value(),
            verified: user.email_verified_at.is_some(),
            external_id: user.external_id.as_deref(),
            updated_at: rfc3339(user.updated_at),
        }
    }
}

fn event(kind: EventType, user: &user::Model) -> Event {
    Event::new(kind, user.id, &UserFace::from(user))
        .version(user.version.into())
        .user(user.id)
}

/// Records new accounts, in one statement for any number of them.
pub(super) async fn record_created(
    conn: &impl ConnectionTrait,
    at: DateTime<Utc>,
    users: &[(&user::Model, &Actor)],
) -> Result<(), DbErr> {
    let created = users.iter();
    let created = created.map(|(user, actor)| (*actor, event(EventType::USER_CREATED, user)));
    events::record_all(conn, at, created.collect::<Vec<_>>()).await
}

/// Records a sign-up: a new account, a changed one, or neither. One statement in any case.
pub(super) async fn record_sign_up(
    conn: &impl ConnectionTrait,
    created: Option<&user::Model>,
    changed: Option<&user::Model>,
    actor: &Actor,
) -> Result<(), DbErr> {
    let created = created.map(|user| event(EventType::USER_CREATED, user));
    let changed = changed.map(|user| event(EventType::USER_UPDATED, user));
    let all = created.into_iter().chain(changed).map(|event| (actor, event));
    events::record_all(conn, now(), all.collect::<Vec<_>>()).await
}

/// Records a change of an account.
pub(super) async fn record_change(
    conn: &impl ConnectionTrait,
    before: &user::Model,
    after: &user::Model,
    actor: &Actor,
) -> Result<(), DbErr> {
    let kind = match (before.deleted_at, after.deleted_at) {
        (None, Some(_)) => EventType::USER_DELETED,
        (Some(_), None) => EventType::USER_RESTORED,
        _ => EventType::USER_UPDATED,
    };
    events::record(conn, actor, event(kind, after)).await
}

/// Removes the events about an account that is removed, and records that.
pub(super) async fn record_purge(conn: &impl ConnectionTrait, id: i64) -> Result<(), DbErr> {
    events::erase_person(conn, id).await?;
    let purged = Event::new(EventType::USER_PURGED, id, &json!({"id": id}));
    events::record(conn, &Actor::system(), purged).await
}

//! A person's data (GDPR, Art. 15 and 20): what Usher stores about them, and what the product's apps add.

use sea_orm::{
    ActiveEnum, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use serde_json::{Value, json};

use crate::{
    accounts::{staff::roles, user_data},
    audit::ObjectType,
    foundation::{
        entity::{api_key, audit_log, mail, mfa_factor, session, user},
        time::{now, rfc3339},
    },
};

/// The most rows in one part of an export.
pub const EXPORT_ROWS: u64 = 1_000;

/// A person's data as JSON; none if there is no such account, while a deleted one still has its data. It has no
/// password, token or key, no other secret, and nothing of a mail but its envelope.
///
/// Each list is `{"rows": […], "truncated": false}`, newest first; it is truncated after [`EXPORT_ROWS`] rows. What the
/// apps say with [`UserData::export`](user_data::UserData::export) is under `apps`, by the app's name.
///
/// ```
/// # async fn answer(db: &sea_orm::DatabaseConnection) -> Result<(), sea_orm::DbErr> {
/// use usher_shared::accounts::users;
///
/// if let Some(data) = users::export(db, 7).await? {
///     assert_eq!(data["account"]["id"], 7);
///     assert_eq!(data["mails"]["truncated"], false);
/// }
/// # Ok(())
/// # }
/// ```
pub async fn export(db: &DatabaseConnection, user_id: i64) -> Result<Option<Value>, DbErr> {
    let Some(user) = user::Entity::find_by_id(user_id).one(db).await? else {
        return Ok(None);
    };
    Ok(Some(json!({
        "exported_at": rfc3339(now()),
        "account": account(&user),
        "roles": role_names(db, user_id).await?,
        "second_factors": factors(db, user_id).await?,
        "sessions": sessions(db, user_id).await?,
        "api_keys": api_keys(db, user_id).await?,
        "mails": mails(db, user_id).await?,
        "audit_log": audit_log(db, user_id).await?,
        "apps": user_data::export(db, user_id).await?,
    })))
}

/// The rows of a query as one part of an export: `{"rows": […], "truncated": false}`, with at most [`EXPORT_ROWS`] rows
/// in the query's order. See [`UserData`](user_data::UserData) for an example.
pub async fn export_rows<E: EntityTrait>(
    conn: &impl ConnectionTrait,
    query: Select<E>,
    row: impl Fn(E::Model) -> Value + Send,
) -> Result<Value, DbErr>
where
    E::Model: FromQueryResult + Send + Sync,
{
    let mut rows = query.limit(EXPORT_ROWS + 1).all(conn).await?;
    let truncated = rows.len() as u64 > EXPORT_ROWS;
    if truncated {
        rows.pop();
    }
    let rows: Vec<Value> = rows.into_iter().map(row).collect();
    Ok(json!({ "rows": rows, "truncated": truncated }))
}

type Time = Option<chrono::DateTime<chrono::Utc>>;

fn time(at: Time) -> Option<String> {
    at.map(rfc3339)
}

fn account(user: &user::Model) -> Value {
    json!({
        "id": user.id, "email": user.email, "name": user.name, "age": user.age, "external_id": user.external_id,
        "status": user.status_at(now()).to_value(), "locked_until": time(user.locked_until),
        "lock_reason": user.lock_reason, "is_staff": user.is_staff, "is_superuser": user.is_superuser,
        "password_changed_at": time(user.password_changed_at), "email_verified_at": time(user.email_verified_at),
        "welcomed_at": time(user.welcomed_at), "last_login_at": time(user.last_login_at),
        "created_at": rfc3339(user.created_at), "updated_at": rfc3339(user.updated_at),
        "deleted_at": time(user.deleted_at), "delete_at": time(user.delete_at),
    })
}

async fn role_names(db: &DatabaseConnection, user_id: i64) -> Result<Vec<String>, DbErr> {
    let held = roles::of_user(db, user_id).await?;
    if held.is_empty() {
        return Ok(vec![]);
    }
    let all = roles::all(db).await?.into_iter();
    let names = all
        .filter(|(role, _)| held.contains(&role.id))
        .map(|(role, _)| role.name);
    Ok(names.collect())
}

async fn factors(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let factors = mfa_factor::Entity::find()
        .filter(mfa_factor::Column::UserId.eq(user_id))
        .order_by_desc(mfa_factor::Column::Id);
    export_rows(db, factors, |factor| {
        json!({
            "kind": factor.kind.to_value(), "label": factor.label, "created_at": rfc3339(factor.created_at),
            "confirmed_at": time(factor.confirmed_at),
        })
    })
    .await
}

async fn sessions(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let sessions = session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .order_by_desc(session::Column::Id);
    export_rows(db, sessions, |session| {
        json!({
            "id": session.id, "kind": session.kind.to_value(), "address": session.address,
            "user_agent": session.user_agent, "is_impersonation": session.impersonator_id.is_some(),
            "created_at": rfc3339(session.created_at), "last_seen_at": rfc3339(session.last_seen_at),
            "expires_at": rfc3339(session.expires_at), "ended_at": time(session.ended_at),
            "end_reason": session.end_reason,
        })
    })
    .await
}

async fn api_keys(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let keys = api_key::Entity::find()
        .filter(api_key::Column::CreatedBy.eq(user_id))
        .order_by_desc(api_key::Column::Id);
    export_rows(db, keys, |key| {
        json!({
            "id": key.id, "name": key.name, "hint": key.hint, "scopes": key.scopes,
            "allowed_cidrs": key.allowed_cidrs, "created_at": rfc3339(key.created_at),
            "expires_at": time(key.expires_at), "last_used_at": time(key.last_used_at),
            "revoked_at": time(key.revoked_at),
        })
    })
    .await
}

/// Without the bodies, whose links may still work.
async fn mails(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let mails = mail::Entity::find()
        .filter(mail::Column::UserId.eq(user_id))
        .order_by_desc(mail::Column::Id);
    export_rows(db, mails, |mail| {
        json!({
            "id": mail.id, "kind": mail.kind, "to": mail.to_address, "subject": mail.subject,
            "state": mail.state.to_value(), "created_at": rfc3339(mail.created_at), "sent_at": time(mail.sent_at),
        })
    })
    .await
}

/// What was done to the account. The network addresses of others are not this person's data.
async fn audit_log(db: &DatabaseConnection, user_id: i64) -> Result<Value, DbErr> {
    let entries = audit_log::Entity::find()
        .filter(audit_log::Column::ObjectType.eq(ObjectType::User.as_str()))
        .filter(audit_log::Column::ObjectId.eq(user_id.to_string()))
        .order_by_desc(audit_log::Column::Id);
    export_rows(db, entries, move |entry| {
        let is_own = entry.actor_kind == audit_log::ActorKind::User && entry.actor_id == Some(user_id);
        json!({
            "at": rfc3339(entry.at), "action": entry.action, "by": entry.actor_kind.to_value(), "by_self": is_own,
            "changes": entry.changes, "reason": entry.reason, "address": entry.address.filter(|_| is_own),
        })
    })
    .await
}

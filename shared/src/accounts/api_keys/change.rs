//! Creating, changing, rotating and revoking keys, each with its audit row in the same transaction.

use chrono::{DateTime, TimeDelta, Utc};
use ipnet::IpNet;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, QuerySelect,
};
use serde_json::Value;

use super::scope::Scope;
use crate::{
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::api_key::{self, Column},
        rules::Name,
        time::{now, rfc3339},
        token::{Token, TokenKind},
    },
    jobs::{ApiKeyChanged, EnqueueError, EnqueueOptions, KeyChange, Tx, enqueue_with},
};

/// A key about to be created.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub name: Name,
    pub scopes: Vec<Scope>,
    /// The networks it may be used from; empty for all.
    pub allowed: Vec<IpNet>,
    /// None for the installation's default.
    pub requests_per_minute: Option<i32>,
    pub expires_at: Option<DateTime<Utc>>,
}

impl NewKey {
    /// A key that works from everywhere and never expires.
    #[must_use]
    pub fn plain(name: Name, scopes: Vec<Scope>) -> Self {
        Self {
            name,
            scopes,
            allowed: Vec::new(),
            requests_per_minute: None,
            expires_at: None,
        }
    }
}

/// Changes to a key; none leaves a value unchanged.
#[derive(Clone, Debug, Default)]
pub struct KeyEdit {
    pub name: Option<Name>,
    pub scopes: Option<Vec<Scope>>,
    pub allowed: Option<Vec<IpNet>>,
    pub requests_per_minute: Option<Option<i32>>,
    pub expires_at: Option<Option<DateTime<Utc>>>,
}

/// Creates a key without an audit row, for the first key of an installation and for tests; others are [`issue`]d. A
/// given token is used instead of a new one.
pub async fn create(
    conn: &impl ConnectionTrait,
    name: &str,
    scopes: &[Scope],
    token: Option<Token>,
    created_by: Option<i64>,
) -> Result<(api_key::Model, Token), DbErr> {
    let token = token.unwrap_or_else(|| Token::generate(TokenKind::ApiKey));
    let name = Name::parse(name).map_err(|violation| DbErr::Custom(violation.message))?;
    let new = NewKey::plain(name, scopes.to_vec());
    let key = insert(conn, &new, &token, created_by).await?;
    Ok((key, token))
}

async fn insert(
    conn: &impl ConnectionTrait,
    new: &NewKey,
    token: &Token,
    created_by: Option<i64>,
) -> Result<api_key::Model, DbErr> {
    let row = api_key::ActiveModel {
        name: Set(new.name.as_str().to_owned()),
        hint: Set(token.hint()),
        token_hash: Set(token.hash()),
        scopes: Set(words(new.scopes.iter().map(|scope| scope.as_str()))),
        allowed_cidrs: Set(cidrs(&new.allowed)),
        requests_per_minute: Set(new.requests_per_minute),
        created_by: Set(created_by),
        version: Set(1),
        created_at: Set(now()),
        expires_at: Set(new.expires_at),
        ..Default::default()
    };
    api_key::Entity::insert(row).exec_with_returning(conn).await
}

/// Creates a key and returns it with its secret, which cannot be shown again.
pub async fn issue(
    tx: &Tx,
    new: NewKey,
    made_by: Option<i64>,
    actor: &Actor,
) -> Result<(api_key::Model, Token), EnqueueError> {
    let token = Token::generate(TokenKind::ApiKey);
    let key = insert(&**tx, &new, &token, made_by).await?;
    let changes = audit::made([
        ("name", key.name.clone().into()),
        ("scopes", key.scopes.clone().into()),
        ("allowed_cidrs", key.allowed_cidrs.clone().into()),
        ("requests_per_minute", key.requests_per_minute.into()),
        ("expires_at", key.expires_at.map(rfc3339).into()),
    ]);
    audit::record(&**tx, actor, entry("create", &key, changes)).await?;
    tell(tx, &key, KeyChange::Made, actor).await?;
    Ok((key, token))
}

/// The key, locked until the transaction ends.
pub async fn find_for_change(tx: &Tx, id: i64) -> Result<Option<api_key::Model>, DbErr> {
    api_key::Entity::find_by_id(id).lock_exclusive().one(&**tx).await
}

/// Mails the key's creator, if it has one; keys from the command line don't.
pub async fn tell(tx: &Tx, key: &api_key::Model, change: KeyChange, actor: &Actor) -> Result<(), EnqueueError> {
    let Some(user_id) = key.created_by else { return Ok(()) };
    let told = ApiKeyChanged {
        user_id,
        key_id: key.id,
        change,
    };
    enqueue_with(tx, told, EnqueueOptions::by(actor)).await.map(drop)
}

/// Changes the key that [`find_for_change`] returned. Writes nothing if nothing differs.
pub async fn edit(
    tx: &Tx,
    before: api_key::Model,
    edit: KeyEdit,
    actor: &Actor,
) -> Result<api_key::Model, EnqueueError> {
    let mut row = before.clone().into_active_model();
    if let Some(name) = edit.name {
        row.name = Set(name.as_str().to_owned());
    }
    if let Some(scopes) = edit.scopes {
        row.scopes = Set(words(scopes.into_iter().map(Scope::as_str)));
    }
    if let Some(allowed) = edit.allowed {
        row.allowed_cidrs = Set(cidrs(&allowed));
    }
    if let Some(limit) = edit.requests_per_minute {
        row.requests_per_minute = Set(limit);
    }
    if let Some(end) = edit.expires_at {
        row.expires_at = Set(end);
    }
    write(tx, before, row, KeyChange::Changed, None, actor).await
}

/// Gives the key a new secret. The previous one works for `grace` longer; the one before that stops working now.
pub async fn rotate(
    tx: &Tx,
    before: api_key::Model,
    grace: TimeDelta,
    actor: &Actor,
) -> Result<(api_key::Model, Token), EnqueueError> {
    let token = Token::generate(TokenKind::ApiKey);
    let mut row = before.clone().into_active_model();
    row.hint = Set(token.hint());
    row.token_hash = Set(token.hash());
    let has_grace = grace > TimeDelta::zero();
    row.previous_hash = Set(has_grace.then(|| before.token_hash.clone()));
    row.previous_until = Set(has_grace.then(|| now() + grace));
    Ok((write(tx, before, row, KeyChange::Rotated, None, actor).await?, token))
}

/// Revokes the key and its previous secret, from the next request on. A revoked key stays revoked.
pub async fn revoke(
    tx: &Tx,
    before: api_key::Model,
    reason: Option<String>,
    actor: &Actor,
) -> Result<api_key::Model, EnqueueError> {
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let mut row = before.clone().into_active_model();
    row.revoked_at = Set(Some(now()));
    row.previous_hash = Set(None);
    row.previous_until = Set(None);
    write(tx, before, row, KeyChange::Revoked, reason, actor).await
}

/// Writes what differs, with its audit row, which omits hashes, and its mail.
async fn write(
    tx: &Tx,
    before: api_key::Model,
    mut row: api_key::ActiveModel,
    change: KeyChange,
    reason: Option<String>,
    actor: &Actor,
) -> Result<api_key::Model, EnqueueError> {
    let action = match change {
        KeyChange::Made => "create",
        KeyChange::Changed => "update",
        KeyChange::Rotated => "rotate",
        KeyChange::Revoked => "revoke",
    };
    let hashes = [Column::TokenHash, Column::PreviousHash];
    let Some(changes) = audit::changes::<api_key::Entity>(&before, &mut row, &hashes) else {
        return Ok(before);
    };
    row.id = Unchanged(before.id);
    row.version = Set(before.version + 1);
    let after = row.update(&**tx).await?;
    let entry = Entry {
        reason,
        ..entry(action, &after, changes)
    };
    audit::record(&**tx, actor, entry).await?;
    tell(tx, &after, change, actor).await?;
    Ok(after)
}

fn entry<'a>(action: &'a str, key: &api_key::Model, changes: Value) -> Entry<'a> {
    let label = format!("{} ({}…)", key.name, key.hint);
    Entry {
        changes: Some(changes),
        ..Entry::about(ObjectType::ApiKey, key.id, label, action)
    }
}

/// As stored; none for everywhere.
fn cidrs(allowed: &[IpNet]) -> Option<String> {
    (!allowed.is_empty()).then(|| words(allowed.iter()))
}

/// Separated by one space.
fn words(words: impl Iterator<Item: ToString>) -> String {
    words.map(|word| word.to_string()).collect::<Vec<_>>().join(" ")
}

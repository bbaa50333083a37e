//! Creating and changing endpoints, each with its audit row.

use chrono::TimeDelta;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set, Unchanged},
    DbErr, EntityTrait, IntoActiveModel, QuerySelect,
};
use serde_json::{Value, json};

use super::{keys::Keys, url::WebhookUrl};
use crate::{
    audit::{self, Actor, Entry, ObjectType},
    events::EventType,
    foundation::{
        crypto::SecretKey,
        entity::webhook_endpoint::{ActiveModel, Column, Entity, Model, WebhookStatus},
        time::now,
    },
    jobs::Tx,
};

/// How long old keys sign as well after a rotation.
pub const OLD_KEYS_GRACE: TimeDelta = TimeDelta::hours(24);

/// An endpoint about to be created.
#[derive(Clone, Debug)]
pub struct NewEndpoint {
    pub url: WebhookUrl,
    pub description: String,
    pub types: Vec<EventType>,
}

/// Changes to an endpoint; none leaves a value unchanged.
#[derive(Clone, Debug, Default)]
pub struct EndpointEdit {
    pub url: Option<WebhookUrl>,
    pub description: Option<String>,
    pub types: Option<Vec<EventType>>,
}

/// Creates an endpoint that gets the events after a position, the stream's newest. `created_by` is told when it is
/// disabled.
pub async fn create(
    tx: &Tx,
    new: NewEndpoint,
    after_position: i64,
    created_by: Option<i64>,
    key: &SecretKey,
    actor: &Actor,
) -> Result<(Model, Keys), DbErr> {
    let keys = Keys::generate();
    let row = ActiveModel {
        id: NotSet,
        url: Set(new.url.as_str().to_owned()),
        description: Set(new.description),
        types: Set(words(&new.types)),
        public_key: Set(keys.public_key()),
        keys_sealed: Set(keys.seal(key)),
        previous_keys_sealed: Set(None),
        previous_until: Set(None),
        status: Set(WebhookStatus::Enabled),
        disabled_reason: Set(None),
        created_by: Set(created_by),
        after_position: Set(after_position),
        failures: Set(0),
        failing_since: Set(None),
        paused_until: Set(None),
        version: Set(1),
        created_at: Set(now()),
    };
    let endpoint = row.insert(&**tx).await?;
    let changes = audit::made([
        ("url", endpoint.url.clone().into()),
        ("description", endpoint.description.clone().into()),
        ("types", endpoint.types.clone().into()),
    ]);
    record(tx, &endpoint, "create", Some(changes), None, actor).await?;
    Ok((endpoint, keys))
}

/// The endpoint, locked until the transaction ends.
pub async fn find_for_change(tx: &Tx, id: i64) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).lock_exclusive().one(&**tx).await
}

/// Changes the endpoint that [`find_for_change`] returned. Writes nothing if nothing differs.
pub async fn edit(tx: &Tx, before: Model, edit: EndpointEdit, actor: &Actor) -> Result<Model, DbErr> {
    let mut row = before.clone().into_active_model();
    if let Some(url) = edit.url {
        row.url = Set(url.as_str().to_owned());
    }
    if let Some(description) = edit.description {
        row.description = Set(description);
    }
    if let Some(types) = edit.types {
        row.types = Set(words(&types));
    }
    write(tx, before, row, "update", None, actor).await
}

/// Gives the endpoint new keys. The ones before sign as well for 24 hours; those before them no longer.
pub async fn rotate(tx: &Tx, before: Model, key: &SecretKey, actor: &Actor) -> Result<(Model, Keys), DbErr> {
    let keys = Keys::generate();
    let mut row = before.clone().into_active_model();
    row.public_key = Set(keys.public_key());
    row.keys_sealed = Set(keys.seal(key));
    row.previous_keys_sealed = Set(Some(before.keys_sealed.clone()));
    row.previous_until = Set(Some(now() + OLD_KEYS_GRACE));
    Ok((write(tx, before, row, "rotate", None, actor).await?, keys))
}

/// Sends events again, from this position on. What happened while it was disabled can be replayed.
pub async fn enable(tx: &Tx, before: Model, after_position: i64, actor: &Actor) -> Result<Model, DbErr> {
    if before.status == WebhookStatus::Enabled {
        return Ok(before);
    }
    let mut row = before.clone().into_active_model();
    row.status = Set(WebhookStatus::Enabled);
    row.disabled_reason = Set(None);
    row.after_position = Set(after_position);
    row.failures = Set(0);
    row.failing_since = Set(None);
    row.paused_until = Set(None);
    write(tx, before, row, "enable", None, actor).await
}

/// Sends nothing any more. What waits stays, and is sent once the endpoint is enabled.
pub async fn disable(tx: &Tx, before: Model, reason: Option<String>, actor: &Actor) -> Result<Model, DbErr> {
    if before.status == WebhookStatus::Disabled {
        return Ok(before);
    }
    let mut row = before.clone().into_active_model();
    row.status = Set(WebhookStatus::Disabled);
    row.disabled_reason = Set(reason.clone());
    write(tx, before, row, "disable", reason, actor).await
}

/// Removes the endpoint with its deliveries.
pub async fn delete(tx: &Tx, endpoint: Model, actor: &Actor) -> Result<(), DbErr> {
    Entity::delete_by_id(endpoint.id).exec(&**tx).await?;
    record(tx, &endpoint, "delete", None, None, actor).await
}

/// The keys that sign now, newest first; none that no key opens.
#[must_use]
pub fn keys_of(endpoint: &Model, key: &SecretKey) -> Vec<Keys> {
    let previous = endpoint.previous_keys_sealed.as_ref();
    let previous = previous.filter(|_| endpoint.previous_until.is_some_and(|until| now() < until));
    let sealed = std::iter::once(&endpoint.keys_sealed).chain(previous);
    sealed.filter_map(|sealed| Keys::open(key, sealed)).collect()
}

async fn write(
    tx: &Tx,
    before: Model,
    mut row: ActiveModel,
    action: &str,
    reason: Option<String>,
    actor: &Actor,
) -> Result<Model, DbErr> {
    let hidden = [Column::KeysSealed, Column::PreviousKeysSealed];
    let Some(changes) = audit::changes::<Entity>(&before, &mut row, &hidden) else {
        return Ok(before);
    };
    row.id = Unchanged(before.id);
    row.version = Set(before.version + 1);
    let after = row.update(&**tx).await?;
    record(tx, &after, action, Some(changes), reason, actor).await?;
    Ok(after)
}

async fn record(
    tx: &Tx,
    endpoint: &Model,
    action: &str,
    changes: Option<Value>,
    reason: Option<String>,
    actor: &Actor,
) -> Result<(), DbErr> {
    let changes = changes.filter(|changes| *changes != json!({}));
    let entry = Entry {
        changes,
        reason,
        ..Entry::about(ObjectType::Webhook, endpoint.id, &endpoint.url, action)
    };
    audit::record(&**tx, actor, entry).await
}

/// As stored: each once, in order.
fn words(types: &[EventType]) -> String {
    let mut words: Vec<&str> = types.iter().map(|kind| kind.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    words.join(" ")
}

//! Deliveries: what is due, how an attempt went, and sending again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use serde_json::json;

use super::{WebhookDisabled, endpoints};
use crate::{
    audit::{self, Actor, Entry, ObjectType},
    events::{self, Event, EventType},
    foundation::{
        db::Sql,
        entity::{
            event,
            webhook_delivery::{Column, DeliveryState, Entity, Model},
            webhook_endpoint::{self, WebhookStatus},
        },
        time::now,
    },
    jobs::{EnqueueError, EnqueueOptions, Tx, enqueue_with},
};

/// The pauses between attempts, as the specification proposes: three days and a bit in all.
const PAUSES: [TimeDelta; 9] = [
    TimeDelta::seconds(5),
    TimeDelta::minutes(5),
    TimeDelta::minutes(30),
    TimeDelta::hours(2),
    TimeDelta::hours(5),
    TimeDelta::hours(10),
    TimeDelta::hours(14),
    TimeDelta::hours(20),
    TimeDelta::hours(24),
];
/// An endpoint whose every attempt has failed for so long is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);
/// Failures in a row after which an endpoint rests.
const TIRED: i32 = 3;
/// An attempt without an answer that took longer was no refused connection.
const SLOW: Duration = Duration::from_secs(2);
const FIRST_REST: TimeDelta = TimeDelta::seconds(10);
const LONGEST_REST: TimeDelta = TimeDelta::minutes(10);
/// The longest pause that an endpoint can ask for.
const LONGEST_ASKED: TimeDelta = TimeDelta::hours(24);
/// Events that one call of [`replay`] sends again.
const REPLAY: i64 = 10_000;

const TEST: EventType = EventType::new("webhook.test", "webhooks:write", "Somebody tests an endpoint");

/// How a request went.
#[derive(Clone, Debug, Default)]
pub struct Attempt {
    /// The status of the answer; none if there was none.
    pub status: Option<u16>,
    /// Why it failed; none if it succeeded.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    pub duration: Duration,
    /// `Retry-After` of the answer.
    pub retry_after: Option<Duration>,
    /// Whether there is nothing to send any more, for which the endpoint is not to blame.
    pub is_lost: bool,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Go on with the next delivery.
    GoOn,
    /// The endpoint rests, was changed or is disabled: send nothing more now.
    Stop,
}

/// What is due at an endpoint, in the order of the stream; nothing while it rests.
pub async fn due(conn: &impl ConnectionTrait, endpoint_id: i64, limit: u64) -> Result<Vec<Model>, DbErr> {
    Entity::find()
        .filter(Column::EndpointId.eq(endpoint_id))
        .filter(Expr::cust("state = 'pending'"))
        .filter(Column::NextAttemptAt.lte(now()))
        .order_by_asc(Column::Position)
        .limit(limit)
        .all(conn)
        .await
}

/// The event of a delivery; none if it was removed.
pub async fn event_of(conn: &impl ConnectionTrait, delivery: &Model) -> Result<Option<events::Recorded>, DbErr> {
    let row = event::Entity::find_by_id(delivery.position).one(conn).await?;
    let read = row.map(events::Recorded::try_from).transpose();
    read.map_err(|error| DbErr::Json(error.to_string()))
}

/// Writes how an attempt went, and what follows: the next attempt, a rest of the endpoint, its end. Call it in a
/// transaction of its own. `known` is the endpoint as the attempt knew it; if it was changed since, whoever sends must
/// read it again.
pub async fn record(
    tx: &Tx,
    known: &webhook_endpoint::Model,
    delivery: &Model,
    attempt: &Attempt,
) -> Result<Recorded, EnqueueError> {
    let Some(endpoint) = endpoints::find_for_change(tx, delivery.endpoint_id).await? else {
        return Ok(Recorded::Stop);
    };
    let at = now();
    let failed = attempt.error.is_some();
    let attempts = delivery.attempts + 1;
    let pause = usize::try_from(attempts - 1)
        .ok()
        .and_then(|done| PAUSES.get(done))
        .copied();
    let asked = attempt.retry_after.and_then(|asked| TimeDelta::from_std(asked).ok());
    let asked = asked.map(|asked| asked.min(LONGEST_ASKED));
    let state = match (failed, pause) {
        (false, _) => DeliveryState::Delivered,
        (true, Some(_)) if !attempt.is_lost => DeliveryState::Pending,
        (true, _) => DeliveryState::Failed,
    };
    let next = at + spread(pause.unwrap_or_default()).max(asked.unwrap_or_default());
    let delivered_at = (!failed).then_some(at);
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::Attempts, Expr::value(attempts))
        .col_expr(Column::NextAttemptAt, Expr::value(next))
        .col_expr(Column::LastStatus, Expr::value(attempt.status.map(i32::from)))
        .col_expr(Column::LastError, Expr::value(attempt.error.clone()))
        .col_expr(Column::LastResponse, Expr::value(attempt.response.clone()))
        .col_expr(
            Column::LastDurationMs,
            Expr::value(i32::try_from(attempt.duration.as_millis()).unwrap_or(i32::MAX)),
        )
        .col_expr(Column::DeliveredAt, Expr::value(delivered_at))
        .filter(Column::Id.eq(delivery.id))
        .exec(&**tx)
        .await?;
    let is_changed = endpoint.version != known.version;
    if attempt.is_lost {
        Ok(Recorded::GoOn)
    } else if failed {
        note_failure(tx, endpoint, attempt, asked, at).await
    } else {
        note_success(tx, &endpoint).await?;
        Ok(if is_changed { Recorded::Stop } else { Recorded::GoOn })
    }
}

async fn note_success(tx: &Tx, endpoint: &webhook_endpoint::Model) -> Result<(), DbErr> {
    if endpoint.failures == 0 && endpoint.paused_until.is_none() {
        return Ok(());
    }
    let row = webhook_endpoint::ActiveModel {
        failures: Set(0),
        failing_since: Set(None),
        paused_until: Set(None),
        ..Default::default()
    };
    let update = webhook_endpoint::Entity::update_many().set(row);
    let this = webhook_endpoint::Column::Id.eq(endpoint.id);
    update.filter(this).exec(&**tx).await.map(drop)
}

async fn note_failure(
    tx: &Tx,
    endpoint: webhook_endpoint::Model,
    attempt: &Attempt,
    asked: Option<TimeDelta>,
    at: DateTime<Utc>,
) -> Result<Recorded, EnqueueError> {
    let failures = endpoint.failures.saturating_add(1);
    let since = endpoint.failing_since.unwrap_or(at);
    let is_gone = attempt.status == Some(410);
    if endpoint.status == WebhookStatus::Enabled && (is_gone || at - since > PATIENCE) {
        let reason = match is_gone {
            true => "the endpoint answered 410 Gone".to_owned(),
            false => "every attempt has failed for five days".to_owned(),
        };
        disable_and_tell(tx, endpoint.id, &reason).await?;
        return Ok(Recorded::Stop);
    }
    // Where each attempt takes long, one is enough.
    let is_slow = attempt.status.is_none() && attempt.duration > SLOW;
    let rests = is_slow || failures >= TIRED || asked.is_some();
    let rest = rests.then(|| at + rest_after(failures).max(asked.unwrap_or_default()));
    let row = webhook_endpoint::ActiveModel {
        failures: Set(failures),
        failing_since: Set(Some(since)),
        paused_until: Set(rest),
        ..Default::default()
    };
    let update = webhook_endpoint::Entity::update_many().set(row);
    let this = webhook_endpoint::Column::Id.eq(endpoint.id);
    update.filter(this).exec(&**tx).await?;
    Ok(if rests { Recorded::Stop } else { Recorded::GoOn })
}

/// Sends nothing to an endpoint for a while.
pub async fn rest(conn: &impl ConnectionTrait, endpoint_id: i64) -> Result<(), DbErr> {
    webhook_endpoint::Entity::update_many()
        .col_expr(webhook_endpoint::Column::PausedUntil, Expr::value(now() + LONGEST_REST))
        .filter(webhook_endpoint::Column::Id.eq(endpoint_id))
        .exec(conn)
        .await
        .map(drop)
}

/// Disables an endpoint and tells its creator why.
async fn disable_and_tell(tx: &Tx, endpoint_id: i64, reason: &str) -> Result<(), EnqueueError> {
    let Some(endpoint) = endpoints::find_for_change(tx, endpoint_id).await? else {
        return Ok(());
    };
    let endpoint = endpoints::disable(tx, endpoint, Some(reason.to_owned()), &Actor::system()).await?;
    if let Some(user_id) = endpoint.created_by {
        let told = WebhookDisabled { user_id, endpoint_id };
        enqueue_with(tx, told, EnqueueOptions::by(&Actor::system())).await?;
    }
    Ok(())
}

fn rest_after(failures: i32) -> TimeDelta {
    let doublings = (failures - 1).clamp(0, 10);
    spread((FIRST_REST * (1 << doublings)).min(LONGEST_REST))
}

/// The same, ± 10 %, so that what failed together is not retried together.
fn spread(pause: TimeDelta) -> TimeDelta {
    let pause = pause.to_std().unwrap_or_default().mul_f64(rand::random_range(0.9..1.1));
    TimeDelta::from_std(pause).unwrap_or_default()
}

/// Sends a test event to this endpoint alone, even if it asks for other types. Returns its position.
pub async fn send_test(tx: &Tx, endpoint: &webhook_endpoint::Model, actor: &Actor) -> Result<i64, EnqueueError> {
    let data = json!({"id": endpoint.id, "url": endpoint.url});
    let position = events::record_one(&**tx, actor, Event::new(TEST, endpoint.id, &data)).await?;
    again(tx, endpoint.id, position - 1, position).await?;
    let entry = Entry::about(ObjectType::Webhook, endpoint.id, &endpoint.url, "test");
    audit::record(&**tx, actor, entry).await?;
    Ok(position)
}

/// Sends the events of the endpoint's types again that come after a position and not after another one, at most 10,000
/// positions at once. Returns how many, and up to which position.
pub async fn replay(
    tx: &Tx,
    endpoint: &webhook_endpoint::Model,
    after: i64,
    through: i64,
    actor: &Actor,
) -> Result<(u64, i64), DbErr> {
    let through = through.min(after.saturating_add(REPLAY));
    let replayed = again(tx, endpoint.id, after, through).await?;
    let entry = Entry {
        changes: Some(audit::made([("after", after.into()), ("through", through.into())])),
        ..Entry::about(ObjectType::Webhook, endpoint.id, &endpoint.url, "replay")
    };
    audit::record(&**tx, actor, entry).await?;
    Ok((replayed, through))
}

async fn again(tx: &Tx, endpoint_id: i64, after: i64, through: i64) -> Result<u64, DbErr> {
    let sql = Sql(tx.get_database_backend());
    let values = [
        endpoint_id.into(),
        after.into(),
        through.into(),
        now().into(),
        TEST.as_str().into(),
    ];
    let done = tx.execute_raw(sql.statement(AGAIN, values)).await?;
    Ok(done.rows_affected())
}

const AGAIN: &str = "\
    INSERT INTO webhook_deliveries (endpoint_id, position, event_id, type, state, attempts, next_attempt_at, created_at) \
    SELECT w.id, e.id, e.event_id, e.type, 'pending', 0, $4, $4 FROM events e JOIN webhook_endpoints w ON w.id = $1 \
    WHERE e.id > $2 AND e.id <= $3 AND (' ' || w.types || ' ' LIKE '% ' || e.type || ' %' \
    OR (e.type = $5 AND e.object_id = CAST(w.id AS text))) \
    ON CONFLICT (endpoint_id, position) DO UPDATE SET state = 'pending', attempts = 0, next_attempt_at = $4";

/// Removes deliveries that were written before this time and are not pending. Returns how many.
pub async fn prune(db: &DatabaseConnection, before: DateTime<Utc>) -> Result<u64, DbErr> {
    const BATCH: u64 = 5_000;
    let mut removed = 0;
    loop {
        let old: Vec<i64> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::CreatedAt.lt(before))
            .filter(Column::State.ne(DeliveryState::Pending))
            .limit(BATCH)
            .into_tuple()
            .all(db)
            .await?;
        if old.is_empty() {
            return Ok(removed);
        }
        let gone = Entity::delete_many().filter(crate::foundation::db::any_of(db, Column::Id, old));
        removed += gone.exec(&crate::foundation::db::writing(db)).await?.rows_affected;
    }
}

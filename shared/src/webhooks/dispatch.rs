//! From the stream to deliveries.

use std::{
    collections::{BTreeSet, HashSet},
    sync::LazyLock,
};

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, sea_query::Expr,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::SendWebhooks;
use crate::{
    events::{Feed, Head, Heads},
    foundation::{
        db::Sql,
        entity::{
            event_reader, job,
            webhook_endpoint::{self, Column, WebhookStatus},
        },
        time::now,
    },
    jobs::{EnqueueError, EnqueueOptions, Enqueued, Job, JobStore, Tx, enqueue_with},
};

/// The name of this reader of the stream.
const READER: &str = "webhooks";
/// Events that are spread in one transaction, and rows that are written in it: while it is open, no later event is shown
/// to anybody.
const BATCH: u64 = 500;
const ROWS: u64 = 2_000;
/// Jobs that are enqueued in one transaction, for the same reason.
const JOBS: usize = 50;

/// Changes whenever this process has written deliveries. Who writes them and who sends them know nothing of each other,
/// so this is one of the few global variables.
static WRITTEN: LazyLock<watch::Sender<()>> = LazyLock::new(watch::Sender::default);

/// Tells of deliveries that this process has written. Another process may have written them, so whoever waits must look
/// into the table as well.
#[must_use]
pub fn written() -> watch::Receiver<()> {
    WRITTEN.subscribe()
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dispatched {
    /// Deliveries that were written.
    pub deliveries: u64,
    /// Whether there are more events.
    pub has_more: bool,
    /// Endpoints with something due whose job was running already, and may have looked too early.
    pub busy: usize,
}

/// Writes deliveries for new events, and starts a job for each endpoint where something is due. Any number of processes
/// can call it at once: one of them does the work.
pub async fn dispatch(job_store: &JobStore, feed: &Feed) -> Result<Dispatched, EnqueueError> {
    let mut dispatched = spread(job_store, feed).await?;
    let due = due_endpoints(job_store).await?;
    if due.is_empty() {
        return Ok(dispatched);
    }
    let at_work = at_work(job_store).await?;
    let (busy, idle): (Vec<_>, Vec<_>) = due.into_iter().partition(|id| at_work.contains(&id.to_string()));
    dispatched.busy = busy.len();
    for some in idle.chunks(JOBS) {
        let tx = job_store.begin().await?;
        for endpoint_id in some.iter().copied() {
            let options = EnqueueOptions::default()
                .unique(endpoint_id.to_string())
                .actor("system");
            let enqueued = enqueue_with(&tx, SendWebhooks { endpoint_id }, options).await?;
            dispatched.busy += usize::from(matches!(enqueued, Enqueued::Existing(_)));
        }
        tx.commit().await?;
    }
    Ok(dispatched)
}

/// The endpoints whose job is ready or running.
async fn at_work(job_store: &JobStore) -> Result<HashSet<String>, DbErr> {
    let keys: Vec<Option<String>> = job::Entity::find()
        .select_only()
        .column(job::Column::UniqueKey)
        .filter(job::Column::Kind.eq(SendWebhooks::KIND))
        .filter(Expr::cust("unique_key IS NOT NULL AND state IN ('ready', 'running')"))
        .into_tuple()
        .all(job_store.db())
        .await?;
    Ok(keys.into_iter().flatten().collect())
}

async fn spread(job_store: &JobStore, feed: &Feed) -> Result<Dispatched, EnqueueError> {
    let known = event_reader::Entity::find_by_id(READER).one(job_store.db()).await?;
    let sealed = feed.newest().await?;
    if known.is_some_and(|reader| sealed <= reader.position) {
        return Ok(Dispatched::default());
    }
    let tx = job_store.begin().await?;
    let Some(position) = take_reader(&tx).await? else {
        // Another process is at it.
        return Ok(Dispatched::default());
    };
    let endpoints = webhook_endpoint::Entity::find().filter(Column::Status.eq(WebhookStatus::Enabled));
    let endpoints = endpoints.all(&**tx).await?;
    let (through, has_more, deliveries) = if endpoints.is_empty() {
        (sealed.max(position), false, 0)
    } else {
        let Heads {
            heads,
            through,
            has_more,
        } = feed
            .heads(position, (ROWS / endpoints.len() as u64).clamp(1, BATCH))
            .await?;
        let written = write(&tx, &heads, &endpoints).await?;
        (through, has_more, written)
    };
    event_reader::Entity::update_many()
        .col_expr(event_reader::Column::Position, Expr::value(through))
        .filter(event_reader::Column::Name.eq(READER))
        .exec(&**tx)
        .await?;
    tx.commit().await?;
    if deliveries > 0 {
        WRITTEN.send_replace(());
    }
    Ok(Dispatched {
        deliveries,
        has_more,
        busy: 0,
    })
}

/// How far it has come, locked; none if another process has it.
async fn take_reader(tx: &Tx) -> Result<Option<i64>, DbErr> {
    let sql = Sql(tx.get_database_backend());
    let query = format!(
        "SELECT position FROM event_readers WHERE name = $1 {}",
        sql.skip_locked()
    );
    let row = tx.query_one_raw(sql.statement(&query, [READER.into()])).await?;
    row.map(|row| row.try_get("", "position")).transpose()
}

async fn write(tx: &Tx, heads: &[Head], endpoints: &[webhook_endpoint::Model]) -> Result<u64, DbErr> {
    let mut rows = vec![];
    for endpoint in endpoints {
        let types: BTreeSet<&str> = endpoint.types.split(' ').collect();
        let wanted = heads.iter().filter(|event| event.position > endpoint.after_position);
        rows.extend(wanted.filter(|event| types.contains(event.kind.as_str())).map(|event| {
            json!({
                "endpoint_id": endpoint.id, "position": event.position,
                "event_id": event.event_id.simple().to_string(), "type": event.kind,
            })
        }));
    }
    if rows.is_empty() {
        return Ok(0);
    }
    let sql = Sql(tx.get_database_backend());
    let values = [Value::from(rows).into(), now().into()];
    let written = tx
        .execute_raw(sql.statement(sql.pick(POSTGRES, SQLITE), values))
        .await?;
    Ok(written.rows_affected())
}

const POSTGRES: &str = "\
    INSERT INTO webhook_deliveries (endpoint_id, position, event_id, type, state, attempts, next_attempt_at, created_at) \
    SELECT (r->>'endpoint_id')::bigint, (r->>'position')::bigint, (r->>'event_id')::uuid, r->>'type', 'pending', 0, $2, \
    $2 FROM jsonb_array_elements($1) r ON CONFLICT (endpoint_id, position) DO NOTHING";
const SQLITE: &str = "\
    INSERT INTO webhook_deliveries (endpoint_id, position, event_id, type, state, attempts, next_attempt_at, created_at) \
    SELECT value->>'endpoint_id', value->>'position', unhex(value->>'event_id'), value->>'type', 'pending', 0, $2, $2 \
    FROM json_each($1) WHERE true ON CONFLICT (endpoint_id, position) DO NOTHING";

#[derive(FromQueryResult)]
struct Due {
    id: i64,
}

/// The endpoints where something is due: a look into an index for each.
async fn due_endpoints(job_store: &JobStore) -> Result<Vec<i64>, DbErr> {
    let sql = Sql(job_store.db().get_database_backend());
    let statement = sql.statement(DUE, [now().into()]);
    let due = Due::find_by_statement(statement).all(job_store.db()).await?;
    Ok(due.into_iter().map(|due| due.id).collect())
}

const DUE: &str = "\
    SELECT e.id FROM webhook_endpoints e \
    WHERE e.status = 'enabled' AND (e.paused_until IS NULL OR e.paused_until <= $1) AND EXISTS (\
    SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'pending' AND d.next_attempt_at <= $1) \
    ORDER BY e.id";

//! The rows behind idempotency keys: reserved before the operation runs, settled with its answer after it has
//! committed.
//!
//! A process that dies in between leaves a reservation without an answer. After [`TAKEOVER`] the next repetition takes
//! it over and runs the operation again, which then meets its own effect: a unique index, or a patch that changes
//! nothing.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, OnConflict, SimpleExpr},
};
use serde_json::Value;
use usher_shared::foundation::{
    db::writing,
    entity::idempotency_key::{ActiveModel, Column, Entity, Model},
    time::now,
};

/// How long an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// After this long a reservation without an answer is that of a process that died: no operation runs so long.
const TAKEOVER: TimeDelta = TimeDelta::seconds(60);

/// What became of the wish to run an operation under a key.
pub(super) enum Reserved {
    /// Run it.
    Ours(Reservation),
    Answered(Answer),
    Running,
    /// The key was used for something else.
    OfAnother,
}

/// The right to run an operation, until it is settled, released or taken over.
pub(super) struct Reservation {
    scope: String,
    key: String,
    /// Which of the reservations that the row has seen this is.
    at: DateTime<Utc>,
}

/// An answer as it is kept.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// None when it held a secret.
    pub(super) body: Option<Vec<u8>>,
}

impl Answer {
    pub(super) fn whole(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let mut headers = headers.clone();
        headers.remove(header::CONTENT_LENGTH);
        Self {
            status,
            headers,
            body: Some(body.to_vec()),
        }
    }

    /// Of an answer with a secret: where the thing is that it made.
    pub(super) fn without_body(status: StatusCode, headers: &HeaderMap) -> Self {
        let location = headers.get(header::LOCATION).cloned();
        let headers = location
            .map(|location| (header::LOCATION, location))
            .into_iter()
            .collect();
        Self {
            status,
            headers,
            body: None,
        }
    }
}

/// Reserves the key, or says why not. One statement for a new key, one more for one that is there.
pub(super) async fn reserve(
    db: &DatabaseConnection,
    scope: String,
    key: String,
    fingerprints: &[[u8; 32]],
) -> Result<Reserved, DbErr> {
    let ours = |at| {
        Ok(Reserved::Ours(Reservation {
            scope: scope.clone(),
            key: key.clone(),
            at,
        }))
    };
    let fingerprint = fingerprints.first().copied().unwrap_or_default();
    // The row can be given back between the two statements; then there is none to find.
    for _ in 0..3 {
        let at = now();
        let row = ActiveModel {
            caller: Set(scope.clone()),
            key: Set(key.clone()),
            fingerprint: Set(fingerprint.to_vec()),
            created_at: Set(at),
            expires_at: Set(at + KEPT),
            ..Default::default()
        };
        let there_already = OnConflict::columns([Column::Caller, Column::Key])
            .do_nothing()
            .to_owned();
        let insert = Entity::insert(row).on_conflict(there_already).try_insert();
        if let sea_orm::TryInsertResult::Inserted(1) = insert.exec_without_returning(&writing(db)).await? {
            return ours(at);
        }
        let found = Entity::find()
            .filter(Column::Caller.eq(&*scope))
            .filter(Column::Key.eq(&*key));
        let Some(row) = found.one(db).await? else { continue };
        let is_over = row.expires_at <= at;
        if !is_over && !fingerprints.iter().any(|ours| row.fingerprint == ours) {
            return Ok(Reserved::OfAnother);
        }
        let is_abandoned = row.status.is_none() && row.created_at <= at - TAKEOVER;
        if is_over || is_abandoned {
            if take_over(db, &row, fingerprint, at).await? {
                return ours(at);
            }
            continue;
        }
        return match row.status {
            Some(status) => Ok(Reserved::Answered(Answer::of(status, row)?)),
            None => Ok(Reserved::Running),
        };
    }
    Ok(Reserved::Running)
}

/// Makes the row ours if it is still as it was found.
async fn take_over(
    db: &DatabaseConnection,
    row: &Model,
    fingerprint: [u8; 32],
    at: DateTime<Utc>,
) -> Result<bool, DbErr> {
    let taken = Entity::update_many()
        .col_expr(Column::Fingerprint, Expr::value(fingerprint.to_vec()))
        .col_expr(Column::Status, Expr::value(None::<i16>))
        .col_expr(Column::Headers, Expr::value(None::<Value>))
        .col_expr(Column::Body, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::CreatedAt, Expr::value(at))
        .col_expr(Column::ExpiresAt, Expr::value(at + KEPT))
        .filter(Column::Id.eq(row.id))
        .filter(Column::CreatedAt.eq(row.created_at))
        .exec(&writing(db))
        .await?;
    Ok(taken.rows_affected == 1)
}

impl Reservation {
    /// Keeps the answer. If that fails the effect stands all the same, so the client gets its answer either way.
    pub(super) async fn settle(self, db: &DatabaseConnection, answer: Answer) {
        let headers = answer.headers.iter().filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            Some(Value::from(vec![name.as_str(), value]))
        });
        let settled = Entity::update_many()
            .col_expr(Column::Status, Expr::value(i16::try_from(answer.status.as_u16()).ok()))
            .col_expr(Column::Headers, Expr::value(Value::Array(headers.collect())))
            .col_expr(Column::Body, Expr::value(answer.body))
            .filter(self.is_ours())
            .exec(&writing(db))
            .await;
        if let Err(error) = settled {
            tracing::warn!(%error, "cannot keep the answer of an idempotency key");
        }
    }

    /// Gives the key back, because nothing was done that a repetition must not do again.
    pub(super) async fn release(self, db: &DatabaseConnection) {
        if let Err(error) = Entity::delete_many().filter(self.is_ours()).exec(&writing(db)).await {
            tracing::warn!(%error, "cannot release an idempotency key");
        }
    }

    /// Not one that another request has taken over.
    fn is_ours(&self) -> SimpleExpr {
        Column::Caller
            .eq(&*self.scope)
            .and(Column::Key.eq(&*self.key))
            .and(Column::CreatedAt.eq(self.at))
            .and(Column::Status.is_null())
    }
}

impl Answer {
    fn of(status: i16, row: Model) -> Result<Self, DbErr> {
        let status = u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok());
        let pairs: Vec<(String, String)> = row
            .headers
            .and_then(|pairs| serde_json::from_value(pairs).ok())
            .unwrap_or_default();
        let headers = pairs
            .into_iter()
            .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse::<HeaderValue>().ok()?)));
        Ok(Self {
            status: status.ok_or_else(|| DbErr::Type("an idempotency key's status is none".to_owned()))?,
            headers: headers.collect(),
            body: row.body,
        })
    }
}

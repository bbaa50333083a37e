//! `purge_expired`: removes expired tokens, sessions and idempotency keys, old events and deliveries, and files that
//! nothing refers to, and unlocks accounts whose lock has ended.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use usher_shared::{
    accounts::{
        mfa,
        users::{self, ChangeError, StatusChange},
    },
    audit::Actor,
    events,
    foundation::{
        db::ForeignKeys,
        entity::{
            idempotency_key, mail_breaker, mail_token, mfa_challenge, mfa_factor, session, spent_form_token,
            user::{self, UserStatus},
        },
        rules::Reason,
        time::now,
    },
    jobs::{Job, Priority},
    webhooks,
};

use crate::{foundation::JobError, runtime::JobContext};

/// For this long a token is reported as expired rather than unknown.
const KEPT: chrono::Duration = chrono::Duration::days(7);
/// Rows in one statement.
const BATCH: u64 = 1_000;

/// Removes what expired more than a week ago, and unused files. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PurgeExpired {}

impl Job for PurgeExpired {
    const KIND: &'static str = "purge_expired";
    const PRIORITY: Priority = Priority::Low;
}

pub(crate) async fn purge(_: PurgeExpired, context: JobContext) -> Result<(), JobError> {
    use idempotency_key::Column as Key;
    use mail_token::Column as Token;
    use mfa_challenge::Column as Challenge;
    use session::Column as Session;
    use spent_form_token::Column as Form;

    let (db, before) = (&context.db.writing(), now() - KEPT);
    // Rows that a product's table refers to stay.
    let held = ForeignKeys::read(&context.db).await?;
    let tokens = remove::<mail_token::Entity>(db, &held, Token::Id, Token::ExpiresAt, before).await?;
    let keys = remove::<idempotency_key::Entity>(db, &held, Key::Id, Key::ExpiresAt, before).await?;
    remove::<mfa_challenge::Entity>(db, &held, Challenge::Id, Challenge::ExpiresAt, before).await?;
    let sessions = remove::<session::Entity>(db, &held, Session::Id, Session::ExpiresAt, before).await?;
    // Authenticator apps that were never confirmed.
    let waiting = mfa_factor::Entity::delete_many().filter(mfa_factor::Column::ConfirmedAt.is_null());
    waiting
        .filter(mfa_factor::Column::CreatedAt.lt(now() - mfa::ENROLMENT_LIFETIME))
        .exec(db)
        .await?;
    remove::<spent_form_token::Entity>(db, &held, Form::TokenHash, Form::ExpiresAt, now()).await?;
    // A mail server that has not been probed for so long is no longer ours.
    let stale = mail_breaker::Entity::delete_many().filter(mail_breaker::Column::ProbeAt.lt(before));
    stale.exec(db).await?;
    let locks = remove_ended_locks(&context).await?;
    let events = events::remove_before(&context.db, now() - context.config.event_retention).await?;
    let deliveries = webhooks::prune(&context.db, now() - context.config.event_retention).await?;
    let files = context.files().sweep().await?;
    tracing::info!(
        tokens,
        keys,
        sessions,
        locks,
        events,
        deliveries,
        files,
        "purged expired rows"
    );
    Ok(())
}

/// An account whose lock has ended is active from that moment, whatever its row says; but the more of these rows there
/// are, the longer it takes to find those that are still locked.
async fn remove_ended_locks(context: &JobContext) -> Result<u64, JobError> {
    let (mut taken, mut last) = (0, 0);
    loop {
        let ended: Vec<i64> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::Status.eq(UserStatus::Locked))
            .filter(user::Column::LockedUntil.lte(now()))
            .filter(user::Column::DeletedAt.is_null())
            .filter(user::Column::Id.gt(last))
            .order_by_asc(user::Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(&context.db)
            .await?;
        for id in &ended {
            taken += u64::from(remove_ended_lock(context, *id).await?);
            last = *id;
        }
        if (ended.len() as u64) < BATCH {
            return Ok(taken);
        }
    }
}

/// False if it was locked again just now, or if a product's hook refuses the change: one account must not hold up the
/// others.
async fn remove_ended_lock(context: &JobContext, id: i64) -> Result<bool, JobError> {
    let tx = context.begin().await?;
    let user = users::find_for_change(&tx, id).await?;
    let Some(user) = user.filter(|user| user.status != user.status_at(now())) else {
        return Ok(false);
    };
    let reason = Reason::parse("The lock has ended").ok();
    match users::change_status(&tx, user, StatusChange::Unlocked, reason, &Actor::system()).await {
        Ok(_) => tx.commit().await?,
        Err(ChangeError::Refused(fields)) => {
            tracing::warn!(user_id = id, reason = %fields, "a hook refused to remove a lock that has ended");
            return Ok(false);
        }
        Err(error) => return Err(JobError::retry(error)),
    }
    Ok(true)
}

async fn remove<E: EntityTrait>(
    db: &impl ConnectionTrait,
    held: &ForeignKeys,
    id: E::Column,
    expires_at: E::Column,
    before: DateTime<Utc>,
) -> Result<u64, DbErr> {
    let mut removed = 0;
    let unheld = Expr::cust(held.unheld(E::default().table_name()));
    loop {
        let expired = E::find()
            .filter(expires_at.lt(before))
            .filter(unheld.clone())
            .limit(BATCH);
        let batch = expired.select_only().column(id).into_query();
        let gone = E::delete_many().filter(id.in_subquery(batch)).exec(db).await?;
        removed += gone.rows_affected;
        if gone.rows_affected < BATCH {
            return Ok(removed);
        }
    }
}

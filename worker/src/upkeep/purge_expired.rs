//! `purge_expired`: removes tokens, sessions and kept answers that have run out, and what nobody asks for any more.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait, sea_query::Expr,
};
use serde::{Deserialize, Serialize};
use usher_shared::{
    db::ForeignKeys,
    entity::{idempotency_key, mail_breaker, mail_token, mfa_challenge, mfa_factor, session, spent_form_token},
    jobs::{Job, Priority},
    mfa,
    time::now,
};

use crate::{JobContext, JobError};

/// For a while a token is known to have expired, which says more than that it is unknown.
const KEPT: chrono::Duration = chrono::Duration::days(7);
/// Rows in one statement.
const BATCH: u64 = 1_000;

/// Removes what expired a week ago. Safe to run twice.
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
    // What a product's table points to stays, and the others go.
    let held = ForeignKeys::read(&context.db).await?;
    let tokens = remove::<mail_token::Entity>(db, &held, Token::Id, Token::ExpiresAt, before).await?;
    let keys = remove::<idempotency_key::Entity>(db, &held, Key::Id, Key::ExpiresAt, before).await?;
    remove::<mfa_challenge::Entity>(db, &held, Challenge::Id, Challenge::ExpiresAt, before).await?;
    let sessions = remove::<session::Entity>(db, &held, Session::Id, Session::ExpiresAt, before).await?;
    // An authenticator app that nobody has confirmed.
    let waiting = mfa_factor::Entity::delete_many().filter(mfa_factor::Column::ConfirmedAt.is_null());
    waiting
        .filter(mfa_factor::Column::CreatedAt.lt(now() - mfa::ENROLMENT_LIFETIME))
        .exec(db)
        .await?;
    remove::<spent_form_token::Entity>(db, &held, Form::TokenHash, Form::ExpiresAt, now()).await?;
    // A mail server that was not even asked for so long is no longer ours.
    let stale = mail_breaker::Entity::delete_many().filter(mail_breaker::Column::ProbeAt.lt(before));
    stale.exec(db).await?;
    tracing::info!(tokens, keys, sessions, "purged what had expired");
    Ok(())
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

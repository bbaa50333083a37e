//! Completing many jobs in one statement: a busy worker commits in batches and an idle one at once.

use std::{collections::HashSet, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DbErr};
use uuid::Uuid;

use super::{
    claims::{Claim, NO_LEASE},
    job_store::JobStore,
    outcomes::CompleteError,
};
use crate::foundation::{
    batcher::Batcher,
    db::{self, Sql},
};

/// Jobs in one statement.
const BATCH: usize = 256;
/// For one statement: all that complete wait behind it.
const LIMIT: Duration = Duration::from_secs(5);

/// Completes jobs without effects of their own in the database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Completer(Batcher<Claim, bool>);

impl Completer {
    #[must_use]
    pub fn new(job_store: JobStore) -> Self {
        Self(Batcher::new(
            BATCH,
            1,
            |_| false,
            move |claims| complete(job_store.clone(), claims),
        ))
    }

    /// Completes one job. When this returns it is written, or the lease was lost, or the database did not take it.
    pub async fn complete(&self, claim: Claim) -> Result<(), CompleteError> {
        match self.0.ask(claim).await? {
            true => Ok(()),
            false => Err(CompleteError::Lost),
        }
    }
}

/// Whether each was ours to complete.
async fn complete(job_store: JobStore, claims: Arc<[Claim]>) -> Result<Vec<bool>, DbErr> {
    let conn = db::writing(&job_store.db);
    let done = db::within(LIMIT, job_store.complete_many(&conn, &claims)).await?;
    Ok(claims.iter().map(|claim| done.contains(&claim.id)).collect())
}

impl JobStore {
    /// Writes down the success of many jobs in one statement; answers those whose claim still held. Effects of the
    /// others must not be written.
    pub async fn complete_many(&self, conn: &impl ConnectionTrait, claims: &[Claim]) -> Result<HashSet<Uuid>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET state = 'done', finished_at = {now}, last_error = NULL, {NO_LEASE} \
             WHERE {held} AND {running} RETURNING id",
            now = sql.now(),
            held = sql.held("$1"),
            running = Sql::is("running"),
        );
        let rows = conn.query_all_raw(sql.statement(&query, [Sql::claims(claims)])).await?;
        rows.iter().map(|row| row.try_get("", "id")).collect()
    }
}

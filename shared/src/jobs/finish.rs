//! Completing many jobs in one statement. Whatever ends while a statement is under way goes into the next one,
//! so a busy worker commits in batches and an idle one at once.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ConnectionTrait, DbErr};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{claims::Claim, job_store::JobStore, outcomes::CompleteError};
use crate::foundation::{
    db::{self, Sql},
    trace::{self, Span, Trace},
};

/// Jobs in one statement.
const BATCH: usize = 256;
/// For one statement: all that complete wait behind it.
const LIMIT: Duration = Duration::from_secs(5);

/// Completes jobs without effects of their own in the database. Cheap to clone; ends with its last clone.
#[derive(Clone, Debug)]
pub struct Finisher {
    wishes: mpsc::Sender<Wish>,
}

#[derive(Debug)]
struct Wish {
    claim: Claim,
    trace: Option<Trace>,
    answer: oneshot::Sender<Result<(), CompleteError>>,
}

impl Finisher {
    /// Starts the task that writes; needs a Tokio runtime.
    #[must_use]
    pub fn new(job_store: JobStore) -> Self {
        let (wishes, queue) = mpsc::channel(BATCH);
        tokio::spawn(write(job_store, queue));
        Self { wishes }
    }

    /// Completes one job. When this returns it is written, or the lease was lost, or the database did not take it.
    pub async fn complete(&self, claim: Claim) -> Result<(), CompleteError> {
        let (answer, answered) = oneshot::channel();
        let gone = || DbErr::Custom("the task that completes jobs has ended".to_owned());
        let trace = Trace::exported();
        let wish = Wish { claim, trace, answer };
        self.wishes.send(wish).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

async fn write(job_store: JobStore, mut queue: mpsc::Receiver<Wish>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let claims: Vec<Claim> = batch.iter().map(|wish| wish.claim).collect();
        let span = Span::batch(batch.iter().map(|wish| wish.trace));
        let written = trace::during(
            span,
            db::within(LIMIT, job_store.complete_many(&db::writing(&job_store.db), &claims)),
        )
        .await;
        for Wish { claim, answer, .. } in batch.drain(..) {
            let outcome = match &written {
                Ok(done) if done.contains(&claim.id) => Ok(()),
                Ok(_) => Err(CompleteError::Lost),
                Err(error) => Err(CompleteError::Db(error.clone())),
            };
            // Nobody waits any more: the handler's process is being stopped.
            drop(answer.send(outcome));
        }
    }
}

impl JobStore {
    /// Writes down the success of many jobs in one statement; answers those whose claim still held. Effects of the others
    /// must not be written.
    pub async fn complete_many(&self, conn: &impl ConnectionTrait, claims: &[Claim]) -> Result<HashSet<Uuid>, DbErr> {
        let sql = self.sql();
        let query = format!(
            "UPDATE jobs SET state = 'done', finished_at = {now}, last_error = NULL, lease_until = NULL, \
             lease_token = NULL WHERE {held} AND {running} RETURNING id",
            now = sql.now(),
            held = sql.held("$1"),
            running = Sql::is("running"),
        );
        let rows = conn.query_all_raw(sql.statement(&query, [Sql::claims(claims)])).await?;
        rows.iter().map(|row| row.try_get("", "id")).collect()
    }
}

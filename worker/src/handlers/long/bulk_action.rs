//! `bulk_action`: applies an action to each of the chosen rows.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::json;
use usher_shared::accounts::staff::bulk::{self, BulkError, BulkJob, OrderingActor};

use crate::{
    foundation::{JobError, time_limit::within},
    runtime::JobContext,
};

/// Rows between progress reports.
const BATCH: u64 = 100;
/// After this long the job goes to the end of its queue.
const TURN: Duration = Duration::from_secs(20);

/// For one row, in case its connection falls silent.
const ROW_LIMIT: Duration = Duration::from_secs(30);

/// Safe to run twice: a row that has an outcome is left alone.
pub(super) async fn run(order: BulkJob, context: JobContext) -> Result<(), JobError> {
    let (job_id, began) = (context.job.id, Instant::now());
    let mut tally = bulk::tally(&context.db, job_id).await?;
    loop {
        let rows = bulk::left(&context.db, job_id, BATCH).await?;
        if rows.is_empty() {
            break;
        }
        // Again for each batch: an actor who lost their permissions changes nothing more.
        let hand = match OrderingActor::of(&context.job_store, &order).await {
            Ok(hand) => hand,
            Err(BulkError::Db(error)) => return Err(error.into()),
            Err(refused) => return Err(JobError::cancel(refused)),
        };
        for row in &rows {
            if let Some(outcome) = within(ROW_LIMIT, hand.apply(&context.job_store, job_id, row)).await? {
                tally.count(outcome);
            }
        }
        context.progress(tally.percent()).await?;
        if began.elapsed() > TURN {
            let far = format!(
                "{} of {} rows; other jobs first",
                tally.settled(),
                tally.settled() + tally.left
            );
            return Err(JobError::Snooze(Duration::ZERO, anyhow!(far)));
        }
    }
    let tally = bulk::tally(&context.db, job_id).await?;
    tracing::info!(
        done = tally.done,
        skipped = tally.skipped,
        failed = tally.failed,
        "bulk action finished"
    );
    let tx = context.begin().await?;
    context.complete_with(tx, json!(tally)).await
}

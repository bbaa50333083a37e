//! `import`: applies a product's import to each line of a CSV file, in a transaction of its own. A dry run does the
//! same and rolls each line back.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use serde_json::{Value, json};
use usher_shared::accounts::staff::imports::{self, ImportJob};

use super::{
    csv_file::{CsvFile, Declared, NO_FILE, bytes_of, percent, refuse},
    permissions::still_may,
};
use crate::{
    foundation::{JobError, time_limit::within},
    runtime::JobContext,
};

/// Lines between progress reports.
const BATCH: usize = 100;
/// After this long the job goes to the end of its queue.
const TURN: Duration = Duration::from_secs(20);
/// For one line, in case its connection falls silent.
const LINE_LIMIT: Duration = Duration::from_secs(30);

/// Safe to run twice: a line that has an outcome is left alone.
pub(super) async fn run(job: ImportJob, context: JobContext) -> Result<(), JobError> {
    may_go_on(&job, &context).await?;
    let Some(bytes) = bytes_of(&context, job.file_id).await? else {
        return refuse(&context, NO_FILE).await;
    };
    let import = job.what.declared();
    let declared = Declared {
        required: import.required,
        optional: import.optional,
        aliases: &[],
        exported: (import.exported)(),
        key: import.key,
    };
    match CsvFile::read(&bytes, &declared) {
        Ok(file) => go_through(&job, &context, &file).await,
        Err(why) => refuse(&context, &why).await,
    }
}

async fn may_go_on(job: &ImportJob, context: &JobContext) -> Result<(), JobError> {
    let permission = job.what.declared().permission;
    still_may(context, &job.actor, &[permission]).await.map(drop)
}

async fn go_through(job: &ImportJob, context: &JobContext, file: &CsvFile) -> Result<(), JobError> {
    let (job_id, began, all) = (context.job.id, Instant::now(), file.lines.len());
    // Lines are settled in their order, so those of earlier runs are the first ones.
    let settled = imports::counts(&context.db, job_id).await?.settled();
    let mut far = usize::try_from(settled).unwrap_or(all).min(all);
    for lines in file.lines[far..].chunks(BATCH) {
        // Again for each batch: an actor who lost the permission imports nothing more.
        may_go_on(job, context).await?;
        for line in lines {
            within(LINE_LIMIT, job.apply(&context.job_store, job_id, line)).await?;
        }
        far += lines.len();
        context.progress(percent(far, all)).await?;
        if began.elapsed() > TURN && far < all {
            let reason = anyhow!("{far} of {all} lines; other jobs first");
            return Err(JobError::Snooze(Duration::ZERO, reason));
        }
    }
    let counts = imports::counts(&context.db, job_id).await?;
    tracing::info!(?counts, job.dry_run, "import finished");
    let mut result = json!(counts);
    result["ignored"] = Value::from(file.ignored.clone());
    let tx = context.begin().await?;
    context.complete_with(tx, result).await
}

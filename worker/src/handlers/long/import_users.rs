//! `import_users`: creates and changes users from a CSV file, in batches. A dry run previews it. Users are matched by
//! email address, so that a file can be imported twice.

mod batch;
mod table;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use sea_orm::{ConnectionTrait, DbErr};
use serde_json::{Value, json};
use usher_shared::{
    accounts::staff::{
        bulk,
        imports::{CHANGE_COLUMNS, ImportUsers, PERMISSION},
        policy::Holder,
    },
    foundation::csv,
    jobs::files::{self, Direction, Writer},
};

use crate::{foundation::JobError, runtime::JobContext};

use super::{
    csv_file::{NO_FILE, bytes_of, percent, refuse},
    permissions::still_may,
};
use batch::{LineAction, judge, write_batch};
use table::{Line, Table};

/// Lines per query, and per transaction.
const BATCH: usize = 100;
/// After this long an import goes to the end of its queue.
const TURN: Duration = Duration::from_secs(20);
/// Max errors in the result; the file has them all.
const REPORTED: usize = 50;

/// Safe to run twice: lines that have an outcome are left alone.
pub(super) async fn run(job: ImportUsers, context: JobContext) -> Result<(), JobError> {
    let holder = may_go_on(&job, &context).await?;
    let Some(bytes) = bytes_of(&context, job.file_id).await? else {
        return refuse(&context, NO_FILE).await;
    };
    match Table::read(&bytes, context.config.email_policy) {
        Ok(table) if job.dry_run => preview(&job, &context, &holder, &table).await,
        Ok(table) => import(&job, &context, &table).await,
        Err(why) => refuse(&context, &why).await,
    }
}

async fn may_go_on(job: &ImportUsers, context: &JobContext) -> Result<Holder, JobError> {
    still_may(context, &job.actor, &[PERMISSION]).await
}

/// Reports what the import would do with each line, and changes nothing.
async fn preview(job: &ImportUsers, context: &JobContext, holder: &Holder, table: &Table) -> Result<(), JobError> {
    let (db, job_id, all) = (&context.db, context.job.id, table.lines.len());
    files::keep_only(db, job_id, None).await?;
    let mut faults = Writer::create(db, job_id, Direction::Out, "faults.csv", "text/csv").await?;
    let mut changes = Writer::create(db, job_id, Direction::Out, "changes.csv", "text/csv").await?;
    let (mut preview, mut seen) = (Preview::default(), HashSet::new());
    csv::write_head(&mut preview.fault_records, ["line", "fault"]);
    csv::write_head(&mut preview.change_records, CHANGE_COLUMNS);
    for (index, lines) in table.lines.chunks(BATCH).enumerate() {
        for (line, action) in judge(db, holder, lines, job.blank, &mut seen).await? {
            preview.add(line, action);
        }
        preview.write(&mut faults, &mut changes).await?;
        context.progress(percent((index + 1) * BATCH, all)).await?;
    }
    preview.write(&mut faults, &mut changes).await?;
    let ((file, _), (changes, _)) = (faults.finish().await?, changes.finish().await?);
    let Preview {
        new,
        changed,
        unchanged,
        faulty,
        reported,
        ..
    } = preview;
    let result = json!({
        "rows": all, "new": new, "changed": changed, "unchanged": unchanged, "faulty": faulty,
        "faults": reported, "file": file, "changes": changes, "ignored": table.ignored,
    });
    let tx = context.begin().await?;
    context.complete_with(tx, result).await
}

/// What a dry run found so far, and the records that are not in its files yet.
#[derive(Default)]
struct Preview {
    new: usize,
    changed: usize,
    unchanged: usize,
    faulty: usize,
    reported: Vec<Value>,
    fault_records: String,
    change_records: String,
}

impl Preview {
    fn add(&mut self, line: usize, action: LineAction) {
        match action {
            LineAction::New(_) => self.new += 1,
            LineAction::Changed(change) => {
                self.changed += 1;
                let line = line.to_string();
                for (field, before, after) in &change.fields {
                    let record = [line.as_str(), &change.email, field, before, after];
                    csv::write_record(&mut self.change_records, record);
                }
            }
            LineAction::Unchanged => self.unchanged += 1,
            LineAction::Faulty(fault) => {
                self.faulty += 1;
                csv::write_record(&mut self.fault_records, [line.to_string().as_str(), &fault]);
                if self.reported.len() < REPORTED {
                    self.reported.push(json!({ "line": line, "fault": fault }));
                }
            }
        }
    }

    async fn write<'a, C: ConnectionTrait>(
        &mut self,
        faults: &mut Writer<'a, C>,
        changes: &mut Writer<'a, C>,
    ) -> Result<(), DbErr> {
        for (file, records) in [(faults, &mut self.fault_records), (changes, &mut self.change_records)] {
            file.write(records.as_bytes()).await?;
            records.clear();
        }
        Ok(())
    }
}

async fn import(job: &ImportUsers, context: &JobContext, table: &Table) -> Result<(), JobError> {
    let (job_id, began) = (context.job.id, Instant::now());
    let written = usize::try_from(bulk::tally(&context.db, job_id).await?.settled()).unwrap_or(usize::MAX);
    let (before, rest) = table.lines.split_at(written.min(table.lines.len()));
    let mut seen: HashSet<String> = before.iter().filter_map(Line::key).collect();
    let mut far = before.len();
    for lines in rest.chunks(BATCH) {
        let holder = may_go_on(job, context).await?;
        write_batch(job, &holder, context, lines, &mut seen).await?;
        far += lines.len();
        context.progress(percent(far, table.lines.len())).await?;
        if began.elapsed() > TURN && far < table.lines.len() {
            let reason = anyhow!("{far} of {} lines; other jobs first", table.lines.len());
            return Err(JobError::Snooze(Duration::ZERO, reason));
        }
    }
    let tally = bulk::tally(&context.db, job_id).await?;
    tracing::info!(
        done = tally.done,
        skipped = tally.skipped,
        failed = tally.failed,
        "imported"
    );
    let tx = context.begin().await?;
    context.complete_with(tx, json!(tally)).await
}

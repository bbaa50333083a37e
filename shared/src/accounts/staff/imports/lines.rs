//! The jobs of a product's import: one line at a time, each in a transaction of its own.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter,
    sea_query::{OnConflict, Query},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    order::{Chosen, ImportError, enqueue_check, enqueue_run, finished},
    own::{ImportFault, ImportRow, Imported, OwnImport},
};
use crate::{
    accounts::staff::bulk::items::tally,
    audit::Actor,
    foundation::{
        db,
        entity::job_item::{Column, Entity, ItemOutcome},
        time::new_id,
    },
    jobs::{Job, JobStore, LONG_QUEUE, Priority, Tx},
};

/// What [`ItemOutcome::Done`] was, in the lines that created something.
const CREATED: &str = "created";

/// The payload of both jobs.
///
/// The result is `{"created": n, "changed": n, "unchanged": n, "faulty": n, "ignored": ["…"]}`, with the columns that
/// were ignored, or `{"refused": "…"}`. The `job_items` of both are the lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportJob {
    pub what: OwnImport,
    pub file_id: Uuid,
    /// Rolls every line back.
    pub dry_run: bool,
    pub actor: Actor,
}

impl Job for ImportJob {
    const KIND: &'static str = "import";
    const QUEUE: &'static str = LONG_QUEUE;
    const PRIORITY: Priority = Priority::Low;
}

/// One line of a file.
#[derive(Clone, Debug)]
pub struct ImportLine {
    /// Its number in the file, from 1.
    pub number: usize,
    /// A cell for each column that the import declares, none where the file lacks it; or what is wrong with the line.
    pub cells: Result<Vec<Option<String>>, String>,
}

/// What an import did, or a dry run would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCounts {
    pub created: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub faulty: u64,
}

impl ImportCounts {
    /// Lines that have an outcome.
    #[must_use]
    pub const fn settled(self) -> u64 {
        self.created + self.changed + self.unchanged + self.faulty
    }
}

/// Stores the file and enqueues its dry run; returns the job's id.
pub async fn check_own(tx: &Tx, what: OwnImport, name: &str, bytes: &[u8], actor: &Actor) -> Result<Uuid, ImportError> {
    let id = new_id();
    let job = ImportJob {
        what,
        file_id: id,
        dry_run: true,
        actor: actor.clone(),
    };
    enqueue_check(tx, job, Chosen { id, name, bytes }, actor).await
}

/// Enqueues the import of a file that a finished dry run of the same import has checked; returns its job's id.
pub async fn run_own(tx: &Tx, what: OwnImport, checked: Uuid, actor: &Actor) -> Result<Uuid, ImportError> {
    let checked: ImportJob = finished(tx, checked).await?;
    if !checked.dry_run || checked.what != what {
        return Err(ImportError::NotChecked);
    }
    let file_id = checked.file_id;
    let job = ImportJob {
        dry_run: false,
        actor: actor.clone(),
        ..checked
    };
    enqueue_run(tx, job, file_id, what.0.objects, actor).await
}

impl ImportJob {
    /// Applies a line, once: nothing happens if it has an outcome already.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn apply(&self, job_store: &JobStore, job_id: Uuid, line: &ImportLine) -> Result<(), DbErr> {
        let tx = job_store.begin().await?;
        let fault = match self.act(&tx, line).await {
            Ok(imported) if self.dry_run => {
                tx.rollback().await?;
                return settle(job_store.db(), job_id, line, Outcome::of(imported))
                    .await
                    .map(drop);
            }
            Ok(imported) => {
                if !settle(&*tx, job_id, line, Outcome::of(imported)).await? {
                    return tx.rollback().await;
                }
                match tx.commit().await {
                    Ok(()) => return Ok(()),
                    Err(error) => ImportFault::Db(error),
                }
            }
            Err(fault) => {
                tx.rollback().await?;
                fault
            }
        };
        match fault {
            ImportFault::Db(error) if db::is_outage(&error) => Err(error),
            fault => {
                let outcome = Outcome(ItemOutcome::Failed, Some(fault.to_string()));
                settle(job_store.db(), job_id, line, outcome).await.map(drop)
            }
        }
    }

    async fn act(&self, tx: &Tx, line: &ImportLine) -> Result<Imported, ImportFault> {
        let cells = line.cells.as_ref();
        let cells = cells.map_err(|fault| ImportFault::Line(fault.clone()))?;
        let row = ImportRow {
            tx,
            actor: &self.actor,
            line: line.number,
            cells,
            import: self.what.0,
        };
        (self.what.0.apply)(row).await
    }
}

/// The outcome of a line as it is stored.
struct Outcome(ItemOutcome, Option<String>);

impl Outcome {
    fn of(imported: Imported) -> Self {
        match imported {
            Imported::Created => Self(ItemOutcome::Done, Some(CREATED.to_owned())),
            Imported::Changed => Self(ItemOutcome::Done, None),
            Imported::Unchanged => Self(ItemOutcome::Skipped, None),
        }
    }
}

/// Writes the outcome of a line; false if it has one. Of two concurrent workers one gets true; the other waits for its
/// transaction.
async fn settle(
    conn: &impl ConnectionTrait,
    job_id: Uuid,
    line: &ImportLine,
    Outcome(outcome, words): Outcome,
) -> Result<bool, DbErr> {
    let mut insert = Query::insert();
    insert
        .into_table(Entity)
        .columns([Column::JobId, Column::ObjectId, Column::Outcome, Column::Error])
        .values_panic([
            job_id.into(),
            line.number.to_string().into(),
            outcome.into(),
            words.into(),
        ])
        .on_conflict(OnConflict::new().do_nothing().to_owned());
    Ok(conn.execute(&insert).await?.rows_affected() > 0)
}

/// Counts the lines of an import, or of its dry run, that have an outcome; reads all of them.
pub async fn counts(conn: &impl ConnectionTrait, job_id: Uuid) -> Result<ImportCounts, DbErr> {
    let tally = tally(conn, job_id).await?;
    let created = Entity::find()
        .filter(Column::JobId.eq(job_id))
        .filter(Column::Outcome.eq(ItemOutcome::Done))
        .filter(Column::Error.eq(CREATED));
    let created = created.count(conn).await?;
    Ok(ImportCounts {
        created,
        changed: tally.done.saturating_sub(created),
        unchanged: tally.skipped,
        faulty: tally.failed,
    })
}

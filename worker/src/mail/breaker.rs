//! When the mail server refuses us, every mail would fail the same way. Then the breaker opens: mail jobs are on hold,
//! and after a growing pause one mail is tried as a probe. It is a row of `mail_breakers`, shared by all workers.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, OnConflict},
};
use tracing::{error, info, warn};
use usher_shared::{
    foundation::{
        db::{clock, writing},
        entity::{
            job::{self, JobState},
            mail_breaker,
        },
    },
    jobs::MAIL_QUEUE,
};
use uuid::Uuid;

use crate::foundation::{Backoff, JobError, backoff::spread};

/// Before the first probe; later ones wait longer.
const PAUSE: Backoff = Backoff {
    first: Duration::from_secs(30),
    cap: Duration::from_secs(900),
};
/// How long a probe may take before another mail becomes one. Connecting and sending take at most 40 s together.
const PROBE_LIMIT: chrono::Duration = chrono::Duration::seconds(60);
/// Held mail is scheduled this long after the probe, which releases it as soon as it is accepted.
const BEHIND: chrono::Duration = chrono::Duration::seconds(15);
/// Jobs in one statement.
const BATCH: u64 = 2_000;

pub(super) struct Breaker {
    /// Host, port and sender: the server may accept another sender.
    server: String,
    /// The job whose content was refused last, until another mail is accepted.
    suspect: Mutex<Option<Uuid>>,
}

/// The right to send one mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    Closed,
    /// The breaker is open, and this mail is the probe.
    Probe,
}

impl Breaker {
    pub(super) fn new(server: String) -> Self {
        Self {
            server,
            suspect: Mutex::default(),
        }
    }

    /// Checks whether a mail may be sent now; otherwise the error snoozes its job.
    pub(super) async fn pass(&self, db: &DatabaseConnection) -> Result<Pass, JobError> {
        let Some(open) = self.row(db).await? else {
            return Ok(Pass::Closed);
        };
        let at = clock(db).await?;
        if open.probe_at <= at && self.move_probe(db, open.probe_at, at + PROBE_LIMIT).await? {
            return Ok(Pass::Probe);
        }
        let wait = (open.probe_at - at).max(chrono::Duration::zero()) + BEHIND;
        Err(put_off(wait, open.reason))
    }

    /// The server accepted a mail, or refused only its recipient.
    pub(super) async fn accepted(&self, db: &DatabaseConnection, pass: Pass) -> Result<(), DbErr> {
        *self.suspect() = None;
        if pass == Pass::Closed {
            return Ok(());
        }
        let Some(open) = self.row(db).await? else { return Ok(()) };
        mail_breaker::Entity::delete_by_id(&self.server)
            .exec(&writing(db))
            .await?;
        let released = release(db, &open.reason).await?;
        info!(
            server = self.server,
            released, "the mail server accepts our mail again: held mail was released"
        );
        Ok(())
    }

    /// The server gave no answer about us; another mail becomes the probe.
    pub(super) async fn unanswered(&self, db: &DatabaseConnection, pass: Pass) -> Result<(), DbErr> {
        if pass == Pass::Probe {
            let next = clock(db).await? + span(PAUSE.first);
            mail_breaker::Entity::update_many()
                .col_expr(mail_breaker::Column::ProbeAt, Expr::value(next))
                .filter(mail_breaker::Column::Server.eq(&self.server))
                .exec(&writing(db))
                .await?;
        }
        Ok(())
    }

    /// The server refused us before it saw a mail, or the content of two different mails in a row: opens, or extends
    /// the pause. Returns what the job does; none if the refusal may be about this mail alone.
    pub(super) async fn refused(
        &self,
        db: &DatabaseConnection,
        pass: Pass,
        job_id: Uuid,
        said: &str,
        content: bool,
    ) -> Result<Option<JobError>, DbErr> {
        let before = self.suspect().replace(job_id);
        if content && pass == Pass::Closed && before.is_none_or(|before| before == job_id) {
            return Ok(None);
        }
        let reason = format!("mail is on hold, because the mail server refuses this sender: {said}");
        let at = clock(db).await?;
        let refusals = match self.row(db).await? {
            Some(open) if pass == Pass::Probe => open.refusals + 1,
            // Another mail has opened it in the meantime.
            Some(open) => return Ok(Some(put_off(open.probe_at - at + BEHIND, open.reason))),
            None => 1,
        };
        let probe_at = at + span(PAUSE.after(u32::try_from(refusals).unwrap_or(u32::MAX)));
        self.keep_open(db, &reason, refusals, at, probe_at).await?;
        let held = hold(db, &reason, probe_at).await?;
        if refusals == 1 {
            error!(
                server = self.server,
                held, said, "the mail server refuses us: mail is on hold; check SMTP_URL and MAIL_FROM"
            );
        } else {
            warn!(server = self.server, refusals, said, "the mail server still refuses us");
        }
        let wait = if content { BEHIND * 2 } else { chrono::Duration::zero() };
        Ok(Some(put_off(probe_at - at + wait, reason)))
    }

    async fn row(&self, db: &DatabaseConnection) -> Result<Option<mail_breaker::Model>, DbErr> {
        mail_breaker::Entity::find_by_id(&self.server).one(db).await
    }

    /// True for one of those that try at the same time.
    async fn move_probe(&self, db: &DatabaseConnection, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<bool, DbErr> {
        let moved = mail_breaker::Entity::update_many()
            .col_expr(mail_breaker::Column::ProbeAt, Expr::value(to))
            .filter(mail_breaker::Column::Server.eq(&self.server))
            .filter(mail_breaker::Column::ProbeAt.eq(from))
            .exec(&writing(db))
            .await?;
        Ok(moved.rows_affected == 1)
    }

    async fn keep_open(
        &self,
        db: &DatabaseConnection,
        reason: &str,
        refusals: i32,
        opened_at: DateTime<Utc>,
        probe_at: DateTime<Utc>,
    ) -> Result<(), DbErr> {
        use mail_breaker::Column;
        let row = mail_breaker::ActiveModel {
            server: Set(self.server.clone()),
            reason: Set(reason.to_owned()),
            refusals: Set(refusals),
            opened_at: Set(opened_at),
            probe_at: Set(probe_at),
        };
        let open = OnConflict::column(Column::Server)
            .update_columns([Column::Reason, Column::Refusals, Column::ProbeAt])
            .to_owned();
        mail_breaker::Entity::insert(row)
            .on_conflict(open)
            .exec_without_returning(&writing(db))
            .await
            .map(drop)
    }

    fn suspect(&self) -> std::sync::MutexGuard<'_, Option<Uuid>> {
        self.suspect.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reschedules ready mail jobs behind the probe, with the reason as their error, and makes one of them the probe.
async fn hold(db: &DatabaseConnection, reason: &str, probe_at: DateTime<Utc>) -> Result<u64, DbErr> {
    let behind = probe_at + BEHIND;
    let waiting = ready().filter(job::Column::RunAt.lt(behind));
    let held = put_at(db, &waiting, behind, Some(reason)).await?;
    let first = ready().filter(job::Column::LastError.eq(reason));
    let first = first.order_by_asc(job::Column::Priority).order_by_asc(job::Column::Id);
    if held > 0 {
        move_batch(db, &first, 1, probe_at, None).await?;
    }
    Ok(held)
}

/// Releases the jobs that wait for this reason.
async fn release(db: &DatabaseConnection, reason: &str) -> Result<u64, DbErr> {
    let at = clock(db).await?;
    let held = ready()
        .filter(job::Column::LastError.eq(reason))
        .filter(job::Column::RunAt.gt(at));
    put_at(db, &held, at, None).await
}

fn ready() -> sea_orm::Select<job::Entity> {
    job::Entity::find()
        .filter(job::Column::Queue.eq(MAIL_QUEUE))
        .filter(job::Column::State.eq(JobState::Ready))
}

async fn put_at(
    db: &DatabaseConnection,
    jobs: &sea_orm::Select<job::Entity>,
    at: DateTime<Utc>,
    reason: Option<&str>,
) -> Result<u64, DbErr> {
    let mut all = 0;
    loop {
        let moved = move_batch(db, jobs, BATCH, at, reason).await?;
        all += moved;
        if moved < BATCH {
            return Ok(all);
        }
    }
}

async fn move_batch(
    db: &DatabaseConnection,
    jobs: &sea_orm::Select<job::Entity>,
    limit: u64,
    at: DateTime<Utc>,
    reason: Option<&str>,
) -> Result<u64, DbErr> {
    let ids = jobs
        .clone()
        .select_only()
        .column(job::Column::Id)
        .limit(limit)
        .into_query();
    let mut update = job::Entity::update_many()
        .col_expr(job::Column::RunAt, Expr::value(at))
        .col_expr(job::Column::NextDispatchAt, Expr::value(at))
        // A worker may have claimed it by now.
        .filter(job::Column::State.eq(JobState::Ready))
        .filter(job::Column::Id.in_subquery(ids));
    if let Some(reason) = reason {
        update = update.col_expr(job::Column::LastError, Expr::value(reason));
    }
    Ok(update.exec(&writing(db)).await?.rows_affected)
}

fn put_off(wait: chrono::Duration, reason: String) -> JobError {
    let wait = wait.to_std().unwrap_or_default();
    JobError::Snooze(spread(wait).max(wait), anyhow!(reason))
}

fn span(pause: Duration) -> chrono::Duration {
    chrono::Duration::from_std(pause).unwrap_or(chrono::Duration::MAX)
}

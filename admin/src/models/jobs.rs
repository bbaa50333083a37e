//! Jobs: the jobs table, with actions to retry, hurry, cancel and delete.

use super::bulk_job;
use super::registered::{Jobs, Users};
use crate::texts;
use sea_orm::{ActiveEnum, ConnectionTrait, DbErr, Statement};
use usher_shared::{
    AppContext,
    accounts::staff::{
        bulk::{self, BulkAction, BulkJob},
        jobs::{job_refusal, retry_as},
        policy::Act,
    },
    foundation::{
        entity::{
            job::{COLUMN as C, Column, Entity, JobState, READY},
            job_attempt::AttemptOutcome,
            mail::MailState,
        },
        redact,
        time::now,
    },
    jobs::{self, Job, OperationError},
};
use uuid::Uuid;

use super::mails;
use usher_admin_engine::{
    Action, ActionContext, AdminModel, Cell, Deletion, Field, HookFuture, Meta, OnDelete, Ordering, Outcome, Panel,
    Param, Related, Row, Search, Staff, Tone, grouped, headings, readable, short_time,
};

impl AdminModel for Jobs {
    type Entity = Entity;

    const META: Meta = Meta::new("jobs", "job", "jobs")
        .section("Work")
        .icon("jobs")
        .about(texts::jobs::ABOUT)
        .link("Overview", "/admin/jobs/overview", "view")
        .deletable();

    const ACTIONS: &'static [Action] = &[
        Action::new("retry", "Retry", |acting, row| Box::pin(retry(acting, row)))
            .done("queued for retry")
            .bulk(|acting, select| Box::pin(bulk_job::enqueue(acting, BulkAction::ReplayJobs, select)))
            .fits(is_finished, "only finished jobs can be retried"),
        Action::new("run_now", "Run now", |acting, row| Box::pin(run_now(acting, row)))
            .done("will run now")
            .bulk(|acting, select| Box::pin(bulk_job::enqueue(acting, BulkAction::RunJobsNow, select)))
            .fits(|row| is_in(row, &["ready"]), "only waiting jobs can be run now"),
        Action::new("cancel", "Cancel", |acting, row| Box::pin(cancel(acting, row)))
            .done("cancelled")
            .bulk(|acting, select| Box::pin(bulk_job::enqueue(acting, BulkAction::CancelJobs, select)))
            .about(texts::jobs::CANCEL_ABOUT)
            .params(&[Param::Reason { required: false }])
            .fits(
                |row| is_in(row, &["ready", "running"]),
                "only waiting and running jobs can be cancelled",
            ),
    ];

    const DELETION: Option<&'static Deletion> = Some(&Deletion {
        about: texts::jobs::DELETE_ABOUT,
        related: &[
            Related {
                singular: "failed attempt",
                plural: "failed attempts",
                table: "job_attempts",
                column: "job_id",
                named_by: "error",
                seen_with: "jobs.view",
                on_delete: OnDelete::Cascade,
            },
            Related {
                singular: "email",
                plural: "emails",
                table: "mails",
                column: "job_id",
                named_by: "subject",
                seen_with: "mails.view",
                on_delete: OnDelete::Keep,
            },
        ],
        run: |acting, row| Box::pin(delete(acting, row)),
        soft: None,
        bulk: Some(|acting, select| Box::pin(bulk_job::enqueue(acting, BulkAction::DeleteJobs, select))),
    });

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::CreatedAt)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id).readonly(),
            Queue => Field::text(C.queue).list().scanned_filter().readonly(),
            Kind => Field::text(C.kind).link().filter().search(Search::Exact).readonly(),
            Version => Field::int(C.version)
                .label("Payload version")
                .fieldset("Payload")
                .readonly(),
            Payload => Field::json(C.payload).fieldset("Payload").readonly(),
            State => Field::choice(C.state, tone)
                .list()
                .filter()
                .readonly()
                .implies("ready", READY),
            Priority => Field::int(C.priority).help("1 runs first, 9 runs last").readonly(),
            RunAt => Field::time(C.run_at)
                .label("Scheduled for")
                .fieldset("Timeline")
                .readonly(),
            NextDispatchAt => Field::time(C.next_dispatch_at)
                .label("Next dispatch")
                .fieldset("Timeline")
                .readonly(),
            Epoch => Field::internal(Epoch),
            Attempt => Field::int(C.attempt).list().readonly(),
            MaxAttempts => Field::int(C.max_attempts).label("Max attempts").readonly(),
            Crashes => Field::int(C.crashes).readonly(),
            TimeoutSeconds => Field::int(C.timeout_seconds).label("Timeout (s)").readonly(),
            ExpiresAt => Field::time(C.expires_at).fieldset("Timeline").readonly(),
            LeaseUntil => Field::time(C.lease_until)
                .label("Leased until")
                .fieldset("Timeline")
                .readonly(),
            LeaseToken => Field::secret(LeaseToken),
            Worker => Field::text(C.worker).readonly(),
            CancelRequested => Field::bool(C.cancel_requested).readonly(),
            UniqueKey => Field::text(C.unique_key).readonly(),
            ParentId => Field::foreign_key::<Jobs>(C.parent_id).label("Parent job").readonly(),
            Waits => Field::bool(C.waits).label("Waiting for subjobs").readonly(),
            UserId => Field::foreign_key::<Users>(C.user_id).list().filter().readonly(),
            Actor => Field::text(C.actor).label("Triggered by").readonly(),
            TraceContext => Field::text(C.trace_context).label("Trace").readonly(),
            Progress => Field::int(C.progress).label("Progress (%)").readonly(),
            Result => Field::json(C.result).fieldset("Payload").readonly(),
            LastError => Field::long_text(C.last_error).readonly(),
            CreatedAt => Field::time(C.created_at)
                .list()
                .sort_by(Id)
                .filter()
                .fieldset("Timeline")
                .readonly(),
            StartedAt => Field::time(C.started_at).fieldset("Timeline").readonly(),
            FinishedAt => Field::time(C.finished_at).list().fieldset("Timeline").readonly(),
        }
    }

    fn banner(row: &Row) -> Option<String> {
        let lease = row
            .time("lease_until")
            .filter(|until| is_in(row, &["running"]) && *until < now())?;
        Some(format!(
            "The worker hasn't reported since {} UTC. Another worker will take over.",
            short_time(lease)
        ))
    }

    fn is_live(row: &Row) -> bool {
        is_in(row, &["ready", "running"])
    }

    fn panels<'a>(app: &'a AppContext, row: &'a Row, staff: &'a Staff) -> HookFuture<'a, Vec<Panel>> {
        Box::pin(panels(app, row, staff))
    }
}

/// Also for the panels of other models.
pub(super) fn tone(state: &JobState) -> Tone {
    match state {
        JobState::Ready => Tone::Quiet,
        JobState::Running => Tone::Busy,
        JobState::Done => Tone::Good,
        JobState::Dead => Tone::Bad,
        JobState::Cancelled => Tone::Warning,
    }
}

fn is_in(row: &Row, states: &[&str]) -> bool {
    row.text("state").is_some_and(|state| states.contains(&state.as_str()))
}

fn is_finished(row: &Row) -> bool {
    is_in(row, &["dead", "done", "cancelled"])
}

fn id_of(row: &Row) -> Uuid {
    row.parse("id").unwrap_or_default()
}

async fn retry(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    if let Some(refused) = refused(acting, row, Act::RetryJob).await? {
        return Ok(refused);
    }
    let job = match retry_as(acting.saving.tx, id_of(row), acting.saving.actor).await {
        Ok(job) => job,
        Err(refused) => return ran(Err(refused)),
    };
    if jobs::is_paused(&**acting.saving.tx, &job.queue).await? {
        acting.saving.remark(texts::queues::paused(&job.queue, "its jobs wait"));
    }
    Ok(Outcome::Done)
}

async fn run_now(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    match refused(acting, row, Act::RunJobNow).await? {
        Some(refused) => Ok(refused),
        None => ran(jobs::run_now(acting.saving.tx, id_of(row)).await.map(drop)),
    }
}

async fn cancel(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    match refused(acting, row, Act::CancelJob).await? {
        Some(refused) => Ok(refused),
        None => ran(jobs::cancel(acting.saving.tx, id_of(row)).await.map(drop)),
    }
}

async fn delete(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    match refused(acting, row, Act::DeleteJob).await? {
        Some(refused) => Ok(refused),
        None => ran(jobs::delete(acting.saving.tx, id_of(row)).await.map(drop)),
    }
}

/// Why this person may not do this to this job, as the table of acts has it.
async fn refused(acting: &ActionContext<'_>, row: &Row, act: Act) -> Result<Option<Outcome>, DbErr> {
    let Some(job) = jobs::find_for_change(acting.saving.tx, id_of(row)).await? else {
        return ran(Err(OperationError::NotFound)).map(Some);
    };
    let refusal = job_refusal(&**acting.saving.tx, acting.saving.staff.holder(), act, &job).await?;
    Ok(refusal.map(|refusal| Outcome::Skipped(refusal.to_string().into())))
}

fn ran(result: Result<(), OperationError>) -> Result<Outcome, DbErr> {
    match result {
        Ok(()) => Ok(Outcome::Done),
        Err(OperationError::Db(error)) => Err(error),
        Err(refused) => Ok(Outcome::Skipped(refused.to_string().into())),
    }
}

/// The attempts that failed, newest first, and the mail that the job sent: one statement for both.
const BESIDE: &str = "
    SELECT 'attempt' AS part, CAST(NULL AS uuid) AS id, attempt AS number, outcome AS state, error AS title,
           COALESCE(worker, '') AS detail, finished_at AS at FROM job_attempts WHERE job_id = $1
    UNION ALL
    SELECT 'mail', id, 0, state, subject, to_address, created_at FROM mails WHERE job_id = $1
    ORDER BY at DESC LIMIT 100";

async fn panels(app: &AppContext, row: &Row, staff: &Staff) -> Result<Vec<Panel>, DbErr> {
    let Some(id) = row.parse::<Uuid>("id") else {
        return Ok(vec![]);
    };
    let statement = Statement::from_sql_and_values(app.db.get_database_backend(), BESIDE, [id.into()]);
    let mut attempts = Panel {
        title: "Failed attempts".to_owned(),
        columns: headings(["Attempt", "Outcome", "When", "Error", "Worker"]),
        empty: "No failed attempts.",
        wide: true,
        ..Panel::default()
    };
    let mut mail = Panel {
        title: texts::emails::TITLE.to_owned(),
        columns: headings(["Subject", "State", "When"]),
        empty: "This job hasn't sent any email.",
        ..Panel::default()
    };
    for found in app.db.query_all_raw(statement).await? {
        let text = |column: &str| found.try_get::<String>("", column);
        let at = Cell::time(found.try_get("", "at")?);
        let word = text("state")?;
        if text("part")? == "attempt" {
            let number: i32 = found.try_get("", "number")?;
            let outcome = AttemptOutcome::try_from_value(&word)
                .map(attempt_tone)
                .unwrap_or(Tone::Bad);
            let badge = Cell::badge(readable(&word), outcome.class());
            attempts.rows.push(vec![
                Cell::text(number.to_string()),
                badge,
                at,
                Cell::text(redact::tokens(&text("title")?)),
                Cell::text(text("detail")?),
            ]);
        } else if staff.may("mails.view") {
            let id: Uuid = found.try_get("", "id")?;
            let tone = MailState::try_from_value(&word)
                .map(|state| mails::tone(&state))
                .unwrap_or(Tone::Quiet);
            mail.rows.push(vec![
                Cell::link(text("title")?, format!("/admin/mails/{id}")),
                Cell::badge(readable(&word), tone.class()),
                at,
            ]);
        }
    }
    let mails = staff.may("mails.view").then_some(mail);
    let rows = progress(app, row, id).await?;
    Ok(rows.into_iter().chain([attempts]).chain(mails).collect())
}

/// Progress of a bulk job, and of another one that reports it, such as an import or an export.
async fn progress(app: &AppContext, row: &Row, id: Uuid) -> Result<Option<Panel>, DbErr> {
    if row.text("kind").as_deref() != Some(BulkJob::KIND) {
        let percent = row.parse::<i16>("progress").filter(|_| Jobs::is_live(row));
        return Ok(percent.map(|percent| Panel {
            title: "Progress".to_owned(),
            columns: headings(["Done"]),
            rows: vec![vec![Cell::text(format!("{percent}%"))]],
            progress: Some(percent),
            ..Panel::default()
        }));
    }
    let tally = bulk::tally(&app.db, id).await?;
    let count = |number: u64| Cell::text(grouped(i64::try_from(number).unwrap_or(i64::MAX)));
    let all = grouped(i64::try_from(tally.settled() + tally.left).unwrap_or(i64::MAX));
    Ok(Some(Panel {
        title: "Progress".to_owned(),
        columns: headings(["Rows", "Done", "Skipped", "Failed"]),
        rows: vec![vec![
            Cell::text(format!("{} of {all}", count(tally.settled()).text)),
            count(tally.done),
            count(tally.skipped),
            count(tally.failed),
        ]],
        progress: Some(tally.percent()),
        ..Panel::default()
    }))
}

fn attempt_tone(outcome: AttemptOutcome) -> Tone {
    match outcome {
        AttemptOutcome::Failed | AttemptOutcome::TimedOut | AttemptOutcome::Expired => Tone::Warning,
        AttemptOutcome::Panicked | AttemptOutcome::Crashed | AttemptOutcome::GaveUp => Tone::Bad,
        AttemptOutcome::Cancelled => Tone::Quiet,
    }
}

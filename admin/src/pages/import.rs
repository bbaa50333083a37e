//! What the pages of every import show: the form for the file, the preview, the progress and the result. The worker
//! does the preview and the import; only the file and its jobs are stored between the steps.

use askama::Template;
use axum::{
    body::Body,
    http::HeaderName,
    response::{IntoResponse, Response},
};
use futures::{StreamExt, stream};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use usher_admin_engine::{AdminContext, AdminError, Shell, Staff, capitalized, grouped, page};
use usher_shared::{
    accounts::staff::imports::ImportError,
    foundation::{
        csv,
        entity::{
            job::{self, JobState},
            job_item::{self, ItemOutcome},
        },
    },
};
use uuid::Uuid;

use crate::texts;

/// Errors listed on the page; the download has them all.
pub(super) const NAMED: u64 = 50;
/// Lines in memory at once.
const CHUNK: u64 = 1_000;

/// The form that a file is chosen in.
#[derive(Template)]
#[template(path = "import.html")]
pub(super) struct FormPage {
    pub(super) shell: Shell,
    pub(super) title: String,
    /// The columns that the file must have, and those that it may have.
    pub(super) required: &'static [&'static str],
    pub(super) optional: &'static [&'static str],
    pub(super) about: &'static str,
    pub(super) list_href: String,
    /// Whether it asks what a blank cell means.
    pub(super) asks_blank: bool,
    pub(super) error: Option<String>,
}

/// A dry run or an import.
#[derive(Template)]
#[template(path = "import_job.html")]
pub(super) struct JobPage {
    pub(super) shell: Shell,
    pub(super) title: String,
    /// The job's page, for staff who may view jobs.
    pub(super) job_href: Option<String>,
    pub(super) form_href: String,
    pub(super) list_href: String,
    pub(super) step: Step,
}

/// Where an import stands.
pub(super) enum Step {
    /// Percent done.
    Underway { percent: i16, dry_run: bool },
    /// The file cannot be imported at all.
    Refused(String),
    /// The job ended without a result.
    Broken(String),
    Checked {
        counts: Vec<Count>,
        faults: Vec<(String, String)>,
        faults_href: Option<String>,
        /// Line, address, field, old and new value of the first ones.
        changes: Vec<[String; 5]>,
        changes_href: Option<String>,
        /// Ignored columns, and the meaning of blank cells.
        notes: Vec<String>,
        /// The button's label; none if there is nothing to import.
        button: Option<String>,
        /// Whether the button's form asks for welcome mails.
        asks_welcome: bool,
        action: String,
    },
    Imported {
        counts: Vec<Count>,
        faults: Vec<(String, String)>,
        faults_href: Option<String>,
    },
}

/// Seconds between the looks of a page whose job is underway.
const EVERY: u16 = 2;

impl Step {
    /// Keeps the page up to date while its job is underway. Whoever may not view jobs isn't told of it, but looks.
    pub(super) fn keep_up(&self, shell: Shell, state: &AdminContext, staff: &Staff, job: Uuid) -> Shell {
        match self {
            Self::Underway { .. } if staff.may("jobs.view") => {
                shell.live(EVERY).told_of(state, "jobs", Some(&job.to_string()))
            }
            Self::Underway { .. } => shell.live(EVERY),
            _ => shell,
        }
    }

    /// That of a job without a result; none if it has one.
    pub(super) fn before_result(job: &job::Model, dry_run: bool) -> Option<Self> {
        Some(match job.state {
            JobState::Ready | JobState::Running => Self::Underway {
                percent: job.progress.unwrap_or_default(),
                dry_run,
            },
            JobState::Cancelled => Self::Broken(texts::imports::CANCELLED.to_owned()),
            JobState::Dead => {
                let why = job.last_error.clone().unwrap_or_default();
                Self::Broken(format!("The job failed: {why}"))
            }
            JobState::Done => {
                let result = job.result.as_ref()?;
                let why = result.get("refused").and_then(|why| why.as_str())?;
                Self::Refused(why.to_owned())
            }
        })
    }
}

/// A number of lines.
pub(super) struct Count {
    pub(super) label: &'static str,
    pub(super) number: String,
    /// A CSS class of [`usher_admin_engine::Tone`]'s, or none.
    pub(super) tone: &'static str,
}

impl Count {
    pub(super) fn new(label: &'static str, number: i64, tone: &'static str) -> Self {
        Self {
            label,
            number: grouped(number),
            tone: if number == 0 { "" } else { tone },
        }
    }
}

/// The title of a job's page.
pub(super) const fn title(dry_run: bool, import: &'static str) -> &'static str {
    if dry_run { texts::imports::PREVIEW_TITLE } else { import }
}

pub(super) fn ignored(columns: &[String]) -> Option<String> {
    (!columns.is_empty()).then(|| format!("Ignored columns: {}.", columns.join(", ")))
}

pub(super) fn refused(error: ImportError) -> AdminError {
    match error {
        ImportError::Order(error) => anyhow::Error::from(error).into(),
        refused => AdminError::BadRequest(capitalized(&format!("{refused}."))),
    }
}

pub(super) fn attached(name: &str) -> [(HeaderName, String); 2] {
    page::attachment("text/csv; charset=utf-8", name)
}

/// The first lines with an error, by their number.
pub(super) async fn first_faults(state: &AdminContext, id: Uuid) -> Result<Vec<(String, String)>, DbErr> {
    let mut faults = faults_after(state, id, None, NAMED).await?;
    faults.sort_by_key(|(line, _)| line.parse::<u64>().unwrap_or(u64::MAX));
    Ok(faults)
}

/// Lines with an error, and why, ordered by line number as text.
async fn faults_after(
    state: &AdminContext,
    id: Uuid,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<(String, String)>, DbErr> {
    let mut failed = job_item::Entity::find()
        .filter(job_item::Column::JobId.eq(id))
        .filter(job_item::Column::Outcome.eq(ItemOutcome::Failed));
    if let Some(after) = after {
        failed = failed.filter(job_item::Column::ObjectId.gt(after));
    }
    let failed = failed.order_by_asc(job_item::Column::ObjectId).limit(limit);
    let rows = failed.all(&state.db).await?;
    let rows = rows
        .into_iter()
        .map(|row| (row.object_id, row.error.unwrap_or_default()));
    Ok(rows.collect())
}

/// A download of every line of a job with an error.
pub(super) fn faults_of(state: AdminContext, id: Uuid) -> Response {
    let mut head = String::new();
    csv::write_head(&mut head, ["line", "fault"]);
    let rest = stream::try_unfold(Some(String::new()), move |after| {
        let state = state.clone();
        async move {
            let Some(after) = after else { return Ok(None) };
            let lines = faults_after(&state, id, Some(&after), CHUNK).await?;
            let mut text = String::new();
            for (line, fault) in &lines {
                csv::write_record(&mut text, [line.as_str(), fault]);
            }
            let last = lines.last().filter(|_| lines.len() as u64 == CHUNK);
            let next = last.map(|(line, _)| line.clone());
            Ok::<_, DbErr>(Some((text, next)))
        }
    });
    let text = stream::once(async move { Ok(head) }).chain(rest);
    (attached("faults.csv"), Body::from_stream(text)).into_response()
}

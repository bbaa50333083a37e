//! Importing users from a CSV file in three pages: upload, preview, result. The worker does the preview and the import;
//! only the file and its jobs are stored between the steps.

use askama::Template;
use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use futures::{StreamExt, stream};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde::Deserialize;
use usher_shared::{
    accounts::staff::{
        bulk,
        imports::{self, Blank, ImportError, ImportUsers, MAX_BYTES},
    },
    foundation::{
        csv,
        entity::{
            job::{self, JobState},
            job_item::{self, ItemOutcome},
        },
    },
    jobs::{Job, files},
};
use uuid::Uuid;

use crate::texts;
use usher_admin_engine::{AdminContext, AdminError, Posted, Shell, Staff, Upload, Visit, capitalized, grouped, page};

pub(crate) const HERE: &str = "/admin/users/import";
/// Errors listed on the page; the download has them all.
const NAMED: u64 = 50;
/// Lines in memory at once.
const CHUNK: u64 = 1_000;

#[derive(Template)]
#[template(path = "import.html")]
struct FormPage {
    shell: Shell,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "import_job.html")]
struct JobPage {
    shell: Shell,
    title: &'static str,
    /// The job's page, for staff who may view jobs.
    job_href: Option<String>,
    step: Step,
}

/// Where an import stands.
enum Step {
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
        action: String,
    },
    Imported {
        counts: Vec<Count>,
        faults: Vec<(String, String)>,
        faults_href: Option<String>,
    },
}

struct Count {
    label: &'static str,
    number: String,
    /// A CSS class of [`usher_admin_engine::Tone`]'s, or none.
    tone: &'static str,
}

/// The result of a dry run; see [`ImportUsers`].
#[derive(Deserialize)]
struct Checked {
    new: i64,
    changed: i64,
    unchanged: i64,
    faulty: i64,
    faults: Vec<Fault>,
    file: Uuid,
    /// None in results of an older release.
    changes: Option<Uuid>,
    #[serde(default)]
    ignored: Vec<String>,
}

#[derive(Deserialize)]
struct Fault {
    line: u64,
    fault: String,
}

fn require(staff: &Staff) -> Result<(), AdminError> {
    staff.require("users.view")?;
    staff.require(imports::PERMISSION)
}

/// `GET /admin/users/import`
pub(crate) async fn form(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
) -> Result<Response, AdminError> {
    require(&staff)?;
    staff.require_fresh(&visit, None)?;
    page::show(&form_page(&state, &visit, &staff, None))
}

fn form_page(state: &AdminContext, visit: &Visit, staff: &Staff, error: Option<String>) -> FormPage {
    FormPage {
        shell: Shell::new(state, visit, staff, "Import users")
            .crumb("Users", "/admin/users")
            .here("Import"),
        error,
    }
}

/// `POST /admin/users/import`: stores the file and enqueues a dry run.
pub(crate) async fn check(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    request: Request,
) -> Result<Response, AdminError> {
    require(&staff)?;
    staff.require_fresh_on(HERE)?;
    let upload = Upload::read(request, MAX_BYTES).await?;
    let Some(upload) = upload.filter(|upload| !upload.bytes.is_empty()) else {
        let words = texts::user_import::EMPTY_FILE.to_owned();
        return page::show_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &form_page(&state, &visit, &staff, Some(words)),
        );
    };
    let tx = upload.form.begin(&state).await?;
    let blank = match upload.form.get("blank") {
        Some("clear") => Blank::Clear,
        _ => Blank::Keep,
    };
    let job = imports::check(&tx, &upload.name, &upload.bytes, blank, &staff.actor(&visit)).await;
    let job = job.map_err(refused)?;
    tx.finish(Redirect::to(&format!("{HERE}/{job}")).into_response()).await
}

/// `POST /admin/users/import/{id}`: imports the file of a dry run.
pub(crate) async fn run(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    staff.require_fresh(&visit, Some(&form))?;
    let welcome = form.get("welcome").is_some();
    let tx = form.begin(&state).await?;
    let job = imports::run(&tx, id, welcome, &staff.actor(&visit))
        .await
        .map_err(refused)?;
    tx.finish(Redirect::to(&format!("{HERE}/{job}")).into_response()).await
}

fn refused(error: ImportError) -> AdminError {
    match error {
        ImportError::Order(error) => anyhow::Error::from(error).into(),
        refused => AdminError::BadRequest(capitalized(&format!("{refused}."))),
    }
}

/// `GET /admin/users/import/{id}`: progress and result of a dry run or an import.
pub(crate) async fn show(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let (job, payload) = find(&state, &id).await?;
    let title = if payload.dry_run {
        texts::user_import::PREVIEW_TITLE
    } else {
        texts::user_import::TITLE
    };
    page::show(&JobPage {
        shell: Shell::new(&state, &visit, &staff, title)
            .crumb("Users", "/admin/users")
            .crumb("Import", HERE)
            .here(title),
        title,
        job_href: staff.may("jobs.view").then(|| format!("/admin/jobs/{}", job.id)),
        step: step(&state, &job, &payload).await?,
    })
}

async fn find(state: &AdminContext, id: &str) -> Result<(job::Model, ImportUsers), AdminError> {
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    let job = job::Entity::find_by_id(id).one(&state.db).await?;
    let job = job
        .filter(|job| job.kind == ImportUsers::KIND)
        .ok_or(AdminError::NotFound)?;
    let payload = serde_json::from_value(job.payload.clone()).map_err(|_| AdminError::NotFound)?;
    Ok((job, payload))
}

async fn step(state: &AdminContext, job: &job::Model, payload: &ImportUsers) -> Result<Step, DbErr> {
    match job.state {
        JobState::Ready | JobState::Running => {
            return Ok(Step::Underway {
                percent: job.progress.unwrap_or_default(),
                dry_run: payload.dry_run,
            });
        }
        JobState::Cancelled => {
            return Ok(Step::Broken(texts::user_import::CANCELLED.to_owned()));
        }
        JobState::Dead => {
            let why = job.last_error.clone().unwrap_or_default();
            return Ok(Step::Broken(format!("The job failed: {why}")));
        }
        JobState::Done => {}
    }
    let result = job.result.clone().unwrap_or_default();
    if let Some(why) = result.get("refused").and_then(|why| why.as_str()) {
        return Ok(Step::Refused(why.to_owned()));
    }
    if !payload.dry_run {
        return imported(state, job.id).await;
    }
    Ok(match serde_json::from_value::<Checked>(result) {
        Ok(checked) => checked_step(state, job.id, payload.blank, checked).await?,
        Err(_) => Step::Broken(texts::user_import::NO_RESULT.to_owned()),
    })
}

async fn checked_step(state: &AdminContext, id: Uuid, blank: Blank, checked: Checked) -> Result<Step, DbErr> {
    let users = |number: i64| if number == 1 { "user" } else { "users" };
    let useful = checked.new + checked.changed;
    let mut notes = vec![];
    if !checked.ignored.is_empty() {
        notes.push(format!("Ignored columns: {}.", checked.ignored.join(", ")));
    }
    if blank == Blank::Clear {
        notes.push(texts::user_import::BLANK_CLEARS.to_owned());
    }
    let changes = match checked.changes {
        Some(file) => first_changes(state, file).await?,
        None => vec![],
    };
    Ok(Step::Checked {
        counts: vec![
            count("New", checked.new, "good"),
            count("Changed", checked.changed, "busy"),
            count(texts::user_import::UNCHANGED, checked.unchanged, ""),
            count(texts::user_import::ERRORS, checked.faulty, "bad"),
        ],
        faults: checked
            .faults
            .into_iter()
            .map(|fault| (fault.line.to_string(), fault.fault))
            .collect(),
        faults_href: (checked.faulty > 0).then(|| format!("{HERE}/{id}/faults.csv")),
        changes_href: (!changes.is_empty()).then(|| format!("{HERE}/{id}/changes.csv")),
        changes,
        notes,
        button: (useful > 0).then(|| format!("Import {} {}", grouped(useful), users(useful))),
        action: format!("{HERE}/{id}"),
    })
}

/// The first [`NAMED`] records of the dry run's file of changes.
async fn first_changes(state: &AdminContext, file: Uuid) -> Result<Vec<[String; 5]>, DbErr> {
    let mut pieces = Box::pin(files::read(state.db.clone(), file));
    let piece = pieces.next().await.transpose()?.unwrap_or_default();
    // The first chunk may end within a record, far beyond those shown.
    let text = String::from_utf8_lossy(&piece);
    let records = csv::Records::of(&text).skip(1).map_while(Result::ok);
    let changes = records.filter_map(|(_, fields)| fields.try_into().ok());
    Ok(changes.take(NAMED as usize).collect())
}

async fn imported(state: &AdminContext, id: Uuid) -> Result<Step, DbErr> {
    let tally = bulk::tally(&state.db, id).await?;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let mut faults = failed(state, id, None, NAMED).await?;
    faults.sort_by_key(|(line, _)| line.parse::<u64>().unwrap_or(u64::MAX));
    Ok(Step::Imported {
        counts: vec![
            count("Imported", number(tally.done), "good"),
            count(texts::user_import::UNCHANGED, number(tally.skipped), ""),
            count(texts::user_import::ERRORS, number(tally.failed), "bad"),
        ],
        faults,
        faults_href: (tally.failed > 0).then(|| format!("{HERE}/{id}/faults.csv")),
    })
}

fn count(label: &'static str, number: i64, tone: &'static str) -> Count {
    Count {
        label,
        number: grouped(number),
        tone: if number == 0 { "" } else { tone },
    }
}

/// Lines that were not imported, and why, ordered by line number as text.
async fn failed(
    state: &AdminContext,
    id: Uuid,
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<(String, String)>, DbErr> {
    use sea_orm::QueryOrder;
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

/// `GET /admin/users/import/{id}/changes.csv`: each value that would change, before and after.
pub(crate) async fn changes(
    State(state): State<AdminContext>,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let (job, _) = find(&state, &id).await?;
    let checked: Checked = serde_json::from_value(job.result.unwrap_or_default()).map_err(|_| AdminError::NotFound)?;
    let bytes = files::read(state.db.clone(), checked.changes.ok_or(AdminError::NotFound)?);
    Ok((attached("changes.csv"), Body::from_stream(bytes)).into_response())
}

fn attached(name: &str) -> [(HeaderName, String); 2] {
    page::attachment("text/csv; charset=utf-8", name)
}

/// `GET /admin/users/import/{id}/faults.csv`: every line with an error.
pub(crate) async fn faults(
    State(state): State<AdminContext>,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let (job, payload) = find(&state, &id).await?;
    let headers = attached("faults.csv");
    if payload.dry_run {
        let result = job.result.unwrap_or_default();
        let checked: Checked = serde_json::from_value(result).map_err(|_| AdminError::NotFound)?;
        let bytes = files::read(state.db.clone(), checked.file);
        return Ok((headers, Body::from_stream(bytes)).into_response());
    }
    let mut head = String::new();
    csv::write_head(&mut head, ["line", "fault"]);
    let rest = stream::try_unfold(Some(String::new()), move |after| {
        let (state, id) = (state.clone(), job.id);
        async move {
            let Some(after) = after else { return Ok(None) };
            let lines = failed(&state, id, Some(&after), CHUNK).await?;
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
    Ok((headers, Body::from_stream(text)).into_response())
}

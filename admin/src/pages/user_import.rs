//! Importing users from a CSV file in three pages: upload, preview, result.

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use futures::StreamExt;
use sea_orm::{DbErr, EntityTrait};
use serde::Deserialize;
use usher_shared::{
    accounts::staff::{
        bulk,
        imports::{self, Blank, ImportUsers, MAX_BYTES},
    },
    foundation::{csv, entity::job},
    jobs::{Job, files},
};
use uuid::Uuid;

use super::import::{
    Count, FormPage, JobPage, NAMED, Step, attached, faults_of, first_faults, ignored, refused, title,
};
use crate::texts;
use usher_admin_engine::{AdminContext, AdminError, Posted, Shell, Staff, Upload, Visit, grouped, page};

pub(crate) const HERE: &str = "/admin/users/import";
const LIST: &str = "/admin/users";

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
        shell: Shell::new(state, visit, staff, texts::user_import::FORM_TITLE)
            .crumb("Users", LIST)
            .here("Import"),
        title: texts::user_import::FORM_TITLE.to_owned(),
        required: &["email", "name"],
        optional: &["age"],
        about: texts::user_import::ABOUT,
        list_href: LIST.to_owned(),
        asks_blank: true,
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
        let words = texts::imports::EMPTY_FILE.to_owned();
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

/// `GET /admin/users/import/{id}`: progress and result of a dry run or an import.
pub(crate) async fn show(
    State(state): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let (job, payload) = find(&state, &id).await?;
    let title = title(payload.dry_run, texts::user_import::TITLE);
    let step = step(&state, &job, &payload).await?;
    let shell = Shell::new(&state, &visit, &staff, title)
        .crumb("Users", LIST)
        .crumb("Import", HERE)
        .here(title);
    page::show(&JobPage {
        shell: step.keep_up(shell, &state, &staff, job.id),
        title: title.to_owned(),
        job_href: staff.may("jobs.view").then(|| format!("/admin/jobs/{}", job.id)),
        form_href: HERE.to_owned(),
        list_href: LIST.to_owned(),
        step,
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
    if let Some(step) = Step::before_result(job, payload.dry_run) {
        return Ok(step);
    }
    if !payload.dry_run {
        return imported(state, job.id).await;
    }
    Ok(
        match serde_json::from_value::<Checked>(job.result.clone().unwrap_or_default()) {
            Ok(checked) => checked_step(state, job.id, payload.blank, checked).await?,
            Err(_) => Step::Broken(texts::imports::NO_RESULT.to_owned()),
        },
    )
}

async fn checked_step(state: &AdminContext, id: Uuid, blank: Blank, checked: Checked) -> Result<Step, DbErr> {
    let users = |number: i64| if number == 1 { "user" } else { "users" };
    let useful = checked.new + checked.changed;
    let clears = (blank == Blank::Clear).then(|| texts::user_import::BLANK_CLEARS.to_owned());
    let changes = match checked.changes {
        Some(file) => first_changes(state, file).await?,
        None => vec![],
    };
    Ok(Step::Checked {
        counts: vec![
            Count::new("New", checked.new, "good"),
            Count::new("Changed", checked.changed, "busy"),
            Count::new(texts::imports::UNCHANGED, checked.unchanged, ""),
            Count::new(texts::imports::ERRORS, checked.faulty, "bad"),
        ],
        faults: checked
            .faults
            .into_iter()
            .map(|fault| (fault.line.to_string(), fault.fault))
            .collect(),
        faults_href: (checked.faulty > 0).then(|| format!("{HERE}/{id}/faults.csv")),
        changes_href: (!changes.is_empty()).then(|| format!("{HERE}/{id}/changes.csv")),
        changes,
        notes: ignored(&checked.ignored).into_iter().chain(clears).collect(),
        button: (useful > 0).then(|| format!("Import {} {}", grouped(useful), users(useful))),
        asks_welcome: true,
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
    Ok(Step::Imported {
        counts: vec![
            Count::new("Imported", number(tally.done), "good"),
            Count::new(texts::imports::UNCHANGED, number(tally.skipped), ""),
            Count::new(texts::imports::ERRORS, number(tally.failed), "bad"),
        ],
        faults: first_faults(state, id).await?,
        faults_href: (tally.failed > 0).then(|| format!("{HERE}/{id}/faults.csv")),
    })
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

/// `GET /admin/users/import/{id}/faults.csv`: every line with an error.
pub(crate) async fn faults(
    State(state): State<AdminContext>,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    require(&staff)?;
    let (job, payload) = find(&state, &id).await?;
    if !payload.dry_run {
        return Ok(faults_of(state, job.id));
    }
    let checked: Checked = serde_json::from_value(job.result.unwrap_or_default()).map_err(|_| AdminError::NotFound)?;
    let bytes = files::read(state.db.clone(), checked.file);
    Ok((attached("faults.csv"), Body::from_stream(bytes)).into_response())
}

//! The pages of a product's import: upload, preview, result.

use axum::{
    Extension,
    extract::{DefaultBodyLimit, Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use sea_orm::{DbErr, EntityTrait};
use serde::Deserialize;
use usher_admin_engine::{
    AdminContext, AdminError, AdminModel, Extension as AppExtension, Meta, Page, Posted, Shell, Staff, Upload, Visit,
    page,
};
use usher_shared::{
    accounts::staff::imports::{self, ImportCounts, ImportExtension, ImportJob, MAX_BYTES, OwnImport},
    foundation::entity::job,
    jobs::Job,
};
use uuid::Uuid;

use super::import::{Count, FormPage, JobPage, Step, faults_of, first_faults, ignored, refused, title};
use crate::texts;

/// The addresses of one import, and the words on its pages.
#[derive(Clone, Copy, Debug)]
struct Pages {
    meta: Meta,
    import: ImportExtension,
    about: &'static str,
}

impl Pages {
    fn list(&self) -> String {
        format!("/admin/{}", self.meta.name)
    }

    fn form(&self) -> String {
        format!("{}/import", self.list())
    }

    fn job(&self, id: Uuid) -> String {
        format!("{}/{id}", self.form())
    }

    fn declared(&self) -> Result<OwnImport, AdminError> {
        OwnImport::named(self.import.permission).ok_or(AdminError::NotFound)
    }

    fn shell(&self, state: &AdminContext, visit: &Visit, staff: &Staff, title: &str) -> Shell {
        Shell::new(state, visit, staff, title).crumb(self.meta.title(), self.list())
    }

    fn form_page(&self, state: &AdminContext, visit: &Visit, staff: &Staff, error: Option<String>) -> FormPage {
        let title = format!("Import {}", self.meta.plural);
        FormPage {
            shell: self.shell(state, visit, staff, &title).here("Import"),
            title,
            required: self.import.required,
            optional: self.import.optional,
            about: self.about,
            list_href: self.list(),
            asks_blank: false,
            error,
        }
    }
}

/// The extension with the pages of an import, and a link to them in the model's list.
pub(crate) fn add<M: AdminModel>(
    extension: AppExtension,
    import: ImportExtension,
    about: &'static str,
) -> AppExtension {
    let meta = M::META;
    let pages = Pages { meta, import, about };
    // Once for each import, at the start of the program.
    let form: &'static str = pages.form().leak();
    let job: &'static str = format!("{form}/{{id}}").leak();
    let faults: &'static str = format!("{job}/faults.csv").leak();
    let page = |path, methods: MethodRouter<AdminContext>| {
        Page::new(path, "Import", import.permission, methods.layer(Extension(pages)))
    };
    extension
        .link::<M>("Import", form, "import")
        .page(page(
            form,
            get(show_form).post(check).layer(DefaultBodyLimit::disable()),
        ))
        .page(page(job, get(show).post(run)))
        .page(page(faults, get(faults_csv)))
}

/// `GET /admin/{models}/import`
async fn show_form(
    State(state): State<AdminContext>,
    Extension(pages): Extension<Pages>,
    visit: Visit,
    staff: Staff,
) -> Result<Response, AdminError> {
    staff.require_fresh(&visit, None)?;
    page::show(&pages.form_page(&state, &visit, &staff, None))
}

/// `POST /admin/{models}/import`: stores the file and enqueues a dry run.
async fn check(
    State(state): State<AdminContext>,
    Extension(pages): Extension<Pages>,
    visit: Visit,
    staff: Staff,
    request: Request,
) -> Result<Response, AdminError> {
    staff.require_fresh_on(&pages.form())?;
    let upload = Upload::read(request, MAX_BYTES).await?;
    let Some(upload) = upload.filter(|upload| !upload.bytes.is_empty()) else {
        let words = texts::imports::EMPTY_FILE.to_owned();
        return page::show_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &pages.form_page(&state, &visit, &staff, Some(words)),
        );
    };
    let tx = upload.form.begin(&state).await?;
    let (what, actor) = (pages.declared()?, staff.actor(&visit));
    let job = imports::check_own(&tx, what, &upload.name, &upload.bytes, &actor).await;
    let job = pages.job(job.map_err(refused)?);
    tx.finish(Redirect::to(&job).into_response()).await
}

/// `POST /admin/{models}/import/{id}`: imports the file of a dry run.
async fn run(
    State(state): State<AdminContext>,
    Extension(pages): Extension<Pages>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    staff.require_fresh(&visit, Some(&form))?;
    let tx = form.begin(&state).await?;
    let job = imports::run_own(&tx, pages.declared()?, id, &staff.actor(&visit)).await;
    let job = pages.job(job.map_err(refused)?);
    tx.finish(Redirect::to(&job).into_response()).await
}

/// `GET /admin/{models}/import/{id}`: progress and result of a dry run or an import.
async fn show(
    State(state): State<AdminContext>,
    Extension(pages): Extension<Pages>,
    visit: Visit,
    staff: Staff,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    let (job, payload) = find(&state, &pages, &id).await?;
    let title = title(payload.dry_run, texts::imports::TITLE);
    let step = step(&state, &pages, &job, payload.dry_run).await?;
    let shell = pages
        .shell(&state, &visit, &staff, title)
        .crumb("Import", pages.form())
        .here(title);
    page::show(&JobPage {
        shell: step.keep_up(shell, &state, &staff, job.id),
        title: title.to_owned(),
        job_href: staff.may("jobs.view").then(|| format!("/admin/jobs/{}", job.id)),
        form_href: pages.form(),
        list_href: pages.list(),
        step,
    })
}

/// A job of this import; those of other models take other permissions.
async fn find(state: &AdminContext, pages: &Pages, id: &str) -> Result<(job::Model, ImportJob), AdminError> {
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    let job = job::Entity::find_by_id(id).one(&state.db).await?;
    let job = job.filter(|job| job.kind == ImportJob::KIND);
    let job = job.ok_or(AdminError::NotFound)?;
    let payload: Option<ImportJob> = serde_json::from_value(job.payload.clone()).ok();
    let payload = payload.filter(|payload| payload.what.declared().permission == pages.import.permission);
    Ok((job, payload.ok_or(AdminError::NotFound)?))
}

/// The result of both jobs; see [`ImportJob`].
#[derive(Deserialize)]
struct Ended {
    #[serde(flatten)]
    counts: ImportCounts,
    ignored: Vec<String>,
}

async fn step(state: &AdminContext, pages: &Pages, job: &job::Model, dry_run: bool) -> Result<Step, DbErr> {
    if let Some(step) = Step::before_result(job, dry_run) {
        return Ok(step);
    }
    let Ok(Ended {
        counts,
        ignored: columns,
    }) = serde_json::from_value(job.result.clone().unwrap_or_default())
    else {
        return Ok(Step::Broken(texts::imports::NO_RESULT.to_owned()));
    };
    let faults = first_faults(state, job.id).await?;
    let faults_href = (counts.faulty > 0).then(|| format!("{}/faults.csv", pages.job(job.id)));
    let useful = usize::try_from(counts.created + counts.changed).unwrap_or(usize::MAX);
    let counts = counted(counts);
    Ok(if dry_run {
        Step::Checked {
            counts,
            faults,
            faults_href,
            changes: vec![],
            changes_href: None,
            notes: ignored(&columns).into_iter().collect(),
            button: (useful > 0).then(|| format!("Import {}", pages.meta.counted(useful))),
            asks_welcome: false,
            action: pages.job(job.id),
        }
    } else {
        Step::Imported {
            counts,
            faults,
            faults_href,
        }
    })
}

fn counted(counts: ImportCounts) -> Vec<Count> {
    let count = |label, number: u64, tone| Count::new(label, i64::try_from(number).unwrap_or(i64::MAX), tone);
    vec![
        count("New", counts.created, "good"),
        count("Changed", counts.changed, "busy"),
        count(texts::imports::UNCHANGED, counts.unchanged, ""),
        count(texts::imports::ERRORS, counts.faulty, "bad"),
    ]
}

/// `GET /admin/{models}/import/{id}/faults.csv`: every line with an error.
async fn faults_csv(
    State(state): State<AdminContext>,
    Extension(pages): Extension<Pages>,
    Path(id): Path<String>,
) -> Result<Response, AdminError> {
    let (job, _) = find(&state, &pages, &id).await?;
    Ok(faults_of(state, job.id))
}

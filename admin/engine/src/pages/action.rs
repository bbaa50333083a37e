//! Runs an action on the objects that a form has selected.

use axum::{http::StatusCode, response::Response};
use sea_orm::DbErr;
use usher_shared::{
    audit::{self, Entry},
    foundation::rules::Reason,
};

use super::chosen::{CONFIRMED, Chosen, FROM, way_back};
use super::confirm::{self, Again};
use super::{bulk, model_request::ModelRequest, snapshot::Snapshot};
use crate::declare::action::{Action, ActionContext, Outcome};
use crate::declare::deletion::{DELETE, Deletion};
use crate::declare::{meta::Operation, model::Model, params::Params, saving::SaveContext};
use crate::error::AdminError;
use crate::lists::back::list_of;
use crate::lists::selection::{AT_ONCE, Selection};
use crate::request::{posted::Posted, sent::Fields, visit::Visit};
use crate::rows::row::Row;

/// `POST {models}/actions` with `action` and one `id` for each object. All of them or none: one transaction, with an
/// audit row for each object.
pub(crate) async fn run(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    if form.get("action") == Some("") {
        request.require(Operation::View)?;
        let to = way_back(&request.model, &form);
        return Ok(request.visit.say_warning("Choose an action first", &to));
    }
    perform(&request, &form).await
}

/// Runs the action that a form chooses, or asks to confirm it.
pub(crate) async fn perform(request: &ModelRequest, form: &Fields) -> Result<Response, AdminError> {
    let chosen = Chosen::read(request, form)?;
    let action = chosen.action;
    let ModelRequest {
        context,
        visit,
        staff,
        model,
        ..
    } = request;
    let Some(selection) = Selection::read(&context.db, model, staff, form).await? else {
        return Ok(chosen.nothing_selected());
    };
    let is_asked = action.confirms || form.get(FROM).is_none();
    if selection.is_unnamed() || is_asked && form.get(CONFIRMED).is_none() {
        return confirm::page(&chosen, StatusCode::OK, Again::No).await;
    }
    // Any action on a sensitive model, such as a role, changes permissions.
    if action.sensitive || model.meta.sensitive {
        staff.require_fresh(visit, Some(form))?;
    }
    let params = match Params::read(action.params, form) {
        Ok(params) => params,
        Err(errors) => return confirm::page(&chosen, StatusCode::UNPROCESSABLE_ENTITY, Again::Errors(errors)).await,
    };
    let tx = form.begin(context).await?;
    let (rows, more) = selection.locked(&tx, model).await?;
    if rows.len() as u64 > selection.named().unwrap_or(AT_ONCE) {
        tx.rollback().await?;
        return confirm::again(&chosen, &selection).await;
    }
    if action.is_for_one() && (rows.len() > 1 || more) {
        return Ok(chosen.one_at_a_time());
    }
    let seen = Snapshot::read(form);
    if let [row] = &rows[..]
        && !more
        && is_stale(&chosen, seen.as_ref(), row).await?
    {
        tx.rollback().await?;
        return confirm::page(&chosen, StatusCode::CONFLICT, Again::Stale(seen.as_ref())).await;
    }
    let job = action.enqueue(model).filter(|_| more);
    if more && job.is_none() {
        return Ok(chosen.warn(chosen.too_many()));
    }
    let actor = staff.actor(visit);
    let saving = SaveContext::new(&**model, &tx, context, &actor, staff);
    let acting = ActionContext {
        app: context,
        model,
        saving: &saving,
        params: &params,
    };
    let response = match job {
        Some(job) => bulk::enqueue(&chosen, &acting, &selection, job).await?,
        None => Some(act(&chosen, &acting, &selection, seen.as_ref(), &rows).await?),
    };
    match response {
        Some(response) => tx.finish(response).await,
        None => {
            tx.rollback().await?;
            confirm::again(&chosen, &selection).await
        }
    }
}

/// Whether the object changed since the person saw it.
async fn is_stale(chosen: &Chosen<'_>, seen: Option<&Snapshot>, row: &Row) -> Result<bool, AdminError> {
    let Chosen { request, action, .. } = *chosen;
    let model = &request.model;
    let is_free = (action.fits)(row) && (model.locked_for)(row, &request.staff, action.name).is_none();
    if !is_free || seen.is_none() && !action.replaces() {
        return Ok(false);
    }
    let now = Snapshot::now(chosen, &[row]).await?;
    Ok(seen.is_none_or(|seen| seen.is_stale(model, row) || (action.replaces() && seen.differs(&now))))
}

/// Runs the action on the rows, in the form's transaction.
async fn act(
    chosen: &Chosen<'_>,
    acting: &ActionContext<'_>,
    selection: &Selection,
    seen: Option<&Snapshot>,
    rows: &[Row],
) -> Result<Response, DbErr> {
    let Chosen { request, action, form } = *chosen;
    let (visit, model) = (&request.visit, acting.model);
    let mut tally = Tally::default();
    for row in rows {
        match act_on(acting, action, seen, row).await? {
            None => tally.done += 1,
            Some(why) => tally.left_alone.push(why),
        }
    }
    tally.changed(selection.named(), rows.len());
    tally.remarks = acting.saving.remarks();
    Ok(match acting.saving.said() {
        Some(words) => visit.say(words, &chosen.way_back()),
        // A deleted object has no page to go back to, or one that only restores it.
        None if action.name == DELETE && tally.done > 0 => tally.say_deleted(visit, model, rows, &list_of(model, form)),
        None => tally.say(visit, model, action, &chosen.way_back()),
    })
}

/// How many were done, and why the others were skipped.
#[derive(Default)]
struct Tally {
    done: usize,
    left_alone: Vec<String>,
    remarks: Vec<String>,
}

/// Runs it on one row, with its audit entry. Returns why it was skipped, if it was.
async fn act_on(
    acting: &ActionContext<'_>,
    action: &Action,
    seen: Option<&Snapshot>,
    row: &Row,
) -> Result<Option<String>, DbErr> {
    let ActionContext { model, saving, .. } = *acting;
    if let Some(why) = (model.locked_for)(row, saving.staff, action.name) {
        return Ok(Some(why));
    }
    if !(action.fits)(row) {
        return Ok(Some(action.unfit.to_owned()));
    }
    if seen.is_some_and(|seen| seen.is_stale(model, row)) {
        return Ok(Some("it changed after you opened the page".to_owned()));
    }
    match (action.run)(acting, row).await? {
        Outcome::Skipped(why) => Ok(Some(why.into_owned())),
        Outcome::Audited => Ok(None),
        Outcome::Done => {
            let entry = Entry {
                reason: acting.params.reason.clone().map(Reason::into_text),
                ..model.entry(row, action.name)
            };
            audit::record(&**saving.tx, saving.actor, entry).await?;
            Ok(None)
        }
    }
}

impl Tally {
    /// Counts the ones that were named but no longer match the list.
    fn changed(&mut self, named: Option<u64>, rows: usize) {
        let gone = named.map_or(0, |named| {
            usize::try_from(named).unwrap_or(usize::MAX).saturating_sub(rows)
        });
        self.left_alone
            .extend((0..gone).map(|_| "it no longer matches the list".to_owned()));
    }

    /// Links to an object that can be restored.
    fn say_deleted(&self, visit: &Visit, model: &Model, rows: &[Row], to: &str) -> Response {
        match rows {
            [row] if model.soft().is_some() => {
                let words = format!("{} deleted", model.meta.counted(1));
                let own = model.object_href(&row.text(model.id).unwrap_or_default());
                visit.say_with(words, (&own, "Undo"), to)
            }
            _ => self.say(visit, model, &Deletion::ACTION, to),
        }
    }

    fn say(&self, visit: &Visit, model: &Model, action: &Action, to: &str) -> Response {
        let mut done = format!("{} {}", model.meta.counted(self.done), action.done);
        for remark in &self.remarks {
            done = format!("{done}; {remark}");
        }
        let Some(why) = self.left_alone.first() else {
            return if self.remarks.is_empty() {
                visit.say(done, to)
            } else {
                visit.say_warning(done, to)
            };
        };
        let words = match (self.done, self.left_alone.len()) {
            (0, 1) => format!("Nothing was done: {why}"),
            (0, all) => format!("Nothing was done; {all} skipped: {why}"),
            (_, some) => format!("{done}; {some} skipped: {why}"),
        };
        visit.say_warning(words, to)
    }
}

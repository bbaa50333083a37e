//! One object's pages: a new one, an existing one to look at or to change.

use axum::{http::StatusCode, response::Response};

use super::save::{self, SaveResult};
use super::{history, model_request::ModelRequest, object_page::Drawing};
use crate::declare::meta::Operation;
use crate::error::AdminError;
use crate::lists::back::{back_parameter, back_query, list_of};
use crate::request::{posted::Posted, sent::Fields};
use crate::shell::page;
use crate::text::capitalized;

/// `GET {models}/new`; fields can be prefilled by `?field=value`.
pub(crate) async fn blank(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::Add)?;
    request.require_fresh(None)?;
    let fields = request.parameters();
    page::show(&Drawing::new(&request, &fields).blank().await?)
}

/// `POST {models}/new`
pub(crate) async fn create(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    request.require(Operation::Add)?;
    request.require_fresh(Some(&form))?;
    let (visit, model) = (&request.visit, &request.model);
    match save::create(&request, &form).await? {
        Ok(save::Created {
            tx,
            id,
            said: Some(words),
        }) => {
            // What is shown only once is shown on the object's own page.
            let to = if request.may(Operation::View) {
                model.object_href(&id)
            } else {
                request.context.site.home()
            };
            tx.finish(visit.say(words, &to)).await
        }
        Ok(save::Created { tx, id, said: None }) => {
            let words = format!("{} added", capitalized(model.meta.singular));
            tx.finish(visit.say(words, &after_save(&request, &id, &form))).await
        }
        Err(draft) => {
            let page = Drawing::new(&request, &form).new_again(&draft).await?;
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// `GET {models}/{id}`
pub(crate) async fn show(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::View)?;
    let Some(row) = request.find().await? else {
        if !history::may_see(&request.context.site, &request.staff) {
            return Err(AdminError::NotFound);
        }
        return history::of_gone(&request).await;
    };
    let fields = request.parameters();
    page::show(&Drawing::new(&request, &fields).stored(row).await?)
}

/// `POST {models}/{id}`
pub(crate) async fn change(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    request.require(Operation::Change)?;
    let (visit, model) = (&request.visit, &request.model);
    let key = model.id_field().storage.parse_id(&request.id);
    let key = key.ok_or(AdminError::NotFound)?;
    request.require_fresh(Some(&form))?;
    let drawing = Drawing::new(&request, &form);
    let to = after_save(&request, &request.id, &form);
    match save::change(&request, &key, &form).await? {
        SaveResult::Saved(tx) => {
            let words = format!("{} saved", capitalized(model.meta.singular));
            tx.finish(visit.say(words, &to)).await
        }
        SaveResult::Unchanged => Ok(visit.say("No changes to save", &to)),
        SaveResult::Invalid(draft, row) => page::show_with(
            StatusCode::UNPROCESSABLE_ENTITY,
            &drawing.again(&draft, row, vec![]).await?,
        ),
        SaveResult::Stale(draft, row) => {
            let differences = save::differences(model, &draft, &row);
            let mut page = drawing.again(&draft, row, differences).await?;
            page.stale = true;
            page::show_with(StatusCode::CONFLICT, &page)
        }
    }
}

/// The object again, or the list that it was opened from, if the person may see it.
fn after_save(request: &ModelRequest, id: &str, form: &Fields) -> String {
    let model = &request.model;
    match form.get("_save") {
        Some("another") => format!("{}/new", model.href()),
        _ if !request.may(Operation::View) => request.context.site.home(),
        Some("continue") => format!("{}{}", model.object_href(id), back_parameter('?', &back_query(form))),
        _ => list_of(model, form),
    }
}

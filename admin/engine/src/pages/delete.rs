//! The pages that delete one object and bring it back.

use axum::{http::StatusCode, response::Response};

use super::chosen::{CONFIRMED, Chosen, FROM};
use super::confirm::{self, Again};
use super::{action, model_request::ModelRequest};
use crate::declare::deletion::{DELETE, Deletion, RESTORE};
use crate::declare::meta::Operation;
use crate::error::AdminError;
use crate::lists::back::{BACK, back_query};
use crate::request::{posted::Posted, sent::Fields};

/// `GET {models}/{id}/delete`
pub(crate) async fn show(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::Delete)?;
    let row = request.find().await?.ok_or(AdminError::NotFound)?;
    if let Some(why) = (request.model.locked_for)(&row, &request.staff, DELETE) {
        return Err(AdminError::Forbidden(why));
    }
    let (id, list) = (&request.id, back_query(&request.parameters()));
    let form = Fields::of([("id", id.as_str()), (FROM, id), (BACK, &list)].into_iter());
    let chosen = Chosen {
        request: &request,
        action: &Deletion::ACTION,
        form: &form,
    };
    confirm::page(&chosen, StatusCode::OK, Again::No).await
}

/// `POST {models}/{id}/delete`: the same as the action, for who comes straight.
pub(crate) async fn run(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    request.require(Operation::Delete)?;
    act_on(&request, DELETE, &form).await
}

/// `POST {models}/{id}/restore`
pub(crate) async fn restore(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    request.require(Operation::Delete)?;
    if request.model.soft().is_none() {
        return Err(AdminError::NotFound);
    }
    act_on(&request, RESTORE, &form).await
}

async fn act_on(request: &ModelRequest, action: &str, form: &Fields) -> Result<Response, AdminError> {
    let row = request.find().await?.ok_or(AdminError::NotFound)?;
    let id = row.text(request.model.id).unwrap_or_default();
    let fields = [
        ("action", action),
        ("id", &id),
        (FROM, &id),
        (CONFIRMED, "yes"),
        ("reason", form.get("reason").unwrap_or_default()),
        (BACK, form.get(BACK).unwrap_or_default()),
    ];
    action::perform(request, &Fields::of(fields.into_iter()).instead_of(form)).await
}

//! The pages that delete one object and bring it back.

use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};

use super::action;
use super::chosen::{CONFIRMED, Chosen, FROM};
use super::confirm::{self, Again};
use crate::context::AdminContext;
use crate::declare::deletion::{DELETE, Deletion, RESTORE};
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::back::{BACK, back_query};
use crate::request::{posted::Posted, sent::Fields, staff::Staff, visit::Visit};
use crate::rows::find::find;

/// `GET {models}/{id}/delete`
pub(crate) async fn show(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = deletable(&context, &staff, &name)?;
    let row = find(&context.db, model, &id).await?.ok_or(AdminError::NotFound)?;
    if let Some(why) = (model.locked_for)(&row, &staff, DELETE) {
        return Err(AdminError::Forbidden(why));
    }
    let list = back_query(&Fields::parse(query.unwrap_or_default().as_bytes())).unwrap_or_default();
    let form = Fields::of([("id", id.as_str()), (FROM, &id), (BACK, &list)].into_iter());
    let chosen = Chosen {
        context: &context,
        visit: &visit,
        staff: &staff,
        model,
        action: &Deletion::ACTION,
        form: &form,
    };
    confirm::page(&chosen, StatusCode::OK, Again::No).await
}

/// `POST {models}/{id}/delete`: the same as the action, for who comes straight.
pub(crate) async fn run(
    context: State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    deletable(&context, &staff, &name)?;
    act_on(context, visit, staff, name, &id, DELETE, &form).await
}

/// `POST {models}/{id}/restore`
pub(crate) async fn restore(
    context: State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = deletable(&context, &staff, &name)?;
    if model.deletion.is_none_or(|deletion| deletion.soft.is_none()) {
        return Err(AdminError::NotFound);
    }
    act_on(context, visit, staff, name, &id, RESTORE, &form).await
}

async fn act_on(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    name: String,
    id: &str,
    action: &str,
    form: &Fields,
) -> Result<Response, AdminError> {
    let model = context.site.model(&name).ok_or(AdminError::NotFound)?;
    let row = find(&context.db, model, id).await?.ok_or(AdminError::NotFound)?;
    let id = row.text(model.id).unwrap_or_default();
    let fields = [
        ("action", action),
        ("id", &id),
        (FROM, &id),
        (CONFIRMED, "yes"),
        ("reason", form.get("reason").unwrap_or_default()),
        (BACK, form.get(BACK).unwrap_or_default()),
    ];
    let form = Posted(Fields::of(fields.into_iter()).instead_of(form));
    action::run(State(context), visit, staff, Path(name), form).await
}

fn deletable<'a>(context: &'a AdminContext, staff: &Staff, name: &str) -> Result<&'a Model, AdminError> {
    let model = context.site.model(name).ok_or(AdminError::NotFound)?;
    if !model.meta.offers(Operation::Delete) {
        return Err(AdminError::NotFound);
    }
    staff.require(&model.meta.permission(Operation::View))?;
    staff.require(&model.meta.permission(Operation::Delete))?;
    Ok(model)
}

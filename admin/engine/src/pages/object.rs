//! One object's pages: a new one, an existing one to look at or to change.

use axum::{
    extract::{Path, RawQuery, State},
    http::StatusCode,
    response::Response,
};

use super::save::{self, SaveResult};
use super::{history, object_page::Drawing};
use crate::context::AdminContext;
use crate::declare::{meta::Operation, model::Model, site::Site};
use crate::error::AdminError;
use crate::lists::back::{BACK, back_query, path_segment};
use crate::request::{posted::Posted, sent::Fields, staff::Staff, visit::Visit};
use crate::rows::find::find;
use crate::shell::page;

/// `GET {models}/new`; fields can be prefilled by `?field=value`.
pub(crate) async fn blank(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = permitted(&context, &staff, &name, Operation::Add)?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    if model.meta.sensitive {
        staff.require_fresh(&visit, None)?;
    }
    let page = Drawing::new(&context, &visit, &staff, model, &fields).blank();
    page::show(&page)
}

/// `POST {models}/new`
pub(crate) async fn create(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = permitted(&context, &staff, &name, Operation::Add)?;
    if model.meta.sensitive {
        staff.require_fresh(&visit, Some(&form))?;
    }
    match save::create(&context, &visit, &staff, model, &form).await? {
        Ok(save::Created {
            tx,
            id,
            said: Some(words),
        }) => {
            // What is shown only once is shown on the object's own page.
            let own = format!("{}/{}", model.href(), path_segment(&id));
            let may_see = staff.may(&model.meta.permission(Operation::View));
            tx.finish(visit.say(words, if may_see { own } else { context.site.home() }.as_str()))
                .await
        }
        Ok(save::Created { tx, id, said: None }) => {
            let words = format!("{} added", crate::text::capitalized(model.meta.singular));
            tx.finish(visit.say(words, &after_save(&context.site, &staff, model, &id, &form)))
                .await
        }
        Err(draft) => {
            let page = Drawing::new(&context, &visit, &staff, model, &form).new_again(&draft);
            page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
    }
}

/// `GET {models}/{id}`
pub(crate) async fn show(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = permitted(&context, &staff, &name, Operation::View)?;
    let Some(row) = find(&context.db, model, &id).await? else {
        if !history::may_see(&context.site, &staff) {
            return Err(AdminError::NotFound);
        }
        return history::of_gone(&context, model, &id).await;
    };
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let drawing = Drawing::new(&context, &visit, &staff, model, &fields);
    page::show(&drawing.stored(row).await?)
}

/// `POST {models}/{id}`
pub(crate) async fn change(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = permitted(&context, &staff, &name, Operation::Change)?;
    let key = model.id_field().storage.parse_id(&id).ok_or(AdminError::NotFound)?;
    if model.meta.sensitive {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let drawing = Drawing::new(&context, &visit, &staff, model, &form);
    match save::change(&context, &visit, &staff, model, &key, &form).await? {
        SaveResult::Saved(tx) => {
            let words = format!("{} saved", crate::text::capitalized(model.meta.singular));
            tx.finish(visit.say(words, &after_save(&context.site, &staff, model, &id, &form)))
                .await
        }
        SaveResult::Unchanged => Ok(visit.say(
            "No changes to save".to_owned(),
            &after_save(&context.site, &staff, model, &id, &form),
        )),
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

fn permitted<'a>(
    context: &'a AdminContext,
    staff: &Staff,
    name: &str,
    operation: Operation,
) -> Result<&'a Model, AdminError> {
    let model = context.site.model(name).ok_or(AdminError::NotFound)?;
    if !model.meta.offers(operation) {
        return Err(AdminError::NotFound);
    }
    // People who may not see objects learn nothing about them by trying to change them. Adding needs no view
    // permission.
    if operation != Operation::Add {
        staff.require(&model.meta.permission(Operation::View))?;
    }
    staff.require(&model.meta.permission(operation))?;
    Ok(model)
}

/// The object again, or the list that it was opened from, if the person may see it.
fn after_save(site: &Site, staff: &Staff, model: &Model, id: &str, form: &Fields) -> String {
    let back = back_query(form);
    if form.get("_save") == Some("another") {
        return format!("{}/new", model.href());
    }
    if !staff.may(&model.meta.permission(Operation::View)) {
        return site.home();
    }
    if form.get("_save") == Some("continue") {
        let query = back
            .map(|query| format!("?{BACK}={}", path_segment(&query)))
            .unwrap_or_default();
        return format!("{}/{}{query}", model.href(), path_segment(id));
    }
    back.map_or_else(|| model.href(), |query| format!("{}?{query}", model.href()))
}

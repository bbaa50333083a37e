//! Who did what to one object, newest first, from the audit log.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use sea_orm::{
    ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::SimpleExpr,
};
use serde_json::Value as Json;
use usher_shared::{audit::spellings, foundation::entity::audit_log};

use super::model_request::ModelRequest;
use crate::context::AdminContext;
use crate::declare::spec::{Kind, Spec};
use crate::declare::{meta::Operation, model::Model, site::Site};
use crate::error::AdminError;
use crate::request::staff::Staff;
use crate::rows::storage::text_of;
use crate::shell::{frame::Shell, page};
use crate::text::{exact_time, readable, short_time};

/// Entries on a page.
const ENTRIES: u64 = 100;
/// The parameter that holds the id of the last entry of the page before.
const AFTER: &str = "after";

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    shell: Shell,
    label: String,
    entries: Vec<HistoryEntry>,
    /// The object, or its list if the object is gone.
    back_href: String,
    is_gone: bool,
    /// The page of older entries.
    next_href: Option<String>,
}

struct HistoryEntry {
    at: String,
    exactly: String,
    actor: String,
    action: String,
    address: Option<String>,
    reason: Option<String>,
    changes: Vec<Change>,
}

/// One field's value before and after.
struct Change {
    field: String,
    before: String,
    after: String,
}

/// The permission to see the audit log.
fn permission(site: &Site) -> String {
    let audit = site.model_of::<audit_log::Entity>();
    audit.map_or_else(String::new, |audit| audit.meta.permission(Operation::View))
}

/// Whether this person may see histories.
pub(super) fn may_see(site: &Site, staff: &Staff) -> bool {
    staff.may(&permission(site))
}

/// `GET {models}/{id}/history`
pub(crate) async fn show(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::View)?;
    let (context, model) = (&request.context, &request.model);
    // A history is part of the audit log.
    request.staff.require(&permission(&context.site))?;
    let row = request.find().await?;
    let (id, label) = match &row {
        Some(row) => (row.text(model.id).unwrap_or_default(), model.label(row)),
        None => find_gone(&request).await?.ok_or(AdminError::NotFound)?,
    };
    let object_href = model.object_href(&id);
    let back_href = row.as_ref().map_or_else(|| model.href(), |_| object_href.clone());
    let after = request.parameters();
    let after = after.get(AFTER).and_then(|after| after.parse().ok());
    let (entries, next) = entries(context, model, &id, after).await?;
    page::show(&HistoryPage {
        shell: request
            .shell(format!("History of {label}"))
            .crumb(label.clone(), back_href.clone())
            .here("History"),
        entries,
        next_href: next.map(|last| format!("{object_href}/history?{AFTER}={last}")),
        label,
        back_href,
        is_gone: row.is_none(),
    })
}

/// The history of an object that no longer exists; not found if there never was one.
pub(crate) async fn of_gone(request: &ModelRequest) -> Result<Response, AdminError> {
    let (id, _) = find_gone(request).await?.ok_or(AdminError::NotFound)?;
    let to = format!("{}/history", request.model.object_href(&id));
    Ok(Redirect::to(&to).into_response())
}

/// Its id and its last name.
async fn find_gone(request: &ModelRequest) -> Result<Option<(String, String)>, DbErr> {
    let model = &request.model;
    let parsed = model.id_field().storage.parse(&request.id);
    // An object has one address: `01` is none.
    let Some(id) = parsed.as_ref().and_then(text_of).filter(|text| *text == request.id) else {
        return Ok(None);
    };
    let last = audit_log::Entity::find()
        .filter(of_type(model.meta.object_type()))
        .filter(audit_log::Column::ObjectId.eq(&id))
        .order_by_desc(audit_log::Column::Id)
        .one(&request.context.db)
        .await?;
    Ok(last.map(|last| (id.clone(), last.object_label.unwrap_or(id))))
}

/// Entries of this type, including its former names.
fn of_type(word: &str) -> SimpleExpr {
    match &spellings(word)[..] {
        [only] => audit_log::Column::ObjectType.eq(*only),
        all => audit_log::Column::ObjectType.is_in(all.iter().copied()),
    }
}

/// A page of entries, and the id of the last one if there are older ones.
async fn entries(
    context: &AdminContext,
    model: &Model,
    id: &str,
    after: Option<i64>,
) -> Result<(Vec<HistoryEntry>, Option<i64>), DbErr> {
    let older = after.map(|after| audit_log::Column::Id.lt(after));
    let mut rows = audit_log::Entity::find()
        .filter(of_type(model.meta.object_type()))
        .filter(audit_log::Column::ObjectId.eq(id))
        .filter(Condition::all().add_option(older))
        .order_by_desc(audit_log::Column::Id)
        .limit(ENTRIES + 1)
        .all(&context.db)
        .await?;
    let more = rows.len() as u64 > ENTRIES;
    rows.truncate(ENTRIES as usize);
    let next = rows.last().map(|row| row.id).filter(|_| more);
    let entry = |row: audit_log::Model| HistoryEntry {
        at: short_time(row.at),
        exactly: exact_time(row.at),
        actor: row.actor_label,
        action: readable(&row.action),
        address: row.address,
        reason: row.reason,
        changes: changes(model, row.changes.as_ref()),
    };
    Ok((rows.into_iter().map(entry).collect(), next))
}

/// Reads `{"field": [before, after]}`.
fn changes(model: &Model, json: Option<&Json>) -> Vec<Change> {
    let fields = json.and_then(Json::as_object).into_iter().flatten();
    let change = |(name, pair): (&String, &Json)| {
        let spec = model.field(name);
        Change {
            field: spec.map_or_else(|| name.clone(), |spec| spec.label.clone()),
            before: words(spec, pair.get(0)),
            after: words(spec, pair.get(1)),
        }
    };
    fields.map(change).collect()
}

/// A value as the object's page shows it.
fn words(spec: Option<&Spec>, value: Option<&Json>) -> String {
    let text = match value {
        None | Some(Json::Null) => return String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Bool(truth)) => return if *truth { "Yes" } else { "No" }.to_owned(),
        Some(other) => other.to_string(),
    };
    match spec.map(|spec| &spec.kind) {
        Some(Kind::Time) => text.parse().map_or(text, exact_time),
        _ => {
            let choice = spec.and_then(|spec| spec.choice(&text));
            choice.map(|choice| choice.label.clone()).unwrap_or(text)
        }
    }
}

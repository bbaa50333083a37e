//! Who did what to one object, newest first, from the audit log.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::Value as Json;
use usher_shared::entity::audit_log;

use super::{
    meta::{Operation, capitalised},
    model::Model,
    object,
    row::{exact_time, short_time},
};
use crate::{error::AdminError, page, shell::Shell, staff::Staff, state::AppState, visit::Visit};

/// Entries shown; the audit log's own list goes further back.
const ENTRIES: u64 = 100;

#[derive(Template)]
#[template(path = "history.html")]
struct HistoryPage {
    shell: Shell,
    label: String,
    entries: Vec<HistoryEntry>,
    object_href: String,
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

/// `GET /admin/{models}/{id}/history`
pub(crate) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path((name, id)): Path<(String, String)>,
) -> Result<Response, AdminError> {
    let model = state.site.model(&name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    let row = object::find(&state.db, model, &id).await?.ok_or(AdminError::NotFound)?;
    let id = row.text(model.id).unwrap_or_default();
    let object_href = format!("{}/{id}", model.href());
    let label = model.label(&row);
    page::show(&HistoryPage {
        shell: Shell::new(&state, &visit, &staff, format!("History of {label}"))
            .crumb(model.meta.title(), model.href())
            .crumb(label.clone(), object_href.clone())
            .here("History"),
        entries: entries(&state, model, &id).await?,
        label,
        object_href,
    })
}

async fn entries(state: &AppState, model: &Model, id: &str) -> Result<Vec<HistoryEntry>, DbErr> {
    let rows = audit_log::Entity::find()
        .filter(audit_log::Column::ObjectType.eq(model.meta.singular))
        .filter(audit_log::Column::ObjectId.eq(id))
        .order_by_desc(audit_log::Column::Id)
        .limit(ENTRIES)
        .all(&state.db)
        .await?;
    let entry = |row: audit_log::Model| HistoryEntry {
        at: short_time(row.at),
        exactly: exact_time(row.at),
        actor: row.actor_label,
        action: capitalised(&row.action.replace('_', " ")),
        address: row.address,
        reason: row.reason,
        changes: changes(model, row.changes.as_ref()),
    };
    Ok(rows.into_iter().map(entry).collect())
}

/// Reads `{"field": [before, after]}`.
fn changes(model: &Model, json: Option<&Json>) -> Vec<Change> {
    let fields = json.and_then(Json::as_object).into_iter().flatten();
    let words = |value: Option<&Json>| match value {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let change = |(name, pair): (&String, &Json)| Change {
        field: model
            .field(name)
            .map_or_else(|| name.clone(), |spec| spec.label.clone()),
        before: words(pair.get(0)),
        after: words(pair.get(1)),
    };
    fields.map(change).collect()
}

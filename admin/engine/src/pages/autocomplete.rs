//! Finding objects by a few letters: for foreign key fields, and across all models.

use std::sync::Arc;

use askama::Template;
use axum::{
    Json,
    extract::{RawQuery, State},
    response::{IntoResponse, Response},
};
use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Condition, Order},
};
use serde_json::json;

use super::model_request::ModelRequest;
use crate::context::AdminContext;
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::{query::ListQuery, search};
use crate::request::{sent::Fields, staff::Staff, visit::Visit};
use crate::rows::row::Row;
use crate::shell::{frame::Shell, page};

/// Suggestions at once.
const SUGGESTED: u64 = 20;
/// Hits per model on the page of the search across models.
const HITS: u64 = 6;
/// Up to this many are found in any order and then sorted; with more, the newest are quickly found.
const FEW: u64 = 1_000;
/// Longer searches are cut.
const MAX_CHARS: usize = 200;

/// `GET {models}/autocomplete?q=`: `{"results": [{"id", "text"}], "more": bool}`. Staff who may not see the
/// model get nothing.
pub(crate) async fn suggest(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::View)?;
    let model = &request.model;
    let rows = find(&request.context.db, model, &typed(&request.query), SUGGESTED + 1).await?;
    let more = rows.len() as u64 > SUGGESTED;
    let result = |row: &Row| json!({ "id": row.text(model.id), "text": model.label(row) });
    let results: Vec<_> = rows.iter().take(SUGGESTED as usize).map(result).collect();
    Ok(Json(json!({ "results": results, "more": more })).into_response())
}

#[derive(Template)]
#[template(path = "search.html")]
struct SearchPage {
    shell: Shell,
    typed: String,
    groups: Vec<Group>,
}

struct Group {
    title: String,
    icon: &'static str,
    /// Address and name of each hit.
    hits: Vec<(String, String)>,
    /// The whole list, where there is more.
    more_href: Option<String>,
}

/// `GET search?q=`: across every model that this person may see. One statement for each.
pub(crate) async fn search(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let typed = typed(&query.unwrap_or_default());
    let mut groups = vec![];
    let seen = |model: &&Arc<Model>| search::is_offered(model) && model.allows(&staff, Operation::View);
    for model in context.site.models.iter().filter(seen) {
        if typed.is_empty() {
            break;
        }
        let rows = find(&context.db, model, &typed, HITS + 1).await?;
        if rows.is_empty() {
            continue;
        }
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("q", &typed)
            .finish();
        let hit = |row: &Row| {
            let id = row.text(model.id).unwrap_or_default();
            (model.object_href(&id), model.label(row))
        };
        groups.push(Group {
            title: model.meta.title(),
            icon: model.meta.icon,
            hits: rows.iter().take(HITS as usize).map(hit).collect(),
            more_href: (rows.len() as u64 > HITS).then(|| format!("{}?{query}", model.href())),
        });
    }
    page::show(&SearchPage {
        shell: Shell::new(&context, &visit, &staff, "Search")
            .searched(&typed)
            .here("Search"),
        typed,
        groups,
    })
}

fn typed(query: &str) -> String {
    let fields = Fields::parse(query.as_bytes());
    let typed = fields.get("q").unwrap_or_default().replace('\0', " ");
    typed.trim().chars().take(MAX_CHARS).collect()
}

/// The newest objects that a search finds. If there are few, all of them are found before they are sorted: asked for
/// the newest directly, PostgreSQL may scan every row from the newest on, for a word that none has.
async fn find(db: &impl ConnectionTrait, model: &Model, typed: &str, limit: u64) -> Result<Vec<Row>, DbErr> {
    let nothing = Fields::default();
    let all = ListQuery::parse(model, &nothing).map_or_else(|_| Condition::all(), |query| query.condition(model));
    let matching = model
        .select()
        .cond_where(all.add(search::condition(db, model, typed).await?))
        .to_owned();
    let some = matching.clone().limit(FEW + 1).to_owned();
    let ids = some.clone().clear_selects().column(model.id).to_owned();
    let mut select = match db.query_all(&ids).await?.len() as u64 {
        0 => return Ok(vec![]),
        // From a subquery with a limit: with `id IN` the planner would again scan from the newest on.
        1..=FEW => model.select().from_clear().from_subquery(some, model.table).to_owned(),
        _ => matching,
    };
    select.order_by(model.id, Order::Desc).limit(limit);
    model.read(db, &select).await
}

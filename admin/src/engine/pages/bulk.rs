//! Actions on more objects than a person should wait for: a job goes through them, one after the other.

use axum::response::Response;
use sea_orm::sea_query::{Expr, Query, SelectStatement};
use uuid::Uuid;

use crate::engine::{declare::{action::{Acting, Action}, model::{Answer, Model}}, lists::selection::{AT_ONCE, Selection}};
use crate::engine::{error::AdminError, request::visit::Visit};

/// Orders the job that does an action to all objects of a select of ids; answers its id and how many they are.
pub(crate) type Order = for<'a> fn(&'a Acting<'a>, SelectStatement) -> Answer<'a, (Uuid, u64)>;

/// Orders the job, in the transaction of `acting`.
pub(crate) async fn order(
    acting: &Acting<'_>,
    action: &Action,
    selection: &Selection,
) -> Result<Option<(Uuid, u64)>, AdminError> {
    let model = acting.model;
    let Some(order) = action.order(model) else {
        return Ok(None);
    };
    let select = Query::select()
        .expr_as(Expr::col(model.id), "id")
        .from(model.table)
        .cond_where(selection.condition(model))
        .to_owned();
    Ok(Some(order(acting, select).await?))
}

/// Says that it is under way, on the job's page for those who may see it.
pub(crate) fn say(
    visit: &Visit,
    model: &Model,
    action: &Action,
    job: Uuid,
    rows: u64,
    jobs: Option<String>,
) -> Response {
    let count = model.meta.counted(usize::try_from(rows).unwrap_or(usize::MAX));
    let words = format!("{}: a job goes through {count}", action.label);
    visit.say(
        words,
        &jobs.map_or_else(|| model.href(), |jobs| format!("{jobs}/{job}")),
    )
}

/// Why an action without a job of its own is not done to so many.
pub(crate) fn too_many(model: &Model, action: &Action) -> String {
    format!(
        "{} is done to {AT_ONCE} {} at once at most. Nothing was done: narrow the list first.",
        action.label, model.meta.plural
    )
}

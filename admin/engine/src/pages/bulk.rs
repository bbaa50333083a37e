//! Actions on more objects than a person should wait for: a job processes them one by one.

use axum::response::Response;
use sea_orm::sea_query::{Expr, Query};
use uuid::Uuid;

use crate::declare::action::{Action, ActionContext};
use crate::declare::model::Model;
use crate::error::AdminError;
use crate::lists::selection::{AT_ONCE, Selection};
use crate::request::visit::Visit;

/// Enqueues the job, in the transaction of `acting`; none where the action has no job.
pub(crate) async fn enqueue(
    acting: &ActionContext<'_>,
    action: &Action,
    selection: &Selection,
) -> Result<Option<(Uuid, u64)>, AdminError> {
    let model = acting.model;
    let Some(enqueue) = action.enqueue(model) else {
        return Ok(None);
    };
    let select = Query::select()
        .expr_as(Expr::col(model.id), "id")
        .from(model.table)
        .cond_where(selection.condition(model))
        .to_owned();
    Ok(Some(enqueue(acting, select).await?))
}

/// Says that the job is running, on its page for people who may see it.
pub(crate) fn say(
    visit: &Visit,
    model: &Model,
    action: &Action,
    job: Uuid,
    rows: u64,
    jobs: Option<String>,
) -> Response {
    let count = model.meta.counted(usize::try_from(rows).unwrap_or(usize::MAX));
    let words = format!("{}: a job is processing {count}", action.label);
    visit.say(
        words,
        &jobs.map_or_else(|| model.href(), |jobs| format!("{jobs}/{job}")),
    )
}

/// Why an action without a job can't run on so many.
pub(crate) fn too_many(model: &Model, action: &Action) -> String {
    format!(
        "“{}” works on up to {AT_ONCE} {} at once. Nothing was done. Narrow the list and try again.",
        action.label, model.meta.plural
    )
}

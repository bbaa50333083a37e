//! Actions on more objects than a person should wait for: a job processes them one by one.

use axum::response::Response;
use sea_orm::sea_query::{Expr, Query};
use usher_shared::foundation::entity::job;

use super::chosen::Chosen;
use crate::declare::action::{ActionContext, Enqueue};
use crate::declare::meta::Operation;
use crate::error::AdminError;
use crate::lists::selection::Selection;

/// Enqueues the job, in the transaction of `acting`, and says that it is running, on its page for people who may see
/// it. `None` if more objects match than were named.
pub(crate) async fn enqueue(
    chosen: &Chosen<'_>,
    acting: &ActionContext<'_>,
    selection: &Selection,
    enqueue: Enqueue,
) -> Result<Option<Response>, AdminError> {
    let (request, model) = (chosen.request, acting.model);
    let select = Query::select()
        .expr_as(Expr::col(model.id), "id")
        .from(model.table)
        .cond_where(selection.condition(model))
        .to_owned();
    let (job, rows) = enqueue(acting, select).await?;
    if selection.named().is_some_and(|named| rows > named) {
        return Ok(None);
    }
    let jobs = request.context.site.model_of::<job::Entity>();
    let jobs = jobs.filter(|jobs| jobs.allows(&request.staff, Operation::View));
    let to = jobs.map_or_else(|| model.href(), |jobs| jobs.object_href(&job.to_string()));
    let count = model.meta.counted(usize::try_from(rows).unwrap_or(usize::MAX));
    let words = format!("{}: a job is processing {count}", chosen.action.label);
    Ok(Some(request.visit.say(words, &to)))
}

//! Bulk actions on more objects than are acted on at once.

use sea_orm::{DbErr, sea_query::SelectStatement};
use usher_admin_engine::ActionContext;
use usher_shared::accounts::staff::bulk::{self, BulkAction, Objects, OrderError};
use uuid::Uuid;

/// Enqueues the job of a bulk action.
pub async fn enqueue(
    acting: &ActionContext<'_>,
    what: BulkAction,
    select: SelectStatement,
) -> Result<(Uuid, u64), DbErr> {
    let saving = acting.saving;
    let reason = acting.params.reason.clone();
    match bulk::order(saving.tx, what, Objects::Select(Box::new(select)), reason, saving.actor).await {
        Ok(ordered) => Ok((ordered.job_id, ordered.rows)),
        Err(OrderError::Db(error)) => Err(error),
        Err(error) => Err(DbErr::Custom(error.to_string())),
    }
}

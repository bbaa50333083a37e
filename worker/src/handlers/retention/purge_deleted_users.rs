//! `purge_deleted_users`: removes accounts that were deleted a month ago for good.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use usher_shared::{
    accounts::users,
    foundation::{
        db::{self, ForeignKeys},
        entity::user,
        time::now,
    },
    jobs::{Job, Priority},
};

use crate::{foundation::JobError, runtime::JobContext};

/// From deletion until an account is removed.
const KEPT: chrono::Duration = users::RESTORABLE;
/// Accounts per query.
const BATCH: u64 = 100;
/// Max accounts in the result that could not be removed.
const REPORTED: usize = 100;

/// Removes deleted accounts and their mails. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PurgeDeletedUsers {}

impl Job for PurgeDeletedUsers {
    const KIND: &'static str = "purge_deleted_users";
    const PRIORITY: Priority = Priority::Low;
}

/// One transaction per account: one that a product's table refers to stays, and is reported with that table, as does
/// one whose purge a product's hook refuses.
pub(crate) async fn purge(_: PurgeDeletedUsers, context: JobContext) -> Result<(), JobError> {
    let (mut purged, mut held) = (0, vec![]);
    let (mut last, mut count) = (0, 0);
    loop {
        let due: Vec<i64> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::DeletedAt.lt(now() - KEPT))
            .filter(user::Column::Id.gt(last))
            .order_by_asc(user::Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(&context.db)
            .await?;
        let Some(end) = due.last() else { break };
        last = *end;
        for id in due {
            match purge_one(&context, id).await {
                Ok(gone) => purged += u64::from(gone),
                Err(error) if !db::is_outage(&error) => {
                    count += 1;
                    let why = why(&context, id, &error).await?;
                    if held.len() < REPORTED {
                        held.push(why);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    tracing::info!(users = purged, held = count, "purged deleted accounts");
    let result = json!({ "purged": purged, "held": count, "accounts": held });
    let tx = context.begin().await?;
    context.complete_with(tx, result).await
}

/// Removes an account. False if it was restored just now.
async fn purge_one(context: &JobContext, id: i64) -> Result<bool, DbErr> {
    let tx = context.begin().await?;
    let gone = users::purge(&tx, id).await?;
    if gone {
        tx.commit().await?;
    }
    Ok(gone)
}

/// What keeps the account from being removed, for staff.
async fn why(context: &JobContext, user_id: i64, error: &DbErr) -> Result<Value, DbErr> {
    let keys = ForeignKeys::read(&context.db).await?;
    let key = keys.holding(&context.db, "users", user_id).await?;
    let key = key.map(|key| (key.table(), key.to_string()));
    let (table, column) = key.unzip();
    let error = error.to_string();
    tracing::warn!(
        user_id,
        table,
        column,
        error,
        "a deleted account cannot be purged: a table's foreign key needs ON DELETE CASCADE or SET NULL, or a hook failed"
    );
    Ok(json!({ "user_id": user_id, "table": table, "column": column, "error": error }))
}

//! `purge_deleted_users`: removes accounts that were deleted a month ago for good.

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, RuntimeErr};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use usher_shared::{
    accounts::users,
    audit::{self, Actor, Entry},
    foundation::{
        db::ForeignKeys,
        entity::{mail, mail_suppression, user},
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

/// One transaction per account: one that a product's table refers to stays, and is reported with that table.
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
                Err(error) if is_refused(&error) => {
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

/// Removes an account with its roles, sessions, factors and tokens, and its mails, which contain the address. False if
/// it was restored just now.
async fn purge_one(context: &JobContext, id: i64) -> Result<bool, DbErr> {
    let tx = context.begin().await?;
    let mails = mail::Entity::delete_many().filter(mail::Column::UserId.eq(id));
    mails.exec(&*tx).await?;
    let suppressions = mail_suppression::Entity::delete_many().filter(mail_suppression::Column::UserId.eq(id));
    suppressions.exec(&*tx).await?;
    let gone = user::Entity::delete_many()
        .filter(user::Column::Id.eq(id))
        .filter(user::Column::DeletedAt.lt(now() - KEPT))
        .exec(&*tx)
        .await?;
    if gone.rows_affected == 0 {
        return Ok(false);
    }
    let entry = Entry {
        action: "purge",
        object_type: "user",
        object_id: Some(id.to_string()),
        reason: Some("deleted thirty days ago".to_owned()),
        ..Entry::default()
    };
    audit::record(&*tx, &Actor::system(), entry).await?;
    tx.commit().await?;
    Ok(true)
}

/// Whether the database refused to remove this account, rather than did not answer.
fn is_refused(error: &DbErr) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            error.as_database_error().is_some()
        }
        _ => false,
    }
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
        "a deleted account cannot be purged: the table's foreign key needs ON DELETE CASCADE or SET NULL"
    );
    Ok(json!({ "user_id": user_id, "table": table, "column": column, "error": error }))
}

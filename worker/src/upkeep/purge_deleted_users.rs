//! `purge_deleted_users`: what is left of an account that was deleted a month ago goes for good.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use usher_shared::{
    audit::{self, Actor, Entry},
    entity::{mail, mail_suppression, user},
    jobs::{Job, Priority},
    time::now,
};

use crate::{JobContext, JobError};

/// Between the deletion of an account and its end.
const KEPT: chrono::Duration = chrono::Duration::days(30);
/// Accounts in one transaction.
const BATCH: u64 = 100;

/// Removes deleted accounts and what the mail log knows of them. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PurgeDeletedUsers {}

impl Job for PurgeDeletedUsers {
    const KIND: &'static str = "purge_deleted_users";
    const PRIORITY: Priority = Priority::Low;
}

pub(crate) async fn purge(_: PurgeDeletedUsers, context: JobContext) -> Result<(), JobError> {
    let mut purged = 0;
    loop {
        let due: Vec<i64> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .filter(user::Column::DeletedAt.lt(now() - KEPT))
            .order_by_asc(user::Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(&context.db)
            .await?;
        if due.is_empty() {
            break;
        }
        purged += due.len();
        purge_batch(&context, due).await?;
    }
    tracing::info!(users = purged, "purged deleted accounts");
    Ok(())
}

/// Roles, sessions, factors and tokens go with their user; the mail log holds the address and goes as well.
async fn purge_batch(context: &JobContext, ids: Vec<i64>) -> Result<(), JobError> {
    let tx = context.begin().await?;
    for id in &ids {
        let entry = Entry {
            action: "purge",
            object_type: "user",
            object_id: Some(id.to_string()),
            reason: Some("deleted thirty days ago".to_owned()),
            ..Entry::default()
        };
        audit::record(&*tx, &Actor::system(), entry).await?;
    }
    let mails = mail::Entity::delete_many().filter(mail::Column::UserId.is_in(ids.clone()));
    mails.exec(&*tx).await?;
    let suppressions =
        mail_suppression::Entity::delete_many().filter(mail_suppression::Column::UserId.is_in(ids.clone()));
    suppressions.exec(&*tx).await?;
    // Whoever was restored meanwhile stays.
    user::Entity::delete_many()
        .filter(user::Column::Id.is_in(ids))
        .filter(user::Column::DeletedAt.lt(now() - KEPT))
        .exec(&*tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

//! Removing events: old ones, and those about a person whose account is removed.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::foundation::{
    db,
    entity::{
        event::{Column, Entity},
        event_stream,
    },
};

/// Events that are removed in one transaction.
const BATCH: u64 = 5_000;

/// Removes the events about a person. Readers that have not come that far don't learn of them any more.
pub async fn erase_person(conn: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    let events = Entity::delete_many().filter(Column::UserId.eq(user_id));
    events.exec(conn).await.map(drop)
}

/// Removes events from before this time, the oldest first, and notes up to where. Returns how many.
///
/// Stops at the first that is younger: a transaction that took long may have left an older one behind it.
pub async fn remove_before(db: &DatabaseConnection, before: DateTime<Utc>) -> Result<u64, DbErr> {
    let mut removed = 0;
    loop {
        let oldest: Vec<(i64, DateTime<Utc>)> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::At])
            .order_by_asc(Column::Id)
            .limit(BATCH)
            .into_tuple()
            .all(db)
            .await?;
        let old = oldest.iter().take_while(|(_, at)| *at < before);
        let Some((last, _)) = old.last() else {
            return Ok(removed);
        };
        let tx = db::begin(db).await?;
        event_stream::Entity::update_many()
            .col_expr(event_stream::Column::RemovedThrough, Expr::value(*last))
            .filter(event_stream::Column::RemovedThrough.lt(*last))
            .exec(&tx)
            .await?;
        let gone = Entity::delete_many().filter(Column::Id.lte(*last)).exec(&tx).await?;
        tx.commit().await?;
        removed += gone.rows_affected;
    }
}

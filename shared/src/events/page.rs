//! Which events a reader wants, and reading them from the table.

use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::batch::{Batch, Recorded};
use crate::foundation::{
    db,
    entity::event::{Column, Entity},
};

/// How many positions a page looks at: types that are rare don't make it read the whole table.
const WALK: i64 = 10_000;

/// The events that a reader wants and may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Their types.
    pub kinds: Vec<&'static str>,
    /// Only those about this person.
    pub user_id: Option<i64>,
}

impl Selection {
    /// Whether it has this event.
    #[must_use]
    pub fn has(&self, event: &Recorded) -> bool {
        self.kinds.contains(&event.kind.as_str()) && (self.user_id.is_none() || self.user_id == event.user_id)
    }
}

/// A part of the stream.
#[derive(Debug)]
pub struct Page {
    pub batch: Batch,
    /// Whether there is more after it.
    pub has_more: bool,
}

/// What happened to what, without the data.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Head {
    #[sea_orm(from_alias = "id")]
    pub position: i64,
    pub event_id: Uuid,
    #[sea_orm(from_alias = "type")]
    pub kind: String,
}

/// A part of the stream, without the data.
#[derive(Debug)]
pub struct Heads {
    pub heads: Vec<Head>,
    /// It ends with this position.
    pub through: i64,
    /// Whether there is more after it.
    pub has_more: bool,
}

pub(super) async fn read_heads(db: &DatabaseConnection, after: i64, sealed: i64, limit: u64) -> Result<Heads, DbErr> {
    let heads: Vec<Head> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::EventId, Column::Kind])
        .filter(Column::Id.gt(after))
        .filter(Column::Id.lte(sealed))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_model()
        .all(db)
        .await?;
    let last = heads.last().filter(|_| heads.len() as u64 >= limit);
    let through = last.map_or(sealed, |head| head.position).max(after);
    Ok(Heads {
        has_more: through < sealed,
        heads,
        through,
    })
}

/// At most `limit` events after a position and up to `sealed`.
pub(super) async fn read(
    db: &DatabaseConnection,
    after: i64,
    sealed: i64,
    limit: u64,
    selection: Option<&Selection>,
) -> Result<Page, DbErr> {
    let walked = sealed.min(after.saturating_add(WALK));
    let mut select = Entity::find()
        .filter(Column::Id.gt(after))
        .order_by_asc(Column::Id)
        .limit(limit);
    // What is about one person is found by an index.
    let through = if selection.is_some_and(|selection| selection.user_id.is_some()) {
        sealed
    } else {
        walked
    };
    select = select.filter(Column::Id.lte(through));
    if let Some(selection) = selection {
        let kinds = selection.kinds.iter().map(|kind| (*kind).to_owned()).collect();
        select = select.filter(db::any_of(db, Column::Kind, kinds));
        if let Some(user_id) = selection.user_id {
            select = select.filter(Column::UserId.eq(user_id));
        }
    }
    let rows = select.all(db).await?;
    let is_full = rows.len() as u64 >= limit;
    let events = rows.into_iter().map(Recorded::try_from).collect::<Result<Vec<_>, _>>();
    let events = events.map_err(|error| DbErr::Json(error.to_string()))?;
    let last = events.last().map(|event| event.position).filter(|_| is_full);
    let through = last.unwrap_or(through).max(after);
    Ok(Page {
        has_more: through < sealed,
        batch: Batch { after, through, events },
    })
}

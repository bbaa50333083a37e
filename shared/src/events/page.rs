//! Which events a reader wants, and reading them from the table.

use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

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

//! Pages by key, never by OFFSET: a page starts where the last one ended, so the deepest page costs what the
//! first does, and rows that come and go in between neither repeat nor hide others.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Condition, Expr, ExprTrait, Order as SqlOrder, SimpleExpr},
};

use crate::declare::{model::Model, spec::Spec};
use crate::rows::row::{Row, is_null};
use crate::rows::storage::{Storage, text_of};

/// Rows on a page.
pub(crate) const PAGE: u64 = 50;

/// Towards the list's end, or back to its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Forward,
    Backward,
}

/// One sortable column and the primary key behind it. Rows without a value come last either way, because
/// the two databases would put them at different ends.
#[derive(Clone, Debug)]
pub(crate) struct SortOrder {
    /// The column as the list shows it.
    pub(crate) shown: &'static str,
    /// The column that is sorted by.
    column: &'static str,
    storage: Storage,
    nullable: bool,
    id: &'static str,
    id_storage: Storage,
    pub(crate) descending: bool,
}

impl SortOrder {
    /// `None` if the list can't be sorted by this column.
    pub(crate) fn of(model: &Model, shown: &str, descending: bool) -> Option<Self> {
        let spec = model.field(shown)?;
        let column = model.field(spec.sort?)?;
        let Spec {
            name,
            storage,
            nullable,
            ..
        } = *column;
        let (id, id_storage) = (model.id, model.id_field().storage);
        Some(Self {
            shown: spec.name,
            column: name,
            storage,
            nullable,
            id,
            id_storage,
            descending,
        })
    }

    /// As written in the address: `-created_at`.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.shown)
    }

    fn by_id_alone(&self) -> bool {
        self.column == self.id
    }
}

/// A row's position in a sort order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    order: String,
    value: Option<Value>,
    id: Value,
}

impl Cursor {
    fn of(order: &SortOrder, row: &Row) -> Option<Self> {
        let id = row.get(order.id)?.clone();
        Some(Self {
            order: order.text(),
            value: row.get(order.column).cloned(),
            id,
        })
    }

    pub(crate) fn encode(&self) -> String {
        let value = self.value.as_ref().and_then(text_of);
        let text = serde_json::json!([self.order, value, text_of(&self.id)]).to_string();
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    /// `None` if it is not a position in this order.
    pub(crate) fn decode(order: &SortOrder, encoded: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (written, value, id): (String, Option<String>, String) = serde_json::from_slice(&bytes).ok()?;
        let value = match value {
            Some(text) => Some(order.storage.parse(&text)?),
            None => None,
        };
        let fits = written == order.text() && (value.is_some() || order.nullable);
        fits.then_some(Self {
            order: written,
            value,
            id: order.id_storage.parse(&id)?,
        })
    }
}

/// Some rows in their order, and how to go on from them.
pub(crate) struct Page {
    pub(crate) rows: Vec<Row>,
    pub(crate) previous: Option<Cursor>,
    pub(crate) next: Option<Cursor>,
}

/// Reads one page. One statement; two where the sorted column may be NULL and the page crosses that border.
pub(crate) async fn page(
    db: &impl ConnectionTrait,
    model: &Model,
    condition: &Condition,
    order: &SortOrder,
    place: Option<&(Direction, Cursor)>,
) -> Result<Page, DbErr> {
    let backward = matches!(place, Some((Direction::Backward, _)));
    let mut rows = Vec::new();
    for part in parts(order, place) {
        let wanted = PAGE + 1 - rows.len() as u64;
        if wanted > 0 {
            let sql_order = if order.descending == backward {
                SqlOrder::Asc
            } else {
                SqlOrder::Desc
            };
            let mut select = model.select();
            select.cond_where(condition.clone()).cond_where(part);
            if !order.by_id_alone() {
                select.order_by(order.column, sql_order.clone());
            }
            select.order_by(order.id, sql_order).limit(wanted);
            rows.extend(model.read(db, &select).await?);
        }
    }
    let more = rows.len() as u64 > PAGE;
    rows.truncate(PAGE as usize);
    if backward {
        rows.reverse();
    }
    let (has_previous, has_next) = if backward {
        (more, true)
    } else {
        (place.is_some(), more)
    };
    let cursor = |row: Option<&Row>| row.and_then(|row| Cursor::of(order, row));
    Ok(Page {
        previous: cursor(rows.first()).filter(|_| has_previous),
        next: cursor(rows.last()).filter(|_| has_next),
        rows,
    })
}

/// The ranges that lie ahead, nearest first. Each is a plain index range: an OR over NULLs
/// and values would be walked from the start.
fn parts(order: &SortOrder, place: Option<&(Direction, Cursor)>) -> Vec<Condition> {
    let column = || Expr::col(order.column);
    let nulls = || Condition::all().add(column().is_null());
    let values = || Condition::all().add(column().is_not_null());
    if order.by_id_alone() || !order.nullable {
        return vec![place.map_or_else(Condition::all, |(direction, cursor)| beyond(order, *direction, cursor))];
    }
    match place {
        None => vec![values(), nulls()],
        Some((direction @ Direction::Forward, cursor)) if cursor.value.is_some() => {
            vec![beyond(order, *direction, cursor), nulls()]
        }
        Some((direction @ Direction::Backward, cursor)) if cursor.value.is_none() => {
            vec![nulls().add(beyond(order, *direction, cursor)), values()]
        }
        Some((direction, cursor)) if cursor.value.is_none() => vec![nulls().add(beyond(order, *direction, cursor))],
        Some((direction, cursor)) => vec![beyond(order, *direction, cursor)],
    }
}

/// What lies beyond a position among the rows with a value, or among those without one.
fn beyond(order: &SortOrder, direction: Direction, cursor: &Cursor) -> Condition {
    let id = || -> SimpleExpr { Expr::col(order.id) };
    let value = cursor
        .value
        .clone()
        .filter(|value| !order.by_id_alone() && !is_null(value));
    let (here, there) = match value {
        Some(value) => (
            Expr::tuple([Expr::col(order.column), id()]),
            Expr::tuple([Expr::val(value), Expr::val(cursor.id.clone())]),
        ),
        None => (id(), Expr::val(cursor.id.clone())),
    };
    let upwards = order.descending == (direction == Direction::Backward);
    Condition::all().add(if upwards { here.gt(there) } else { here.lt(there) })
}

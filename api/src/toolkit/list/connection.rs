//! What a list answers to a [`Connection`]: a cursor for each row, or the rows of many parents.

use std::str::FromStr;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, IdenStatic,
    Order::Asc,
    QueryFilter, QuerySelect, QueryTrait,
    sea_query::{Alias, Expr, ExprTrait, WindowStatement},
};
use serde::Serialize;
use usher_shared::foundation::db::any_of;

use super::{
    cursor::{Cursor, Place},
    order::{Col, Filter, Listed, Order},
    page::{Page, take_from},
    query::ListQuery,
};
use crate::toolkit::connection::Parents;

/// What the statement for many parents calls a row's place among its siblings, and its parent.
const PLACE: &str = "place_of_row";
const PARENT: &str = "parent_of_row";

/// What is told of a page besides its rows.
#[derive(Default, Serialize)]
pub(super) struct ConnectionOut {
    /// Where each row is.
    cursors: Vec<String>,
    /// Where the page begins and ends. All cursors go forward: whoever goes backward says so.
    start: Option<String>,
    end: Option<String>,
    /// What each row belongs to.
    pub(super) parents: Vec<i64>,
}

impl<L: Listed> ListQuery<L> {
    /// The cursors of a page, for those who ask for them.
    pub(super) fn connected(&self, page: &Page<L>, seal: impl Fn(Cursor) -> String) -> Option<ConnectionOut> {
        self.connection.as_ref()?;
        // Where there is more, a page goes on from where the walk stopped, which can be beyond its last row.
        let beyond = |cursor: &Option<Cursor>| {
            let place = cursor.as_ref()?.place.clone();
            Some(seal(Cursor::forward(place)))
        };
        let of = |row: &L| seal(Cursor::forward(Some(Place::of(&self.order, row))));
        Some(ConnectionOut {
            start: beyond(&page.prev).or_else(|| page.rows.first().map(of)),
            end: beyond(&page.next).or_else(|| page.rows.last().map(of)),
            cursors: self.cursors_of(&page.rows, &seal),
            parents: vec![],
        })
    }

    fn cursors_of(&self, rows: &[L], seal: impl Fn(Cursor) -> String) -> Vec<String> {
        let is_asked = self.connection.as_ref().is_some_and(|connection| connection.cursors);
        let rows = rows.iter().filter(|_| is_asked);
        rows.map(|row| seal(Cursor::forward(Some(Place::of(&self.order, row)))))
            .collect()
    }

    /// The first rows of each parent, in the list's order: one statement, however many parents there are.
    pub(super) async fn children(
        &self,
        db: &DatabaseConnection,
        parents: &Parents,
        filters: impl IntoIterator<Item = Filter<L::Entity>>,
        seal: impl Fn(Cursor) -> String,
    ) -> Result<(Vec<L>, ConnectionOut), DbErr> {
        let column = Col::<L>::from_str(&parents.column);
        let column = column.map_err(|_| DbErr::Custom(format!("the list has no column {}", parents.column)))?;
        let filters = filters.into_iter().chain(self.filters.iter().cloned());
        let matching = filters.fold(L::visible(), |all, filter| all.add(filter.condition));
        let of_table = |column| Expr::col((L::Entity::default(), column));
        let place = || Expr::col((L::Entity::default(), Alias::new(PLACE)));
        let mut select = L::Entity::find()
            .select_only()
            .columns(L::COLUMNS.iter().copied())
            .expr_as(of_table(column), PARENT);
        let rows = L::Entity::find()
            .filter(any_of(db, column, parents.ids.clone()))
            .filter(matching);
        let mut rows = rows.into_query();
        // Of one id there is one row.
        let is_many = column.as_str() != L::ID.as_str();
        if is_many {
            rows.expr_window_as(Expr::cust("ROW_NUMBER()"), self.order.within(column), PLACE);
            select = select.filter(place().lte(self.limit + 1));
        }
        take_from(&mut select, rows);
        let mut select = select.into_query();
        if is_many {
            select.order_by_expr(of_table(column), Asc).order_by_expr(place(), Asc);
        }
        let found = db.query_all(&select).await?;
        let rows: Vec<L> = found.iter().map(L::read).collect::<Result<_, _>>()?;
        let parents = found.iter().map(|row| row.try_get("", PARENT));
        let out = ConnectionOut {
            cursors: self.cursors_of(&rows, seal),
            parents: parents.collect::<Result<_, _>>()?,
            ..ConnectionOut::default()
        };
        Ok((rows, out))
    }
}

impl<L: Listed> Order<L> {
    /// The order within rows of the same parent.
    fn within(&self, parent: Col<L>) -> WindowStatement {
        let mut window = WindowStatement::partition_by((L::Entity::default(), parent));
        for key in &self.keys {
            let (order, nulls) = key.direction(false);
            match key.is_nullable() {
                true => window.order_by_expr_with_nulls(key.expr(), order, nulls),
                false => window.order_by_expr(key.expr(), order),
            };
        }
        window
    }
}

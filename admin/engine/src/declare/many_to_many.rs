//! Filters by related objects in a join table, such as the users that have a role. A list shows each object once,
//! however many pairs it is in.

use sea_orm::{
    Value,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use crate::rows::storage::Storage;

/// A filter by the objects on the other side of a join table.
#[derive(Clone, Debug)]
pub struct ManyToMany {
    /// In the address: `?role=3`.
    pub(crate) name: &'static str,
    pub(crate) label: String,
    /// The model of the other side.
    pub(crate) model: &'static str,
    /// How the other side's ids are stored.
    pub(super) storage: Storage,
    pub(super) table: &'static str,
    pub(super) own: &'static str,
    pub(super) other: &'static str,
}

impl ManyToMany {
    /// Parses an id of the other side.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        self.storage.parse(text)
    }

    /// The condition that an object is related to this one.
    pub(crate) fn condition(&self, own_id: &'static str, id: &Value) -> SimpleExpr {
        let pairs = Query::select()
            .column(self.own)
            .from(self.table)
            .and_where(Expr::col(self.other).eq(id.clone()))
            .to_owned();
        Expr::col(own_id).in_subquery(pairs)
    }
}

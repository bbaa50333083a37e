//! Filters across a table of pairs: the objects that belong together with one of another model, such as the users that
//! have a role. However many pairs an object is in, a list holds it once.

use sea_orm::{
    Value,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use crate::rows::storage::Storage;

/// A filter by the objects on the other side of a table of pairs.
#[derive(Clone, Debug)]
pub struct Across {
    /// In the address: `?role=3`.
    pub(crate) name: &'static str,
    pub(crate) label: String,
    /// The model of the other side.
    pub(crate) model: &'static str,
    /// How the other side's ids are kept.
    pub(super) storage: Storage,
    pub(super) table: &'static str,
    pub(super) own: &'static str,
    pub(super) other: &'static str,
}

impl Across {
    /// The other side's id that a text stands for.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        self.storage.parse(text)
    }

    /// That an object belongs together with this one.
    pub(crate) fn condition(&self, own_id: &'static str, id: &Value) -> SimpleExpr {
        let pairs = Query::select()
            .column(self.own)
            .from(self.table)
            .and_where(Expr::col(self.other).eq(id.clone()))
            .to_owned();
        Expr::col(own_id).in_subquery(pairs)
    }
}

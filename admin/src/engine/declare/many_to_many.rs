//! Filters across a table of pairs: the objects that belong together with one of another model, such as the users that
//! have a role. However many pairs an object is in, a list holds it once.

use sea_orm::{
    ColumnTrait, EntityName, Iterable, PrimaryKeyToColumn, Value,
    sea_query::{Expr, ExprTrait, Query, SimpleExpr},
};

use crate::engine::{declare::model::{AdminModel, Model}, rows::storage::Storage};

/// A filter by the objects on the other side of a table of pairs.
#[derive(Clone, Debug)]
pub(crate) struct Across {
    /// In the address: `?role=3`.
    pub(crate) name: &'static str,
    pub(crate) label: String,
    /// The model of the other side.
    pub(crate) model: &'static str,
    /// How the other side's ids are kept.
    storage: Storage,
    table: &'static str,
    own: &'static str,
    other: &'static str,
}

impl Across {
    /// `own` and `other` are the two columns of the table of pairs: this model's id, and the id in `To`. An index must
    /// begin with `other`.
    pub(crate) fn to<To: AdminModel, C: ColumnTrait>(own: C, other: C) -> Self {
        let key = To::PrimaryKey::iter().next().expect("a key").into_column();
        Self {
            name: To::META.singular,
            label: crate::engine::capitalised(To::META.singular),
            model: To::META.name,
            storage: Storage::of(key.def().get_column_type()),
            table: C::EntityName::default().table_name(),
            own: own.as_str(),
            other: other.as_str(),
        }
    }

    /// The other side's id that a text stands for.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        self.storage.parse(text)
    }

    /// That an object belongs together with this one.
    pub(crate) fn condition(&self, model: &Model, id: &Value) -> SimpleExpr {
        let pairs = Query::select()
            .column(self.own)
            .from(self.table)
            .and_where(Expr::col(self.other).eq(id.clone()))
            .to_owned();
        Expr::col(model.id).in_subquery(pairs)
    }
}

//! What a form changes of a many-to-many relation.

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Expr, ExprTrait, Query},
};
use serde_json::{Value as Json, json};

use crate::declare::many_to_many::ManyToMany;

/// What a form changes of one relation: ids and names.
#[derive(Clone, Debug)]
pub(crate) struct RelatedChange {
    pub(crate) name: &'static str,
    pub(super) across: ManyToMany,
    pub(super) added: Vec<(Value, String)>,
    pub(super) removed: Vec<(Value, String)>,
}

impl RelatedChange {
    /// Adds and removes the pairs of the object with this id.
    pub(crate) async fn store(&self, tx: &impl ConnectionTrait, own: &Value) -> Result<(), DbErr> {
        let across = &self.across;
        if !self.removed.is_empty() {
            let delete = Query::delete()
                .from_table(across.table)
                .and_where(Expr::col(across.own).eq(own.clone()))
                .and_where(Expr::col(across.other).is_in(self.removed.iter().map(|(id, _)| id.clone())))
                .to_owned();
            tx.execute(&delete).await?;
        }
        if !self.added.is_empty() {
            let mut insert = Query::insert();
            insert.into_table(across.table).columns([across.own, across.other]);
            for (id, _) in &self.added {
                insert.values_panic([own.clone().into(), id.clone().into()]);
            }
            tx.execute(&insert).await?;
        }
        Ok(())
    }

    /// For the audit log: the names of what was removed, and of what was added.
    pub(crate) fn audited(&self) -> Json {
        let names = |pairs: &[(Value, String)]| {
            let names: Vec<_> = pairs.iter().map(|(_, name)| name.as_str()).collect();
            (!names.is_empty()).then(|| names.join(", "))
        };
        json!([names(&self.removed), names(&self.added)])
    }
}

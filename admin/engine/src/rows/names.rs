//! The names of the objects that foreign keys point at: one statement for all that a page points to.

use std::collections::BTreeMap;

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement, UnionType},
};

use crate::declare::spec::{Kind, Spec};
use crate::declare::{model::Model, site::Site};
use crate::request::staff::Staff;
use crate::rows::cell::{Named, Names};
use crate::rows::row::Row;
use crate::rows::storage::{Storage, text_of};

/// The types of ids, each with its own column in the union, and their SQL names.
const IDS: [(Storage, &str); 3] = [
    (Storage::BigInt, "bigint"),
    (Storage::Uuid, "uuid"),
    (Storage::Text, "text"),
];

/// An id of a model whose name is wanted.
pub(crate) type Reference = (&'static str, Value);

/// What a column of a row points to, if it is a foreign key.
pub(crate) fn reference(spec: &Spec, row: &Row) -> Option<Reference> {
    match spec.kind {
        Kind::ForeignKey(model) => Some((model, row.get(spec.name)?.clone())),
        _ => None,
    }
}

/// Looks up the names of these objects, except for models that this person may not see.
pub(crate) async fn names(
    db: &impl ConnectionTrait,
    site: &Site,
    staff: &Staff,
    references: Vec<Reference>,
) -> Result<Names, DbErr> {
    let mut wanted: BTreeMap<&'static str, BTreeMap<String, Value>> = BTreeMap::new();
    for (model, value) in references {
        if let Some(id) = text_of(&value) {
            wanted.entry(model).or_default().insert(id, value);
        }
    }
    let wanted = wanted.into_iter();
    let selects = wanted.filter_map(|(name, ids)| Some(select(site.visible(name, staff)?, ids.into_values())));
    let Some(union) = selects.reduce(|mut all, next| all.union(UnionType::All, next).to_owned()) else {
        return Ok(Names::new());
    };
    let mut names = Names::new();
    for result in db.query_all(&union).await? {
        let (model, title): (String, Option<String>) = (result.try_get("", "model")?, result.try_get("", "title")?);
        for (storage, column) in IDS {
            let id = text_of(&storage.read(&result, column)?);
            if let (Some(id), Some(title), Some(model)) = (id, &title, site.model(&model)) {
                let href = format!("{}/{id}", model.href());
                let named = Named {
                    name: title.clone(),
                    href,
                };
                names.insert((model.meta.name, id), named);
            }
        }
    }
    Ok(names)
}

fn select(model: &Model, ids: impl Iterator<Item = Value>) -> SelectStatement {
    let id = model.id_field();
    let wide = if matches!(id.storage, Storage::SmallInt | Storage::Int) {
        Storage::BigInt
    } else {
        id.storage
    };
    let mut select = Query::select();
    select.expr_as(Expr::val(model.meta.name), "model");
    for (storage, sql) in IDS {
        let value = if storage == wide {
            Expr::col(id.name)
        } else {
            Expr::cust("NULL")
        };
        // SQLite keeps UUIDs as bytes, which a cast would turn into a number.
        let is_bytes = storage == wide && storage == Storage::Uuid;
        select.expr_as(
            if is_bytes {
                value
            } else {
                value.cast_as(Alias::new(sql))
            },
            sql,
        );
    }
    select.expr_as(Expr::col(model.name_field().name), "title");
    select
        .from(model.table)
        .and_where(Expr::col(id.name).is_in(ids))
        .to_owned()
}

//! The names of the objects on the other side of many-to-many relations, for lists and exports. One statement for each
//! relation, however many rows there are.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DbErr, QueryResult, Value,
    sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr},
};

use crate::declare::spec::{Kind, Spec};
use crate::declare::{many_to_many::ManyToMany, model::Model, site::Site};
use crate::request::staff::Staff;
use crate::rows::{row::Row, storage::text_of};

/// Whether this person sees the column: the other side of a relation takes the permission to view it.
pub(crate) fn is_seen(spec: &Spec, site: &Site, staff: &Staff) -> bool {
    match &spec.kind {
        Kind::ManyToMany(across) => site.visible(across.model, staff).is_some(),
        _ => true,
    }
}

/// Adds the names of related objects to rows, for those of the columns that are relations. With a limit, no more than
/// that many for each row.
pub(crate) async fn fill(
    db: &impl ConnectionTrait,
    site: &Site,
    model: &Model,
    columns: &[&Spec],
    rows: &mut [Row],
    limit: Option<u64>,
) -> Result<(), DbErr> {
    for spec in columns {
        let Kind::ManyToMany(across) = &spec.kind else { continue };
        let Some(to) = site.model(across.model) else { continue };
        let ids: Vec<_> = rows.iter().filter_map(|row| row.get(model.id).cloned()).collect();
        if ids.is_empty() {
            continue;
        }
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for result in db.query_all(&names_of(across, to, ids, limit)).await? {
            let own = text_of(&model.id_field().storage.read(&result, "own")?);
            names
                .entry(own.unwrap_or_default())
                .or_default()
                .push(name(to, &result)?);
        }
        for row in rows.iter_mut() {
            let own = row.text(model.id).unwrap_or_default();
            row.relate(spec.name, names.remove(&own).unwrap_or_default());
        }
    }
    Ok(())
}

/// Own id and name of the objects that rows with these ids are related to, by name.
fn names_of(across: &ManyToMany, to: &Model, ids: Vec<Value>, limit: Option<u64>) -> SelectStatement {
    let rows = ids.len() as u64;
    let all = Query::select()
        .expr_as(Expr::col(across.own), "own")
        .expr_as(Expr::col(across.other), "other")
        .from(across.table)
        .and_where(Expr::col(across.own).is_in(ids))
        .to_owned();
    let pairs = match limit {
        Some(limit) => first(across, all, limit, rows),
        None => all,
    };
    Query::select()
        .expr(Expr::col(("pairs", "own")))
        .expr_as(title(to), "title")
        .from_subquery(pairs, "pairs")
        .inner_join(to.table, Expr::col((to.table, to.id)).equals(("pairs", "other")))
        .cond_where(kept(to))
        .order_by("title", Order::Asc)
        .to_owned()
}

/// The first pairs of each row. The total is stated too, so that PostgreSQL sees that few names are wanted.
fn first(across: &ManyToMany, mut all: SelectStatement, limit: u64, rows: u64) -> SelectStatement {
    let place = format!(
        "ROW_NUMBER() OVER (PARTITION BY {} ORDER BY {})",
        across.own, across.other
    );
    all.expr_as(Expr::cust(place), "place");
    Query::select()
        .columns(["own", "other"])
        .from_subquery(all, "numbered")
        .and_where(Expr::col("place").lte(limit))
        .limit(limit * rows)
        .to_owned()
}

/// What names an object, as text.
pub(super) fn title(to: &Model) -> SimpleExpr {
    Expr::col((to.table, to.name_field().name)).cast_as(Alias::new("text"))
}

/// Objects that are not marked as deleted.
pub(super) fn kept(to: &Model) -> Condition {
    let mark = to.soft().map(|column| Expr::col((to.table, column)).is_null());
    Condition::all().add_option(mark)
}

/// The name in a result.
pub(super) fn name(to: &Model, result: &QueryResult) -> Result<String, DbErr> {
    let title: Option<String> = result.try_get("", "title")?;
    Ok(to.name_field().shown(title.unwrap_or_default()))
}

//! The names of the objects that foreign keys point at: one statement for each model that a page points to.

use std::collections::BTreeMap;

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Expr, ExprTrait, Query},
};

use super::{
    field::{Kind, Spec},
    model::Site,
    row::{Names, Row},
    storage::text_of,
};

/// Looks up the names for these columns of these rows.
pub(crate) async fn names<'a>(
    db: &impl ConnectionTrait,
    site: &Site,
    specs: impl Iterator<Item = &'a Spec>,
    rows: &[Row],
) -> Result<Names, DbErr> {
    let mut wanted: BTreeMap<&'static str, BTreeMap<String, Value>> = BTreeMap::new();
    for spec in specs {
        if let Kind::ForeignKey(model) = spec.kind {
            let values = rows.iter().filter_map(|row| row.get(spec.name));
            let ids = values.filter_map(|value| Some((text_of(value)?, value.clone())));
            wanted.entry(model).or_default().extend(ids);
        }
    }
    let mut names = Names::new();
    for (name, ids) in wanted {
        let Some(model) = site.model(name).filter(|_| !ids.is_empty()) else {
            continue;
        };
        let (id, title) = (model.id_field(), model.name_field());
        let select = Query::select()
            .columns([id.name, title.name])
            .from(model.table)
            .and_where(Expr::col(id.name).is_in(ids.into_values()))
            .to_owned();
        for result in db.query_all(&select).await? {
            let read = |spec: &Spec| spec.storage.read(&result, spec.name).map(|value| text_of(&value));
            if let (Some(id), Some(title)) = (read(id)?, read(title)?) {
                names.insert((name, id), title);
            }
        }
    }
    Ok(names)
}

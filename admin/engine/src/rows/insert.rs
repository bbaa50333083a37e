//! Inserting the row of a new object, for models without a `create` of their own.

use sea_orm::{
    ConnectionTrait, DbErr, Value,
    sea_query::{Query, SimpleExpr},
};
use serde_json::{Map, Value as Json, json};
use usher_shared::{
    audit::{self, Entry},
    foundation::time::{new_id, now},
};

use super::{draft::Draft, row::Row, storage::text_of};
use crate::declare::model::Model;
use crate::declare::saving::{HookFuture, InsertRow, SaveContext};
use crate::declare::spec::{Kind, Spec};
use crate::rows::storage::Storage;

impl InsertRow for Model {
    fn insert<'a>(&'a self, saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(insert(self, saving, draft))
    }
}

async fn insert(model: &Model, saving: &SaveContext<'_>, draft: &Draft) -> Result<Option<String>, DbErr> {
    let tx = &**saving.tx;
    let mut row = Row(draft.all().collect());
    row.0.extend(given(model, &row));
    let values = row.0.iter().filter(|(_, value)| !super::row::is_null(value));
    let values: Vec<(&str, Value)> = values.map(|(column, value)| (*column, value.clone())).collect();
    let insert = Query::insert()
        .into_table(model.table)
        .columns(values.iter().map(|(column, _)| *column))
        .values_panic(values.into_iter().map(|(_, value)| SimpleExpr::from(value)))
        .returning_col(model.id)
        .to_owned();
    let result = tx.query_one(&insert).await?;
    let result = result.ok_or_else(|| DbErr::RecordNotInserted)?;
    let id = model.id_field().storage.read(&result, model.id)?;
    let mut changes = shown(model, &row);
    row.0.insert(model.id, id.clone());
    for change in saving.take_related() {
        change.store(tx, &id).await?;
        changes.insert(change.name.to_owned(), change.audited());
    }
    let entry = Entry {
        changes: Some(Json::Object(changes)),
        ..model.entry(&row, "create")
    };
    audit::record(tx, saving.actor, entry).await?;
    Ok(text_of(&id))
}

/// The values that nobody enters.
fn given(model: &Model, row: &Row) -> Vec<(&'static str, Value)> {
    let at = now();
    let missing = model.fields.iter().filter(|spec| row.get(spec.name).is_none());
    let value = |spec: &Spec| match spec.kind {
        Kind::RowVersion => Some(match spec.storage {
            Storage::SmallInt => Value::from(1_i16),
            Storage::Int => Value::from(1_i32),
            _ => Value::from(1_i64),
        }),
        Kind::Touched => Some(at.into()),
        Kind::Time if spec.created => Some(at.into()),
        Kind::Id if spec.storage == Storage::Uuid => Some(new_id().into()),
        _ => None,
    };
    missing.filter_map(|spec| Some((spec.name, value(spec)?))).collect()
}

/// `{"field": [null, value]}`, of what staff entered and may see.
fn shown(model: &Model, row: &Row) -> Map<String, Json> {
    let asked = model.fields.iter().filter(|spec| spec.is_read() && spec.is_asked(true));
    let shown = asked.filter_map(|spec| Some((spec.name.to_owned(), json!([null, row.text(spec.name)?]))));
    shown.collect()
}

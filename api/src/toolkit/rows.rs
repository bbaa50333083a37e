//! Writing one row the way Usher writes its own: with its version, its times and its entry in the audit log.

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DbErr, EntityTrait, IdenStatic, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, Value,
};
use usher_shared::{
    audit::{self, Actor, Entry},
    foundation::time::now,
    jobs::Tx,
};

use super::list::text_of;

/// Inserts a row, and records it in the audit log as something of this type, such as `ticket`. Columns `version`,
/// `created_at` and `updated_at` that are not set become 1 and the current time.
///
/// # Errors
///
/// Those of the database; [`OnConstraint`](crate::OnConstraint) translates some.
pub async fn create_row<E: EntityTrait>(
    tx: &Tx,
    mut row: E::ActiveModel,
    object_type: &str,
    actor: &Actor,
) -> Result<E::Model, DbErr>
where
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let at = now();
    let defaults: [(&str, Value); 3] = [
        ("version", 1_i32.into()),
        ("created_at", at.into()),
        ("updated_at", at.into()),
    ];
    for (name, value) in defaults {
        if let Some(column) = column::<E>(name).filter(|column| row.get(*column).is_not_set()) {
            row.try_set(column, value)?;
        }
    }
    let row = row.insert(&**tx).await?;
    audit::record(&**tx, actor, entry::<E>(&row, "create", object_type)).await?;
    Ok(row)
}

/// Writes what differs from `before`, and records it in the audit log. A column `version` goes up by one, and
/// `updated_at` becomes the current time. Where nothing differs nothing is written.
///
/// # Errors
///
/// Those of the database; [`OnConstraint`](crate::OnConstraint) translates some.
pub async fn update_row<E: EntityTrait>(
    tx: &Tx,
    before: E::Model,
    mut row: E::ActiveModel,
    object_type: &str,
    actor: &Actor,
) -> Result<E::Model, DbErr>
where
    E::ActiveModel: ActiveModelTrait<Entity = E> + ActiveModelBehavior + Send,
    E::Model: IntoActiveModel<E::ActiveModel>,
{
    let Some(changes) = audit::changes::<E>(&before, &mut row, &[]) else {
        return Ok(before);
    };
    for key in E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column) {
        row.try_set(key, before.get(key))?;
    }
    if let Some(column) = column::<E>("version") {
        row.try_set(column, next(before.get(column)))?;
    }
    if let Some(column) = column::<E>("updated_at") {
        row.try_set(column, now().into())?;
    }
    let row = row.update(&**tx).await?;
    let entry = Entry {
        changes: Some(changes),
        ..entry::<E>(&row, "update", object_type)
    };
    audit::record(&**tx, actor, entry).await?;
    Ok(row)
}

fn column<E: EntityTrait>(name: &str) -> Option<E::Column> {
    E::Column::iter().find(|column| column.as_str() == name)
}

fn next(version: Value) -> Value {
    match version {
        Value::Int(Some(version)) => (version + 1).into(),
        Value::BigInt(Some(version)) => (version + 1).into(),
        other => other,
    }
}

fn entry<'a, E: EntityTrait>(row: &E::Model, action: &'a str, object_type: &'a str) -> Entry<'a> {
    let keys = E::PrimaryKey::iter().map(PrimaryKeyToColumn::into_column);
    let keys = keys.filter_map(|key| text_of(&row.get(key)));
    Entry {
        action,
        object_type,
        object_id: Some(keys.collect::<Vec<_>>().join(" ")),
        ..Entry::default()
    }
}

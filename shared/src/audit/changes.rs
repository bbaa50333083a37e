//! The difference between two versions of a row, computed once for the statement that writes it and the audit row that
//! records it.

use sea_orm::{
    self, ActiveModelTrait, EntityTrait, IdenStatic, Iterable, ModelTrait, sea_query::sea_value_to_json_value,
};
use serde_json::{Map, Value, json};

use crate::foundation::time::rfc3339;

/// Keeps in `row` only what differs from `before`, and returns it as `{"column": [before, after]}`; none if nothing
/// differs. `hidden` columns, such as hashes, are written but not returned.
pub fn changes<E: EntityTrait>(before: &E::Model, row: &mut E::ActiveModel, hidden: &[E::Column]) -> Option<Value>
where
    E::ActiveModel: ActiveModelTrait<Entity = E>,
{
    let hidden: Vec<_> = hidden.iter().map(IdenStatic::as_str).collect();
    let (mut changes, mut differs) = (Map::new(), false);
    for column in E::Column::iter() {
        let Some(after) = row.get(column).into_value() else {
            continue;
        };
        let old = before.get(column);
        if old == after {
            row.not_set(column);
            continue;
        }
        differs = true;
        if !hidden.contains(&column.as_str()) {
            let change = json!([told(&old), told(&after)]);
            changes.insert(column.as_str().to_owned(), change);
        }
    }
    differs.then_some(Value::Object(changes))
}

/// Times are RFC 3339, as everywhere else; `SeaQuery` would return them as SQL, with quotes.
fn told(value: &sea_orm::Value) -> Value {
    match value {
        sea_orm::Value::ChronoDateTimeUtc(Some(at)) => rfc3339(*at).into(),
        sea_orm::Value::ChronoDateTimeUtc(None) => Value::Null,
        other => sea_value_to_json_value(other),
    }
}

/// The changes of something new with these fields: `{"field": [null, value]}`, for those with a value.
#[must_use]
pub fn made<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let made = fields.into_iter().filter(|(_, value)| !value.is_null());
    made.map(|(name, value)| (name.to_owned(), json!([null, value])))
        .collect()
}

#[cfg(test)]
mod tests {
    use sea_orm::{ActiveValue::Set, IntoActiveModel};
    use uuid::Uuid;

    use super::*;
    use crate::foundation::entity::job_item::{ActiveModel, Column, Entity, ItemOutcome, Model};

    fn before() -> Model {
        Model {
            job_id: Uuid::nil(),
            object_id: "7".to_owned(),
            outcome: Some(ItemOutcome::Failed),
            error: Some("it is gone".to_owned()),
        }
    }

    #[test]
    fn what_is_as_before_is_neither_written_nor_told() {
        let mut row = ActiveModel {
            outcome: Set(Some(ItemOutcome::Failed)),
            error: Set(None),
            ..before().into_active_model()
        };
        let told = changes::<Entity>(&before(), &mut row, &[]);
        assert_eq!(told, Some(json!({"error": ["it is gone", null]})));
        assert!(row.outcome.is_not_set() && row.error.is_set());

        row.error = Set(before().error);
        assert_eq!(changes::<Entity>(&before(), &mut row, &[]), None);
    }

    #[test]
    fn a_time_is_told_without_the_quotes_of_sql() {
        let at = chrono::DateTime::from_timestamp(1_796_083_200, 0);
        assert_eq!(told(&at.into()), json!("2026-12-01T00:00:00.000000Z"));
        assert_eq!(told(&sea_orm::Value::ChronoDateTimeUtc(None)), Value::Null);
    }

    #[test]
    fn a_hidden_column_is_written_and_not_told() {
        let mut row = ActiveModel {
            error: Set(Some("another".to_owned())),
            ..before().into_active_model()
        };
        let told = changes::<Entity>(&before(), &mut row, &[Column::Error]);
        assert_eq!(told, Some(json!({})));
        assert!(row.error.is_set());
    }
}

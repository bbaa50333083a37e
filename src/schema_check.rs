//! Whether the migrated schema is what the entities expect: tables, columns, their types, and whether they may be null.

use std::collections::BTreeMap;

use anyhow::Result;
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IdenStatic, Iterable,
    Statement,
};

/// An entity without its type.
#[derive(Clone, Debug)]
pub(crate) struct EntityTable {
    table: String,
    columns: Vec<Column>,
}

#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    kind: ColumnType,
    is_null: bool,
}

impl EntityTable {
    pub(crate) fn of<E: EntityTrait>() -> Self {
        let column = |column: E::Column| {
            let definition = column.def();
            Column {
                name: column.as_str(),
                kind: definition.get_column_type().clone(),
                is_null: definition.is_null(),
            }
        };
        Self {
            table: E::default().table_name().to_owned(),
            columns: E::Column::iter().map(column).collect(),
        }
    }
}

/// A column as the database has it.
struct Stored {
    kind: String,
    is_null: bool,
}

/// Every difference between these entities and the database, one sentence each.
pub(crate) async fn differences(db: &DatabaseConnection, entities: &[EntityTable]) -> Result<Vec<String>> {
    let mut found = vec![];
    for entity in entities {
        let stored = stored(db, &entity.table).await?;
        if stored.is_empty() {
            found.push(format!("there is no table {}", entity.table));
            continue;
        }
        let is_sqlite = db.get_database_backend() == DbBackend::Sqlite;
        let missing = entity.columns.iter().filter_map(|column| {
            let place = format!("{}.{}", entity.table, column.name);
            difference(&place, column, stored.get(column.name), is_sqlite)
        });
        found.extend(missing);
        let known = |name: &String| entity.columns.iter().any(|column| column.name == name);
        let unknown = stored.keys().filter(|name| !known(name));
        found.extend(unknown.map(|name| format!("{}.{name} is not in the entity", entity.table)));
    }
    Ok(found)
}

fn difference(place: &str, column: &Column, stored: Option<&Stored>, is_sqlite: bool) -> Option<String> {
    let Some(stored) = stored else {
        return Some(format!("{place} is not in the database"));
    };
    let expected = types(&column.kind, is_sqlite);
    if !expected.is_empty() && !expected.contains(&stored.kind.as_str()) {
        let expected = expected.join(" or ");
        return Some(format!(
            "{place} is {} in the database, and {expected} in the entity",
            stored.kind
        ));
    }
    let may = |is_null| if is_null { "may be null" } else { "is never null" };
    (column.is_null != stored.is_null).then(|| {
        let (there, here) = (may(stored.is_null), may(column.is_null));
        format!("{place} {there} in the database, and {here} in the entity")
    })
}

/// The names that databases have for a type; none for types that are not compared.
fn types(kind: &ColumnType, is_sqlite: bool) -> &'static [&'static str] {
    match (kind, is_sqlite) {
        (ColumnType::BigInteger, false) => &["bigint"],
        (ColumnType::Integer, false) => &["integer"],
        (ColumnType::SmallInteger, false) => &["smallint"],
        (ColumnType::BigInteger | ColumnType::Integer | ColumnType::SmallInteger, true) => {
            &["bigint", "integer", "smallint"]
        }
        (ColumnType::Text | ColumnType::String(_), false) => &["text", "character varying"],
        (ColumnType::Text | ColumnType::String(_), true) => &["text"],
        (ColumnType::Boolean, _) => &["boolean"],
        (ColumnType::TimestampWithTimeZone, false) => &["timestamp with time zone"],
        (ColumnType::Uuid, false) => &["uuid"],
        (ColumnType::JsonBinary | ColumnType::Json, false) => &["jsonb", "json"],
        (ColumnType::TimestampWithTimeZone | ColumnType::JsonBinary | ColumnType::Json, true) => &["text"],
        (ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob, false) => &["bytea"],
        (ColumnType::Uuid | ColumnType::VarBinary(_) | ColumnType::Binary(_) | ColumnType::Blob, true) => &["blob"],
        (ColumnType::Double, false) => &["double precision"],
        _ => &[],
    }
}

const POSTGRES: &str = "SELECT column_name AS name, data_type AS kind, is_nullable = 'YES' AS is_null \
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1";
/// A primary key is never null, though SQLite does not say so.
const SQLITE: &str = "SELECT name, lower(type) AS kind, \"notnull\" = 0 AND pk = 0 AS is_null \
    FROM pragma_table_info($1)";

async fn stored(db: &DatabaseConnection, table: &str) -> Result<BTreeMap<String, Stored>> {
    let backend = db.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => SQLITE,
        _ => POSTGRES,
    };
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, query, [table.into()]));
    let mut columns = BTreeMap::new();
    for row in rows.await? {
        let (kind, is_null) = (row.try_get("", "kind")?, row.try_get("", "is_null")?);
        columns.insert(row.try_get("", "name")?, Stored { kind, is_null });
    }
    Ok(columns)
}

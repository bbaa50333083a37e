//! Whether the migrated schema is what the entities expect: tables, columns, their types, whether they may be null, and
//! foreign keys.

use std::collections::BTreeMap;

use anyhow::Result;
use sea_orm::{
    ColumnTrait, ColumnType, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, IdenStatic, Identity,
    Iterable, RelationDef, RelationTrait, Statement,
};
use usher_shared::foundation::db::ForeignKeys;

/// An entity without its type.
#[derive(Clone, Debug)]
pub(crate) struct EntityTable {
    table: String,
    columns: Vec<Column>,
    references: Vec<Reference>,
}

#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    kind: ColumnType,
    is_null: bool,
}

/// A relation to the row that this one belongs to, which a foreign key guards.
#[derive(Clone, Debug)]
struct Reference {
    columns: Vec<String>,
    of_table: String,
    of_columns: Vec<String>,
}

impl Reference {
    /// None of relations of other kinds, and of those for which SeaORM would write no foreign key either.
    fn of(relation: &RelationDef) -> Option<Self> {
        if relation.is_owner || relation.skip_fk || relation.on_condition.is_some() {
            return None;
        }
        let names = |columns: &Identity| columns.iter().map(ToString::to_string).collect();
        Some(Self {
            columns: names(&relation.from_col),
            of_table: relation.to_tbl.sea_orm_table().to_string(),
            of_columns: names(&relation.to_col),
        })
    }
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
            references: E::Relation::iter()
                .filter_map(|relation| Reference::of(&relation.def()))
                .collect(),
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
    let (mut found, is_sqlite) = (vec![], db.get_database_backend() == DbBackend::Sqlite);
    let (tables, keys) = (tables(db).await?, ForeignKeys::read(db).await?);
    for entity in entities {
        let table = &entity.table;
        let Some(stored) = tables.get(table) else {
            found.push(format!("there is no table {table}"));
            continue;
        };
        let missing = entity.columns.iter().filter_map(|column| {
            let place = format!("{table}.{}", column.name);
            difference(&place, column, stored.get(column.name), is_sqlite)
        });
        found.extend(missing);
        let known = |name: &String| entity.columns.iter().any(|column| column.name == name);
        let unknown = stored.keys().filter(|name| !known(name));
        found.extend(unknown.map(|name| format!("{table}.{name} is not in the entity")));
        let unguarded = entity.references.iter().filter(|reference| {
            let Reference {
                columns,
                of_table,
                of_columns,
            } = reference;
            !keys.has((table, columns), (of_table, of_columns))
        });
        found.extend(unguarded.map(|reference| without_key(table, reference)));
    }
    Ok(found)
}

fn without_key(table: &str, reference: &Reference) -> String {
    let place = |table: &str, columns: &[String]| match columns {
        [column] => format!("{table}.{column}"),
        columns => format!("{table} ({})", columns.join(", ")),
    };
    format!(
        "{} refers to {} in the entity, but the table has no such foreign key",
        place(table, &reference.columns),
        place(&reference.of_table, &reference.of_columns)
    )
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

const POSTGRES: &str = "SELECT table_name AS owner, column_name AS name, data_type AS kind, \
    is_nullable = 'YES' AS is_null FROM information_schema.columns WHERE table_schema = current_schema()";
/// A primary key is never null, though SQLite does not say so.
const SQLITE: &str = "SELECT owner.name AS owner, its.name AS name, lower(its.type) AS kind, \
    its.\"notnull\" = 0 AND its.pk = 0 AS is_null \
    FROM sqlite_master owner, pragma_table_info(owner.name) its WHERE owner.type IN ('table', 'view')";

/// The columns of every table, by its name.
async fn tables(db: &DatabaseConnection) -> Result<BTreeMap<String, BTreeMap<String, Stored>>> {
    let backend = db.get_database_backend();
    let query = match backend {
        DbBackend::Sqlite => SQLITE,
        _ => POSTGRES,
    };
    let mut tables: BTreeMap<String, BTreeMap<_, _>> = BTreeMap::new();
    for row in db.query_all_raw(Statement::from_string(backend, query)).await? {
        let (kind, is_null) = (row.try_get("", "kind")?, row.try_get("", "is_null")?);
        let columns = tables.entry(row.try_get("", "owner")?).or_default();
        columns.insert(row.try_get("", "name")?, Stored { kind, is_null });
    }
    Ok(tables)
}

#[cfg(test)]
mod tests {
    use usher_testkit::{TestDb, create_tables, on_both};

    use super::*;

    mod shelf {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, DeriveEntityModel)]
        #[sea_orm(table_name = "shelves")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            #[sea_orm(has_many)]
            pub books: HasMany<super::book::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    mod book {
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, DeriveEntityModel)]
        #[sea_orm(table_name = "books")]
        pub struct Model {
            #[sea_orm(primary_key)]
            pub id: i64,
            pub title: String,
            pub shelf_id: i64,
            #[sea_orm(belongs_to, from = "shelf_id", to = "id")]
            pub shelf: HasOne<super::shelf::Entity>,
        }

        impl ActiveModelBehavior for ActiveModel {}
    }

    async fn found(db: TestDb, sql: &str) -> Vec<String> {
        let db = db.connect().await;
        create_tables(&db, sql).await;
        let entities = [EntityTable::of::<shelf::Entity>(), EntityTable::of::<book::Entity>()];
        differences(&db, &entities).await.unwrap()
    }

    #[on_both]
    async fn a_schema_that_the_entities_expect_has_no_differences(db: TestDb) {
        let sql = "CREATE TABLE shelves (id {id});
            CREATE TABLE books (id {id}, title text NOT NULL, shelf_id bigint NOT NULL REFERENCES shelves (id));";
        assert_eq!(found(db, sql).await, [""; 0]);
    }

    #[on_both]
    async fn a_relation_without_its_foreign_key_is_named(db: TestDb) {
        let sql = "CREATE TABLE shelves (id {id});
            CREATE TABLE books (id {id}, title text NOT NULL, shelf_id bigint NOT NULL REFERENCES users (id));";
        let expected = "books.shelf_id refers to shelves.id in the entity, but the table has no such foreign key";
        assert_eq!(found(db, sql).await, [expected]);
    }

    #[on_both]
    async fn missing_and_unknown_columns_and_tables_are_named(db: TestDb) {
        let sql = "CREATE TABLE books (id {id}, title text, shelf_id bigint NOT NULL, year bigint);";
        let expected = [
            "there is no table shelves",
            "books.title may be null in the database, and is never null in the entity",
            "books.year is not in the entity",
            "books.shelf_id refers to shelves.id in the entity, but the table has no such foreign key",
        ];
        assert_eq!(found(db, sql).await, expected);
    }
}

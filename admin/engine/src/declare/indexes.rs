//! Whether the database has the indexes that a declaration needs for sorting, searching and filtering. Checked once, at
//! startup; missing ones are logged.

use std::fmt;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use crate::declare::spec::{Kind, SearchBy};
use crate::declare::{model::Model, site::Site};

/// A declared use of a column that no index serves.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing {
    pub table: &'static str,
    pub column: &'static str,
    pub used_for: &'static str,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            column,
            used_for,
        } = self;
        write!(f, "{table}.{column} is declared for {used_for}, and no index serves it")
    }
}

/// An index: its table and its SQL definition.
struct Index {
    table: String,
    definition: String,
}

/// Declared uses without an index. Models with few rows need none.
pub async fn missing(db: &impl ConnectionTrait, site: &Site) -> Result<Vec<Missing>, DbErr> {
    let indexes = read(db).await?;
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let large = site.models.iter().filter(|model| !model.meta.few);
    let relations = site.models.iter().flat_map(|model| &model.many_to_many);
    let filters =
        relations.filter(|relation| !indexes.iter().any(|index| index.begins(relation.table, relation.other)));
    let filters = filters.map(|relation| Missing {
        table: relation.table,
        column: relation.other,
        used_for: "a filter",
    });
    Ok(large
        .flat_map(|model| uses(model, is_postgres))
        .filter(|(model, column, _, words)| !is_served(&indexes, model, column, *words))
        .map(|(model, column, used_for, _)| Missing {
            table: model.table,
            column,
            used_for,
        })
        .chain(filters)
        .collect())
}

impl Index {
    /// Whether it is of this table and has this column first.
    fn begins(&self, table: &str, column: &str) -> bool {
        let definition = self.definition.replace('"', "").to_lowercase();
        let columns = definition.split_once('(').map_or("", |(_, columns)| columns);
        self.table == table && columns.split([',', ')']).next().map(str::trim) == Some(column)
    }
}

/// The declared uses of each column, and whether they need a trigram index.
fn uses(model: &Model, is_postgres: bool) -> Vec<(&Model, &'static str, &'static str, bool)> {
    let mut uses = vec![];
    for spec in &model.fields {
        if let Some(column) = spec.sort {
            uses.push((model, column, "sorting", false));
        }
        match &spec.search {
            Some(SearchBy::Prefix { key_column, .. }) => uses.push((model, *key_column, "search", false)),
            // SQLite's full-text index is a table.
            Some(SearchBy::Folded { at, .. }) if is_postgres => uses.push((model, at.column, "search", true)),
            Some(SearchBy::Exact) => uses.push((model, spec.name, "search", false)),
            _ => {}
        }
        // A filter by one of a few values ends with the first page; one by any value must find its rows.
        let by_any = matches!(spec.kind, Kind::Text { .. } | Kind::Int | Kind::ForeignKey(_));
        if spec.filter && by_any && !spec.scanned {
            uses.push((model, spec.name, "a filter", false));
        }
    }
    uses.retain(|(model, column, ..)| *column != model.id);
    uses
}

fn is_served(indexes: &[Index], model: &Model, column: &str, words: bool) -> bool {
    let own = indexes.iter().filter(|index| index.table == model.table);
    own.into_iter().any(|index| {
        let definition = index.definition.replace('"', "").to_lowercase();
        let (definition, only) = definition.split_once(" where ").unwrap_or((&definition, ""));
        let has_all = only.is_empty() || only.trim_matches(['(', ')']) == format!("{column} is not null");
        let Some((_, columns)) = definition.split_once('(').filter(|_| has_all) else {
            return false;
        };
        if words {
            return columns.starts_with(&format!("{column} gin_trgm_ops"));
        }
        let mut columns = columns.split([',', ')']).map(str::trim);
        let beside = model.field(column).and_then(|spec| spec.beside);
        beside.is_none_or(|(first, _)| columns.next() == Some(first)) && columns.next() == Some(column)
    })
}

async fn read(db: &impl ConnectionTrait) -> Result<Vec<Index>, DbErr> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT tablename AS of_table, indexdef AS definition FROM pg_indexes WHERE schemaname = current_schema()"
        }
        _ => {
            "SELECT tbl_name AS of_table, sql AS definition FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        }
    };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await?;
    rows.iter()
        .map(|row| {
            Ok(Index {
                table: row.try_get("", "of_table")?,
                definition: row.try_get("", "definition")?,
            })
        })
        .collect()
}

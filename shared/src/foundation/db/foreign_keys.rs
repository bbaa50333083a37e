//! Foreign keys from the catalog. A product's tables may refer to ours, and block the deletion of rows.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbErr};

use super::dialect::Sql;

/// A foreign key; its names are quoted as SQL needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    table: String,
    columns: String,
    of_table: String,
    of_columns: String,
    on_delete: OnDelete,
}

/// What happens to a row when the row it refers to is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnDelete {
    /// The deletion is refused, explicitly or by default.
    Refused,
    Goes,
    Stays,
}

/// All foreign keys of the database.
#[derive(Clone, Debug, Default)]
pub struct ForeignKeys(Vec<ForeignKey>);

/// How many tables may lie between the referring row and the row.
const MOST_BETWEEN: usize = 4;

impl ForeignKeys {
    pub async fn read(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let sql = Sql(db.get_database_backend());
        let rows = db.query_all_raw(sql.statement(sql.pick(POSTGRES, SQLITE), [])).await?;
        let key = |row: &sea_orm::QueryResult| {
            let on_delete: String = row.try_get("", "on_delete")?;
            Ok(ForeignKey {
                table: row.try_get("", "child")?,
                columns: row.try_get("", "columns")?,
                of_table: row.try_get("", "parent")?,
                of_columns: row.try_get("", "of_columns")?,
                on_delete: match on_delete.as_str() {
                    "c" | "CASCADE" => OnDelete::Goes,
                    "n" | "d" | "SET NULL" | "SET DEFAULT" => OnDelete::Stays,
                    _ => OnDelete::Refused,
                },
            })
        };
        rows.iter().map(key).collect::<Result<_, DbErr>>().map(Self)
    }

    /// The keys that refer to this table, of other tables and its own.
    pub fn to<'a>(&'a self, table: &'a str) -> impl Iterator<Item = &'a ForeignKey> {
        self.0.iter().filter(move |key| plain(&key.of_table) == table)
    }

    /// Whether these columns of a table refer to those of another, each to the one at its place.
    #[must_use]
    pub fn has(&self, (table, columns): (&str, &[String]), (of_table, of_columns): (&str, &[String])) -> bool {
        let pairs = |own: Vec<String>, other: Vec<String>| BTreeSet::from_iter(own.into_iter().zip(other));
        let wanted = pairs(columns.to_vec(), of_columns.to_vec());
        self.to(of_table)
            .filter(|key| key.table() == table)
            .any(|key| pairs(names(&key.columns), names(&key.of_columns)) == wanted)
    }

    /// The keys that block the deletion of rows of these tables.
    pub fn refusing<'a>(&'a self, tables: &'a [&str]) -> impl Iterator<Item = &'a ForeignKey> {
        let refusing = self.0.iter().filter(|key| key.on_delete == OnDelete::Refused);
        refusing.filter(move |key| tables.contains(&plain(&key.of_table).as_str()))
    }

    /// What blocks the deletion of a row: a key that refers to it, or to a row that would be deleted with it.
    pub async fn holding(&self, db: &impl ConnectionTrait, table: &str, id: i64) -> Result<Option<ForeignKey>, DbErr> {
        let mut rows = vec![(table.to_owned(), "id = $1".to_owned(), 0)];
        while let Some((table, these, between)) = rows.pop() {
            for key in self.0.iter().filter(|key| plain(&key.of_table) == plain(&table)) {
                let ForeignKey {
                    columns, of_columns, ..
                } = key;
                let pointing = format!("({columns}) IN (SELECT {of_columns} FROM {table} WHERE {these})");
                match key.on_delete {
                    OnDelete::Refused => {
                        let sql = format!("SELECT 1 AS held FROM {} WHERE {pointing} LIMIT 1", key.table);
                        let look = Sql(db.get_database_backend()).statement(&sql, [id.into()]);
                        if db.query_one_raw(look).await?.is_some() {
                            return Ok(Some(key.clone()));
                        }
                    }
                    OnDelete::Goes if between < MOST_BETWEEN => rows.push((key.table.clone(), pointing, between + 1)),
                    OnDelete::Goes | OnDelete::Stays => {}
                }
            }
        }
        Ok(None)
    }

    /// SQL that is true for the table's rows whose deletion nothing blocks.
    #[must_use]
    pub fn unheld(&self, table: &str) -> String {
        let free = |key: &ForeignKey| {
            let pointed = key.of_columns.split(", ").map(|column| format!("{table}.{column}"));
            let pointed = pointed.collect::<Vec<_>>().join(", ");
            let (holder, columns) = (&key.table, &key.columns);
            format!("NOT EXISTS (SELECT 1 FROM {holder} AS holder WHERE ({columns}) = ({pointed}))")
        };
        let tables = [table];
        let all: Vec<_> = self.refusing(&tables).map(free).collect();
        if all.is_empty() {
            "true".to_owned()
        } else {
            all.join(" AND ")
        }
    }
}

impl ForeignKey {
    /// The table that has the key.
    #[must_use]
    pub fn table(&self) -> String {
        plain(&self.table)
    }
}

/// `articles.author_id`.
impl std::fmt::Display for ForeignKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", plain(&self.table), plain(&self.columns))
    }
}

/// The columns of a list.
fn names(columns: &str) -> Vec<String> {
    columns.split(", ").map(plain).collect()
}

fn plain(name: &str) -> String {
    name.replace('"', "")
}

// A table's name is written as SQL needs it: with quotes and schema where necessary.
const POSTGRES: &str = "\
    SELECT c.conrelid::regclass::text AS child, c.confrelid::regclass::text AS parent, \
        c.confdeltype::text AS on_delete, \
        (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) \
         FROM unnest(c.conkey) WITH ORDINALITY AS k (attnum, n) \
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns, \
        (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) \
         FROM unnest(c.confkey) WITH ORDINALITY AS k (attnum, n) \
         JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS of_columns \
    FROM pg_constraint c WHERE c.contype = 'f' AND c.conparentid = 0 ORDER BY 1, 4";

// A key without a column refers to the primary key.
const SQLITE: &str = "\
    SELECT child, parent, on_delete, group_concat(own, ', ') AS columns, group_concat(other, ', ') AS of_columns \
    FROM ( \
        SELECT '\"' || replace(t.name, '\"', '\"\"') || '\"' AS child, \
            '\"' || replace(f.\"table\", '\"', '\"\"') || '\"' AS parent, f.id AS id, f.on_delete AS on_delete, \
            '\"' || replace(f.\"from\", '\"', '\"\"') || '\"' AS own, \
            '\"' || replace(coalesce(f.\"to\", \
                (SELECT p.name FROM pragma_table_info(f.\"table\") p WHERE p.pk = f.seq + 1)), \
                '\"', '\"\"') || '\"' AS other \
        FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table' ORDER BY t.name, f.id, f.seq) \
    GROUP BY child, id ORDER BY 1, 4";

//! Statements with literal limits, so that PostgreSQL plans them once.

use std::fmt::{self, Display, Write};

use sea_orm::{
    DbBackend, Statement, Value,
    sea_query::{PostgresQueryBuilder, QueryBuilder, SelectStatement, SqlWriter, SqlWriterValues, SqliteQueryBuilder},
};

/// Builds a statement with its limits as numbers and everything else as parameters.
///
/// PostgreSQL keeps a generic plan only if it isn't more expensive. For an unknown limit it assumes a tenth of the
/// table, so a page would be planned anew each time, which costs half as much as reading it. Not for statements whose
/// conditions may match many rows or few: they are better planned each time.
#[must_use]
pub fn with_literal_limits(backend: DbBackend, select: &SelectStatement) -> Statement {
    let (sql, values) = match backend {
        DbBackend::Postgres => written(select, &PostgresQueryBuilder),
        _ => written(select, &SqliteQueryBuilder),
    };
    Statement::from_sql_and_values(backend, sql, values)
}

fn written(select: &SelectStatement, builder: &impl QueryBuilder) -> (String, sea_orm::Values) {
    let (placeholder, numbered) = builder.placeholder();
    let mut writer = LiteralLimits(SqlWriterValues::new(placeholder, numbered));
    select.build_collect_any_into(builder, &mut writer);
    writer.0.into_parts()
}

/// Makes every value a parameter except unsigned numbers, which only limits are: neither database has such columns.
struct LiteralLimits(SqlWriterValues);

impl SqlWriter for LiteralLimits {
    fn push_param<T: QueryBuilder>(&mut self, value: Value, query_builder: &T) {
        match value {
            // Writing to a string doesn't fail.
            Value::BigUnsigned(Some(limit)) => drop(write!(self.0, "{limit}")),
            other => self.0.push_param(other, query_builder),
        }
    }

    fn as_writer(&mut self) -> &mut dyn Write {
        &mut self.0
    }
}

impl Write for LiteralLimits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }
}

impl Display for LiteralLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

    use super::*;
    use crate::foundation::entity::role;

    #[test]
    fn limits_are_text_and_the_rest_parameters() {
        let roles = role::Entity::find().filter(role::Column::Name.eq("7")).limit(51);
        let statement = with_literal_limits(DbBackend::Postgres, &roles.into_query());
        assert!(statement.sql.ends_with("= $1 LIMIT 51"), "{}", statement.sql);
        assert_eq!(statement.values.map(|values| values.0), Some(vec!["7".into()]));
    }
}

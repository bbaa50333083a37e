//! Columns of an entity, for hand-written statements.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr, ValueType, extension::postgres::PgFunc},
};
use uuid::Uuid;

use super::dialect::Sql;

/// The columns that a statement lists instead of `*`. PostgreSQL rejects a prepared statement whose result has gained a
/// column, on each open connection: a migration that only adds a column would break every running process.
#[must_use]
pub fn columns<E: EntityTrait>() -> String {
    let names: Vec<_> = E::Column::iter().map(|column| column.as_str()).collect();
    names.join(", ")
}

/// Rows whose column is one of these values. On PostgreSQL they are one parameter, so that the statement is prepared
/// once for any number of values.
pub fn any_of<C, V>(conn: &impl ConnectionTrait, column: C, values: Vec<V>) -> SimpleExpr
where
    C: ColumnTrait,
    V: Into<Value> + ValueType,
{
    if conn.get_database_backend() == DbBackend::Postgres {
        let values = values.into_iter().map(Into::into).collect();
        let values = Value::Array(V::array_type(), Some(Box::new(values)));
        Expr::col(column.as_column_ref()).eq(PgFunc::any(values))
    } else {
        column.is_in(values)
    }
}

/// A condition on `id` for hand-written statements: that it is one of these, which are the value of one parameter, such
/// as `$1`.
#[doc(hidden)]
pub fn id_in(conn: &impl ConnectionTrait, parameter: &str, ids: impl IntoIterator<Item = Uuid>) -> (String, Value) {
    let sql = Sql(conn.get_database_backend());
    (sql.id_in(parameter), sql.ids(ids))
}

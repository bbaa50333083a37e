//! The columns of an entity by name, for statements that are written by hand.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, Iterable, Value,
    sea_query::{Expr, ExprTrait, SimpleExpr, ValueType, extension::postgres::PgFunc},
};

/// What a statement asks for in the place of `*`. PostgreSQL refuses a prepared statement whose answer has grown a column
/// since, on each connection until it is closed: a step of the schema that only adds would stop every process that runs.
#[must_use]
pub fn columns<E: EntityTrait>() -> String {
    let names: Vec<_> = E::Column::iter().map(|column| column.as_str()).collect();
    names.join(", ")
}

/// Rows whose column is one of these values. On PostgreSQL they are one parameter, so that a statement is prepared
/// once for any number of them.
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

//! The columns of an entity by name, for statements that are written by hand.

use sea_orm::{EntityTrait, IdenStatic, Iterable};

/// What a statement asks for in the place of `*`. PostgreSQL refuses a prepared statement whose answer has grown a column
/// since, on each connection until it is closed: a step of the schema that only adds would stop every process that runs.
#[must_use]
pub fn columns<E: EntityTrait>() -> String {
    let names: Vec<_> = E::Column::iter().map(|column| column.as_str()).collect();
    names.join(", ")
}

//! Rows of another table that belong to the rows of a page.

use std::collections::HashMap;

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, Iterable, ModelTrait, PrimaryKeyToColumn, QueryFilter, QueryOrder, Value,
};
use usher_shared::foundation::db::any_of;

/// All rows of `E` that refer to one of these ids in `column`, by the id that they refer to and in the order of their
/// primary key. One statement, however many ids there are.
///
/// ```
/// use sea_orm::{DatabaseConnection, DbErr};
/// use usher_api::related;
/// use usher_shared::foundation::entity::session;
///
/// async fn count_sessions(db: &DatabaseConnection, user_ids: &[i64]) -> Result<Vec<usize>, DbErr> {
///     let column = session::Column::UserId;
///     let sessions = related::<session::Entity>(db, column, user_ids.iter().copied()).await?;
///     Ok(user_ids.iter().map(|id| sessions.get(id).map_or(0, Vec::len)).collect())
/// }
/// ```
///
/// # Errors
///
/// Those of the database.
pub async fn related<E: EntityTrait>(
    conn: &impl ConnectionTrait,
    column: E::Column,
    ids: impl IntoIterator<Item = i64>,
) -> Result<HashMap<i64, Vec<E::Model>>, DbErr> {
    let ids: Vec<i64> = ids.into_iter().collect();
    let mut by_id: HashMap<i64, Vec<E::Model>> = HashMap::with_capacity(ids.len());
    if ids.is_empty() {
        return Ok(by_id);
    }
    let found = E::find().filter(any_of(conn, column, ids));
    let found = E::PrimaryKey::iter().fold(found, |found, key| found.order_by_asc(key.into_column()));
    for row in found.all(conn).await? {
        if let Value::BigInt(Some(id)) = row.get(column) {
            by_id.entry(id).or_default().push(row);
        }
    }
    Ok(by_id)
}

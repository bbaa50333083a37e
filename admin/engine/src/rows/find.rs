//! Reading one object.

use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Expr, ExprTrait},
};

use super::row::Row;
use crate::declare::model::Model;

/// Reads one object by the id in its address; none when there is no such object.
pub(crate) async fn find(db: &impl ConnectionTrait, model: &Model, id: &str) -> Result<Option<Row>, DbErr> {
    let Some(id) = model.id_field().storage.parse_id(id) else {
        return Ok(None);
    };
    let select = model.select_whole().and_where(Expr::col(model.id).eq(id)).to_owned();
    let result = db.query_one(&select).await?;
    result.map(|result| model.read_whole(&result)).transpose()
}

//! Choosing the columns of a list.

use axum::response::Response;
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use usher_shared::foundation::entity::chosen_columns::{ActiveModel, Column, Entity};

use super::model_request::ModelRequest;
use crate::declare::meta::Operation;
use crate::error::AdminError;
use crate::lists::back::list_of;
use crate::request::posted::Posted;

/// The field with a chosen column.
const COLUMN: &str = "column";
/// The field that resets to the declared columns.
const DECLARED: &str = "_declared";

/// `POST {models}/columns` with one `column` for each; it holds for this person, wherever they sign in.
pub(crate) async fn choose(request: ModelRequest, Posted(form): Posted) -> Result<Response, AdminError> {
    request.require(Operation::View)?;
    let (model, visit) = (&request.model, &request.visit);
    let to = list_of(model, &form);
    let key = (request.staff.id(), model.meta.name.to_owned());
    if form.get(DECLARED).is_some() {
        let tx = form.begin(&request.context).await?;
        Entity::delete_by_id(key).exec(&**tx).await?;
        return tx.finish(visit.say("Columns reset", &to)).await;
    }
    let wanted: Vec<_> = form.all(COLUMN).collect();
    // Anything that can't be chosen is ignored.
    let chosen: Vec<_> = model
        .choosable()
        .map(|spec| spec.name)
        .filter(|name| wanted.contains(name))
        .collect();
    let row = ActiveModel {
        user_id: Set(key.0),
        list: Set(key.1),
        columns: Set(chosen.join(" ")),
    };
    let replaced = OnConflict::columns([Column::UserId, Column::List])
        .update_column(Column::Columns)
        .to_owned();
    let tx = form.begin(&request.context).await?;
    Entity::insert(row)
        .on_conflict(replaced)
        .exec_without_returning(&**tx)
        .await?;
    tx.finish(visit.say("Columns updated", &to)).await
}

//! Choosing the columns of a list.

use axum::{
    extract::{Path, State},
    response::Response,
};
use sea_orm::{ActiveValue::Set, EntityTrait, sea_query::OnConflict};
use usher_shared::foundation::entity::chosen_columns::{ActiveModel, Column, Entity};

use crate::context::AdminContext;
use crate::declare::meta::Operation;
use crate::error::AdminError;
use crate::lists::back::list_of;
use crate::request::{posted::Posted, staff::Staff, visit::Visit};

/// The field with a chosen column.
const COLUMN: &str = "column";
/// The field that resets to the declared columns.
const DECLARED: &str = "_declared";

/// `POST {models}/columns` with one `column` for each; it holds for this person, wherever they sign in.
pub(crate) async fn choose(
    State(context): State<AdminContext>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let model = context.site.model(&name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    let to = list_of(model, &form);
    let key = (staff.id(), model.meta.name.to_owned());
    if form.get(DECLARED).is_some() {
        let tx = form.begin(&context).await?;
        Entity::delete_by_id(key).exec(&**tx).await?;
        return tx.finish(visit.say("Columns reset".to_owned(), &to)).await;
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
    let tx = form.begin(&context).await?;
    Entity::insert(row)
        .on_conflict(replaced)
        .exec_without_returning(&**tx)
        .await?;
    tx.finish(visit.say("Columns updated".to_owned(), &to)).await
}

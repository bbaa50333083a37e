//! Which accounts hooks know of. A self sign-up becomes known when its address is verified.

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

use crate::{
    audit::ObjectType,
    foundation::entity::{
        audit_log::{Column, Entity},
        user,
    },
};

/// Whether hooks know of the account: somebody else created it, or its address was verified before. Costs one query for
/// an account that has a password and no verified address, which only a self sign-up or a changed address leaves.
///
/// The row alone can't tell these two apart, but the audit log has both.
pub(in crate::accounts) async fn is_known(conn: &impl ConnectionTrait, user: &user::Model) -> Result<bool, DbErr> {
    if user.email_verified_at.is_some() || user.password_changed_at.is_none() {
        return Ok(true);
    }
    let verified = Expr::col(Column::Changes)
        .cast_as("text")
        .like("%\"email_verified_at\"%");
    let told = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::ObjectType.eq(ObjectType::User.as_str()))
        .filter(Column::ObjectId.eq(user.id.to_string()))
        .filter(Column::Action.eq("create").or(verified))
        .limit(1)
        .into_tuple::<i64>()
        .one(conn)
        .await?;
    Ok(told.is_some())
}

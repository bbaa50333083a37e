//! Whether an impersonation may still be used.

use sea_orm::{
    ColumnTrait, Condition,
    sea_query::{Expr, ExprTrait, Query},
};

use crate::foundation::{
    entity::{
        session::Column,
        user::{self, UserStatus},
    },
    time::now,
};

/// SQL for a session that is either no impersonation, or one of a user who isn't staff by somebody who still has the
/// permission and is still signed in. Only impersonations look up the rights.
pub(super) fn is_allowed() -> Condition {
    let actor = Query::select()
        .expr(Expr::val(1))
        .from_as(user::Entity, "actor")
        .and_where(Expr::cust(MAY_ACT))
        .cond_where(UserStatus::Active.of_rows("actor", now()))
        .to_owned();
    Condition::any()
        .add(Column::ImpersonatorId.is_null())
        .add(Expr::cust("NOT users.is_staff").and(Expr::exists(actor)))
}

const MAY_ACT: &str = "actor.id = sessions.impersonator_id AND actor.is_staff AND actor.deleted_at IS NULL
    AND (actor.is_superuser OR EXISTS (
         SELECT 1 FROM user_roles AS held JOIN role_permissions AS given ON given.role_id = held.role_id
          WHERE held.user_id = actor.id AND given.permission = 'users.impersonate'))
    AND (sessions.impersonator_session_id IS NULL OR EXISTS (
         SELECT 1 FROM sessions AS own WHERE own.id = sessions.impersonator_session_id AND own.ended_at IS NULL))";

//! Ending sessions.

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use uuid::Uuid;

use crate::{
    accounts::mfa,
    foundation::{
        entity::session::{self, Column},
        time::now,
    },
};

/// Which sessions of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    One(Uuid),
    /// All except this one.
    Others(Uuid),
}

/// Ends live sessions of a user, of either kind; `reason` is stored in their rows. Returns how many there were.
///
/// Impersonations started in them end too. Unless it is about a single session, sign-ins that still wait for their code
/// end as well: they count as other sessions.
pub async fn end(conn: &impl ConnectionTrait, user_id: i64, which: Which, reason: &str) -> Result<u64, DbErr> {
    let ids = match which {
        Which::All => Condition::all(),
        Which::One(id) => Condition::all().add(Column::Id.eq(id)),
        Which::Others(id) => Condition::all().add(Column::Id.ne(id)),
    };
    let ended = session::Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now()))
        .col_expr(Column::EndReason, Expr::value(reason))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EndedAt.is_null())
        .filter(ids)
        .exec(conn)
        .await?;
    end_impersonations(conn, user_id, which).await?;
    if !matches!(which, Which::One(_)) {
        mfa::close_challenges(conn, user_id).await?;
    }
    Ok(ended.rows_affected)
}

/// Ends the impersonations that were started in these sessions of a member of staff.
async fn end_impersonations(conn: &impl ConnectionTrait, staff_id: i64, sessions: Which) -> Result<(), DbErr> {
    let begun_in = match sessions {
        Which::All => Condition::all(),
        Which::One(id) => Condition::all().add(Column::ImpersonatorSessionId.eq(id)),
        Which::Others(id) => Condition::any()
            .add(Column::ImpersonatorSessionId.ne(id))
            .add(Column::ImpersonatorSessionId.is_null()),
    };
    session::Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now()))
        .col_expr(Column::EndReason, Expr::value("impersonation ended"))
        .filter(Column::ImpersonatorId.eq(staff_id))
        .filter(Column::EndedAt.is_null())
        .filter(begun_in)
        .exec(conn)
        .await
        .map(drop)
}

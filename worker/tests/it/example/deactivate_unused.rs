//! `deactivate_unused`: an account that nobody took up does not stay open.

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use usher_shared::{
    audit::{self, Actor, Entry},
    foundation::{
        entity::user::{self, UserStatus},
        time::now,
    },
};

use usher_worker::{JobContext, JobError, Policy};

use super::payload::DeactivateUnused;

pub(crate) const POLICY: Policy = Policy {
    attempts: 5,
    ..Policy::DEFAULT
};

pub(crate) async fn deactivate(job: DeactivateUnused, context: JobContext) -> Result<(), JobError> {
    let tx = context.begin().await?;
    let changed = user::Entity::update_many()
        .col_expr(user::Column::Status, Expr::value(UserStatus::Deactivated))
        .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
        .col_expr(user::Column::UpdatedAt, Expr::value(now()))
        .filter(user::Column::Id.eq(job.user_id))
        .filter(user::Column::Status.eq(UserStatus::Active))
        .filter(user::Column::PasswordHash.is_null())
        .exec(&*tx)
        .await?;
    if changed.rows_affected > 0 {
        let entry = Entry {
            action: "deactivate",
            object_type: "user",
            object_id: Some(job.user_id.to_string()),
            reason: Some("no password within thirty days".to_owned()),
            ..Entry::default()
        };
        audit::record(&*tx, &Actor::system(), entry).await?;
    }
    context.complete(tx).await
}

//! Accounts that may do much.

use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use usher_shared::foundation::{
    config::{Config, StaffMfa},
    entity::{
        mfa_factor,
        user::{self, UserStatus},
    },
    time::now,
};

use super::State;

/// How many of the staff sign in with a password alone.
pub(super) async fn second_factors(db: &DatabaseConnection, config: &Config) -> State {
    let (all, without, superusers) = match count(db).await {
        Ok(counts) => counts,
        Err(error) => return State::Wrong(error.to_string()),
    };
    if all == 0 {
        return State::Warning("nobody may use the admin: usher staff create".to_owned());
    }
    if without == 0 {
        return State::Ok(format!("{all}, all with a second factor"));
    }
    let what_follows = match config.staff_mfa {
        StaffMfa::Required => "superusers must enrol at their next sign-in",
        StaffMfa::Optional => "STAFF_MFA=required makes superusers enrol",
    };
    State::Warning(format!(
        "{without} of {all} have no second factor, {superusers} of them superusers; {what_follows}"
    ))
}

/// All staff, those without a second factor, and the superusers among these.
async fn count(db: &DatabaseConnection) -> Result<(u64, u64, u64), DbErr> {
    let staff = || {
        user::Entity::find()
            .filter(user::Column::IsStaff.eq(true))
            .filter(UserStatus::Active.of_rows("users", now()))
            .filter(user::Column::DeletedAt.is_null())
    };
    let with_factor = mfa_factor::Entity::find()
        .select_only()
        .column(mfa_factor::Column::UserId)
        .filter(mfa_factor::Column::ConfirmedAt.is_not_null());
    let without = || staff().filter(user::Column::Id.not_in_subquery(with_factor.clone().into_query()));
    Ok((
        staff().count(db).await?,
        without().count(db).await?,
        without().filter(user::Column::IsSuperuser.eq(true)).count(db).await?,
    ))
}

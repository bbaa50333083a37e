//! Staff accounts.

use sea_orm::{
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
};
use usher_shared::foundation::{
    config::{Config, StaffMfa},
    entity::{
        mfa_factor,
        user::{self, UserStatus},
    },
    program::Program,
    time::now,
};

use super::finding::Finding;

/// How many staff accounts sign in with a password alone.
pub(super) async fn second_factors(db: &DatabaseConnection, config: &Config) -> Result<Finding, DbErr> {
    let (all, without, superusers) = count(db).await?;
    if all == 0 {
        let program = Program::current().name;
        let words = format!("nobody can sign in to the admin: run {program} staff create");
        return Ok(Finding::Warning(words));
    }
    if without == 0 {
        return Ok(Finding::Ok(format!("{all}, all with two-factor authentication")));
    }
    let what_follows = match config.staff_mfa {
        StaffMfa::Required => "superusers must set it up at their next sign-in",
        StaffMfa::Optional => "STAFF_MFA=required makes superusers set it up",
    };
    let lack = if without == 1 { "lacks" } else { "lack" };
    let of_them = match superusers {
        1 => "1 is a superuser".to_owned(),
        _ => format!("{superusers} are superusers"),
    };
    Ok(Finding::Warning(format!(
        "{without} of {all} {lack} two-factor authentication, {of_them}; {what_follows}"
    )))
}

/// All staff, those without two-factor authentication, and the superusers among the latter.
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

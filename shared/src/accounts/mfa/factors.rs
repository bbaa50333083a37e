//! The confirmed factors of an account.

use chrono::{DateTime, Utc};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr,
};
use thiserror::Error;
use uuid::Uuid;

use super::{recovery, totp};
use crate::foundation::{
    crypto::SecretKey,
    entity::mfa_factor::{self, Column},
    time::now,
};

/// The default name of a factor.
pub const DEFAULT_LABEL: &str = "Authenticator app";

/// The purpose that a factor's secret is sealed for.
pub(super) const PURPOSE: &str = "totp secret";

#[derive(Debug, Error)]
pub enum MfaError {
    #[error("a second factor was sealed with another SECRET_KEY")]
    Sealed,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// The confirmed factors of an account, oldest first. [`super::waiting`] finds an unconfirmed one, only for the session
/// that began it.
pub async fn factors(conn: &impl ConnectionTrait, user_id: i64) -> Result<Vec<mfa_factor::Model>, DbErr> {
    mfa_factor::Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ConfirmedAt.is_not_null())
        .order_by_asc(Column::Id)
        .all(conn)
        .await
}

/// Whether this account needs a code to sign in.
pub async fn has_factor(conn: &impl ConnectionTrait, user_id: i64) -> Result<bool, DbErr> {
    let confirmed = mfa_factor::Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ConfirmedAt.is_not_null());
    Ok(confirmed.count(conn).await? > 0)
}

/// The address that an authenticator app reads to show this factor's codes. If the account has another factor, the app
/// shows the label too, so that the two can be told apart.
pub async fn otpauth_address(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    product: &str,
    email: &str,
    factor: &mfa_factor::Model,
) -> Result<String, MfaError> {
    let account = match has_factor(conn, factor.user_id).await? {
        true => format!("{email} ({})", factor.label),
        false => email.to_owned(),
    };
    Ok(totp::address(product, &account, &secret(key, factor)?))
}

/// The factor's secret, to show it until it is confirmed.
pub fn secret(key: &SecretKey, factor: &mfa_factor::Model) -> Result<Vec<u8>, MfaError> {
    key.open(PURPOSE, &factor.secret_sealed).ok_or(MfaError::Sealed)
}

/// Confirms a factor that [`super::waiting`] returned, by its first code. False if the code is wrong or the enrolment
/// has ended since.
pub async fn confirm(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    factor: &mfa_factor::Model,
    code: &str,
) -> Result<bool, MfaError> {
    take(conn, key, factor, code, Some(now())).await
}

/// Whether this is an unused code of one of the account's confirmed factors. Uses it up: each 30-second step of a
/// factor is accepted once, and no earlier step after it.
pub async fn verify(conn: &impl ConnectionTrait, key: &SecretKey, user_id: i64, code: &str) -> Result<bool, MfaError> {
    for factor in factors(conn, user_id).await? {
        if take(conn, key, &factor, code, None).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn take(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    factor: &mfa_factor::Model,
    code: &str,
    confirmed_at: Option<DateTime<Utc>>,
) -> Result<bool, MfaError> {
    let Some(step) = totp::step_of(&secret(key, factor)?, code, now().timestamp()) else {
        return Ok(false);
    };
    let mut taken = mfa_factor::Entity::update_many()
        .col_expr(Column::LastStep, Expr::value(step))
        .filter(Column::Id.eq(factor.id))
        .filter(Column::LastStep.lt(step));
    if let Some(at) = confirmed_at {
        taken = taken
            .col_expr(Column::ConfirmedAt, Expr::value(at))
            .col_expr(Column::SessionId, Expr::value(None::<Uuid>))
            .filter(Column::ConfirmedAt.is_null());
    } else {
        taken = taken.filter(Column::ConfirmedAt.is_not_null());
    }
    Ok(taken.exec(conn).await?.rows_affected == 1)
}

/// Removes a confirmed factor, and with the last one the recovery codes. Returns the factor, or none if there is no
/// such factor.
pub async fn remove(
    conn: &impl ConnectionTrait,
    user_id: i64,
    factor_id: Uuid,
) -> Result<Option<mfa_factor::Model>, DbErr> {
    let factor = mfa_factor::Entity::find_by_id(factor_id)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ConfirmedAt.is_not_null())
        .one(conn)
        .await?;
    if factor.is_some() {
        mfa_factor::Entity::delete_by_id(factor_id).exec(conn).await?;
        if !has_factor(conn, user_id).await? {
            recovery::forget(conn, user_id).await?;
        }
    }
    Ok(factor)
}

/// Removes all factors of this account, and its recovery codes.
pub async fn forget_all(conn: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    mfa_factor::Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .exec(conn)
        .await?;
    recovery::forget(conn, user_id).await
}

//! A factor between its secret and its first code. It belongs to the session that began it, so that somebody who knew
//! an old password cannot leave a secret behind for the owner to confirm. It ends with that session, with a new
//! password, and after 15 minutes.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::factors::PURPOSE;
use crate::{
    accounts::mfa::totp,
    foundation::{
        crypto::SecretKey,
        entity::mfa_factor::{self, Column, FactorKind},
        rules::Name,
        time::{new_id, now},
    },
};

/// How long setting up the app may take.
pub const ENROLMENT_LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// Begins with a new secret, which replaces the session's previous one. It protects nothing until [`super::confirm`]. A
/// label that is taken gets a number appended.
pub async fn enrol(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    user_id: i64,
    session_id: Uuid,
    label: &str,
) -> Result<mfa_factor::Model, DbErr> {
    let begun = now();
    let over = Condition::any()
        .add(Column::SessionId.eq(session_id))
        .add(Column::CreatedAt.lte(begun - ENROLMENT_LIFETIME));
    mfa_factor::Entity::delete_many()
        .filter(unconfirmed(user_id).add(over))
        .exec(conn)
        .await?;
    let row = mfa_factor::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user_id),
        kind: Set(FactorKind::Totp),
        label: Set(free_label(&labels(conn, user_id).await?, label)),
        secret_sealed: Set(key.seal(PURPOSE, &totp::new_secret())),
        last_step: Set(0),
        created_at: Set(begun),
        session_id: Set(Some(session_id)),
        ..Default::default()
    };
    mfa_factor::Entity::insert(row).exec_with_returning(conn).await
}

/// The labels of all factors, confirmed or not.
async fn labels(conn: &impl ConnectionTrait, user_id: i64) -> Result<Vec<String>, DbErr> {
    mfa_factor::Entity::find()
        .select_only()
        .column(Column::Label)
        .filter(Column::UserId.eq(user_id))
        .into_tuple()
        .all(conn)
        .await
}

fn free_label(taken: &[String], label: &str) -> String {
    let is_free = |label: &str| taken.iter().all(|taken| taken.to_lowercase() != label.to_lowercase());
    if is_free(label) {
        return label.to_owned();
    }
    let numbered = |number| {
        let behind = format!(" {number}");
        let room = Name::MAX_CHARS - behind.chars().count();
        label.chars().take(room).collect::<String>().trim_end().to_owned() + &behind
    };
    // There is one more candidate than there are labels.
    (2..=taken.len() + 2)
        .map(numbered)
        .find(|label| is_free(label))
        .unwrap_or_else(|| label.to_owned())
}

/// The factor that this session is setting up.
pub async fn waiting(
    conn: &impl ConnectionTrait,
    user_id: i64,
    session_id: Uuid,
) -> Result<Option<mfa_factor::Model>, DbErr> {
    mfa_factor::Entity::find()
        .filter(unconfirmed(user_id))
        .filter(Column::SessionId.eq(session_id))
        .filter(Column::CreatedAt.gt(now() - ENROLMENT_LIFETIME))
        .order_by_desc(Column::Id)
        .one(conn)
        .await
}

/// Cancels the enrolment of this session. False if it has no such factor.
pub async fn cancel_enrolment(
    conn: &impl ConnectionTrait,
    user_id: i64,
    session_id: Uuid,
    factor_id: Uuid,
) -> Result<bool, DbErr> {
    let cancelled = mfa_factor::Entity::delete_many()
        .filter(unconfirmed(user_id))
        .filter(Column::SessionId.eq(session_id))
        .filter(Column::Id.eq(factor_id))
        .exec(conn)
        .await?;
    Ok(cancelled.rows_affected == 1)
}

/// Ends all enrolments of an account, because its password has changed.
pub async fn forget_enrolments(conn: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    mfa_factor::Entity::delete_many()
        .filter(unconfirmed(user_id))
        .exec(conn)
        .await
        .map(drop)
}

fn unconfirmed(user_id: i64) -> Condition {
    Condition::all()
        .add(Column::UserId.eq(user_id))
        .add(Column::ConfirmedAt.is_null())
}

//! Between password and code: a token, valid for five minutes and five attempts, that says whose code is due.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use crate::foundation::{
    entity::mfa_challenge::{self, Column},
    time::{new_id, now},
    token::{Token, TokenKind},
};

/// How many codes may be tried.
pub const MAX_ATTEMPTS: i32 = 5;
/// How long entering the code may take.
pub const CHALLENGE_LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// Asks for the code, after the password was correct.
pub async fn challenge(conn: &impl ConnectionTrait, user_id: i64) -> Result<Token, DbErr> {
    let (at, token) = (now(), Token::generate(TokenKind::MfaChallenge));
    let row = mfa_challenge::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user_id),
        token_hash: Set(token.hash()),
        attempts: Set(0),
        created_at: Set(at),
        expires_at: Set(at + CHALLENGE_LIFETIME),
        used_at: Set(None),
    };
    mfa_challenge::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(token)
}

/// Counts one attempt and returns whose code is due; none if the token is unknown, used, expired or out of attempts.
///
/// Call it outside the transaction that checks the code, because an attempt counts whatever its outcome.
pub async fn try_challenge(conn: &impl ConnectionTrait, token: &Token) -> Result<Option<mfa_challenge::Model>, DbErr> {
    let counted = mfa_challenge::Entity::update_many()
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .filter(Column::TokenHash.eq(token.hash()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now()))
        .filter(Column::Attempts.lt(MAX_ATTEMPTS))
        .exec_with_returning(conn)
        .await?;
    Ok(counted.into_iter().next())
}

/// Completes the challenge after a correct code. False if another request was faster.
pub async fn pass(conn: &impl ConnectionTrait, id: Uuid) -> Result<bool, DbErr> {
    let passed = mfa_challenge::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .filter(Column::UsedAt.is_null())
        .exec(conn)
        .await?;
    Ok(passed.rows_affected == 1)
}

/// Ends all open challenges, because the account's password has changed.
pub async fn close_challenges(conn: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    mfa_challenge::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now()))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::UsedAt.is_null())
        .exec(conn)
        .await
        .map(drop)
}

//! Issuing, checking and using up tokens.

use chrono::Duration;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, IntoCondition},
};
use thiserror::Error;

use super::{purpose::LinkPurpose, requests::same};
use crate::foundation::{
    entity::{
        mail_token::{self, Column},
        user,
    },
    rules::FieldErrors,
    time::{new_id, now},
    token::{Token, TokenKind},
};

/// Why a token is rejected.
#[derive(Debug, Error)]
pub enum RedeemError {
    /// Unknown, malformed, for another purpose, or already used.
    #[error("the token is not valid")]
    Invalid,
    #[error("the token has expired")]
    Expired,
    /// A hook of the product refused what the token is for.
    #[error("{0}")]
    Refused(FieldErrors),
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// A token for this user and the account's current address, independent of any mail; only its hash is stored.
pub async fn issue(
    conn: &impl ConnectionTrait,
    user_id: i64,
    purpose: LinkPurpose,
    lifetime: Duration,
) -> Result<Token, DbErr> {
    let user = user::Entity::find_by_id(user_id).one(conn).await?;
    let user = user.ok_or_else(|| DbErr::RecordNotFound("the token's user".to_owned()))?;
    issue_about(conn, user_id, purpose, lifetime, &user.email).await
}

/// [`issue`], for another address.
pub async fn issue_about(
    conn: &impl ConnectionTrait,
    user_id: i64,
    purpose: LinkPurpose,
    lifetime: Duration,
    email: &str,
) -> Result<Token, DbErr> {
    let token = Token::generate(TokenKind::Mail);
    let row = mail_token::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user_id),
        purpose: Set(purpose.as_str().to_owned()),
        subject: Set(None),
        email: Set(Some(email.to_owned())),
        token_hash: Set(token.hash()),
        created_at: Set(now()),
        expires_at: Set(now() + lifetime),
        used_at: Set(None),
    };
    mail_token::Entity::insert(row).exec_without_returning(conn).await?;
    Ok(token)
}

/// Looks up a token without using it.
pub async fn peek(
    conn: &impl ConnectionTrait,
    raw: &str,
    purpose: LinkPurpose,
) -> Result<mail_token::Model, RedeemError> {
    let token = Token::parse(TokenKind::Mail, raw).ok_or(RedeemError::Invalid)?;
    let row = mail_token::Entity::find()
        .filter(Column::TokenHash.eq(token.hash()))
        .filter(Column::Purpose.eq(purpose.as_str()))
        .one(conn)
        .await?
        .filter(|row| row.used_at.is_none())
        .ok_or(RedeemError::Invalid)?;
    if row.expires_at <= now() {
        Err(RedeemError::Expired)
    } else {
        Ok(row)
    }
}

/// Uses up this one token. Of two concurrent callers one succeeds.
pub async fn redeem_one(
    tx: &impl ConnectionTrait,
    raw: &str,
    purpose: LinkPurpose,
) -> Result<mail_token::Model, RedeemError> {
    let row = peek(tx, raw, purpose).await?;
    if spend(tx, Column::Id.eq(row.id)).await? == 0 {
        return Err(RedeemError::Invalid);
    }
    Ok(row)
}

/// Uses up a token and all others of this user for this purpose and subject. Of two concurrent callers one succeeds.
pub async fn redeem(
    tx: &impl ConnectionTrait,
    raw: &str,
    purpose: LinkPurpose,
) -> Result<mail_token::Model, RedeemError> {
    let row = redeem_one(tx, raw, purpose).await?;
    spend(tx, same(row.user_id, &row.purpose, row.subject.as_deref())).await?;
    Ok(row)
}

/// Invalidates all tokens mailed to this user.
pub async fn spend_all(tx: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    spend(tx, Column::UserId.eq(user_id)).await.map(drop)
}

/// Invalidates all tokens mailed to this user except those that undo a change of address: whoever took over the account
/// with a new address must not be able to invalidate them.
pub async fn spend_all_but_undo(tx: &impl ConnectionTrait, user_id: i64) -> Result<(), DbErr> {
    let others = Column::Purpose.ne(LinkPurpose::EMAIL_CHANGE_UNDO.as_str());
    spend(tx, Column::UserId.eq(user_id).and(others)).await.map(drop)
}

/// Invalidates the undo tokens created after this one; older ones stay valid.
pub async fn spend_later_undos(tx: &impl ConnectionTrait, token: &mail_token::Model) -> Result<(), DbErr> {
    let undo = Column::UserId
        .eq(token.user_id)
        .and(Column::Purpose.eq(LinkPurpose::EMAIL_CHANGE_UNDO.as_str()));
    spend(tx, undo.and(Column::CreatedAt.gte(token.created_at)))
        .await
        .map(drop)
}

/// Uses up the unused ones of these tokens; returns how many there were.
pub(super) async fn spend(conn: &impl ConnectionTrait, which: impl IntoCondition) -> Result<u64, DbErr> {
    let spent = mail_token::Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(now()))
        .filter(which)
        .filter(Column::UsedAt.is_null());
    Ok(spent.exec(conn).await?.rows_affected)
}

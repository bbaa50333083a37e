//! Refresh tokens are exchanged for their successors, which are *derived*: the same refresh token always yields the
//! same pair. So ten tabs that refresh at once all get the same pair, and a lost answer can be requested again, without
//! a window in which two pairs are valid.

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    end::{Which, end},
    live::{ACCESS_LIFETIME, Signed, find_live},
    pair::Pair,
};
use crate::{
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        crypto::SecretKey,
        entity::{
            session::{self, Column},
            spent_refresh_token as spent,
        },
        time::now,
        token::Token,
    },
    jobs::{EnqueueError, SessionReuse, Tx, enqueue},
};

/// How long a spent token still works although its successor is in use, because requests may overtake each other.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// How many refreshes within the overlap one late request can miss.
const MAX_STEPS: usize = 5;

/// The outcome of a refresh.
#[derive(Debug)]
pub enum Refreshed {
    /// The pair that is valid now.
    Pair(Box<Signed>, Pair),
    /// Unknown, expired, ended, or its owner may not sign in.
    Refused,
    /// The token was already spent and its successor is in use, so somebody has a copy: the session was ended. Commit.
    Reused,
}

/// Exchanges a refresh token. Commit whatever the outcome, so that an ended session stays ended.
pub async fn refresh(tx: &Tx, key: &SecretKey, shown: &Token, actor: &Actor) -> Result<Refreshed, EnqueueError> {
    if let Some(signed) = find_live(&**tx, Column::RefreshHash.eq(shown.hash())).await? {
        if !signed.user.may_sign_in(now()) {
            return Ok(Refreshed::Refused);
        }
        let Some(pair) = Pair::after(key, shown).next() else {
            return Ok(Refreshed::Refused);
        };
        if rotate(tx, &signed, shown, &pair).await? {
            let renewed = find_live(&**tx, Column::Id.eq(signed.session.id)).await?;
            return Ok(renewed.map_or(Refreshed::Refused, |signed| Refreshed::Pair(Box::new(signed), pair)));
        }
        // Another request with the same token was faster, so the token is spent now.
    }
    let Some(spent) = spent::Entity::find_by_id(shown.hash()).one(&**tx).await? else {
        return Ok(Refreshed::Refused);
    };
    let live = find_live(&**tx, Column::Id.eq(spent.session_id)).await?;
    let Some(signed) = live.filter(|signed| signed.user.may_sign_in(now())) else {
        return Ok(Refreshed::Refused);
    };
    let session = &signed.session;
    let is_current = |pair: &Pair| session.refresh_hash.as_ref() == Some(&pair.refresh.hash());
    let is_unused = session.token_used_at.is_none() && Pair::after(key, shown).any(|pair| is_current(&pair));
    if (is_unused || now() - spent.spent_at < OVERLAP)
        && let Some(pair) = Pair::find(key, shown, MAX_STEPS, &is_current)
    {
        return Ok(Refreshed::Pair(Box::new(signed), pair));
    }
    end_reused(tx, &signed, actor).await?;
    Ok(Refreshed::Reused)
}

/// Replaces the session's pair. Of several callers with the same token one succeeds.
async fn rotate(tx: &Tx, signed: &Signed, shown: &Token, pair: &Pair) -> Result<bool, DbErr> {
    let (at, session) = (now(), &signed.session);
    let rotated = session::Entity::update_many()
        .col_expr(Column::TokenHash, Expr::value(pair.access.hash()))
        .col_expr(
            Column::TokenExpiresAt,
            Expr::value(session.expires_at.min(at + ACCESS_LIFETIME)),
        )
        .col_expr(Column::TokenUsedAt, Expr::value(None::<chrono::DateTime<chrono::Utc>>))
        .col_expr(Column::RefreshHash, Expr::value(pair.refresh.hash()))
        .col_expr(Column::RefreshedAt, Expr::value(at))
        .col_expr(Column::LastSeenAt, Expr::value(at))
        .filter(Column::Id.eq(session.id))
        .filter(Column::RefreshHash.eq(shown.hash()))
        .filter(Column::EndedAt.is_null())
        .exec(&**tx)
        .await?;
    if rotated.rows_affected == 0 {
        return Ok(false);
    }
    let row = spent::ActiveModel {
        token_hash: Set(shown.hash()),
        session_id: Set(session.id),
        spent_at: Set(at),
    };
    spent::Entity::insert(row).exec_without_returning(&**tx).await?;
    Ok(true)
}

/// Ends the session, with an audit row and a mail to its owner.
async fn end_reused(tx: &Tx, signed: &Signed, actor: &Actor) -> Result<(), EnqueueError> {
    let (user, session_id) = (&signed.user, signed.session.id);
    end(&**tx, user.id, Which::One(session_id), "refresh token reused").await?;
    let entry = Entry::about(ObjectType::Session, session_id, &user.email, "refresh_token_reused");
    audit::record(&**tx, actor, entry).await?;
    let user_id = user.id;
    enqueue(tx, SessionReuse { user_id, session_id }).await.map(drop)
}

//! Refresh tokens are exchanged for their successors, and the successors are *derived*: the same refresh token always
//! yields the same pair. So ten tabs that refresh at once all get it, and an answer that was lost can be asked for
//! again, without a window in which two pairs are good.

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};

use super::{
    end::{Which, end},
    live::{ACCESS_LIFETIME, Signed, find_live},
    pair::Pair,
};
use crate::{
    audit::{self, Actor, Entry},
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

/// A spent token is answered for so long even when its successor is in use: requests overtake each other.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// Refreshes within the overlap that one late request can miss.
const MAX_STEPS: usize = 5;

/// What became of a refresh.
#[derive(Debug)]
pub enum Refreshed {
    /// The pair that is good now.
    Pair(Box<Signed>, Pair),
    /// Unknown, run out, ended, or its owner may not sign in.
    Refused,
    /// The token was spent before and its successor is in use, so somebody has a copy: the session is ended. Commit.
    Reused,
}

/// Exchanges a refresh token. Commit whatever the answer is: a session that was ended must stay so.
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
        // Another request with the same token was faster; it is spent now.
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

/// Puts the pair in the place of the one before. Of several callers with the same token one does it.
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

/// Ends the session, and tells the log and the owner.
async fn end_reused(tx: &Tx, signed: &Signed, actor: &Actor) -> Result<(), EnqueueError> {
    let (user, session_id) = (&signed.user, signed.session.id);
    end(&**tx, user.id, Which::One(session_id), "refresh token reused").await?;
    let entry = Entry {
        action: "refresh_token_reused",
        object_type: "session",
        object_id: Some(session_id.to_string()),
        object_label: Some(user.email.clone()),
        ..Entry::default()
    };
    audit::record(&**tx, actor, entry).await?;
    enqueue(
        tx,
        SessionReuse {
            user_id: user.id,
            session_id,
        },
    )
    .await
    .map(drop)
}

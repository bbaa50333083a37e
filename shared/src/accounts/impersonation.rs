//! Impersonation: a member of staff gets an API session of a user, for ten minutes and with a reason.
//!
//! It has one access token and no refresh token. It never counts as fresh, so it cannot change what protects the
//! account: its address, its second factors, its deletion. The audit log names both people. It takes the permission
//! `users.impersonate`, which each request checks again, and ends with the admin session in which it was started.

use chrono::TimeDelta;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    accounts::users,
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::session::{self, Column, SessionKind},
        rules::Reason,
        time::{new_id, now},
        token::{Token, TokenKind},
    },
    jobs::Tx,
};

/// The lifetime of an impersonation.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Why a user cannot be impersonated.
#[derive(Debug, Error)]
pub enum ImpersonationError {
    #[error("staff can't be impersonated")]
    Staff,
    #[error("the account is locked or deactivated")]
    ShutOut,
    #[error("the account was deleted")]
    Gone,
    #[error("your session has ended; sign in again")]
    SignedOut,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Starts to impersonate a user, in this session of a member of staff; the token is for the API. Ends the staff
/// member's earlier impersonation.
pub async fn start(
    tx: &Tx,
    user_id: i64,
    (staff_id, session_id): (i64, Uuid),
    reason: Reason,
    actor: &Actor,
) -> Result<Token, ImpersonationError> {
    let user = users::find_for_change(tx, user_id).await?;
    let user = user.ok_or(ImpersonationError::Gone)?;
    if user.is_staff || user.is_superuser {
        return Err(ImpersonationError::Staff);
    }
    let at = now();
    if !user.may_sign_in(at) {
        return Err(ImpersonationError::ShutOut);
    }
    let own = session::Entity::find_by_id(session_id)
        .filter(Column::UserId.eq(staff_id))
        .filter(Column::EndedAt.is_null())
        .one(&**tx)
        .await?;
    let own = own.ok_or(ImpersonationError::SignedOut)?;
    end(&**tx, staff_id, actor).await?;
    let until = Ord::min(own.expires_at, at + LIFETIME);
    let token = Token::generate(TokenKind::Access);
    let row = session::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user.id),
        kind: Set(SessionKind::Api),
        token_hash: Set(token.hash()),
        token_expires_at: Set(Some(until)),
        user_agent: Set(Some("Staff acting for the user".to_owned())),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(until),
        impersonator_id: Set(Some(staff_id)),
        impersonator_session_id: Set(Some(own.id)),
        ..Default::default()
    };
    session::Entity::insert(row).exec_without_returning(&**tx).await?;
    let entry = Entry {
        reason: Some(reason.into_text()),
        ..Entry::about(ObjectType::User, user.id, user.email, "impersonate")
    };
    audit::record(&**tx, &for_user(actor, user.id), entry).await?;
    Ok(token)
}

/// Ends this member of staff's impersonations, each with an audit row.
pub async fn end(conn: &impl ConnectionTrait, staff_id: i64, actor: &Actor) -> Result<u64, DbErr> {
    let at = now();
    let open = session::Entity::find()
        .filter(Column::ImpersonatorId.eq(staff_id))
        .filter(Column::EndedAt.is_null())
        .all(conn)
        .await?;
    let mut ended = 0;
    for session in open {
        session::Entity::update_many()
            .col_expr(Column::EndedAt, Expr::value(at))
            .col_expr(Column::EndReason, Expr::value("impersonation ended"))
            .filter(Column::Id.eq(session.id))
            .exec(conn)
            .await?;
        if session.expires_at <= at {
            continue; // it had expired already
        }
        let entry = Entry {
            action: "end_impersonation",
            object_type: "user",
            object_id: Some(session.user_id.to_string()),
            ..Entry::default()
        };
        audit::record(conn, &for_user(actor, session.user_id), entry).await?;
        ended += 1;
    }
    Ok(ended)
}

fn for_user(actor: &Actor, user_id: i64) -> Actor {
    Actor {
        on_behalf_of: Some(user_id),
        ..actor.clone()
    }
}

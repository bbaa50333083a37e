//! Acting for a user: a member of staff gets a session of the API that is the user's, for ten minutes and a reason.
//!
//! It has one access token and no refresh token. It never counts as fresh, so it cannot change what the account is
//! protected by: address, second factors, the account's end. Whatever is done in it names both in the audit log. It
//! takes the permission `users.impersonate`, which is asked for again with each request, and ends with the session in
//! which it was begun.

use chrono::TimeDelta;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait, Query},
};
use thiserror::Error;
use uuid::Uuid;

use crate::{
    accounts::{sessions::Which, users},
    audit::{self, Actor, Entry},
    foundation::{
        entity::{
            session::{self, Column, SessionKind},
            user::{self, UserStatus},
        },
        rules::Reason,
        time::now,
        token::{Token, TokenKind},
    },
    jobs::Tx,
};

/// Of an impersonation, whatever happens.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Why nobody may act for a user.
#[derive(Debug, Error)]
pub enum ImpersonationError {
    #[error("nobody acts for a member of the staff")]
    Staff,
    #[error("the account cannot be signed in to")]
    ShutOut,
    #[error("the account was deleted")]
    Gone,
    #[error("your own session has ended; sign in again")]
    SignedOut,
    #[error(transparent)]
    Db(#[from] DbErr),
}

/// Starts to act for a user, in this session of a member of staff; the token opens the API as them. What they had open
/// before ends.
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
        id: Set(Uuid::now_v7()),
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
        action: "impersonate",
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email),
        reason: Some(reason.into_text()),
        ..Entry::default()
    };
    audit::record(&**tx, &for_user(actor, user.id), entry).await?;
    Ok(token)
}

/// Ends what this member of staff has open, if anything; each with an audit row.
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
            continue; // it had ended by itself
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

/// Ends what was begun in sessions of a member of staff that end.
pub(crate) async fn end_with(conn: &impl ConnectionTrait, staff_id: i64, sessions: Which) -> Result<(), DbErr> {
    let begun_in = match sessions {
        Which::All => Condition::all(),
        Which::One(id) => Condition::all().add(Column::ImpersonatorSessionId.eq(id)),
        Which::Others(id) => Condition::any()
            .add(Column::ImpersonatorSessionId.ne(id))
            .add(Column::ImpersonatorSessionId.is_null()),
    };
    session::Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now()))
        .col_expr(Column::EndReason, Expr::value("impersonation ended"))
        .filter(Column::ImpersonatorId.eq(staff_id))
        .filter(Column::EndedAt.is_null())
        .filter(begun_in)
        .exec(conn)
        .await
        .map(drop)
}

fn for_user(actor: &Actor, user_id: i64) -> Actor {
    Actor {
        on_behalf_of: Some(user_id),
        ..actor.clone()
    }
}

/// Of a session: nobody else is in it, or its user is no staff, and whoever is in it still may and is still signed in. One
/// look at the rights, and only for an impersonation.
pub(crate) fn is_allowed() -> Condition {
    let actor = Query::select()
        .expr(Expr::val(1))
        .from_as(user::Entity, "actor")
        .and_where(Expr::cust(MAY_ACT))
        .cond_where(UserStatus::Active.of_rows("actor", now()))
        .to_owned();
    Condition::any()
        .add(Column::ImpersonatorId.is_null())
        .add(Expr::cust("NOT users.is_staff").and(Expr::exists(actor)))
}

const MAY_ACT: &str = "actor.id = sessions.impersonator_id AND actor.is_staff AND actor.deleted_at IS NULL
    AND (actor.is_superuser OR EXISTS (
         SELECT 1 FROM user_roles AS held JOIN role_permissions AS given ON given.role_id = held.role_id
          WHERE held.user_id = actor.id AND given.permission = 'users.impersonate'))
    AND (sessions.impersonator_session_id IS NULL OR EXISTS (
         SELECT 1 FROM sessions AS own WHERE own.id = sessions.impersonator_session_id AND own.ended_at IS NULL))";

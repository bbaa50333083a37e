//! Attempts to sign in, as the rate limits and the audit log see them.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use usher_admin_engine::{AdminError, Visit};
use usher_shared::{
    accounts::{password_hash, sessions, users},
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        crypto::SecretKey,
        entity::{audit_log::ActorKind, session::SessionKind, user},
        rate_limit::Guesser,
        time::now,
    },
    jobs::Tx,
};

use super::visitor::Visitor;
use crate::state::AppState;

/// Records a completed sign-in.
pub(crate) async fn signed_in(tx: &Tx, visit: &Visit, user: &user::Model) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::LastLoginAt, Expr::value(now()))
        .filter(user::Column::Id.eq(user.id))
        .exec(&**tx)
        .await?;
    let actor = visit.actor(user.id, &user.email);
    record(&**tx, &actor, "login", Some(user), None).await?;
    sessions::signed_in(&**tx, user, SessionKind::Admin, &actor).await
}

/// Records a failed sign-in, without the input: people type passwords into the wrong field.
pub(crate) async fn refused(
    state: &AppState,
    visit: &Visit,
    user: Option<&user::Model>,
    reason: &str,
) -> Result<(), DbErr> {
    state.metrics.log_in_failed();
    record(
        &state.db,
        &anonymous(visit),
        "login_failed",
        user,
        Some(reason.to_owned()),
    )
    .await
}

/// Who is trying to sign in: a browser or address that the account signed in with before, or a stranger. Runs the same
/// number of statements when there is no account.
pub(crate) async fn guesser<'a>(
    conn: &impl ConnectionTrait,
    key: &SecretKey,
    (visit, visitor): (&Visit, &Visitor),
    email_key: &'a str,
    user: Option<&user::Model>,
) -> Result<Guesser<'a>, DbErr> {
    let user_id = user.map_or(users::NOBODY, |user| user.id);
    let is_neighbour = sessions::is_known_address(conn, user_id, visit.address).await?;
    Ok(if user.is_some_and(|user| visitor.is_device_of(key, user)) {
        Guesser::Known { user_id }
    } else if is_neighbour {
        Guesser::Neighbour { user_id }
    } else {
        Guesser::Stranger { email_key }
    })
}

/// A visitor who has not signed in, as the audit log names them.
pub(crate) fn anonymous(visit: &Visit) -> Actor {
    Actor {
        address: Some(visit.address.to_string()),
        request_id: Some(visit.request_id.clone()),
        ..Actor::new(ActorKind::Anonymous, None, "Anonymous")
    }
}

/// Checks the password of somebody who has signed in, so guesses by strangers elsewhere don't count here.
pub(crate) async fn is_own_password(state: &AppState, user: &user::Model, password: &str) -> Result<bool, AdminError> {
    let guesser = Guesser::Known { user_id: user.id };
    let attempt = state.limiter.try_password(&state.config.rate_limits, guesser).await;
    let attempt = attempt.map_err(AdminError::too_many)?;
    let is_right = password_hash::verify(password, user.password_hash.as_deref()).await;
    if is_right {
        attempt.succeeded().await;
    }
    Ok(is_right)
}

pub(crate) async fn record(
    conn: &impl ConnectionTrait,
    actor: &Actor,
    action: &str,
    user: Option<&user::Model>,
    reason: Option<String>,
) -> Result<(), DbErr> {
    let entry = match user {
        Some(user) => Entry::about(ObjectType::User, user.id, &user.email, action),
        None => Entry {
            action,
            object_type: ObjectType::User.as_str(),
            ..Entry::default()
        },
    };
    audit::record(conn, actor, Entry { reason, ..entry }).await
}

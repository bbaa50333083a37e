//! Starting a session, and whether the account knows the device.

use std::net::IpAddr;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, ExprTrait},
};

use super::{
    live::{ACCESS_LIFETIME, LIFETIME, NEWEST},
    pair::Pair,
};
use crate::{
    accounts::hooks::{self, UserEvent, UserEventKind, UserSignedIn},
    audit::Actor,
    foundation::{
        db::Transactional,
        entity::{
            audit_log::ActorKind,
            mfa_factor,
            session::{self, Column, SessionKind},
            user,
        },
        rate_limit::bucket::network,
        time::{new_id, now},
    },
};

/// The longest `User-Agent` that is stored, in bytes.
const MAX_USER_AGENT: usize = 255;

/// The end reasons of sessions that their owner left.
const LEFT: [&str; 3] = ["logged out", "signed out", "signed in again"];

/// Where a session was started from, as shown to its owner.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub address: String,
    pub user_agent: Option<String>,
}

/// Starts a session after the password, and the second factor if required, were correct, and runs the hooks.
pub async fn start(
    conn: &impl Transactional,
    user_id: i64,
    device: Device,
    with_mfa: bool,
) -> Result<(session::Model, Pair), DbErr> {
    let (at, pair) = (now(), Pair::generate());
    let mut user_agent = device.user_agent;
    if let Some(text) = &mut user_agent {
        text.truncate(text.floor_char_boundary(MAX_USER_AGENT));
    }
    let row = session::ActiveModel {
        id: Set(new_id()),
        user_id: Set(user_id),
        kind: Set(SessionKind::Api),
        token_hash: Set(pair.access.hash()),
        token_expires_at: Set(Some(at + ACCESS_LIFETIME)),
        refresh_hash: Set(Some(pair.refresh.hash())),
        refreshed_at: Set(Some(at)),
        mfa_at: Set(with_mfa.then_some(at)),
        reauthenticated_at: Set(Some(at)),
        address: Set(Some(device.address)),
        user_agent: Set(user_agent),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(at + LIFETIME),
        ..Default::default()
    };
    let session = session::Entity::insert(row).exec_with_returning(conn).await?;
    if hooks::has_hooks(&[UserEventKind::SignedIn])
        && let Some(user) = user::Entity::find_by_id(user_id).one(conn).await?
    {
        let owner = Actor {
            address: session.address.clone(),
            ..Actor::new(ActorKind::User, Some(user_id), &user.name)
        };
        signed_in(conn, &user, SessionKind::Api, &owner).await?;
    }
    Ok((session, pair))
}

/// Runs the hooks on a completed sign-in. [`start`] does so itself; the admin, whose sessions start before the second
/// factor, calls it when nothing more is owed.
pub async fn signed_in(
    conn: &impl Transactional,
    user: &user::Model,
    session: SessionKind,
    actor: &Actor,
) -> Result<(), DbErr> {
    let event = UserEvent::SignedIn(UserSignedIn { user, session });
    hooks::run(conn, actor, event).await.map_err(hooks::plain)
}

/// Whether the account knows this address: somebody completed a sign-in from there within the last thirty days, and the
/// session was not revoked since. IPv6 addresses count by their /64 network.
pub async fn is_known_address(conn: &impl ConnectionTrait, user_id: i64, address: IpAddr) -> Result<bool, DbErr> {
    let has_factor = mfa_factor::Entity::find()
        .select_only()
        .expr(Expr::val(1))
        .filter(mfa_factor::Column::UserId.eq(user_id))
        .filter(mfa_factor::Column::ConfirmedAt.is_not_null());
    let addresses: Vec<Option<String>> = session::Entity::find()
        .select_only()
        .column(Column::Address)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ImpersonatorId.is_null())
        .filter(Column::CreatedAt.gt(now() - LIFETIME))
        .filter(Column::EndedAt.is_null().or(Column::EndReason.is_in(LEFT)))
        .filter(
            Column::MfaAt
                .is_not_null()
                .or(Expr::exists(has_factor.into_query()).not()),
        )
        .order_by_desc(Column::Id)
        .limit(NEWEST)
        .into_tuple()
        .all(conn)
        .await?;
    let mut known = addresses.iter().flatten().filter_map(|known| known.parse().ok());
    Ok(known.any(|known| network(known) == network(address)))
}

/// Whether the user has signed in before, but never with this user agent.
pub async fn is_new_device(conn: &impl ConnectionTrait, user_id: i64, user_agent: Option<&str>) -> Result<bool, DbErr> {
    let seen: Vec<Option<String>> = session::Entity::find()
        .select_only()
        .column(Column::UserAgent)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::ImpersonatorId.is_null())
        .order_by_desc(Column::Id)
        .limit(NEWEST)
        .into_tuple()
        .all(conn)
        .await?;
    Ok(!seen.is_empty() && seen.iter().all(|known| known.as_deref() != user_agent))
}

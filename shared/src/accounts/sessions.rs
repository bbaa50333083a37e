//! Sessions of the API: who is signed in, with which tokens, until when. Those of staff are the admin's own.
//!
//! An access token is opaque and belongs to one session, so that a lock, a log-out or a new password holds from the
//! next request on. A refresh replaces both tokens; see [`refresh`].

mod refresh;

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, RelationDef,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use crate::{
    accounts::{impersonation, mfa},
    foundation::{
        entity::{
            mfa_factor,
            session::{self, Column, SessionKind},
            user,
        },
        rate_limit::bucket::network,
        time::now,
        token::Token,
    },
};

pub use refresh::{Pair, Refreshed, refresh};

/// Of one access token.
pub const ACCESS_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// Of a session, whatever happens (NIST SP 800-63B §4.1.3: 30 days at AAL1).
pub const LIFETIME: TimeDelta = TimeDelta::days(30);
/// Of a session that nobody uses.
pub const IDLE: TimeDelta = TimeDelta::days(7);
/// Of a session of the admin that nobody uses (NIST SP 800-63B §4.2.3: an hour at AAL2).
pub const ADMIN_IDLE: TimeDelta = TimeDelta::hours(1);
/// How long the owner counts as present after showing the password.
pub const FRESH: TimeDelta = TimeDelta::minutes(5);
/// `last_seen_at` is no more exact than this; it spares a write for each request.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(5);
/// The longest `User-Agent` that is kept, in bytes.
const MAX_USER_AGENT: usize = 255;
/// Sessions that are listed and that a device is recognised by; nobody has more devices.
const NEWEST: u64 = 100;

/// How sessions end whose owner only left.
const LEFT: [&str; 3] = ["logged out", "signed out", "signed in again"];

/// Where a session is started from, as its owner sees it later.
#[derive(Clone, Debug, Default)]
pub struct Device {
    pub address: String,
    pub user_agent: Option<String>,
}

/// A live session and whose it is.
#[derive(Clone, Debug)]
pub struct Signed {
    pub session: session::Model,
    pub user: user::Model,
}

impl Signed {
    /// Whether the owner counts as present, see [`is_fresh`]. Who acts for the owner never does, even with the password.
    #[must_use]
    pub fn is_fresh(&self, has_factor: bool) -> bool {
        let Self { session, .. } = self;
        self.is_owner() && is_fresh(session.reauthenticated_at, session.mfa_at, has_factor)
    }

    /// Whether it is the user, not somebody who acts for them.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.session.impersonator_id.is_none()
    }
}

/// Which sessions of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    All,
    One(Uuid),
    /// All but this one.
    Others(Uuid),
}

/// Whether a session's owner has shown the password within the last five minutes, and the second factor with it where the
/// account has one.
#[must_use]
pub fn is_fresh(password_at: Option<DateTime<Utc>>, mfa_at: Option<DateTime<Utc>>, has_factor: bool) -> bool {
    let lately = |at: Option<DateTime<Utc>>| at.is_some_and(|at| now() - at < FRESH);
    lately(password_at) && (!has_factor || lately(mfa_at))
}

/// Starts a session for somebody who has just shown the password, and the second factor where one is owed.
pub async fn start(
    conn: &impl ConnectionTrait,
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
        id: Set(Uuid::now_v7()),
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
    Ok((session, pair))
}

/// The session of this access token and its user, if both are good now. One statement.
pub async fn load(conn: &impl ConnectionTrait, access: &Token) -> Result<Option<Signed>, DbErr> {
    let token = Column::TokenHash.eq(access.hash());
    let found = find_live(conn, token.and(Column::TokenExpiresAt.gt(now()))).await?;
    Ok(found.filter(|signed| signed.user.may_sign_in(now())))
}

async fn find_live(conn: &impl ConnectionTrait, which: Expr) -> Result<Option<Signed>, DbErr> {
    let to_user: RelationDef = session::Entity::belongs_to(user::Entity)
        .from(Column::UserId)
        .to(user::Column::Id)
        .into();
    let found = session::Entity::find()
        .join(JoinType::InnerJoin, to_user)
        .select_also(user::Entity)
        .filter(which)
        .filter(Column::Kind.eq(SessionKind::Api))
        .filter(live(now()))
        .filter(impersonation::is_allowed())
        .one(conn)
        .await?;
    Ok(found.and_then(|(session, user)| Some(Signed { session, user: user? })))
}

/// Neither ended nor run out; the same as [`run_out`].
#[must_use]
pub fn live(at: DateTime<Utc>) -> Condition {
    let api = Column::Kind.eq(SessionKind::Api);
    let seen_lately = Condition::any()
        .add(Column::LastSeenAt.gt(at - ADMIN_IDLE))
        .add(api.and(Column::LastSeenAt.gt(at - IDLE)));
    Condition::all()
        .add(Column::EndedAt.is_null())
        .add(Column::ExpiresAt.gt(at))
        .add(seen_lately)
}

/// When a session that nobody ends or uses any more is over.
#[must_use]
pub fn run_out(kind: SessionKind, last_seen_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    let idle = match kind {
        SessionKind::Admin => ADMIN_IDLE,
        SessionKind::Api => IDLE,
    };
    Ord::min(expires_at, last_seen_at + idle)
}

/// Notes a request with the present access token: the first one spends the refresh token before it.
pub async fn note_use(conn: &impl ConnectionTrait, session: &session::Model) -> Result<(), DbErr> {
    let at = now();
    if session.token_used_at.is_some() && at - session.last_seen_at < SEEN_EVERY {
        return Ok(());
    }
    session::Entity::update_many()
        .col_expr(Column::TokenUsedAt, Expr::value(session.token_used_at.unwrap_or(at)))
        .col_expr(Column::LastSeenAt, Expr::value(at))
        .filter(Column::Id.eq(session.id))
        .filter(Column::TokenHash.eq(session.token_hash.clone()))
        .exec(conn)
        .await
        .map(drop)
}

/// The owner has shown the password again, and `with_mfa` the second factor.
pub async fn reauthenticated(conn: &impl ConnectionTrait, id: Uuid, with_mfa: bool) -> Result<(), DbErr> {
    let at = now();
    let mut update = session::Entity::update_many().col_expr(Column::ReauthenticatedAt, Expr::value(at));
    if with_mfa {
        update = update.col_expr(Column::MfaAt, Expr::value(at));
    }
    update.filter(Column::Id.eq(id)).exec(conn).await.map(drop)
}

/// The owner has shown a second factor, by confirming it.
pub async fn note_factor(conn: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(Column::MfaAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .exec(conn)
        .await
        .map(drop)
}

/// The live sessions of a user, newest first, those of the admin included; a hundred at most.
pub async fn list(conn: &impl ConnectionTrait, user_id: i64) -> Result<Vec<session::Model>, DbErr> {
    session::Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(live(now()))
        .order_by_desc(Column::Id)
        .limit(NEWEST)
        .all(conn)
        .await
}

/// Whether this address is known to the account: somebody signed in from there, wholly, within the last thirty days, and the
/// session was not taken from them since. The networks behind an IPv6 address are one.
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

/// Whether the user has signed in before, but never from such a device.
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

/// Ends live sessions of a user, of whichever kind; `reason` is a short word or two for their rows. How many there were.
///
/// What the user had open for others in them ends, too. With more than one end log-ins that still owe their code: whoever
/// is half-way in is one of the others.
pub async fn end(conn: &impl ConnectionTrait, user_id: i64, which: Which, reason: &str) -> Result<u64, DbErr> {
    let ids = match which {
        Which::All => Condition::all(),
        Which::One(id) => Condition::all().add(Column::Id.eq(id)),
        Which::Others(id) => Condition::all().add(Column::Id.ne(id)),
    };
    let ended = session::Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now()))
        .col_expr(Column::EndReason, Expr::value(reason))
        .filter(Column::UserId.eq(user_id))
        .filter(Column::EndedAt.is_null())
        .filter(ids)
        .exec(conn)
        .await?;
    impersonation::end_with(conn, user_id, which).await?;
    if !matches!(which, Which::One(_)) {
        mfa::close_challenges(conn, user_id).await?;
    }
    Ok(ended.rows_affected)
}

//! Live sessions: whose they are, how long they last, and whether the owner counts as present.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect,
    RelationDef,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::impersonated::is_allowed;
use crate::foundation::{
    entity::{
        session::{self, Column, SessionKind},
        user,
    },
    time::now,
    token::Token,
};

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
/// Sessions that are listed and that a device is recognized by; nobody has more devices.
pub(super) const NEWEST: u64 = 100;
/// `last_seen_at` is no more exact than this; it spares a write for each request.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(5);

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

/// Whether a session's owner has shown the password within the last five minutes, and the second factor with it where the
/// account has one.
#[must_use]
pub fn is_fresh(password_at: Option<DateTime<Utc>>, mfa_at: Option<DateTime<Utc>>, has_factor: bool) -> bool {
    let lately = |at: Option<DateTime<Utc>>| at.is_some_and(|at| now() - at < FRESH);
    lately(password_at) && (!has_factor || lately(mfa_at))
}

/// The session of this access token and its user, if both are good now. One statement.
pub async fn load(conn: &impl ConnectionTrait, access: &Token) -> Result<Option<Signed>, DbErr> {
    let token = Column::TokenHash.eq(access.hash());
    let found = find_live(conn, token.and(Column::TokenExpiresAt.gt(now()))).await?;
    Ok(found.filter(|signed| signed.user.may_sign_in(now())))
}

pub(super) async fn find_live(conn: &impl ConnectionTrait, which: Expr) -> Result<Option<Signed>, DbErr> {
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
        .filter(is_allowed())
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

//! Live sessions: whose they are, how long they last, and whether the owner counts as present.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect, RelationDef, SelectTwo,
    sea_query::{Expr, ExprTrait},
};
use uuid::Uuid;

use super::impersonated::is_allowed;
use crate::foundation::{
    db::any_of,
    entity::{
        session::{self, Column, SessionKind},
        user,
    },
    time::now,
    token::Token,
};

/// The lifetime of an access token.
pub const ACCESS_LIFETIME: TimeDelta = TimeDelta::minutes(15);
/// The longest lifetime of a session (NIST SP 800-63B §4.1.3: 30 days at AAL1).
pub const LIFETIME: TimeDelta = TimeDelta::days(30);
/// The lifetime of an unused session.
pub const IDLE: TimeDelta = TimeDelta::days(7);
/// The lifetime of an unused admin session (NIST SP 800-63B §4.2.3: an hour at AAL2).
pub const ADMIN_IDLE: TimeDelta = TimeDelta::hours(1);
/// How long a session counts as fresh after its owner confirmed the password.
pub const FRESH: TimeDelta = TimeDelta::minutes(5);
/// Sessions that are listed and that a device is recognized by; nobody has more devices.
pub(super) const NEWEST: u64 = 100;
/// The precision of `last_seen_at`, which saves a write per request.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(5);

/// A live session and its user.
#[derive(Clone, Debug)]
pub struct Signed {
    pub session: session::Model,
    pub user: user::Model,
}

impl Signed {
    /// Whether the session is fresh, see [`is_fresh`]. An impersonation never is, even with the password.
    #[must_use]
    pub fn is_fresh(&self, has_factor: bool) -> bool {
        let Self { session, .. } = self;
        self.is_owner() && is_fresh(session.reauthenticated_at, session.mfa_at, has_factor)
    }

    /// Whether this is the user's own session, not an impersonation.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        self.session.impersonator_id.is_none()
    }
}

/// Whether the password was confirmed within the last five minutes, and the second factor if the account has one.
#[must_use]
pub fn is_fresh(password_at: Option<DateTime<Utc>>, mfa_at: Option<DateTime<Utc>>, has_factor: bool) -> bool {
    let lately = |at: Option<DateTime<Utc>>| at.is_some_and(|at| now() - at < FRESH);
    lately(password_at) && (!has_factor || lately(mfa_at))
}

/// The session of this access token and its user, if both are valid now. One statement.
pub async fn load(conn: &impl ConnectionTrait, access: &Token) -> Result<Option<Signed>, DbErr> {
    let token = Column::TokenHash.eq(access.hash());
    let found = find_live(conn, token.and(Column::TokenExpiresAt.gt(now()))).await?;
    Ok(found.filter(|signed| signed.user.may_sign_in(now())))
}

/// Those of these sessions of the API that are live and whose users may sign in. One statement.
pub async fn still_live(db: &DatabaseConnection, ids: Vec<Uuid>) -> Result<Vec<Uuid>, DbErr> {
    let found = with_users(any_of(db, Column::Id, ids)).all(db).await?;
    let found = found.into_iter().filter_map(|(session, user)| Some((session, user?)));
    let good = found.filter(|(_, user)| user.may_sign_in(now()));
    Ok(good.map(|(session, _)| session.id).collect())
}

pub(super) async fn find_live(conn: &impl ConnectionTrait, which: Expr) -> Result<Option<Signed>, DbErr> {
    let found = with_users(which).one(conn).await?;
    Ok(found.and_then(|(session, user)| Some(Signed { session, user: user? })))
}

/// Live sessions of the API with their users.
fn with_users(which: Expr) -> SelectTwo<session::Entity, user::Entity> {
    let to_user: RelationDef = session::Entity::belongs_to(user::Entity)
        .from(Column::UserId)
        .to(user::Column::Id)
        .into();
    session::Entity::find()
        .join(JoinType::InnerJoin, to_user)
        .select_also(user::Entity)
        .filter(which)
        .filter(Column::Kind.eq(SessionKind::Api))
        .filter(live(now()))
        .filter(is_allowed())
}

/// Neither ended nor expired; the same rule as [`run_out`].
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

/// When a session expires if it is neither ended nor used any more.
#[must_use]
pub fn run_out(kind: SessionKind, last_seen_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> DateTime<Utc> {
    let idle = match kind {
        SessionKind::Admin => ADMIN_IDLE,
        SessionKind::Api => IDLE,
    };
    Ord::min(expires_at, last_seen_at + idle)
}

/// Records a request with the current access token; the first one uses up the previous refresh token.
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

/// Records that the owner confirmed the password, and `with_mfa` the second factor.
pub async fn reauthenticated(conn: &impl ConnectionTrait, id: Uuid, with_mfa: bool) -> Result<(), DbErr> {
    let at = now();
    let mut update = session::Entity::update_many().col_expr(Column::ReauthenticatedAt, Expr::value(at));
    if with_mfa {
        update = update.col_expr(Column::MfaAt, Expr::value(at));
    }
    update.filter(Column::Id.eq(id)).exec(conn).await.map(drop)
}

/// Records that the owner has just confirmed a new second factor.
pub async fn note_factor(conn: &impl ConnectionTrait, id: Uuid) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(Column::MfaAt, Expr::value(now()))
        .filter(Column::Id.eq(id))
        .exec(conn)
        .await
        .map(drop)
}

/// The live sessions of a user, newest first, including admin sessions; at most a hundred.
pub async fn list(conn: &impl ConnectionTrait, user_id: i64) -> Result<Vec<session::Model>, DbErr> {
    session::Entity::find()
        .filter(Column::UserId.eq(user_id))
        .filter(live(now()))
        .order_by_desc(Column::Id)
        .limit(NEWEST)
        .all(conn)
        .await
}

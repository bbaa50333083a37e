//! Sessions of staff: a random token in a cookie, its SHA-256 in the database.
//!
//! A session ends after an hour without a request and after twelve hours whatever happens, as NIST
//! SP 800-63B section 4.2.3 requires for AAL2.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryResult,
    Statement, Value, sea_query::Expr,
};
use usher_shared::{
    accounts::{
        sessions::{self, ADMIN_IDLE},
        staff::policy::Holder,
    },
    foundation::{
        config::StaffMfa,
        db,
        entity::{
            session::{self, SessionKind},
            user,
        },
        time::{new_id, now},
        token::{Token, TokenKind},
    },
};
use uuid::Uuid;

use usher_admin_engine::{ActingFor, Person, Staff, Visit, csrf::Binding};

/// Whatever happens.
const ABSOLUTE: TimeDelta = TimeDelta::hours(12);
/// `last_seen_at` is no more exact than this; it spares a write for each page.
const SEEN_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Who a session is of, as of this request.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) id: Uuid,
    pub(crate) user: user::Model,
    /// When the second factor was given in this session.
    pub(crate) mfa_at: Option<DateTime<Utc>>,
    /// Whether the account has a confirmed second factor.
    pub(crate) has_factor: bool,
    /// When the password was last shown in this session.
    pub(crate) reauthenticated_at: Option<DateTime<Utc>>,
    /// The person with the permissions of all their roles.
    pub(crate) holder: Holder,
    /// The columns chosen for lists, by the list's name.
    pub(crate) columns: HashMap<String, Vec<String>>,
    /// The user that the person is impersonating.
    pub(crate) acting_for: Option<ActingFor>,
}

impl Signed {
    /// Whether nothing is missing of the sign-in.
    pub(crate) fn is_complete(&self, mfa: StaffMfa) -> bool {
        let is_required = mfa == StaffMfa::Required && self.user.is_superuser;
        self.mfa_at.is_some() || !self.has_factor && !is_required
    }

    /// The person, for the pages of somebody who is fully signed in.
    pub(crate) fn staff(&self) -> Staff {
        Staff::new(Person {
            id: self.user.id,
            name: self.user.name.clone(),
            email: self.user.email.clone(),
            is_superuser: self.user.is_superuser,
            session_id: self.id,
            holder: self.holder.clone(),
            has_factor: self.has_factor,
            is_fresh: sessions::is_fresh(self.reauthenticated_at, self.mfa_at, self.has_factor),
            columns: self.columns.clone(),
            acting_for: self.acting_for.clone(),
        })
    }

    /// What the tokens of this session's forms are bound to.
    pub(crate) fn binding(&self) -> Binding {
        Binding::Session {
            id: self.id,
            user_id: self.user.id,
        }
    }
}

/// The sessions that are live and fulfil a condition. One statement: the session, its user, whether there is a second factor, the permissions of all roles, the columns
/// chosen, and whom the person acts for.
const LOAD: &str = "
    SELECT u.*, s.id AS session_id, s.mfa_at, s.last_seen_at, s.reauthenticated_at,
           EXISTS (SELECT 1 FROM mfa_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_factor,
           (SELECT string_agg(p.permission, ' ') FROM user_roles r
              JOIN role_permissions p ON p.role_id = r.role_id WHERE r.user_id = u.id) AS permissions,
           (SELECT string_agg(c.list || ' ' || c.columns, '/') FROM chosen_columns c WHERE c.user_id = u.id) AS columns,
           i.user_id AS impersonated_id, i.expires_at AS impersonated_until, v.email AS impersonated_email
      FROM sessions s JOIN users u ON u.id = s.user_id
      LEFT JOIN sessions i ON i.impersonator_id = u.id AND i.ended_at IS NULL AND i.expires_at > $2
      LEFT JOIN users v ON v.id = i.user_id
     WHERE s.kind = 'admin' AND s.ended_at IS NULL AND s.expires_at > $2 AND s.last_seen_at > $3";

/// The live session of this token, if its user is still active staff. It is ended when they are not. What a page asks by
/// itself is no use of the session.
pub(crate) async fn load(db: &impl ConnectionTrait, token: &Token, by_itself: bool) -> Result<Option<Signed>, DbErr> {
    let at = now();
    let condition = "token_hash = $1";
    let Some(row) = rows(db, condition, token.hash().into(), at).await?.pop() else {
        return Ok(None);
    };
    let signed = signed(&row)?;
    if !is_allowed(&signed, at) {
        end(db, signed.id, "no longer staff").await?;
        return Ok(None);
    }
    let last_seen: DateTime<Utc> = row.try_get("", "last_seen_at")?;
    if !by_itself && at - last_seen >= SEEN_EVERY {
        seen(db, signed.id, at).await?;
    }
    Ok(Some(signed))
}

/// Those of these sessions that are live, as they are now.
pub(crate) async fn still(conn: &impl ConnectionTrait, ids: &HashSet<Uuid>) -> Result<Vec<Signed>, DbErr> {
    let ((condition, ids), at) = (db::id_in(conn, "$1", ids.iter().copied()), now());
    let rows = rows(conn, &condition, ids, at).await?;
    let mut all = rows.iter().map(signed).collect::<Result<Vec<_>, _>>()?;
    all.retain(|signed| is_allowed(signed, at));
    Ok(all)
}

async fn rows(
    db: &impl ConnectionTrait,
    condition: &str,
    value: Value,
    at: DateTime<Utc>,
) -> Result<Vec<QueryResult>, DbErr> {
    let values = [value, at.into(), (at - ADMIN_IDLE).into()];
    let sql = format!("{LOAD} AND s.{condition}");
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
    db.query_all_raw(statement).await
}

fn is_allowed(signed: &Signed, at: DateTime<Utc>) -> bool {
    signed.user.is_staff && signed.user.may_sign_in(at)
}

fn signed(row: &QueryResult) -> Result<Signed, DbErr> {
    let user = user::Model::from_query_result(row, "")?;
    let permissions: Option<String> = row.try_get("", "permissions")?;
    let columns: Option<String> = row.try_get("", "columns")?;
    let impersonated_id: Option<i64> = row.try_get("", "impersonated_id")?;
    let acting_for = match impersonated_id {
        Some(user_id) => Some(ActingFor {
            href: format!("/admin/users/{user_id}"),
            email: row.try_get("", "impersonated_email")?,
            until: row.try_get("", "impersonated_until")?,
        }),
        None => None,
    };
    let permissions = permissions.unwrap_or_default();
    Ok(Signed {
        id: row.try_get("", "session_id")?,
        holder: Holder::staff(&user, permissions.split_whitespace().map(str::to_owned).collect()),
        user,
        mfa_at: row.try_get("", "mfa_at")?,
        has_factor: row.try_get("", "has_factor")?,
        reauthenticated_at: row.try_get("", "reauthenticated_at")?,
        columns: columns.unwrap_or_default().split('/').filter_map(chosen).collect(),
        acting_for,
    })
}

/// Reads `users email name status`.
fn chosen(list: &str) -> Option<(String, Vec<String>)> {
    let mut words = list.split_whitespace().map(str::to_owned);
    Some((words.next()?, words.collect()))
}

/// Starts a session and answers its id, and the token for its cookie.
pub(crate) async fn start(conn: &impl ConnectionTrait, user_id: i64, visit: &Visit) -> Result<(Uuid, Token), DbErr> {
    let (id, at) = (new_id(), now());
    let token = Token::generate(TokenKind::AdminSession);
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user_id),
        kind: Set(SessionKind::Admin),
        token_hash: Set(token.hash()),
        address: Set(Some(visit.address.to_string())),
        user_agent: Set(visit.user_agent.clone()),
        reauthenticated_at: Set(Some(at)),
        created_at: Set(at),
        last_seen_at: Set(at),
        expires_at: Set(at + ABSOLUTE),
        ..Default::default()
    };
    session::Entity::insert(row).exec_without_returning(conn).await?;
    Ok((id, token))
}

/// Marks the second factor as given, under a new token: one that leaked before is worth nothing now.
pub(crate) async fn complete(conn: &impl ConnectionTrait, id: Uuid) -> Result<Token, DbErr> {
    let token = Token::generate(TokenKind::AdminSession);
    session::Entity::update_many()
        .col_expr(session::Column::TokenHash, Expr::value(token.hash()))
        .col_expr(session::Column::MfaAt, Expr::value(now()))
        .col_expr(session::Column::ReauthenticatedAt, Expr::value(now()))
        .filter(session::Column::Id.eq(id))
        .exec(conn)
        .await?;
    Ok(token)
}

/// Ends a session; `reason` is a short word or two for its row.
pub(crate) async fn end(conn: &impl ConnectionTrait, id: Uuid, reason: &str) -> Result<(), DbErr> {
    session::Entity::update_many()
        .col_expr(session::Column::EndedAt, Expr::value(now()))
        .col_expr(session::Column::EndReason, Expr::value(reason))
        .filter(session::Column::Id.eq(id))
        .exec(conn)
        .await
        .map(drop)
}

async fn seen(conn: &impl ConnectionTrait, id: Uuid, at: DateTime<Utc>) -> Result<(), DbErr> {
    let update = session::Entity::update_many().col_expr(session::Column::LastSeenAt, Expr::value(at));
    update.filter(session::Column::Id.eq(id)).exec(conn).await.map(drop)
}

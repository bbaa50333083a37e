//! Keys of other services: what they may do, how they are made, and whether one that is shown is good.

mod change;
mod rules;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ipnet::IpNet;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use crate::foundation::{
    batch::Gather,
    db,
    entity::api_key::{self, Column},
    rules::Name,
    time::now,
    token::{Token, TokenKind},
};

pub use change::{KeyEdit, NewKey, edit, find_for_change, issue, revoke, rotate, tell};
use change::{cidrs, words};
pub use rules::{
    GRACE, MAX_GRACE, MAX_NETWORKS, MAX_PER_MINUTE, check_end, parse_grace, parse_limit, parse_networks, parse_scopes,
};

/// One thing that a key may be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    UsersRead,
    UsersWrite,
    UsersDelete,
    SessionsRead,
    SessionsWrite,
    AuditRead,
    JobsRead,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::UsersRead,
        Self::UsersWrite,
        Self::UsersDelete,
        Self::SessionsRead,
        Self::SessionsWrite,
        Self::AuditRead,
        Self::JobsRead,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
            Self::UsersDelete => "users:delete",
            Self::SessionsRead => "sessions:read",
            Self::SessionsWrite => "sessions:write",
            Self::AuditRead => "audit:read",
            Self::JobsRead => "jobs:read",
        }
    }

    /// What a person must hold to give it: whatever a key can do by it.
    #[must_use]
    pub const fn permissions(self) -> &'static [&'static str] {
        match self {
            Self::UsersRead => &["users.view"],
            Self::UsersWrite => &[
                "users.view",
                "users.add",
                "users.change",
                "users.lock",
                "users.unlock",
                "users.deactivate",
                "users.reactivate",
            ],
            Self::UsersDelete => &["users.delete"],
            Self::SessionsRead => &["sessions.view"],
            Self::SessionsWrite => &["sessions.revoke"],
            Self::AuditRead => &["audit.view"],
            Self::JobsRead => &["jobs.view"],
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Whether the key may do this. A scope of a newer release that this build does not know grants nothing.
#[must_use]
pub fn allows(key: &api_key::Model, scope: Scope) -> bool {
    key.scopes.split(' ').any(|word| word == scope.as_str())
}

/// Makes a key without an audit row, for the first key of a house and for tests; others are [`issue`]d. A given token is
/// used instead of a new one.
pub async fn create(
    conn: &impl ConnectionTrait,
    name: &str,
    scopes: &[Scope],
    token: Option<Token>,
    created_by: Option<i64>,
) -> Result<(api_key::Model, Token), DbErr> {
    let token = token.unwrap_or_else(|| Token::generate(TokenKind::ApiKey));
    let name = Name::parse(name).map_err(|violation| DbErr::Custom(violation.message))?;
    let new = NewKey::plain(name, scopes.to_vec());
    let key = insert(conn, &new, &token, created_by).await?;
    Ok((key, token))
}

async fn insert(
    conn: &impl ConnectionTrait,
    new: &NewKey,
    token: &Token,
    created_by: Option<i64>,
) -> Result<api_key::Model, DbErr> {
    let row = api_key::ActiveModel {
        name: Set(new.name.as_str().to_owned()),
        hint: Set(token.hint()),
        token_hash: Set(token.hash()),
        scopes: Set(words(new.scopes.iter().map(|scope| scope.as_str()))),
        allowed_cidrs: Set(cidrs(&new.allowed)),
        requests_per_minute: Set(new.requests_per_minute),
        created_by: Set(created_by),
        version: Set(1),
        created_at: Set(now()),
        expires_at: Set(new.expires_at),
        ..Default::default()
    };
    api_key::Entity::insert(row).exec_with_returning(conn).await
}

/// Looks keys up for whoever shows one. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyRing(Gather<Vec<u8>, Arc<api_key::Model>>);

impl KeyRing {
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self(Gather::new(move |hashes| find(db.clone(), hashes).boxed()))
    }

    /// The key behind what a caller shows, when it is good now and from this address.
    ///
    /// Costs one query, which callers of the same moment share, or none when the checksum is off. What was changed of
    /// a key, such as its revocation, holds from the next call on.
    pub async fn authenticate(&self, raw: &str, address: IpAddr) -> Result<Option<Arc<api_key::Model>>, DbErr> {
        let Some(token) = Token::parse(TokenKind::ApiKey, raw) else {
            return Ok(None);
        };
        let key = self.0.find(token.hash()).await?;
        Ok(key.filter(|key| is_good(key, address, now())))
    }
}

/// By the present secret; by the one before the last rotation only where that finds none, which is rare.
async fn find(db: DatabaseConnection, hashes: Vec<Vec<u8>>) -> Result<HashMap<Vec<u8>, Arc<api_key::Model>>, DbErr> {
    let keys = api_key::Entity::find().filter(db::any_of(&db, Column::TokenHash, hashes.clone()));
    let keys = keys.all(&db).await?.into_iter();
    let mut found: HashMap<_, _> = keys.map(|key| (key.token_hash.clone(), Arc::new(key))).collect();
    let others: Vec<_> = hashes.into_iter().filter(|hash| !found.contains_key(hash)).collect();
    if !others.is_empty() {
        let rotated = api_key::Entity::find().filter(db::any_of(&db, Column::PreviousHash, others));
        let rotated = rotated.filter(Column::PreviousUntil.gt(now())).all(&db).await?;
        found.extend(
            rotated
                .into_iter()
                .filter_map(|key| Some((key.previous_hash.clone()?, Arc::new(key)))),
        );
    }
    Ok(found)
}

/// What the column says of where a key may be used.
#[must_use]
pub fn allowed(key: &api_key::Model) -> Vec<IpNet> {
    let cidrs = key.allowed_cidrs.as_deref().unwrap_or_default().split_whitespace();
    cidrs.filter_map(|cidr| cidr.parse().ok()).collect()
}

fn is_good(key: &api_key::Model, address: IpAddr, at: DateTime<Utc>) -> bool {
    key.revoked_at.is_none()
        && key.expires_at.is_none_or(|end| at < end)
        && (key.allowed_cidrs.is_none() || allowed(key).iter().any(|net| net.contains(&address)))
}

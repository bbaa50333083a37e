//! Keys of other services: what they may do, how they are made, and whether one that is shown is good.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use futures::FutureExt;
use ipnet::IpNet;
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use crate::{
    Gather, db,
    entity::api_key,
    time::now,
    token::{Token, TokenKind},
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

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }
}

/// Whether this is a network in CIDR form, such as `10.0.0.0/8`.
#[must_use]
pub fn is_network(text: &str) -> bool {
    text.parse::<IpNet>().is_ok()
}

/// Whether the key may do this. A scope of a newer release that this build does not know grants nothing.
#[must_use]
pub fn allows(key: &api_key::Model, scope: Scope) -> bool {
    key.scopes.split(' ').any(|word| word == scope.as_str())
}

/// Makes a key and returns it with its secret, which nobody can read again. A given token is used instead of a new one.
pub async fn create(
    conn: &impl ConnectionTrait,
    name: &str,
    scopes: &[Scope],
    token: Option<Token>,
    created_by: Option<i64>,
) -> Result<(api_key::Model, Token), DbErr> {
    let token = token.unwrap_or_else(|| Token::generate(TokenKind::ApiKey));
    let row = api_key::ActiveModel {
        name: Set(name.to_owned()),
        hint: Set(token.hint()),
        token_hash: Set(token.hash()),
        scopes: Set(scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")),
        allowed_cidrs: Set(None),
        requests_per_minute: Set(None),
        created_by: Set(created_by),
        version: Set(1),
        created_at: Set(now()),
        expires_at: Set(None),
        last_used_at: Set(None),
        revoked_at: Set(None),
        ..Default::default()
    };
    let key = api_key::Entity::insert(row).exec_with_returning(conn).await?;
    Ok((key, token))
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

async fn find(db: DatabaseConnection, hashes: Vec<Vec<u8>>) -> Result<HashMap<Vec<u8>, Arc<api_key::Model>>, DbErr> {
    let keys = api_key::Entity::find().filter(db::any_of(&db, api_key::Column::TokenHash, hashes));
    let keys = keys.all(&db).await?;
    Ok(keys
        .into_iter()
        .map(|key| (key.token_hash.clone(), Arc::new(key)))
        .collect())
}

fn is_good(key: &api_key::Model, address: IpAddr, at: DateTime<Utc>) -> bool {
    key.revoked_at.is_none()
        && key.expires_at.is_none_or(|end| at < end)
        && key.allowed_cidrs.as_deref().is_none_or(|cidrs| {
            cidrs
                .split_whitespace()
                .filter_map(|cidr| cidr.parse::<IpNet>().ok())
                .any(|net| net.contains(&address))
        })
}

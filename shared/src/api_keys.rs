//! Keys of other services: what they may do, how they are made, and whether one that is shown is good.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::{
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

/// The key behind what a caller shows, when it is good now and from this address.
///
/// Costs one query, or none when the checksum is off.
pub async fn authenticate(
    conn: &impl ConnectionTrait,
    raw: &str,
    address: IpAddr,
) -> Result<Option<api_key::Model>, DbErr> {
    let Some(token) = Token::parse(TokenKind::ApiKey, raw) else {
        return Ok(None);
    };
    let key = api_key::Entity::find()
        .filter(api_key::Column::TokenHash.eq(token.hash()))
        .one(conn)
        .await?;
    Ok(key.filter(|key| is_good(key, address, now())))
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

//! Whether a presented key is valid.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter};

use crate::foundation::{
    batcher::Batcher,
    db,
    entity::api_key::{self, Column},
    time::now,
    token::{Token, TokenKind},
};

/// Looks up presented keys. Cheap to clone.
#[derive(Clone, Debug)]
pub struct KeyRing(Batcher<Vec<u8>, Option<Arc<api_key::Model>>>);

impl KeyRing {
    #[must_use]
    pub fn new(db: DatabaseConnection) -> Self {
        Self(Batcher::look_up(move |hashes| find(db.clone(), hashes)))
    }

    /// The key that a caller presents, if it is valid now and from this address.
    ///
    /// Costs one query, which concurrent callers share, or none if the checksum is wrong. Changes of a key, such as its
    /// revocation, take effect with the next call.
    pub async fn authenticate(&self, raw: &str, address: IpAddr) -> Result<Option<Arc<api_key::Model>>, DbErr> {
        let Some(token) = Token::parse(TokenKind::ApiKey, raw) else {
            return Ok(None);
        };
        let key = self.0.ask(token.hash()).await?;
        Ok(key.filter(|key| is_good(key, address, now())))
    }
}

/// By the current secret; by the one before the last rotation only if that finds none, which is rare.
async fn find(db: DatabaseConnection, hashes: Arc<[Vec<u8>]>) -> Result<HashMap<Vec<u8>, Arc<api_key::Model>>, DbErr> {
    let keys = api_key::Entity::find().filter(db::any_of(&db, Column::TokenHash, hashes.to_vec()));
    let keys = keys.all(&db).await?.into_iter();
    let mut found: HashMap<_, _> = keys.map(|key| (key.token_hash.clone(), Arc::new(key))).collect();
    let others: Vec<_> = hashes
        .iter()
        .filter(|hash| !found.contains_key(*hash))
        .cloned()
        .collect();
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

/// The networks that the key may be used from; empty for all.
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

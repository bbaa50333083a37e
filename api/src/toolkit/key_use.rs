//! When each API key was last used, written at most once a minute per key and never while a caller waits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, sea_query::Expr};
use usher_shared::foundation::{db, entity::api_key, time::now};

/// How exact `last_used_at` is.
const EVERY: Duration = Duration::from_secs(60);

/// Which keys this process has noted lately.
#[derive(Clone, Default)]
pub(crate) struct KeyUse(Arc<Mutex<HashMap<i64, Instant>>>);

impl KeyUse {
    /// Notes that the key is in use, in the background; the write may get lost at shutdown.
    pub(crate) fn note(&self, db: &DatabaseConnection, key: &api_key::Model) {
        if !self.is_due(key.id) {
            return;
        }
        let (db, id) = (db.clone(), key.id);
        tokio::spawn(async move {
            let noted = api_key::Entity::update_many()
                .col_expr(api_key::Column::LastUsedAt, Expr::value(now()))
                .filter(api_key::Column::Id.eq(id))
                .exec(&db::writing(&db))
                .await;
            if let Err(error) = noted {
                tracing::warn!(key = id, %error, "cannot note when an API key was last used");
            }
        });
    }

    fn is_due(&self, id: i64) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = noted.get(&id).is_none_or(|at| at.elapsed() >= EVERY);
        if due {
            noted.insert(id, Instant::now());
        }
        due
    }
}

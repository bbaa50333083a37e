//! The values in Redis. A Redis that is down or slow has none.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use redis::{Client, Cmd, FromRedisValue, aio::ConnectionManager};
use tokio::time::timeout;

use super::{json::Json, outage::Outage};
use crate::foundation::{program::Program, redis::connection_manager};

/// How long a value is waited for. Longer would be slower than most of what is cached.
const PATIENCE: Duration = Duration::from_millis(500);

pub(super) struct Remote {
    client: Client,
    connection: Mutex<ConnectionManager>,
    /// What keys begin with.
    prefix: String,
    outage: Outage,
}

impl Remote {
    pub(super) fn new(client: &Client) -> Option<Self> {
        let connection = connection_manager(client).ok()?;
        Some(Self {
            client: client.clone(),
            connection: Mutex::new(connection),
            prefix: format!("{}:cache:", Program::current().name),
            outage: Outage::default(),
        })
    }

    pub(super) async fn find(&self, key: &str) -> Option<Json> {
        if self.outage.goes_on() {
            return None;
        }
        let json: Option<Vec<u8>> = self.ask(redis::cmd("GET").arg(self.name(key))).await?;
        json.map(Json::from)
    }

    pub(super) async fn keep(&self, key: &str, json: &Json, ttl: Duration) {
        if self.outage.goes_on() {
            return;
        }
        // At most `MAX_TTL`.
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let mut set = redis::cmd("SET");
        let set = set.arg(self.name(key)).arg(&**json).arg("PX").arg(millis);
        self.ask::<()>(set).await;
    }

    /// Is tried during an outage as well: the former value must not outlive it.
    pub(super) async fn remove(&self, key: &str) {
        self.ask::<()>(redis::cmd("DEL").arg(self.name(key))).await;
    }

    fn name(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let answer = timeout(PATIENCE, command.query_async(&mut connection)).await;
        match answer {
            Ok(Ok(value)) => {
                self.outage.ended();
                Some(value)
            }
            // It does answer, for example that its memory is full.
            Ok(Err(error)) if error.code().is_some() => {
                self.outage.refused(&error);
                None
            }
            Ok(Err(error)) => {
                self.outage.began(&error);
                None
            }
            Err(late) => {
                self.outage.began(&late);
                self.reconnect();
                None
            }
        }
    }

    /// The manager reconnects when a connection ends, but not when it falls silent, as behind a firewall that has
    /// forgotten it.
    fn reconnect(&self) {
        if let Ok(fresh) = connection_manager(&self.client) {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

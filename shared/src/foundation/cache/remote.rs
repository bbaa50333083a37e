//! The values in Redis. A Redis that is down or slow has none.

use std::{io, time::Duration};

use redis::{Client, Cmd, FromRedisValue};
use tokio::time::timeout;

use super::{json::Json, outage::Outage};
use crate::foundation::{program::Program, redis::Connection};

/// How long a value is waited for. Longer would be slower than most of what is cached.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Remote {
    connection: Connection,
    /// What keys begin with.
    prefix: String,
    outage: Outage,
}

impl Remote {
    pub(super) fn new(client: &Client) -> Option<Self> {
        Some(Self {
            connection: Connection::new(client).ok()?,
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
        let mut lease = self.connection.lease();
        let answer = timeout(PATIENCE, command.query_async(&mut lease.manager)).await;
        let answer = answer.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()));
        self.connection.note(&lease, &answer);
        match &answer {
            Ok(_) => self.outage.ended(),
            // It does answer, for example that its memory is full.
            Err(error) if error.code().is_some() => self.outage.refused(error),
            Err(error) => self.outage.began(error),
        }
        answer.ok()
    }
}

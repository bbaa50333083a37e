//! A cache for what a product looks up often and may lose at any moment: in memory, or in Redis where there is one.

mod flights;
mod json;
mod memory;
mod outage;
mod remote;

use std::{sync::Arc, time::Duration};

use redis::Client;
use serde::{Serialize, de::DeserializeOwned};

use self::{
    flights::{Flight, Flights},
    json::{Json, read, written},
    memory::Memory,
    remote::Remote,
};
use crate::foundation::metrics::Counters;

/// The longest key, in bytes.
pub const MAX_KEY: usize = 512;
/// The largest value, in bytes of its JSON: 1 MiB.
pub const MAX_VALUE: usize = 1024 * 1024;
/// The longest time to live: 30 days.
pub const MAX_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// What a process keeps without Redis, in bytes of keys and values: 64 MiB.
pub const MEMORY: usize = 64 * 1024 * 1024;

/// Values by key, as JSON, each until its time to live ends. Cheap to clone.
///
/// With `REDIS_URL` the values are in Redis, which all processes of the product share, under keys that begin with the
/// program's name. Without it each process has its own values in memory, at most [`MEMORY`] bytes of them; what is used
/// least goes first. A value is lost when its time to live ends, when it is evicted, and when the process or Redis
/// restarts, so nothing may be kept only here. Redis and its operators can read all of it: keep no secrets here.
///
/// No call fails. A value that isn't there, that doesn't read as a `T` (after an upgrade, for example), or that Redis
/// doesn't deliver within half a second is a miss. While Redis doesn't answer nothing is cached, and a value that is
/// removed then may be found again afterwards until its time to live ends.
///
/// Keys longer than [`MAX_KEY`] and values larger than [`MAX_VALUE`] are never kept; a longer time to live is shortened
/// to [`MAX_TTL`].
#[derive(Clone, Debug)]
pub struct Cache(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    flights: Flights,
    reads: Counters<1>,
}

#[derive(Debug)]
enum Store {
    Memory(Memory),
    Remote(Box<Remote>),
}

impl Cache {
    /// In Redis if there is one, else in memory.
    #[must_use]
    pub fn new(redis: Option<&Client>) -> Self {
        let remote = redis.and_then(Remote::new);
        let reads = Counters::default();
        for outcome in ["hit", "miss"] {
            drop(reads.get_or_create(&[("outcome", outcome.into())]));
        }
        Self(Arc::new(Parts {
            store: match remote {
                Some(remote) => Store::Remote(Box::new(remote)),
                None => Store::Memory(Memory::new(MEMORY)),
            },
            flights: Flights::default(),
            reads,
        }))
    }

    /// How many values this process found and missed.
    #[must_use]
    pub fn reads(&self) -> &Counters<1> {
        &self.0.reads
    }

    /// The value of this key.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let value = self.find(key).await.and_then(|json| read(&json));
        let outcome = if value.is_some() { "hit" } else { "miss" };
        self.0.reads.get_or_create(&[("outcome", outcome.into())]).inc();
        value
    }

    /// Keeps a value for this long, in place of the former one.
    pub async fn set<T: Serialize>(&self, key: &str, value: &T, ttl: Duration) {
        if let Some(json) = written(value) {
            self.keep(key, json, ttl).await;
        }
    }

    /// Forgets the value of this key. After a change of what it was made from: remove it once that is committed. A
    /// [`Cache::get_or_load`] of this process that began before doesn't bring it back; one of another process may.
    pub async fn remove(&self, key: &str) {
        self.0.flights.end(key);
        match &self.0.store {
            Store::Memory(memory) => memory.remove(key),
            Store::Remote(remote) => remote.remove(key).await,
        }
    }

    /// The value of this key, or what `load` returns, which is then kept for this long.
    ///
    /// Of concurrent calls with the same key in one process one loads, and the others wait for its value. If it fails,
    /// it gets the error, nothing is kept, and the next of them loads.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get_or_load<T, E, F>(&self, key: &str, ttl: Duration, load: impl FnOnce() -> F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<T, E>>,
    {
        if let Some(value) = self.get(key).await {
            return Ok(value);
        }
        let flight = self.0.flights.join(key);
        let (mut load, mut loaded) = (Some(load), None);
        let landed = flight.cell.get_or_try_init(async || {
            // Another call may have loaded it since.
            if let Some(json) = self.find(key).await.filter(|json| read::<T>(json).is_some()) {
                return Ok(Some(json));
            }
            let Some(load) = load.take() else { return Ok(None) };
            let value = load().await?;
            let json = written(&value);
            loaded = Some(value);
            if let Some(json) = &json {
                self.land(key, &flight, Arc::clone(json), ttl).await;
            }
            Ok(json)
        });
        let json = landed.await?.clone();
        match (loaded.or_else(|| json.and_then(|json| read(&json))), load) {
            (Some(value), _) => Ok(value),
            // The other caller's value is of another type, or can't be written as JSON.
            (None, Some(load)) => load().await,
            (None, None) => unreachable!("what was loaded is there"),
        }
    }

    /// Keeps what a flight has loaded, unless it was removed since.
    async fn land(&self, key: &str, flight: &Flight, json: Json, ttl: Duration) {
        if self.0.flights.has(key, flight) {
            self.keep(key, json, ttl).await;
        }
    }

    async fn find(&self, key: &str) -> Option<Json> {
        if key.len() > MAX_KEY {
            return None;
        }
        match &self.0.store {
            Store::Memory(memory) => memory.find(key),
            Store::Remote(remote) => remote.find(key).await,
        }
    }

    async fn keep(&self, key: &str, json: Json, ttl: Duration) {
        if key.len() > MAX_KEY || json.len() > MAX_VALUE || ttl.as_millis() == 0 {
            // Not the former value either.
            return self.remove(key).await;
        }
        let ttl = ttl.min(MAX_TTL);
        match &self.0.store {
            Store::Memory(memory) => memory.keep(key, json, ttl),
            Store::Remote(remote) => remote.keep(key, &json, ttl).await,
        }
    }
}

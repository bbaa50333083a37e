//! The values of this process, bounded in bytes.

use std::time::{Duration, Instant};

use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::json::Json;

/// Each is locked on its own. A power of two, and few enough that the largest value fits into each many times over.
const SHARDS: usize = 8;
/// What an entry costs besides its key and its value, in bytes.
const ENTRY: usize = 128;
/// What an entry usually weighs, in bytes; only says how many there will be.
const USUAL: usize = 1_024;

#[derive(Debug)]
pub(super) struct Memory(Cache<Box<str>, Entry, Bytes>);

#[derive(Clone, Debug)]
struct Entry {
    json: Json,
    until: Instant,
}

/// Weighs entries in bytes.
#[derive(Clone, Copy, Debug)]
struct Bytes;

impl Weighter<Box<str>, Entry> for Bytes {
    fn weight(&self, key: &Box<str>, entry: &Entry) -> u64 {
        (ENTRY + key.len() + entry.json.len()) as u64
    }
}

impl Memory {
    pub(super) fn new(bytes: usize) -> Self {
        let mut options = OptionsBuilder::new();
        options
            .shards(SHARDS)
            .weight_capacity(bytes as u64)
            .estimated_items_capacity(bytes / USUAL);
        let options = options.build().expect("constant options");
        let hasher = DefaultHashBuilder::default();
        Self(Cache::with_options(options, Bytes, hasher, DefaultLifecycle::default()))
    }

    pub(super) fn find(&self, key: &str) -> Option<Json> {
        let now = Instant::now();
        let entry = self.0.get(key)?;
        if entry.until <= now {
            self.0.remove_if(key, |entry| entry.until <= now);
            return None;
        }
        Some(entry.json)
    }

    pub(super) fn keep(&self, key: &str, json: Json, ttl: Duration) {
        let until = Instant::now() + ttl;
        self.0.insert(key.into(), Entry { json, until });
    }

    pub(super) fn remove(&self, key: &str) {
        self.0.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_in_bytes_and_what_is_used_stays() {
        let memory = Memory::new(1 << 20);
        let value = || Json::from(vec![b'1'; 10_000]);
        memory.keep("used", value(), Duration::from_secs(60));
        for number in 0..1_000 {
            memory.keep(&format!("seen once: {number}"), value(), Duration::from_secs(60));
            assert!(memory.find("used").is_some(), "evicted after {number} others");
        }
        let kept = memory.0.weight();
        assert!((500_000..=1 << 20).contains(&kept), "{kept} bytes");
        memory.keep(
            "too large for a shard",
            vec![b'1'; 1 << 20].into(),
            Duration::from_secs(60),
        );
        assert!(memory.find("too large for a shard").is_none());
        assert!(memory.0.weight() <= 1 << 20);
    }
}

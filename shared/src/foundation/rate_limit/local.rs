//! The buckets of this process, limited in number.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
};

/// Each is swept on its own, so that no request waits for all of them.
const SHARDS: usize = 64;
/// 131,072 in all, about 20 MB.
const MAX_BUCKETS: usize = 2_048;

type Shard = HashMap<String, f64>;

/// Each bucket's timestamp, in milliseconds.
#[derive(Debug)]
pub(super) struct Local {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

impl Default for Local {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl Local {
    /// Replaces a bucket's timestamp; none for an idle bucket.
    pub(super) fn change<T>(&self, bucket: &str, now: f64, step: impl FnOnce(Option<f64>) -> (T, Option<f64>)) -> T {
        let mut shard = self.shard(bucket).lock().unwrap_or_else(PoisonError::into_inner);
        let before = shard.get(bucket).copied();
        let (answer, after) = step(before);
        match after {
            None => drop(shard.remove(bucket)),
            Some(until) => {
                if before.is_none() && shard.len() >= MAX_BUCKETS {
                    make_room(&mut shard, now);
                }
                shard.insert(bucket.to_owned(), until);
            }
        }
        answer
    }

    pub(super) fn remove(&self, bucket: &str) {
        let shard = self.shard(bucket).lock();
        shard.unwrap_or_else(PoisonError::into_inner).remove(bucket);
    }

    fn shard(&self, bucket: &str) -> &Mutex<Shard> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits do")]
        let hash = self.hasher.hash_one(bucket) as usize;
        &self.shards[hash % SHARDS]
    }
}

/// Drops idle buckets; if that is less than half, also those that would be idle next.
fn make_room(shard: &mut Shard, now: f64) {
    shard.retain(|_, until| *until > now);
    if shard.len() > MAX_BUCKETS / 2 {
        let mut times: Vec<f64> = shard.values().copied().collect();
        let (_, middle, _) = times.select_nth_unstable_by(MAX_BUCKETS / 2, f64::total_cmp);
        let middle = *middle;
        shard.retain(|_, until| *until > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_memory_and_the_fullest_buckets_stay() {
        let local = Local::default();
        let count = |bucket: &str, until: f64| local.change(bucket, 0.0, |before| (before, Some(until)));
        count("failures:victim", 1e9);
        for number in 0..SHARDS * MAX_BUCKETS * 2 {
            count(&format!("log_in:{number}"), 1.0 + number as f64);
        }
        let kept: usize = local.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert!(kept <= SHARDS * MAX_BUCKETS, "{kept}");
        assert_eq!(count("failures:victim", 1e9), Some(1e9));
        for number in 0..SHARDS * MAX_BUCKETS * 2 {
            local.change(&format!("idle:{number}"), 1e12, |_| ((), Some(1e12 + 1.0)));
        }
        assert_eq!(
            local.change("failures:victim", 1e12, |before| (before, None)),
            None,
            "idle ones go first"
        );
    }
}

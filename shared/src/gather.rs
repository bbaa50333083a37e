//! Look-ups that arrive together are answered by one statement: under load the database is asked once for many
//! callers, and a caller who is alone waits for nobody.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    mem,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use sea_orm::DbErr;
use tokio::sync::oneshot;

/// Statements of one kind under way at once. The keys that arrive meanwhile are the next statement's.
const FLIGHTS: usize = 2;
/// Keys of one statement at most.
const KEYS: usize = 256;
/// A statement that takes longer has lost its database.
const LIMIT: Duration = Duration::from_secs(10);

type Answer<V> = Result<Option<V>, DbErr>;
type Callers<K, V> = HashMap<K, Vec<oneshot::Sender<Answer<V>>>>;
type LookUp<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, DbErr>> + Send + Sync;

/// Finds values by their keys, as of now: a caller's statement never starts before the caller asks, so whoever wrote
/// and then asks reads what was written.
///
/// Cheap to clone; it needs a Tokio runtime when it is asked.
pub struct Gather<K, V>(Arc<Inner<K, V>>);

struct Inner<K, V> {
    look_up: Box<LookUp<K, V>>,
    queue: Mutex<Queue<K, V>>,
}

struct Queue<K, V> {
    waiting: Callers<K, V>,
    flights: usize,
}

impl<K, V> Gather<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// `look_up` finds all of these distinct keys, 256 at most, in one statement; a key it leaves out is not there.
    pub fn new(
        look_up: impl Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, DbErr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            look_up: Box::new(look_up),
            queue: Mutex::new(Queue {
                waiting: HashMap::new(),
                flights: 0,
            }),
        }))
    }

    /// The value of this key, if there is one.
    pub async fn find(&self, key: K) -> Answer<V> {
        let (sender, receiver) = oneshot::channel();
        if self.0.enter(key, sender) {
            tokio::spawn(Arc::clone(&self.0).fly());
        }
        let gone = || DbErr::Custom("the look-up ended without an answer".to_owned());
        receiver.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl<K: Eq + Hash, V> Inner<K, V> {
    fn queue(&self) -> MutexGuard<'_, Queue<K, V>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the caller. True when a flight has to be started for it.
    fn enter(&self, key: K, caller: oneshot::Sender<Answer<V>>) -> bool {
        let mut queue = self.queue();
        queue.waiting.entry(key).or_default().push(caller);
        let free = queue.flights < FLIGHTS;
        if free {
            queue.flights += 1;
        }
        free
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Inner<K, V> {
    /// One statement after the other until nobody waits.
    async fn fly(self: Arc<Self>) {
        loop {
            // Requests that are ready now still get on board.
            tokio::task::yield_now().await;
            let Some(callers) = self.board() else { return };
            let keys = callers.keys().cloned().collect();
            let found = self.look_up(keys).await;
            for (key, callers) in callers {
                let answer = match &found {
                    Ok(found) => Ok(found.get(&key).cloned()),
                    Err(error) => Err(error.clone()),
                };
                for caller in callers {
                    // One that has gone away needs no answer.
                    drop(caller.send(answer.clone()));
                }
            }
        }
    }

    /// Those who wait. When there are none the flight has landed: decided under one lock, so that nobody who comes
    /// later relies on it.
    fn board(&self) -> Option<Callers<K, V>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.flights -= 1;
            return None;
        }
        let mut all = mem::take(&mut queue.waiting);
        if all.len() > KEYS {
            let mut rest = all.into_iter();
            all = rest.by_ref().take(KEYS).collect();
            queue.waiting = rest.collect();
        }
        Some(all)
    }

    async fn look_up(&self, keys: Vec<K>) -> Result<HashMap<K, V>, DbErr> {
        let failed = |what: &str| Err(DbErr::Custom(what.to_owned()));
        let found = AssertUnwindSafe(async { (self.look_up)(keys).await }).catch_unwind();
        match tokio::time::timeout(LIMIT, found).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => failed("the look-up panicked"),
            Err(_) => failed("the database did not answer in time"),
        }
    }
}

impl<K, V> Clone for Gather<K, V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V> fmt::Debug for Gather<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

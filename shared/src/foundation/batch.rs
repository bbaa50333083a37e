//! What arrives together is done together: under load one statement or transaction serves many callers, and a caller
//! who is alone waits for nobody.

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

use crate::foundation::{
    db::cut_before_commit,
    trace::{self, Span, Trace},
};

/// A batch that takes longer has lost its database.
const LIMIT: Duration = Duration::from_secs(10);

type Run<I, O> = dyn Fn(Vec<I>) -> BoxFuture<'static, Vec<O>> + Send + Sync;

/// Work whose items can be done many at a time. Cheap to clone; it needs a Tokio runtime when it is used.
///
/// A batch never starts before all of its items are there, so what it reads is never older than the question.
pub struct Batch<I, O>(Arc<Inner<I, O>>);

struct Inner<I, O> {
    run: Box<Run<I, O>>,
    most: usize,
    at_once: usize,
    queue: Mutex<Queue<I, O>>,
}

/// An item, who waits for it, and the trace that its statements are part of.
struct Entry<I, O> {
    item: I,
    caller: oneshot::Sender<O>,
    trace: Option<Trace>,
}

struct Queue<I, O> {
    waiting: Vec<Entry<I, O>>,
    running: usize,
}

impl<I: Send + 'static, O: Send + 'static> Batch<I, O> {
    /// `run` gets up to `most` items and answers each in its place; `at_once` batches run at the same time, and what
    /// arrives meanwhile is the next one's.
    pub fn new(
        most: usize,
        at_once: usize,
        run: impl Fn(Vec<I>) -> BoxFuture<'static, Vec<O>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            run: Box::new(run),
            most,
            at_once,
            queue: Mutex::new(Queue {
                waiting: Vec::new(),
                running: 0,
            }),
        }))
    }

    /// The answer to this item; none when its batch panicked or had committed nothing within 10 s. Once added, an item
    /// is done even if the caller goes away.
    pub async fn add(&self, item: I) -> Option<O> {
        let (sender, receiver) = oneshot::channel();
        if self.0.enter(item, sender) {
            tokio::spawn(Arc::clone(&self.0).work());
        }
        receiver.await.ok()
    }
}

impl<I, O> Inner<I, O> {
    fn queue(&self) -> MutexGuard<'_, Queue<I, O>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the item. True when somebody has to start working.
    fn enter(&self, item: I, caller: oneshot::Sender<O>) -> bool {
        let trace = Trace::exported();
        let mut queue = self.queue();
        queue.waiting.push(Entry { item, caller, trace });
        let starts = queue.running < self.at_once;
        if starts {
            queue.running += 1;
        }
        starts
    }

    /// One batch after the other until nothing waits.
    async fn work(self: Arc<Self>) {
        loop {
            // Requests that are ready now still get on board.
            tokio::task::yield_now().await;
            let Some(batch) = self.take() else { return };
            let span = Span::batch(batch.iter().map(|entry| entry.trace));
            let (items, callers): (Vec<I>, Vec<_>) = batch.into_iter().map(|entry| (entry.item, entry.caller)).unzip();
            let run = AssertUnwindSafe(async { (self.run)(items).await }).catch_unwind();
            let run = trace::during(span, run);
            let Ok(Ok(answers)) = cut_before_commit(LIMIT, run).await else {
                continue;
            };
            for (caller, answer) in callers.into_iter().zip(answers) {
                // One that has gone away needs no answer.
                drop(caller.send(answer));
            }
        }
    }

    /// What waits. When that is nothing the work ends: decided under one lock, so that nobody who comes later relies
    /// on it.
    fn take(&self) -> Option<Vec<Entry<I, O>>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        if queue.waiting.len() <= self.most {
            return Some(mem::take(&mut queue.waiting));
        }
        Some(queue.waiting.drain(..self.most).collect())
    }
}

impl<I, O> Clone for Batch<I, O> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I, O> fmt::Debug for Batch<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}

/// Finds values by their keys, as of now: a caller's statement never starts before the caller asks, so whoever wrote
/// and then asks reads what was written.
pub struct Gather<K, V>(Batch<K, Answer<V>>);

type Answer<V> = Result<Option<V>, DbErr>;

impl<K, V> Gather<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keys of one statement at most.
    const MOST: usize = 256;

    /// `look_up` finds all of these keys in one statement; a key can be there twice, and one it leaves out has no
    /// value.
    pub fn new(
        look_up: impl Fn(Vec<K>) -> BoxFuture<'static, Result<HashMap<K, V>, DbErr>> + Send + Sync + 'static,
    ) -> Self {
        Self(Batch::new(Self::MOST, 2, move |keys: Vec<K>| {
            let found = look_up(keys.clone());
            async move {
                let found = found.await;
                let answer = |key| match &found {
                    Ok(found) => Ok(found.get(key).cloned()),
                    Err(error) => Err(error.clone()),
                };
                keys.iter().map(answer).collect()
            }
            .boxed()
        }))
    }

    /// The value of this key, if there is one.
    pub async fn find(&self, key: K) -> Answer<V> {
        let none = || Err(DbErr::Custom("the look-up had no answer".to_owned()));
        self.0.add(key).await.unwrap_or_else(none)
    }
}

impl<K, V> Clone for Gather<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, V> fmt::Debug for Gather<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gather")
    }
}

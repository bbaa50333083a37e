//! Batches work that arrives at the same time: under load one statement or transaction serves many callers, and a
//! caller who is alone waits for nobody.

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
    db,
    trace::{self, Span, Trace},
};

/// Keys per look-up.
const KEYS: usize = 256;
/// A look-up that takes longer has lost its database.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(10);

type Run<I, O, E> = dyn Fn(Arc<[I]>) -> BoxFuture<'static, Result<Vec<O>, E>> + Send + Sync;

/// Work whose items can be done many at a time. Cheap to clone; needs a Tokio runtime when it is used.
///
/// A batch never starts before all of its items are there, so what it reads is never older than the question.
pub struct Batcher<I, O, E = DbErr>(Arc<Inner<I, O, E>>);

struct Inner<I, O, E> {
    run: Box<Run<I, O, E>>,
    retries: fn(&E) -> bool,
    max_items: usize,
    max_batches: usize,
    queue: Mutex<Queue<I, O, E>>,
}

struct Queue<I, O, E> {
    waiting: Vec<(I, Caller<O, E>)>,
    running: usize,
}

struct Caller<O, E> {
    answer: oneshot::Sender<Result<O, E>>,
    /// The trace that the item's statements belong to.
    trace: Option<Trace>,
}

impl<I, O, E> Batcher<I, O, E>
where
    I: Clone + Send + Sync + 'static,
    O: Send + 'static,
    E: From<DbErr> + Clone + Send + 'static,
{
    /// `run` gets up to `max_items` items and answers them in order, within a time limit of its own; `max_batches` of
    /// them run at the same time. When a batch fails and `retries` accepts the error, each item is tried alone, so
    /// that one bad item doesn't fail the others. A panic is an error like any other.
    pub fn new<R>(
        max_items: usize,
        max_batches: usize,
        retries: fn(&E) -> bool,
        run: impl Fn(Arc<[I]>) -> R + Send + Sync + 'static,
    ) -> Self
    where
        R: Future<Output = Result<Vec<O>, E>> + Send + 'static,
    {
        Self(Arc::new(Inner {
            run: Box::new(move |items| run(items).boxed()),
            retries,
            max_items,
            max_batches,
            queue: Mutex::new(Queue {
                waiting: Vec::new(),
                running: 0,
            }),
        }))
    }

    /// The answer to this item. Once added, an item is done even if the caller goes away.
    pub async fn ask(&self, item: I) -> Result<O, E> {
        let (answer, answered) = oneshot::channel();
        let trace = Trace::exported();
        if self.0.enter(item, Caller { answer, trace }) {
            tokio::spawn(Arc::clone(&self.0).work());
        }
        answered.await.unwrap_or_else(|_| Err(no_answer().into()))
    }
}

impl<K, V> Batcher<K, Option<V>>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// Finds values by their keys. `find` gets up to 256 keys, some perhaps twice, and leaves out those that have no
    /// value.
    pub fn look_up<R>(find: impl Fn(Arc<[K]>) -> R + Send + Sync + 'static) -> Self
    where
        R: Future<Output = Result<HashMap<K, V>, DbErr>> + Send + 'static,
    {
        Self::new(
            KEYS,
            2,
            |_| false,
            move |keys: Arc<[K]>| {
                let found = db::within(LOOK_UP_LIMIT, find(Arc::clone(&keys)));
                async move {
                    let found = found.await?;
                    Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
                }
            },
        )
    }
}

impl<I, O, E> Inner<I, O, E>
where
    I: Clone,
    E: From<DbErr> + Clone,
{
    fn queue(&self) -> MutexGuard<'_, Queue<I, O, E>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item. True when the caller has to start [`Inner::work`].
    fn enter(&self, item: I, caller: Caller<O, E>) -> bool {
        let mut queue = self.queue();
        queue.waiting.push((item, caller));
        let starts = queue.running < self.max_batches;
        queue.running += usize::from(starts);
        starts
    }

    /// One batch after the other until nothing waits.
    async fn work(self: Arc<Self>) {
        loop {
            // Callers that are ready now still get on board.
            tokio::task::yield_now().await;
            let Some(batch) = self.take() else { return };
            let (items, callers): (Vec<I>, Vec<Caller<O, E>>) = batch.into_iter().unzip();
            let items: Arc<[I]> = items.into();
            let span = Span::batch(callers.iter().map(|caller| caller.trace));
            // A caller that has gone away needs no answer, hence `drop(….send(…))`.
            match self.run(Arc::clone(&items), span).await {
                Ok(answers) => {
                    for (caller, answer) in callers.into_iter().zip(answers) {
                        drop(caller.answer.send(Ok(answer)));
                    }
                }
                Err(error) if items.len() == 1 || !(self.retries)(&error) => {
                    for caller in callers {
                        drop(caller.answer.send(Err(error.clone())));
                    }
                }
                Err(_) => {
                    for (item, caller) in items.iter().zip(callers) {
                        let alone = self.run(Arc::from([item.clone()]), Span::batch([caller.trace])).await;
                        let one = alone.and_then(|mut answers| answers.pop().ok_or_else(|| no_answer().into()));
                        drop(caller.answer.send(one));
                    }
                }
            }
        }
    }

    async fn run(&self, items: Arc<[I]>, span: Option<Span>) -> Result<Vec<O>, E> {
        let run = AssertUnwindSafe(async { (self.run)(items).await }).catch_unwind();
        let panicked = |_| Err(DbErr::Custom("a batch panicked".to_owned()).into());
        trace::during(span, run).await.unwrap_or_else(panicked)
    }

    /// What waits. When that is nothing the work ends: decided under one lock, so that no later caller relies on it.
    fn take(&self) -> Option<Vec<(I, Caller<O, E>)>> {
        let mut queue = self.queue();
        if queue.waiting.is_empty() {
            queue.running -= 1;
            return None;
        }
        if queue.waiting.len() <= self.max_items {
            return Some(mem::take(&mut queue.waiting));
        }
        Some(queue.waiting.drain(..self.max_items).collect())
    }
}

fn no_answer() -> DbErr {
    DbErr::Custom("the batch had no answer".to_owned())
}

impl<I, O, E> Clone for Batcher<I, O, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I, O, E> fmt::Debug for Batcher<I, O, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batcher")
    }
}

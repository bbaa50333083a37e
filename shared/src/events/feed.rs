//! Reading the stream: pages, and news as they come.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use redis::Client;
use sea_orm::{DatabaseConnection, DbErr, EntityTrait};
use tokio::{
    sync::{
        Mutex as AsyncMutex, Notify,
        broadcast::{self, Receiver},
    },
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    batch::Batch,
    horizon::{self, Horizon, Look},
    listener::Listener,
    page::{self, Heads, Page, Selection},
    signal,
};
use crate::foundation::{background::run_despite_panics, entity::event_stream};

/// Events that are read at once to be passed on.
const BATCH: u64 = 100;
/// Batches that a listener may be behind before it has to read the table itself.
const BEHIND: usize = 32;
/// How long to wait for the transactions of new events, doubled each time.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(64);
/// How long after a signal to look closely: its transaction may not have ended.
const ATTENTION: Duration = Duration::from_secs(1);
/// How often to look without a signal. Signals get lost, and without Redis there are none from other processes.
const IDLE: Duration = Duration::from_millis(500);

/// The stream of events, as this process reads it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Feed(Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    db: DatabaseConnection,
    redis: Option<Client>,
    horizon: AsyncMutex<Horizon>,
    news: broadcast::Sender<Arc<Batch>>,
    /// Whether a task reads for listeners.
    is_reading: Mutex<bool>,
    /// Keeps the task that passes signals on.
    _alive: Arc<()>,
}

impl Feed {
    /// Reads nothing until it is asked.
    #[must_use]
    pub fn new(db: DatabaseConnection, redis: Option<&Client>) -> Self {
        let alive = Arc::new(());
        if let Some(client) = redis {
            signal::pass_on(client, &alive);
        }
        Self(Arc::new(Inner {
            db,
            redis: redis.cloned(),
            horizon: AsyncMutex::default(),
            news: broadcast::Sender::new(BEHIND),
            is_reading: Mutex::new(false),
            _alive: alive,
        }))
    }

    /// Up to where the stream is complete now: nothing will appear at or before this position.
    pub async fn newest(&self) -> Result<i64, DbErr> {
        Ok(self.0.look().await?.sealed)
    }

    /// The newest position that any transaction has taken, which may not have committed or may be rolled back.
    pub async fn newest_taken(&self) -> Result<i64, DbErr> {
        horizon::newest_taken(&self.0.db).await
    }

    /// Events up to this position were removed because of their age.
    pub async fn removed_through(&self) -> Result<i64, DbErr> {
        let row = event_stream::Entity::find_by_id(1).one(&self.0.db).await?;
        Ok(row.map_or(0, |row| row.removed_through))
    }

    /// At most `limit` events after a position, of those that are selected. A page can be short, even empty, and have
    /// more after it; go on after its [`Batch::through`].
    pub async fn page(&self, after: i64, limit: u64, selection: &Selection) -> Result<Page, DbErr> {
        let sealed = self.newest().await?;
        page::read(&self.0.db, after, sealed, limit, Some(selection)).await
    }

    /// What there is after a position, at most `limit` events of all types, without their data.
    pub async fn heads(&self, after: i64, limit: u64) -> Result<Heads, DbErr> {
        let sealed = self.newest().await?;
        page::read_heads(&self.0.db, after, sealed, limit).await
    }

    /// Waits until there may be news. Holding on to what is returned keeps this process looking for them.
    #[must_use]
    pub fn news(&self) -> Receiver<Arc<Batch>> {
        let news = self.0.news.subscribe();
        self.read_for_listeners();
        news
    }

    /// Follows the stream from a position on.
    #[must_use]
    pub fn listen(&self, after: i64, selection: Selection) -> Listener {
        let news = self.0.news.subscribe();
        self.read_for_listeners();
        Listener::new(self.clone(), news, after, selection)
    }

    /// Starts the task that reads for listeners, unless it runs. It ends when there are none.
    fn read_for_listeners(&self) {
        let mut is_reading = self.0.is_reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_reading {
            *is_reading = true;
            let inner = Arc::clone(&self.0);
            tokio::spawn(run_despite_panics("reader of events", move || {
                Arc::clone(&inner).read_on()
            }));
        }
    }
}

impl Inner {
    async fn look(&self) -> Result<Look, DbErr> {
        self.horizon.lock().await.look(&self.db).await
    }

    async fn read_on(self: Arc<Self>) {
        let heard = Arc::new(Notify::new());
        let hearing = self.redis.clone().map(|client| {
            let heard = Arc::clone(&heard);
            AbortOnDropHandle::new(tokio::spawn(signal::hear(client, move || heard.notify_one())))
        });
        let mut written = signal::listen();
        let (mut cursor, mut attention, mut wait) = (None, Instant::now(), FIRST_WAIT);
        while self.has_listeners() {
            let look = match self.pass_on(&mut cursor).await {
                Ok(look) => look,
                Err(error) => {
                    tracing::warn!(%error, "cannot read events; listeners wait");
                    tokio::time::sleep(IDLE).await;
                    continue;
                }
            };
            if look.has_news {
                wait = FIRST_WAIT;
                continue;
            }
            let is_close = look.is_waiting || Instant::now() < attention;
            let pause = if is_close { wait } else { IDLE };
            wait = (wait * 2).min(LONGEST_WAIT);
            tokio::select! {
                () = tokio::time::sleep(pause) => continue,
                _ = written.changed() => (),
                () = heard.notified() => (),
            }
            attention = Instant::now() + ATTENTION;
            // While a transaction runs for long, others change nothing.
            if !look.is_waiting {
                wait = FIRST_WAIT;
            }
        }
        drop(hearing);
    }

    /// Ends the reading under the lock that starts it, so that no listener is left without.
    fn has_listeners(&self) -> bool {
        let mut is_reading = self.is_reading.lock().unwrap_or_else(PoisonError::into_inner);
        *is_reading = self.news.receiver_count() > 0;
        *is_reading
    }

    /// Sends what is new to listeners. The first call only tells them where the stream ends: they read what is before
    /// from the table, and what they have not seen of it was written since they last looked.
    async fn pass_on(&self, cursor: &mut Option<i64>) -> Result<Passed, DbErr> {
        let look = self.look().await?;
        if cursor.is_none() {
            drop(self.news.send(Arc::new(Batch::none_at(look.sealed))));
        }
        let after = *cursor.get_or_insert(look.sealed);
        let has_news = after < look.sealed;
        if has_news {
            let page = page::read(&self.db, after, look.sealed, BATCH, None).await?;
            *cursor = Some(page.batch.through);
            // An error only says that nobody listens any more.
            drop(self.news.send(Arc::new(page.batch)));
        }
        Ok(Passed {
            has_news,
            is_waiting: look.is_waiting,
        })
    }
}

struct Passed {
    has_news: bool,
    is_waiting: bool,
}

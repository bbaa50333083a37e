//! Whether the sessions of open pages are still live, with the same permissions. One task asks for all of them together.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    AppContext,
    foundation::{background::run_despite_panics, db},
};
use uuid::Uuid;

use crate::sign_in::session::{self, Signed};

/// How often sessions are looked at.
const EVERY: Duration = Duration::from_secs(2);
/// Pages of one session that are told of changes at the same time. Hidden tabs are not.
const MOST_OF_A_SESSION: usize = 16;

/// The open pages of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct OpenStreams(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    streams: HashMap<u64, Stream>,
    next: u64,
    is_watched: bool,
}

/// A page's stream, and its session as it was when the stream began.
#[derive(Clone, Debug)]
struct Stream {
    signed: Arc<Signed>,
    ended: CancellationToken,
}

/// An open stream, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    all: OpenStreams,
    number: u64,
    /// Cancelled when the session is over, or its person's permissions are others.
    pub(super) ended: CancellationToken,
}

impl OpenStreams {
    /// Notes a stream; none if the session has too many.
    pub(super) fn open(&self, app: &AppContext, signed: Arc<Signed>) -> Option<OpenStream> {
        let mut open = self.lock();
        let own = open.streams.values().filter(|stream| stream.signed.id == signed.id);
        if own.count() >= MOST_OF_A_SESSION {
            return None;
        }
        let (number, ended) = (open.next, CancellationToken::new());
        open.next += 1;
        let stream = Stream {
            signed,
            ended: ended.clone(),
        };
        open.streams.insert(number, stream);
        if !open.is_watched {
            open.is_watched = true;
            let (all, app) = (self.clone(), app.clone());
            tokio::spawn(run_despite_panics("watch over open pages", move || {
                all.clone().watch(app.clone())
            }));
        }
        drop(open);
        Some(OpenStream {
            all: self.clone(),
            number,
            ended,
        })
    }

    /// Ends with the last stream.
    async fn watch(self, app: AppContext) {
        loop {
            tokio::time::sleep(EVERY).await;
            let known: Vec<Stream> = {
                let mut open = self.lock();
                if open.streams.is_empty() {
                    open.is_watched = false;
                    return;
                }
                open.streams.values().cloned().collect()
            };
            match db::within(EVERY, complete(&app, &known)).await {
                Ok(complete) => {
                    let is_same = |stream: &&Stream| {
                        let signed = complete.get(&stream.signed.id);
                        signed.is_some_and(|signed| signed.holder == stream.signed.holder)
                    };
                    let changed = known.iter().filter(|stream| !is_same(stream));
                    changed.for_each(|stream| stream.ended.cancel());
                }
                // Without the database no page is shown either.
                Err(error) => tracing::warn!(%error, "cannot look at the sessions of open pages"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.all.lock().streams.remove(&self.number);
    }
}

/// The sessions of these streams whose person would still be shown a page.
async fn complete(app: &AppContext, known: &[Stream]) -> Result<HashMap<Uuid, Signed>, DbErr> {
    let ids: HashSet<Uuid> = known.iter().map(|stream| stream.signed.id).collect();
    let still = session::still(&app.db, &ids).await?.into_iter();
    let complete = still.filter(|signed| signed.is_complete(app.config.staff_mfa));
    let complete = complete.map(|signed| (signed.id, signed));
    Ok(complete.collect())
}

//! Following the stream: first what the table has, then what comes.

use std::{collections::VecDeque, sync::Arc};

use sea_orm::DbErr;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{batch::Batch, feed::Feed, page::Selection};

/// Events that a listener reads from the table at once.
const PAGE: u64 = 50;

/// Follows the stream from a position on. It misses nothing, however slow it is: if it falls behind, it reads the table.
#[derive(Debug)]
pub struct Listener {
    feed: Feed,
    news: Receiver<Arc<Batch>>,
    selection: Selection,
    /// Everything up to here was passed on or not selected.
    covered: i64,
    /// Whether the table may have events that the news don't.
    is_behind: bool,
    ready: VecDeque<News>,
}

/// An event for one listener.
#[derive(Clone, Debug)]
pub struct News {
    pub position: i64,
    pub kind: String,
    /// The event as readers get it: a JSON object.
    pub json: Arc<str>,
}

impl Listener {
    pub(super) fn new(feed: Feed, news: Receiver<Arc<Batch>>, after: i64, selection: Selection) -> Self {
        Self {
            feed,
            news,
            selection,
            covered: after,
            is_behind: true,
            ready: VecDeque::new(),
        }
    }

    /// Where to go on after what was passed on so far.
    #[must_use]
    pub fn covered(&self) -> i64 {
        self.ready.front().map_or(self.covered, |next| next.position - 1)
    }

    /// The next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<News, DbErr> {
        loop {
            if let Some(news) = self.ready.pop_front() {
                return Ok(news);
            }
            if self.is_behind {
                // In a box of its own: most listeners only wait, thousands of them.
                let page = Box::pin(self.feed.page(self.covered, PAGE, &self.selection)).await?;
                self.is_behind = page.has_more;
                self.take(&page.batch);
                continue;
            }
            match self.news.recv().await {
                // Between what was covered and this batch something is missing.
                Ok(batch) if batch.after > self.covered => self.is_behind = true,
                Ok(batch) => self.take(&batch),
                Err(RecvError::Lagged(_) | RecvError::Closed) => self.is_behind = true,
            }
        }
    }

    /// The next event, if it is at hand.
    pub fn ready(&mut self) -> Option<News> {
        self.ready.pop_front()
    }

    fn take(&mut self, batch: &Batch) {
        for event in &batch.events {
            if event.position > self.covered && self.selection.has(event) {
                self.ready.push_back(News {
                    position: event.position,
                    kind: event.kind.clone(),
                    json: Arc::clone(&event.json),
                });
            }
        }
        self.covered = self.covered.max(batch.through);
    }
}

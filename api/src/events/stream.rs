//! Events as they happen: server-sent events (WHATWG HTML §9.2).

use std::{fmt::Write, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use tokio::time::{Interval, MissedTickBehavior, interval};
use usher_shared::events::{Listener, News, Selection};

use super::messages::StreamEndOut;
use crate::{
    state::AppState,
    toolkit::{caller::Caller, error::ApiError, open_streams::OpenStream, reason::Reason},
};

pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A comment this often keeps proxies from closing the connection, and says where to go on.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long browsers wait before they connect again, in milliseconds.
pub(super) const RETRY: u32 = 2_000;
/// The name of the last message.
pub(super) const END: &str = "end";
/// What is sent at once when it is there, in bytes, and an event more.
const AT_ONCE: usize = 64 * 1024;

/// Answers with the events after a position.
pub(super) fn follow(
    state: &AppState,
    caller: &Caller,
    after: i64,
    selection: Selection,
) -> Result<Response, ApiError> {
    let open = state.streams.open(&state.db, caller)?;
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let follower = Follower {
        listener: state.events.listen(after, selection),
        open,
        heartbeat,
        has_begun: false,
    };
    let events = stream::unfold(Some(Box::new(follower)), async |follower| {
        let mut follower = follower?;
        let (text, ends) = follower.next().await;
        let rest = if ends { None } else { Some(follower) };
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), rest))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx would collect what is sent.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(events)).into_response())
}

/// One stream.
struct Follower {
    listener: Listener,
    open: OpenStream,
    heartbeat: Interval,
    has_begun: bool,
}

impl Follower {
    /// What to send next, and whether that is the end.
    async fn next(&mut self) -> (String, bool) {
        if !self.has_begun {
            self.has_begun = true;
            self.heartbeat.reset();
            return (format!("retry: {RETRY}\nid: {}\n\n", self.listener.covered()), false);
        }
        tokio::select! {
            biased;
            reason = self.open.end() => end(reason),
            news = self.listener.next() => match news {
                Ok(news) => (self.with_others(&news), false),
                Err(error) => {
                    tracing::warn!(%error, "a stream of events ends");
                    end(Reason::UNAVAILABLE)
                }
            },
            _ = self.heartbeat.tick() => (format!(": still here\nid: {}\n\n", self.listener.covered()), false),
        }
    }

    /// The event, and those that are there already.
    fn with_others(&mut self, news: &News) -> String {
        let mut text = String::new();
        append(&mut text, news);
        while text.len() < AT_ONCE {
            match self.listener.ready() {
                Some(news) => append(&mut text, &news),
                None => break,
            }
        }
        self.heartbeat.reset();
        text
    }
}

/// JSON has no line breaks, so it is one line of data.
fn append(text: &mut String, news: &News) {
    let News { position, kind, json } = news;
    write!(text, "id: {position}\nevent: {kind}\ndata: {json}\n\n").expect("a string takes everything");
}

fn end(reason: Reason) -> (String, bool) {
    let data = serde_json::to_string(&StreamEndOut { reason }).expect("a word");
    (format!("event: {END}\ndata: {data}\n\n"), true)
}

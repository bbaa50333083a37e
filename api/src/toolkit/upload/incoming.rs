//! The body of an upload as it comes in. The parser searches all that it has whenever more comes, until it finds the end
//! of a part's head; so what may come before that is limited, and the rest of the body is read when the parser is done.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::body::{Body, BodyDataStream, Bytes};
use futures::{Stream, StreamExt};

/// Bytes before the content of a part, and after the last one.
pub(super) const AROUND: usize = 16 * 1024;

/// Why the body can't be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the head of a part is longer than 16 KiB")]
    LongHead,
    #[error("the body ended before it was complete")]
    Ended,
}

/// A body that is shared with its parser. Cheap to clone.
#[derive(Clone)]
pub(super) struct Incoming(Arc<Mutex<State>>);

struct State {
    body: BodyDataStream,
    /// Bytes since the head of a part began; none while its content comes.
    head: Option<usize>,
    /// Whether the parser was given time to look at a long head.
    has_paused: bool,
}

impl Incoming {
    pub(super) fn new(body: Body) -> Self {
        Self(Arc::new(Mutex::new(State {
            body: body.into_data_stream(),
            head: Some(0),
            has_paused: false,
        })))
    }

    /// From now on the content of a part comes.
    pub(super) fn enter_content(&self) {
        self.state().head = None;
    }

    /// From now on the head of a part comes, or the end.
    pub(super) fn leave_content(&self) {
        let mut state = self.state();
        (state.head, state.has_paused) = (Some(0), false);
    }

    /// Reads what the parser left, so that the client has sent all before it gets the answer.
    pub(super) async fn finish(&mut self) -> Result<(), Broken> {
        while let Some(chunk) = self.next().await {
            chunk?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for Incoming {
    type Item = Result<Bytes, Broken>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.state();
        if state.head.is_some_and(|bytes| bytes > AROUND) {
            if state.has_paused {
                return Poll::Ready(Some(Err(Broken::LongHead)));
            }
            // The parser reads all that there is before it looks at any of it.
            state.has_paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let chunk = state.body.poll_next_unpin(context);
        if let (Poll::Ready(Some(Ok(chunk))), Some(bytes)) = (&chunk, &mut state.head) {
            *bytes += chunk.len();
        }
        chunk.map(|chunk| chunk.map(|chunk| chunk.map_err(|_| Broken::Ended)))
    }
}

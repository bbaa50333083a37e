//! What a handler answers when it did not do its job: not what happened alone, but what to do next.

use std::{fmt::Display, time::Duration};

use anyhow::anyhow;

/// The end of a run that did not succeed. `?` on any error is [`JobError::Retry`].
#[derive(Debug)]
pub enum JobError {
    /// Run it again after the policy's backoff, until its attempts are used up.
    Retry(anyhow::Error),
    /// Run it again after this pause, until its attempts are used up.
    RetryAfter(Duration, anyhow::Error),
    /// Not now: run it again after this pause; the attempt does not count.
    Snooze(Duration, anyhow::Error),
    /// It cannot succeed: the job is dead, and staff see why.
    GiveUp(anyhow::Error),
    /// It is no longer wanted.
    Cancel(anyhow::Error),
}

impl JobError {
    /// [`JobError::Retry`] with a text.
    #[must_use]
    pub fn retry(reason: impl Display) -> Self {
        Self::Retry(anyhow!("{reason}"))
    }

    /// [`JobError::GiveUp`] with a text.
    #[must_use]
    pub fn give_up(reason: impl Display) -> Self {
        Self::GiveUp(anyhow!("{reason}"))
    }

    /// [`JobError::Cancel`] with a text.
    #[must_use]
    pub fn cancel(reason: impl Display) -> Self {
        Self::Cancel(anyhow!("{reason}"))
    }
}

impl<E: Into<anyhow::Error>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self::Retry(error.into())
    }
}

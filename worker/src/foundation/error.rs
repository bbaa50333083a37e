//! The error of a handler, which says what to do next.

use std::{fmt::Display, time::Duration};

use anyhow::anyhow;

/// Why a run did not succeed. `?` on any error is [`JobError::Retry`].
#[derive(Debug)]
pub enum JobError {
    /// Retry after the policy's backoff, up to the max attempts.
    Retry(anyhow::Error),
    /// Retry after this pause, up to the max attempts.
    RetryAfter(Duration, anyhow::Error),
    /// Run it again after this pause; the attempt does not count.
    Snooze(Duration, anyhow::Error),
    /// It cannot succeed: discard the job, with the reason for staff.
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

//! How a run ended, and so what is written into the jobs table.

use std::time::Duration;

use sea_orm::ActiveEnum;
use usher_shared::{
    foundation::{entity::job_attempt::AttemptOutcome, redact},
    jobs::{CompleteError, Failure},
};

use crate::foundation::JobError;

pub(super) enum Outcome {
    Done,
    /// The handler completed the job in its own transaction.
    Completed,
    Failed(Failure, Option<Duration>),
    Snoozed(String, Duration),
    GivenUp(Failure),
    Cancelled(Failure),
    GivenBack,
    Lost,
}

impl From<JobError> for Outcome {
    fn from(error: JobError) -> Self {
        let failure = |outcome, error| failure(outcome, format!("{error:#}"));
        match error {
            JobError::Retry(error) if matches!(error.downcast_ref(), Some(CompleteError::Lost)) => Self::Lost,
            JobError::Retry(error) => Self::Failed(failure(AttemptOutcome::Failed, error), None),
            JobError::RetryAfter(after, error) => Self::Failed(failure(AttemptOutcome::Failed, error), Some(after)),
            JobError::Snooze(after, error) => Self::Snoozed(without_secrets(&format!("{error:#}")), after),
            JobError::GiveUp(error) => Self::GivenUp(failure(AttemptOutcome::GaveUp, error)),
            JobError::Cancel(error) => Self::Cancelled(failure(AttemptOutcome::Cancelled, error)),
        }
    }
}

impl Outcome {
    pub(super) fn failed(outcome: AttemptOutcome, error: impl Into<String>) -> Self {
        Self::Failed(failure(outcome, error), None)
    }

    /// What a trace calls it; the error's own text stays in the jobs table.
    pub(super) fn error_type(&self) -> Option<String> {
        match self {
            Self::Failed(failure, _) | Self::GivenUp(failure) => Some(failure.outcome.to_value()),
            Self::Lost => Some("lease_lost".to_owned()),
            Self::Done | Self::Completed | Self::Snoozed(..) | Self::Cancelled(_) | Self::GivenBack => None,
        }
    }
}

pub(super) fn failure(outcome: AttemptOutcome, error: impl Into<String>) -> Failure {
    Failure {
        outcome,
        error: without_secrets(&error.into()),
    }
}

/// Staff read errors, and the error about a link may quote all of it.
fn without_secrets(error: &str) -> String {
    redact::tokens(error).into_owned()
}

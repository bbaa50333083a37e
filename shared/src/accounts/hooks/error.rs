//! Why a hook stops what it follows.

use std::error::Error;

use sea_orm::DbErr;

use crate::{
    foundation::rules::{FieldErrors, Violation},
    jobs::EnqueueError,
};

/// Why a hook stops what it follows: its transaction is rolled back. `?` on any error is [`HookError::Failed`].
#[derive(Debug)]
pub enum HookError {
    /// Whoever asked must correct these fields. Where an account is created, changed or verified, the API answers 422
    /// and the admin shows the messages beside the fields; elsewhere it is a failure.
    Refused(FieldErrors),
    Failed(Box<dyn Error + Send + Sync>),
}

impl HookError {
    /// [`HookError::Refused`] with one field: `name`, `email`, `age` or `external_id`.
    ///
    /// ```
    /// use usher_shared::{accounts::hooks::HookError, foundation::rules::Violation};
    ///
    /// let refused = HookError::refuse("email", Violation::value("Use your company's address"));
    /// ```
    #[must_use]
    pub fn refuse(field: &'static str, violation: Violation) -> Self {
        Self::Refused(FieldErrors(vec![(field, violation)]))
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HookError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// The database's error behind a hook's, for callers that have no fields to show. An outage stays one.
pub(in crate::accounts) fn plain(error: HookError) -> DbErr {
    let error = match error {
        HookError::Refused(fields) => return DbErr::Custom(format!("a hook refused this: {fields}")),
        HookError::Failed(error) => error,
    };
    let error = match error.downcast::<DbErr>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    match error.downcast::<EnqueueError>().map(|error| *error) {
        Ok(EnqueueError::Db(error)) => error,
        Ok(error) => DbErr::Custom(format!("a hook failed: {error}")),
        Err(error) => DbErr::Custom(format!("a hook failed: {error}")),
    }
}

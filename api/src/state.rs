//! What handlers can use: the toolkit's state, and what the resources need besides.

use std::ops::Deref;

use axum::extract::FromRef;
use usher_shared::{
    AppContext,
    accounts::users::{Directory, UserBatchInserter},
    jobs::JobStore,
};

use crate::toolkit::state::Toolkit;

/// The API's state. Cheap to clone.
#[derive(Clone)]
pub struct AppState {
    toolkit: Toolkit,
    pub(crate) job_store: JobStore,
    pub(crate) users: Directory,
    pub(crate) intake: UserBatchInserter,
}

impl AppState {
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with(Toolkit::new(app), app)
    }

    pub(crate) fn with(toolkit: Toolkit, app: &AppContext) -> Self {
        Self {
            toolkit,
            job_store: app.job_store.clone(),
            users: Directory::new(app.db.clone()),
            intake: UserBatchInserter::new(app.job_store.clone()),
        }
    }
}

impl FromRef<AppState> for Toolkit {
    fn from_ref(state: &AppState) -> Self {
        state.toolkit.clone()
    }
}

impl Deref for AppState {
    type Target = Toolkit;

    fn deref(&self) -> &Toolkit {
        &self.toolkit
    }
}

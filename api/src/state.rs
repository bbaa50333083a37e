//! What handlers can use: the toolkit's state, and what the resources need besides.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use sea_orm::DbErr;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    AppContext,
    accounts::users::{Directory, UserBatchInserter},
    events::Feed,
    jobs::{JobStore, Tx},
};

use crate::{
    described::Described,
    toolkit::{open_streams::OpenStreams, state::Toolkit},
};

/// The API's state, for handlers. Cheap to clone; the database, the settings and what else [`Toolkit`] has are fields
/// of it as well.
#[derive(Clone)]
pub struct AppState {
    toolkit: Toolkit,
    /// The jobs table: begins transactions in which jobs can be enqueued.
    pub job_store: JobStore,
    /// The stream of events.
    pub events: Feed,
    pub(crate) streams: OpenStreams,
    pub(crate) users: Directory,
    pub(crate) intake: UserBatchInserter,
    pub(crate) described: Arc<Described>,
}

impl AppState {
    /// The state of an API that serves this application.
    #[must_use]
    pub fn new(app: &AppContext) -> Self {
        Self::with(Toolkit::new(app), app)
    }

    pub(crate) fn with(toolkit: Toolkit, app: &AppContext) -> Self {
        Self {
            toolkit,
            job_store: app.job_store.clone(),
            events: app.events.clone(),
            streams: OpenStreams::new(CancellationToken::new()),
            users: Directory::new(app.db.clone()),
            intake: UserBatchInserter::new(app.job_store.clone()),
            described: Arc::default(),
        }
    }
}

impl AppState {
    /// Starts a transaction in which rows can be written and jobs enqueued. Dropping it rolls back.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn begin(&self) -> Result<Tx, DbErr> {
        self.job_store.begin().await
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

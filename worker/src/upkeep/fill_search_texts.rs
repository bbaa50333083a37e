//! `fill_search_texts`: users whose row was written without it get what a search looks into.

use serde::{Deserialize, Serialize};
use usher_shared::{
    accounts::users,
    jobs::{Job, Priority},
};

use crate::{JobContext, JobError};

/// Makes users found by all that they should be found by. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FillSearchTexts {}

impl Job for FillSearchTexts {
    const KIND: &'static str = "fill_search_texts";
    const PRIORITY: Priority = Priority::Low;
}

pub(crate) async fn fill(_: FillSearchTexts, context: JobContext) -> Result<(), JobError> {
    let users = users::fill_search_texts(&context.db).await?;
    if users > 0 {
        tracing::info!(users, "filled in what searches look into");
    }
    Ok(())
}

//! `fill_search_texts`: writes the search text of users whose row was written without it.

use serde::{Deserialize, Serialize};
use usher_shared::{
    accounts::users,
    jobs::{Job, Priority},
};

use crate::{foundation::JobError, runtime::JobContext};

/// Writes missing search texts. Safe to run twice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FillSearchTexts {}

impl Job for FillSearchTexts {
    const KIND: &'static str = "fill_search_texts";
    const PRIORITY: Priority = Priority::Low;
}

pub(crate) async fn fill(_: FillSearchTexts, context: JobContext) -> Result<(), JobError> {
    let users = users::fill_search_texts(&context.db).await?;
    if users > 0 {
        tracing::info!(users, "filled in search texts");
    }
    Ok(())
}

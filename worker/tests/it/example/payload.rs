//! What the document adds to `shared/src/jobs/kinds.rs`.

use serde::{Deserialize, Serialize};
use usher_shared::jobs::Job;

/// Deactivates an account whose owner never set a password. Safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeactivateUnused {
    pub user_id: i64,
}

impl Job for DeactivateUnused {
    const KIND: &'static str = "deactivate_unused";

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

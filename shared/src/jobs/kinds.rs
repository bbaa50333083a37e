//! Payloads that two rooms must agree on. What is done with them stands in the worker.

use serde::{Deserialize, Serialize};

use super::Job;

/// Greets a new account and lets its owner set a password. Safe to run twice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WelcomeEmail {
    pub user_id: i64,
}

impl Job for WelcomeEmail {
    const KIND: &'static str = "welcome_email";
    const QUEUE: &'static str = "mail";

    fn user_id(&self) -> Option<i64> {
        Some(self.user_id)
    }
}

//! No wake-ups, for separate processes without Redis.

use std::time::Duration;

use async_trait::async_trait;

use super::contract::{Transport, TransportError, WakeUp};

/// No transport: workers poll the jobs table.
#[derive(Clone, Copy, Debug)]
pub struct PollOnly;

#[async_trait]
impl Transport for PollOnly {
    fn push(&self, _: Vec<WakeUp>) {}

    async fn pop(&self, _: &[String], _: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError> {
        tokio::time::sleep(wait).await;
        Ok(Vec::new())
    }

    async fn waiting(&self, _: &str) -> Result<usize, TransportError> {
        Ok(0)
    }

    async fn ping(&self) -> Result<(), TransportError> {
        Ok(())
    }

    fn carries_wake_ups(&self) -> bool {
        false
    }

    fn name(&self) -> &'static str {
        "none"
    }
}

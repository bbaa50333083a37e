//! Wake-ups in memory, for the application in one process.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::contract::{MAX_WAITING, Transport, TransportError, WakeUp};

/// Lists by priority, then queue.
type Lists = BTreeMap<(i16, String), VecDeque<WakeUp>>;

#[derive(Debug, Default)]
pub(super) struct InProcess {
    lists: Mutex<Lists>,
    arrived: Notify,
}

impl InProcess {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, queues: &[String], max: usize) -> Vec<WakeUp> {
        let mut taken = Vec::new();
        for (_, list) in self.lists().iter_mut().filter(|((_, queue), _)| queues.contains(queue)) {
            let room = max - taken.len();
            taken.extend(list.drain(..room.min(list.len())));
        }
        taken
    }
}

#[async_trait]
impl Transport for InProcess {
    fn push(&self, wake_ups: Vec<WakeUp>) {
        let mut lists = self.lists();
        for wake_up in wake_ups {
            let list = lists.entry((wake_up.priority, wake_up.queue.clone())).or_default();
            if list.len() < MAX_WAITING {
                list.push_back(wake_up);
            }
        }
        drop(lists);
        self.arrived.notify_waiters();
    }

    async fn pop(&self, queues: &[String], max: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError> {
        let arrived = self.arrived.notified();
        tokio::pin!(arrived);
        // Registered before taking, so that a wake-up that arrives in between is noticed.
        arrived.as_mut().enable();
        let taken = self.take(queues, max);
        if !taken.is_empty() || tokio::time::timeout(wait, arrived).await.is_err() {
            return Ok(taken);
        }
        Ok(self.take(queues, max))
    }

    async fn waiting(&self, queue: &str) -> Result<usize, TransportError> {
        Ok(self
            .lists()
            .iter()
            .filter(|((_, name), _)| name == queue)
            .map(|(_, list)| list.len())
            .sum())
    }

    async fn ping(&self) -> Result<(), TransportError> {
        Ok(())
    }

    fn name(&self) -> &'static str {
        "in-process"
    }
}

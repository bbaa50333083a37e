//! Decides which comes first: an operation's time limit or its commit. An operation cut off during its commit would be
//! reported as failed although it took effect.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::time_limit::ANSWER_LIMIT;

tokio::task_local! {
    static CURRENT: CommitGate;
}

const OPEN: u8 = 0;
/// A commit passed, so the operation may have taken effect.
const PASSED: u8 = 1;
/// Nothing is committed from now on.
const CLOSED: u8 = 2;

/// The gate that an operation's commits must pass. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CommitGate(Arc<Gate>);

#[derive(Debug, Default)]
struct Gate {
    state: AtomicU8,
    /// How much longer than its limit the operation may take, in milliseconds.
    extension: AtomicU64,
}

impl CommitGate {
    /// The gate of this task's operation.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// Runs a future whose commits must pass this gate.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// Gives the operation this much longer than its limit, such as while it waits for a large body.
    pub fn extend(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.0.extension.fetch_add(millis, Ordering::AcqRel);
    }

    fn extension(&self) -> Duration {
        Duration::from_millis(self.0.extension.load(Ordering::Acquire))
    }

    /// Lets a commit pass; false if the gate is closed.
    pub(crate) fn pass(&self) -> bool {
        self.turn_to(PASSED)
    }

    /// Prevents all further commits; false if one has passed.
    pub(crate) fn close(&self) -> bool {
        self.turn_to(CLOSED)
    }

    fn turn_to(&self, state: u8) -> bool {
        let turned = self
            .0
            .state
            .compare_exchange(OPEN, state, Ordering::AcqRel, Ordering::Acquire);
        turned.is_ok() || turned == Err(state)
    }
}

/// Why an operation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Its time was up before it committed anything, so it has no effect.
    BeforeCommit,
    /// A commit was under way, and its outcome was not known within another 30 s.
    Unknown,
}

/// The operation's result, if it arrives in time. Waits for a commit that is under way.
pub async fn cut_before_commit<F: Future>(limit: Duration, operation: F) -> Result<F::Output, Cut> {
    let gate = CommitGate::current().unwrap_or_default();
    let mut operation = pin!(gate.clone().scope(operation));
    let start = Instant::now();
    let mut end = start + limit;
    loop {
        if let Ok(answer) = timeout_at(end, &mut operation).await {
            return Ok(answer);
        }
        let extended = start + limit + gate.extension();
        if extended <= end {
            break;
        }
        end = extended;
    }
    if gate.close() {
        return Err(Cut::BeforeCommit);
    }
    tokio::time::timeout(ANSWER_LIMIT, operation)
        .await
        .map_err(|_| Cut::Unknown)
}

/// Makes the commits of a separate task pass this task's gate.
pub async fn with_gate<F: Future>(gate: Option<CommitGate>, future: F) -> F::Output {
    match gate {
        Some(gate) => gate.scope(future).await,
        None => future.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_decides() {
        let gate = CommitGate::default();
        assert!(gate.pass() && gate.pass() && !gate.close());
        let gate = CommitGate::default();
        assert!(gate.close() && gate.close() && !gate.pass());
    }

    #[tokio::test]
    async fn an_operation_that_is_given_longer_is_cut_later() {
        let limit = Duration::from_millis(20);
        let extended = cut_before_commit(limit, async {
            CommitGate::current()
                .expect("it has a gate")
                .extend(Duration::from_secs(60));
            tokio::time::sleep(limit * 5).await;
        });
        assert_eq!(extended.await, Ok(()));
        let cut = cut_before_commit(limit, async {
            CommitGate::current().expect("it has a gate").extend(limit);
            std::future::pending::<()>().await;
        });
        assert_eq!(cut.await, Err(Cut::BeforeCommit));
    }

    #[tokio::test]
    async fn an_operation_is_cut_before_its_first_commit_and_waited_for_after_it() {
        let limit = Duration::from_millis(20);
        let committed = cut_before_commit(limit, async {
            let passed = CommitGate::current().is_some_and(|gate| gate.pass());
            tokio::time::sleep(limit * 5).await;
            passed
        });
        assert_eq!(committed.await, Ok(true));
        let gate = CommitGate::default();
        let waits = gate
            .clone()
            .scope(cut_before_commit(limit, std::future::pending::<()>()));
        assert_eq!(waits.await, Err(Cut::BeforeCommit));
        assert!(!gate.pass(), "nothing is committed after the answer");
    }
}

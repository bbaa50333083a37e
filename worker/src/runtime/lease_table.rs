//! The jobs that this process has a lease on, from the claim until their outcome is written.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use usher_shared::{
    foundation::entity::job,
    jobs::{Claim, LeaseRow as Renewed},
};
use uuid::Uuid;

/// A busy or stalled database may carry out a claim this long after we gave up waiting for it.
const STRAYS_COME_WITHIN: Duration = Duration::from_secs(120);

/// Why a handler was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Another worker may run the job by now: nothing may be written any more.
    LeaseLost,
    CancelRequested,
    /// The process ends: the job goes back, and the attempt does not count.
    Draining,
}

/// All leases of this process; the heartbeat renews them together.
pub(super) struct LeaseTable {
    leases: Mutex<HashMap<Uuid, Arc<Lease>>>,
    /// Microseconds.
    typical_run: AtomicU64,
    /// When a claim last got no answer; it may have been carried out all the same.
    claim_unanswered: Mutex<Option<Instant>>,
}

struct Lease {
    token: Uuid,
    until: Mutex<Instant>,
    why: OnceLock<Stop>,
    stopped: CancellationToken,
    /// Set while its outcome is being written: if it no longer counts as running, that may have just been written.
    ending: Arc<AtomicBool>,
}

impl Lease {
    fn new(token: Uuid, until: Instant) -> Self {
        Self {
            token,
            until: Mutex::new(until),
            why: OnceLock::new(),
            stopped: CancellationToken::new(),
            ending: Arc::default(),
        }
    }

    fn stop(&self, why: Stop) {
        let _ = self.why.set(why);
        self.stopped.cancel();
    }
}

/// A claimed job. The heartbeat renews its lease until this is dropped, which also frees its slot.
pub(super) struct LeasedJob {
    pub(super) job: Arc<job::Model>,
    pub(super) claim: Claim,
    lease: Arc<Lease>,
    table: Arc<LeaseTable>,
    _slot: OwnedSemaphorePermit,
}

impl Default for LeaseTable {
    fn default() -> Self {
        Self {
            leases: Mutex::default(),
            typical_run: AtomicU64::new(1_000_000),
            claim_unanswered: Mutex::default(),
        }
    }
}

impl LeaseTable {
    /// Adds a job that was claimed at `claimed_at` or a little later.
    pub(super) fn take(
        self: &Arc<Self>,
        job: job::Model,
        claimed_at: Instant,
        lease: Duration,
        slot: OwnedSemaphorePermit,
    ) -> LeasedJob {
        let claim = Claim::of(&job);
        let lease = Arc::new(Lease::new(claim.token, claimed_at + lease));
        self.leases().insert(job.id, Arc::clone(&lease));
        LeasedJob {
            job: Arc::new(job),
            claim,
            lease,
            table: Arc::clone(self),
            _slot: slot,
        }
    }

    /// How long recent runs took, as a moving average. Starts at a second, so jobs count as slow until shown otherwise.
    pub(super) fn typical_run(&self) -> Duration {
        Duration::from_micros(self.typical_run.load(Ordering::Relaxed))
    }

    /// Adds a run to the average.
    pub(super) fn ran(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / 8;
        let average = self.typical_run.load(Ordering::Relaxed);
        // Two updates at once may lose one, which matters little.
        self.typical_run
            .store((average - average / 8).saturating_add(took), Ordering::Relaxed);
    }

    /// Notes that a claim got no answer.
    pub(super) fn claim_failed(&self) {
        *lock(&self.claim_unanswered) = Some(Instant::now());
    }

    /// Whether this process may have claimed jobs without learning of it.
    pub(super) fn may_have_strays(&self) -> bool {
        lock(&self.claim_unanswered).is_some_and(|at| at.elapsed() < STRAYS_COME_WITHIN)
    }

    pub(super) fn holds(&self, id: Uuid) -> bool {
        self.leases().contains_key(&id)
    }

    pub(super) fn len(&self) -> usize {
        self.leases().len()
    }

    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.leases().keys().copied().collect()
    }

    /// Applies the answer of a heartbeat that was sent at `asked_at` to renew `ids`: leases that it doesn't confirm
    /// with our token are lost. Returns how many are.
    pub(super) fn renewed(&self, ids: &[Uuid], answer: &[Renewed], asked_at: Instant, duration: Duration) -> usize {
        let until = asked_at + duration;
        let answer: HashMap<_, _> = answer
            .iter()
            .map(|renewed| ((renewed.id, renewed.lease_token), renewed))
            .collect();
        let leases = self.leases();
        let mut lost = 0;
        for (id, lease) in ids.iter().filter_map(|id| leases.get_key_value(id)) {
            match answer.get(&(*id, lease.token)) {
                Some(renewed) => {
                    *lock(&lease.until) = until;
                    if renewed.cancel_requested {
                        lease.stop(Stop::CancelRequested);
                    }
                }
                // Claimed again by this process after the heartbeat was sent: the next one includes it.
                None if *lock(&lease.until) > until => {}
                // The statement that writes the outcome finds out whether it still can.
                None if lease.ending.load(Ordering::Acquire) => {}
                None => {
                    lease.stop(Stop::LeaseLost);
                    lost += 1;
                }
            }
        }
        lost
    }

    /// Stops handlers whose lease expired because no heartbeat got through.
    pub(super) fn stop_expired(&self) {
        let now = Instant::now();
        for lease in self.leases().values().filter(|lease| *lock(&lease.until) <= now) {
            lease.stop(Stop::LeaseLost);
        }
    }

    /// Stops every handler.
    pub(super) fn stop_all(&self, why: Stop) {
        for lease in self.leases().values() {
            lease.stop(why);
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Lease>>> {
        lock(&self.leases)
    }
}

impl LeasedJob {
    /// Waits until the handler has to stop. Returns the reason.
    pub(super) async fn stopped(&self) -> Stop {
        self.lease.stopped.cancelled().await;
        self.lease.why.get().copied().unwrap_or(Stop::LeaseLost)
    }

    /// Set while the job's outcome is being written.
    pub(super) fn ending(&self) -> &Arc<AtomicBool> {
        &self.lease.ending
    }

    /// Records how long its run took.
    pub(super) fn ran(&self, took: Duration) {
        self.table.ran(took);
    }

    /// Whether nothing may be written about this job any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lease.why.get() == Some(&Stop::LeaseLost) || *lock(&self.lease.until) <= Instant::now()
    }
}

impl Deref for LeasedJob {
    type Target = job::Model;

    fn deref(&self) -> &job::Model {
        &self.job
    }
}

impl Drop for LeasedJob {
    fn drop(&mut self) {
        let mut leases = self.table.leases();
        // The job may have been claimed again since; that lease must stay.
        if leases
            .get(&self.claim.id)
            .is_some_and(|lease| Arc::ptr_eq(lease, &self.lease))
        {
            leases.remove(&self.claim.id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_heartbeat_no_longer_names_is_lost_unless_its_end_is_being_written() {
        const LEASE: Duration = Duration::from_secs(15);
        let (table, asked_at) = (LeaseTable::default(), Instant::now());
        let ids = [Uuid::now_v7(), Uuid::now_v7()];
        let [lost, ended] = ids.map(|id| {
            let lease = Arc::new(Lease::new(Uuid::new_v4(), asked_at));
            table.leases().insert(id, Arc::clone(&lease));
            lease
        });
        ended.ending.store(true, Ordering::Release);
        assert_eq!(table.renewed(&ids, &[], asked_at, LEASE), 1);
        assert!(lost.stopped.is_cancelled() && !ended.stopped.is_cancelled());
        ended.ending.store(false, Ordering::Release);
        table.renewed(&ids, &[], asked_at, LEASE);
        assert_eq!(
            ended.why.get(),
            Some(&Stop::LeaseLost),
            "if the write failed, it is lost like any other"
        );
    }
}

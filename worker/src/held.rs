//! The jobs this process holds a lease on, from claim to settlement.

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

/// A database that is busy or stalled may carry out a claim this long after nobody waits for it any more.
const STRAYS_COME_WITHIN: Duration = Duration::from_secs(120);

/// Why a handler was stopped before it ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody else may own the job by now: nothing may be written any more.
    LeaseLost,
    CancelRequested,
    /// The process ends: the job goes back, and the attempt does not count.
    Draining,
}

/// All leases of this process; the heartbeat renews them together.
pub(crate) struct Held {
    leases: Mutex<HashMap<Uuid, Arc<Lease>>>,
    /// Microseconds.
    typical_run: AtomicU64,
    /// When a claim last got no answer: it may have been carried out all the same.
    claim_unanswered: Mutex<Option<Instant>>,
}

struct Lease {
    token: Uuid,
    until: Mutex<Instant>,
    why: OnceLock<Stop>,
    stopped: CancellationToken,
    /// Whether its end is being written: then a ledger that no longer names it as running may have just written that.
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

/// One claimed job. While it lives the heartbeat renews its lease; when it is dropped its slot is free again.
pub(crate) struct LeasedJob {
    pub(crate) job: Arc<job::Model>,
    pub(crate) claim: Claim,
    lease: Arc<Lease>,
    held: Arc<Held>,
    _slot: OwnedSemaphorePermit,
}

impl Default for Held {
    fn default() -> Self {
        Self {
            leases: Mutex::default(),
            typical_run: AtomicU64::new(1_000_000),
            claim_unanswered: Mutex::default(),
        }
    }
}

impl Held {
    /// Takes charge of a job that was claimed at `claimed_at` or a little later.
    pub(crate) fn take(
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
            held: Arc::clone(self),
            _slot: slot,
        }
    }

    /// How long a run takes of late: a moving average. It starts at a second: a worker proves that its jobs are quick.
    pub(crate) fn typical_run(&self) -> Duration {
        Duration::from_micros(self.typical_run.load(Ordering::Relaxed))
    }

    /// Notes how long a run took.
    pub(crate) fn ran(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX) / 8;
        let average = self.typical_run.load(Ordering::Relaxed);
        // A lost update of two at once matters little.
        self.typical_run
            .store((average - average / 8).saturating_add(took), Ordering::Relaxed);
    }

    /// Notes that a claim failed on the way.
    pub(crate) fn claim_failed(&self) {
        *lock(&self.claim_unanswered) = Some(Instant::now());
    }

    /// Whether there may be jobs that this process has claimed without learning of it.
    pub(crate) fn may_have_strays(&self) -> bool {
        lock(&self.claim_unanswered).is_some_and(|at| at.elapsed() < STRAYS_COME_WITHIN)
    }

    pub(crate) fn holds(&self, id: Uuid) -> bool {
        self.leases().contains_key(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.leases().len()
    }

    pub(crate) fn ids(&self) -> Vec<Uuid> {
        self.leases().keys().copied().collect()
    }

    /// Notes what the jobs table answered when it was asked at `asked_at` to renew `ids`: what it does not name with the
    /// token held here is lost. Answers how many are.
    pub(crate) fn renewed(&self, ids: &[Uuid], answer: &[Renewed], asked_at: Instant, lease: Duration) -> usize {
        let until = asked_at + lease;
        let answer: HashMap<_, _> = answer
            .iter()
            .map(|renewed| ((renewed.id, renewed.lease_token), renewed))
            .collect();
        let leases = self.leases();
        let mut lost = 0;
        for (id, held) in ids.iter().filter_map(|id| leases.get_key_value(id)) {
            match answer.get(&(*id, held.token)) {
                Some(renewed) => {
                    *lock(&held.until) = until;
                    if renewed.cancel_requested {
                        held.stop(Stop::CancelRequested);
                    }
                }
                // Claimed anew by this process after the question: the next heartbeat knows it.
                None if *lock(&held.until) > until => {}
                // Whether the end could still be written is for the statement that writes it to find out.
                None if held.ending.load(Ordering::Acquire) => {}
                None => {
                    held.stop(Stop::LeaseLost);
                    lost += 1;
                }
            }
        }
        lost
    }

    /// Stops the handlers whose lease ran out because no heartbeat came through.
    pub(crate) fn stop_expired(&self) {
        let now = Instant::now();
        for lease in self.leases().values().filter(|lease| *lock(&lease.until) <= now) {
            lease.stop(Stop::LeaseLost);
        }
    }

    /// Stops every handler that still runs.
    pub(crate) fn stop_all(&self, why: Stop) {
        for lease in self.leases().values() {
            lease.stop(why);
        }
    }

    fn leases(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Lease>>> {
        lock(&self.leases)
    }
}

impl LeasedJob {
    /// Ends when the handler has to stop, with the reason.
    pub(crate) async fn stopped(&self) -> Stop {
        self.lease.stopped.cancelled().await;
        self.lease.why.get().copied().unwrap_or(Stop::LeaseLost)
    }

    /// Set while the job's end is being written.
    pub(crate) fn ending(&self) -> &Arc<AtomicBool> {
        &self.lease.ending
    }

    /// Notes how long its run took.
    pub(crate) fn ran(&self, took: Duration) {
        self.held.ran(took);
    }

    /// Whether nothing may be written about this job any more.
    pub(crate) fn is_lost(&self) -> bool {
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
        let mut leases = self.held.leases();
        // The same job may have been claimed again meanwhile; that lease is not ours to forget.
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
    fn what_the_ledger_no_longer_names_is_lost_unless_its_end_is_being_written() {
        const LEASE: Duration = Duration::from_secs(15);
        let (held, asked_at) = (Held::default(), Instant::now());
        let ids = [Uuid::now_v7(), Uuid::now_v7()];
        let [lost, ended] = ids.map(|id| {
            let lease = Arc::new(Lease::new(Uuid::new_v4(), asked_at));
            held.leases().insert(id, Arc::clone(&lease));
            lease
        });
        ended.ending.store(true, Ordering::Release);
        assert_eq!(held.renewed(&ids, &[], asked_at, LEASE), 1);
        assert!(lost.stopped.is_cancelled() && !ended.stopped.is_cancelled());
        ended.ending.store(false, Ordering::Release);
        held.renewed(&ids, &[], asked_at, LEASE);
        assert_eq!(
            ended.why.get(),
            Some(&Stop::LeaseLost),
            "it could not be written, and is lost like any other"
        );
    }
}

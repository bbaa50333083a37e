//! Queues with limits across all workers. They are not served by wake-ups but polled, one after the other, as long as
//! their limits and this worker's slots have room.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::claimer::{Claimer, Intake};
use crate::foundation::time_limit::{CALL_LIMIT, within};

/// Between two polls while no queue has a limit, or nothing is due in those that have one.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two polls while jobs wait for room.
const SHORT_PAUSE: Duration = Duration::from_millis(25);

/// Polls each queue with a limit once. Returns how long to rest.
pub(super) async fn round(intake: Arc<Intake>) -> anyhow::Result<Duration> {
    let job_store = &intake.claimer.job_store;
    let mut waiting = false;
    for queue in within(CALL_LIMIT, job_store.limited(&intake.queues)).await? {
        if within(CALL_LIMIT, job_store.is_due(&queue)).await? {
            waiting = true;
            claim(&intake, &queue).await?;
        }
    }
    Ok(if waiting { SHORT_PAUSE } else { PAUSE })
}

async fn claim(intake: &Intake, queue: &str) -> anyhow::Result<()> {
    let Some(slots) = intake.slots(1).await else {
        return Ok(());
    };
    let (claimed_at, claimer) = (Instant::now(), &intake.claimer);
    let Claimer { worker, lease, .. } = claimer;
    let claim = claimer
        .job_store
        .claim_limited(queue, slots.num_permits(), worker, *lease);
    let jobs = within(CALL_LIMIT, claim).await?;
    intake.hand_over(jobs, claimed_at, slots).await
}

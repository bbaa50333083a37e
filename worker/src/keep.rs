//! Background loops that never end before they are told to: a failure, a hang or a panic costs one round.

use std::{panic::AssertUnwindSafe, time::Duration};

use anyhow::anyhow;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{Backoff, backoff::spread};

/// For one database or Redis call of a background loop.
pub(crate) const CALL_LIMIT: Duration = Duration::from_secs(5);

/// For one claim. Shorter than the lease it takes: what is claimed without an answer can then be given back in time.
pub(crate) fn claim_limit(lease: Duration) -> Duration {
    CALL_LIMIT.min(lease / 2)
}

const RECOVERY: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(1),
};

/// Runs `round` again and again until `shutdown`. A round answers how long to rest (± 20 %); one that fails or
/// panics is told once, when the trouble starts, and tried again with a growing pause of at most a second.
pub(crate) async fn keep<F, R>(what: &'static str, shutdown: CancellationToken, mut round: F)
where
    F: FnMut() -> R,
    R: Future<Output = anyhow::Result<Duration>>,
{
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let answer = AssertUnwindSafe(async { round().await })
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_text(&*panic))));
        let rest = match answer {
            Ok(rest) => {
                if failures > 0 {
                    info!(loop_name = what, failures, "works again");
                }
                failures = 0;
                spread(rest)
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    warn!(loop_name = what, error = %format_args!("{error:#}"), "failed, trying again");
                } else {
                    debug!(loop_name = what, failures, error = %format_args!("{error:#}"), "failed again");
                }
                RECOVERY.after(failures)
            }
        };
        if !rest.is_zero() {
            shutdown.run_until_cancelled(tokio::time::sleep(rest)).await;
        }
    }
}

/// The answer, or an error when there is none within the time limit of one call.
pub(crate) async fn within<T, E>(limit: Duration, call: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: Into<anyhow::Error>,
{
    match tokio::time::timeout(limit, call).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(anyhow!("no answer within {} s", limit.as_secs())),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

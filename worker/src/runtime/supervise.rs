//! Background loops that run until shutdown: an error, a hang or a panic costs one round.

use std::{panic::AssertUnwindSafe, time::Duration};

use anyhow::anyhow;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::foundation::{Backoff, backoff::spread};

const RECOVERY: Backoff = Backoff {
    first: Duration::from_millis(100),
    cap: Duration::from_secs(1),
};

/// Runs `round` again and again until `shutdown`. A round returns how long to rest (± 20 %). One that fails or panics
/// is logged once, when the trouble starts, and retried after a growing pause of at most a second.
pub(super) async fn supervise<F, R>(what: &'static str, shutdown: CancellationToken, mut round: F)
where
    F: FnMut() -> R,
    R: Future<Output = anyhow::Result<Duration>>,
{
    let mut failures = 0;
    while !shutdown.is_cancelled() {
        let result = AssertUnwindSafe(async { round().await })
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| Err(anyhow!("panicked: {}", panic_text(&*panic))));
        let rest = match result {
            Ok(rest) => {
                if failures > 0 {
                    info!(loop_name = what, failures, "recovered");
                }
                failures = 0;
                spread(rest)
            }
            Err(error) => {
                failures += 1;
                if failures == 1 {
                    warn!(loop_name = what, error = %format_args!("{error:#}"), "failed, retrying");
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

/// The message of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no text")
}

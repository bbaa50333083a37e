//! Tasks in the background.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt;

/// How long to wait before a task that panicked is begun again.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs a task to its end. One that panics is begun again: those who wait for it would wait for ever.
pub async fn run_despite_panics<R: Future<Output = ()>>(what: &'static str, mut task: impl FnMut() -> R) {
    while AssertUnwindSafe(async { task().await }).catch_unwind().await.is_err() {
        tracing::error!(task = what, "panicked, begins again");
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_begun_again_and_one_that_ends_is_not() {
        let mut begun = 0;
        run_despite_panics("a test", || {
            begun += 1;
            let is_third = begun == 3;
            async move { assert!(is_third, "on purpose") }
        })
        .await;
        assert_eq!(begun, 3);
    }
}

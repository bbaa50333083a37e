//! Exponential backoff with jitter and a cap.

use std::time::Duration;

/// `first`, then twice that, and so on up to `cap`, each ± 20 % so that what failed together is not retried together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    pub first: Duration,
    pub cap: Duration,
}

impl Backoff {
    /// The pause after the `failures`-th failure in a row; the first is 1.
    #[must_use]
    pub fn after(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        spread(self.first.saturating_mul(1 << doublings).min(self.cap))
    }
}

/// The same pause, ± 20 %.
pub(crate) fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backoff_doubles_up_to_its_cap() {
        let backoff = Backoff {
            first: Duration::from_secs(10),
            cap: Duration::from_secs(3600),
        };
        for (failures, seconds) in [(0, 10), (1, 10), (2, 20), (5, 160), (10, 3600), (u32::MAX, 3600)] {
            let pause = backoff.after(failures).as_secs_f64() / f64::from(seconds);
            assert!(
                (0.8..1.2).contains(&pause),
                "{failures} failures: {pause} of {seconds} s"
            );
        }
    }
}

//! How a test runs: on a runtime of its own, under a time limit, and waiting for facts, not for time.

use std::{
    collections::HashSet,
    net::TcpListener,
    sync::{LazyLock, Mutex, PoisonError},
    time::{Duration, Instant},
};

use usher_shared::foundation::time::Clock;

/// Longer than any test takes; a test that hangs fails instead of holding up the run.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs one test to its end on a new multi-threaded runtime, whose threads have a clock of the test's own; panics after
/// five minutes.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let clock = Some(Clock::leaked());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || {
            Clock::on_this_thread(clock);
        })
        .build()
        .expect("a runtime");
    let _before = Before(Clock::on_this_thread(clock));
    runtime.block_on(async {
        tokio::time::timeout(LIMIT, test)
            .await
            .expect("a test ends within five minutes")
    })
}

/// Gives a thread its clock back, for the next test on it.
struct Before(Option<&'static Clock>);

impl Drop for Before {
    fn drop(&mut self) {
        Clock::on_this_thread(self.0);
    }
}

/// The first `Some` of `probe`, asked every 20 ms; panics with `what` when there is none by `limit`.
pub async fn eventually<T>(limit: Duration, what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = probe().await {
            return answer;
        }
        assert!(Instant::now() < end, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A TCP port of 127.0.0.1 that nothing listens on and that this process was not given before.
///
/// From a range below the one that outgoing connections use, so that a stopped server finds its
/// port free when it starts again.
#[must_use]
pub fn free_port() -> u16 {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let (random, ..) = uuid::Uuid::new_v4().as_fields();
        let port = u16::try_from(20_000 + random % 10_000).expect("below 30,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && given.insert(port) {
            return port;
        }
    }
}

//! A worker with one kind of its own that can misbehave, to see what becomes of such jobs and of those beside them.
//!
//! `INSERT INTO jobs …` with the kind `rough` and a payload such as `{"do": "abort"}` or `{"do": {"sleep_ms": 200}}`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use usher_shared::{
    foundation::{
        config::{Config, Mode, Source},
        log, process,
    },
    jobs::Job,
};
use usher_worker::{JobContext, JobError, Options, Policy, Registry, Worker};

#[derive(Serialize, Deserialize)]
struct Rough {
    r#do: Deed,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    SleepMs(u64),
    Panic,
    Hang,
    /// Ends the whole process at once, as a lack of memory would.
    Abort,
}

impl Job for Rough {
    const KIND: &'static str = "rough";
}

async fn run(job: Rough, _: JobContext) -> Result<(), JobError> {
    match job.r#do {
        Deed::SleepMs(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Deed::Panic => panic!("as it was told"),
        Deed::Hang => std::future::pending().await,
        Deed::Abort => {
            // The others that were claimed with it are at work by then.
            tokio::time::sleep(Duration::from_millis(200)).await;
            std::process::abort()
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::read(Mode::Service, &Source::environment())?;
    log::init(config.log_format);
    let options = Options {
        lease: Duration::from_secs(3),
        ..Options::default()
    };
    Worker::new(Registry::new().register::<Rough>(Policy::DEFAULT, run), options)
        .serve(config, process::shutdown_signal())
        .await
}

//! Usher's worker with the jobs of another program and none of its own: `cargo run --example foreign_jobs`

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use usher::{
    AppContext, Project,
    config::{Config, Mode, Source},
    db::{PoolOptions, connect},
    jobs::{Job, enqueue},
    worker::{JobContext, JobError, Options, Policy, Registry, Worker},
};

#[derive(Serialize, Deserialize)]
struct Greet {
    name: String,
}

impl Job for Greet {
    const KIND: &'static str = "greet";
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = Config::read(Mode::Up, &Source::environment())?;
    let options = PoolOptions {
        create: true,
        ..PoolOptions::default()
    };
    let db = connect(&config.database_url, &options).await?;
    Project::new("greeter").assemble()?.migrate(&db).await?;
    let app = AppContext::with(config, db, true);

    let tx = app.job_store.begin().await?;
    enqueue(&tx, Greet { name: "Ada".to_owned() }).await?;
    tx.commit().await?;

    // Stops after its one job; a real worker stops on SIGTERM.
    let stop = CancellationToken::new();
    let done = stop.clone();
    let greet = async move |job: Greet, context: JobContext| -> Result<(), JobError> {
        context.complete(context.begin().await?).await?;
        #[expect(clippy::print_stdout, reason = "what the example shows")]
        {
            println!("Hello, {}", job.name);
        }
        done.cancel();
        Ok(())
    };
    let registry = Registry::new().register::<Greet>(Policy::DEFAULT, greet);
    Worker::new(registry, Options::default()).run(&app, stop).await
}

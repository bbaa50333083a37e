//! The worker that is killed, frozen and cut off: Usher's own jobs, and a few whose every run leaves a trace.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::{Deserialize, Serialize};
use usher_shared::{
    foundation::{
        config::{Config, Mode, Source},
        log,
        process::shutdown_signal,
    },
    jobs::Job,
};
use usher_worker::{Backoff, JobContext, JobError, Options, Policy, Registry, Worker, registry};

use super::diary::Diary;

#[derive(clap::Args)]
pub struct Args {
    /// Where each start of a job is noted
    #[arg(long)]
    diary: PathBuf,
    /// Seconds
    #[arg(long)]
    lease: u64,
    #[arg(long)]
    concurrency: usize,
}

/// One of this bench's own jobs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Writes one row in the transaction that completes the job, after this many milliseconds.
    Effect(u64),
    /// Takes this many milliseconds and has no effect in the database.
    Nap(u64),
    /// Takes this many milliseconds at its first attempt, and none later.
    NapOnce(u64),
    /// Ends its process, as a lack of memory would.
    Kill,
}

/// A job that does its deed.
#[derive(Serialize, Deserialize)]
pub struct Chaos {
    pub deed: Deed,
}

impl Job for Chaos {
    const KIND: &'static str = "chaos";
}

/// Stubborn and quick, so that no outage uses up a job's attempts.
const STUBBORN: Policy = Policy {
    attempts: 1_000,
    backoff: Backoff {
        first: Duration::from_millis(200),
        cap: Duration::from_secs(2),
    },
    timeout: Duration::from_secs(600),
};

/// Runs until SIGTERM; the application's settings come from the environment.
pub async fn run(args: Args) -> Result<()> {
    let config = Config::read(Mode::Service, &Source::environment())?;
    log::init(config.log_format);
    let options = Options {
        lease: Duration::from_secs(args.lease),
        concurrency: args.concurrency,
        ..Options::default()
    };
    let kinds = with_chaos(registry(), Diary::open(args.diary)?);
    Worker::new(kinds, options).serve(config, shutdown_signal()).await
}

fn with_chaos(registry: Registry, diary: Diary) -> Registry {
    let diary = Arc::new(diary);
    registry.register::<Chaos>(STUBBORN, move |job: Chaos, context: JobContext| {
        let diary = Arc::clone(&diary);
        async move {
            diary.note(context.job.id)?;
            perform(job.deed, context).await
        }
    })
}

async fn perform(deed: Deed, context: JobContext) -> Result<(), JobError> {
    let nap = |millis| tokio::time::sleep(Duration::from_millis(millis));
    match deed {
        Deed::Nap(millis) => {
            nap(millis).await;
            Ok(())
        }
        Deed::NapOnce(millis) => {
            if context.job.attempt == 1 {
                nap(millis).await;
            }
            Ok(())
        }
        Deed::Kill => {
            nap(200).await; // the jobs that were claimed with it are at work by then
            std::process::abort()
        }
        Deed::Effect(millis) => {
            nap(millis / 2).await;
            let tx = context.begin().await?;
            let backend = tx.get_database_backend();
            let insert = "INSERT INTO chaos_effects (job_id) VALUES ($1)";
            let id = context.job.id.to_string();
            tx.execute_raw(Statement::from_sql_and_values(backend, insert, [id.into()]))
                .await?;
            if backend == DbBackend::Postgres {
                nap(millis / 2).await; // SQLite has one writer, who must not rest
            }
            context.complete(tx).await
        }
    }
}

//! Redis, the mail server and the trace collector, reached as the services reach them.

use anyhow::Result;
use usher_shared::{
    foundation::{config::Config, file_store::Backend, program::Program, trace::Collector},
    jobs,
};
#[cfg(feature = "worker")]
use usher_worker::Mailer;

pub(super) async fn redis(config: &Config) -> Result<String> {
    let Some(url) = &config.redis_url else {
        let program = Program::current().name;
        return Ok(format!(
            "not set: `{program} up` uses its own memory, separate workers poll the job store"
        ));
    };
    let client = redis::Client::open(url.as_str())?;
    jobs::connect(Some(&client), false).ping().await?;
    Ok("answers".to_owned())
}

/// Connects, encrypts and authenticates as a worker does; sends nothing.
#[cfg(feature = "worker")]
pub(super) async fn mail(config: &Config) -> Result<String, String> {
    let mailer = Mailer::new(config).map_err(|error| error.to_string())?;
    match mailer.probe().await {
        None => Ok("not set: mail is kept in the database".to_owned()),
        Some(answer) => answer.map_err(|error| format!("{error:#}")),
    }
}

/// Writes a small file and removes it.
pub(super) async fn files(config: &Config) -> Result<String, String> {
    let backend = &config.file_store;
    match backend {
        Backend::Database => Ok("kept in the database".to_owned()),
        Backend::Objects { store, folder } => match backend.probe().await {
            Ok(()) => Ok(format!("{folder} takes files, in {store}")),
            Err(error) => Err(format!("no file can be written: {error}")),
        },
    }
}

/// Posts an empty list of spans.
pub(super) async fn traces(config: &Config) -> Result<String, String> {
    let Some(traces) = &config.traces else {
        return Ok("not set: no traces are made".to_owned());
    };
    let taken = Collector::probe(traces).await;
    taken
        .map(|()| format!("{} accepts traces", traces.endpoint))
        .map_err(|error| format!("{} accepts no traces: {error}", traces.endpoint))
}

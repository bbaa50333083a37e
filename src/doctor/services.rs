//! Redis, the mail server and the trace collector, reached as the services reach them.

use anyhow::Result;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use usher_shared::{
    foundation::{
        config::Config,
        entity::stored_file::{self, Place},
        file_store::Backend,
        program::Program,
        trace::Collector,
    },
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

/// Writes a small file and removes it. Without a folder or bucket: whether a file was put into one.
pub(super) async fn files(config: &Config, db: Option<&DatabaseConnection>) -> Result<String, String> {
    match &config.file_store {
        Backend::Database => {
            let elsewhere = stored_file::Entity::find().filter(stored_file::Column::Place.eq(Place::Objects));
            let lost = match db {
                Some(db) => elsewhere.one(db).await.map_err(|error| error.to_string())?,
                None => None,
            };
            match lost {
                None => Ok("kept in the database".to_owned()),
                Some(_) => {
                    Err("some files are in a folder or bucket: set FILE_STORE to it, or they can't be read".to_owned())
                }
            }
        }
        backend @ Backend::Objects {
            store, folder, local, ..
        } => match backend.probe().await {
            Ok(()) => Ok(match local {
                Some(path) => format!("{} takes files", path.display()),
                None => format!("{store} takes files under {folder}"),
            }),
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

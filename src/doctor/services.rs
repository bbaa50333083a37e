//! Redis, the mail server and the trace collector, reached as the services reach them.

use usher_shared::{
    foundation::{config::Config, trace::Collector},
    jobs,
};
use usher_worker::Mailer;

use super::finding::State;

pub(super) async fn redis(config: &Config) -> State {
    let Some(url) = &config.redis_url else {
        return State::Ok("not set: `usher up` uses its own memory, separate workers poll the job store".to_owned());
    };
    let client = match redis::Client::open(url.as_str()) {
        Ok(client) => client,
        Err(error) => return State::Wrong(error.to_string()),
    };
    let answer = jobs::connect(Some(&client), false).ping().await;
    answer.map(|()| "answers".to_owned()).into()
}

/// Connects, encrypts and authenticates as a worker does; sends nothing.
pub(super) async fn mail(config: &Config) -> State {
    let mailer = match Mailer::new(config) {
        Ok(mailer) => mailer,
        Err(error) => return State::Wrong(error.to_string()),
    };
    match mailer.probe().await {
        None => State::Ok("not set: mail is kept in the database".to_owned()),
        Some(answer) => answer.map_err(|error| format!("{error:#}")).into(),
    }
}

/// Posts an empty list of spans.
pub(super) async fn traces(config: &Config) -> State {
    let Some(traces) = &config.traces else {
        return State::Ok("not set: no traces are made".to_owned());
    };
    let taken = Collector::probe(traces).await;
    taken
        .map(|()| format!("{} accepts traces", traces.endpoint))
        .map_err(|error| format!("{} accepts no traces: {error}", traces.endpoint))
        .into()
}

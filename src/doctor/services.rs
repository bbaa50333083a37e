//! Redis, the mail server and the collector of traces, as the rooms would use them.

use usher_shared::{
    foundation::{config::Config, trace::Collector},
    jobs,
};
use usher_worker::Mailer;

use super::State;

pub(super) async fn redis(config: &Config) -> State {
    let Some(url) = &config.redis_url else {
        return State::Ok("not set: one process uses its own memory, separate workers poll the ledger".to_owned());
    };
    let client = match redis::Client::open(url.as_str()) {
        Ok(client) => client,
        Err(error) => return State::Wrong(error.to_string()),
    };
    let answer = jobs::connect(Some(&client), false).ping().await;
    answer.map(|()| "answers".to_owned()).into()
}

/// Greets, encrypts and logs in as a worker does; nothing is sent.
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

/// Posts no spans, as a room posts some.
pub(super) async fn traces(config: &Config) -> State {
    let Some(traces) = &config.traces else {
        return State::Ok("not set: none are kept".to_owned());
    };
    let taken = Collector::probe(traces).await;
    taken
        .map(|()| format!("{} takes them", traces.endpoint))
        .map_err(|error| format!("{} takes none: {error}", traces.endpoint))
        .into()
}

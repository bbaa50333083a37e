//! That events were written, for readers that wait. A signal may come before the commit, twice, or not at all: readers
//! look into the table, and look again.

use std::{
    sync::{Arc, LazyLock, Weak},
    time::Duration,
};

use futures::StreamExt;
use redis::{Client, RedisError};
use tokio::sync::watch;

use crate::foundation::redis::Connection;

/// The channel in Redis.
const CHANNEL: &str = "usher:events";
/// Redis is told no more often than this.
const PAUSE: Duration = Duration::from_millis(2);
/// A connection that is silent for so long may be dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Counts what this process has written. Whoever writes an event has a transaction and nothing else, so this is one of
/// the few global variables.
static WRITTEN: LazyLock<watch::Sender<u64>> = LazyLock::new(watch::Sender::default);

/// Says that this process has written an event.
pub(super) fn written() {
    WRITTEN.send_modify(|count| *count = count.wrapping_add(1));
}

/// Tells a reader in this process.
pub(super) fn listen() -> watch::Receiver<u64> {
    WRITTEN.subscribe()
}

/// Passes signals of this process on to others, as long as somebody holds the other end of `alive`.
pub(super) fn pass_on(client: &Client, alive: &Arc<()>) {
    let Ok(connection) = Connection::new(client) else {
        return;
    };
    tokio::spawn(publish(connection, Arc::downgrade(alive)));
}

async fn publish(connection: Connection, alive: Weak<()>) {
    let mut written = listen();
    while written.changed().await.is_ok() && alive.strong_count() > 0 {
        let mut lease = connection.lease();
        let told: Result<(), _> = redis::cmd("PUBLISH")
            .arg(CHANNEL)
            .arg("")
            .query_async(&mut lease.manager)
            .await;
        connection.note(&lease, &told);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Calls `heard` for signals of other processes, and whenever it has connected again, until it is dropped.
pub(super) async fn hear(client: Client, heard: impl Fn()) {
    loop {
        if let Err(error) = subscribe(&client, &heard).await {
            tracing::debug!(%error, "Redis does not tell of events; readers look themselves");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn subscribe(client: &Client, heard: impl Fn()) -> Result<(), RedisError> {
    let mut connection = client.get_async_pubsub().await?;
    connection.subscribe(CHANNEL).await?;
    heard();
    let mut messages = connection.into_on_message();
    while let Ok(Some(_)) = tokio::time::timeout(SILENCE, messages.next()).await {
        heard();
    }
    Ok(())
}

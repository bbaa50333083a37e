//! Connections to Redis.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

/// A connection that is opened on first use, and again when it ends or falls silent. Commands answer or fail within two
/// seconds. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    client: Client,
    current: Arc<Mutex<Lease>>,
}

/// The connection as it is now, for one command. [`Connection::note`] takes it with the command's outcome.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) manager: ConnectionManager,
    /// How many were replaced before.
    number: u64,
}

impl Connection {
    pub(crate) fn new(client: &Client) -> Result<Self, RedisError> {
        let manager = manager(client)?;
        Ok(Self {
            client: client.clone(),
            current: Arc::new(Mutex::new(Lease { manager, number: 0 })),
        })
    }

    pub(crate) fn lease(&self) -> Lease {
        self.current().clone()
    }

    /// After a timeout, commands from now on use another connection. The manager only reconnects where a connection
    /// ended, and one that a firewall has forgotten stays open for many minutes.
    pub(crate) fn note<T>(&self, lease: &Lease, outcome: &Result<T, RedisError>) {
        if !outcome.as_ref().is_err_and(RedisError::is_timeout) {
            return;
        }
        let mut current = self.current();
        // Of many commands that failed at once the first replaces it.
        if current.number == lease.number
            && let Ok(manager) = manager(&self.client)
        {
            *current = Lease {
                manager,
                number: lease.number + 1,
            };
        }
    }

    fn current(&self) -> MutexGuard<'_, Lease> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn manager(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(Duration::from_secs(2)))
        .set_response_timeout(Some(Duration::from_secs(2)))
        .set_number_of_retries(1)
        .set_max_delay(Duration::from_millis(500));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

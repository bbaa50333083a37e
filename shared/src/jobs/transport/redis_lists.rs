//! Wake-ups in Redis: a list for each queue and priority, bounded. Needs Redis 7 or Valkey (BLMPOP).

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, Script, aio::MultiplexedConnection};
use tokio::sync::{Mutex, mpsc};

use super::contract::{MAX_WAITING, Transport, TransportError, WakeUp};
use crate::{foundation::redis::Connection, jobs::job::Priority};

/// Batches of wake-ups that may wait for Redis in this process.
const BUFFER: usize = 1_024;
/// Wake-ups in one call of the script; Lua cannot unpack many more.
const CHUNK: usize = 1_000;

/// Appends as many ids as fit in the list.
const PUSH: &str = "
local room = tonumber(ARGV[1]) - redis.call('LLEN', KEYS[1])
if room <= 0 then return 0 end
return redis.call('RPUSH', KEYS[1], unpack(ARGV, 2, math.min(#ARGV, room + 1)))";

#[derive(Debug)]
pub(super) struct RedisLists {
    client: Client,
    shared: Option<Connection>,
    announce: mpsc::Sender<Vec<WakeUp>>,
    /// Whether Redis accepted the last wake-ups. It may answer but accept none: its memory is full, or it is a replica.
    accepts_wake_ups: Arc<AtomicBool>,
    /// Separate connections, one for each concurrent pop, because a blocking pop blocks everything else on its
    /// connection.
    popping: Mutex<Vec<MultiplexedConnection>>,
}

impl RedisLists {
    /// Connects on first use, and again whenever the connection breaks.
    pub fn new(client: &Client) -> Self {
        let shared = Connection::new(client).ok();
        let (announce, announcements) = mpsc::channel(BUFFER);
        let accepts_wake_ups = Arc::new(AtomicBool::new(true));
        if let Some(connection) = shared.clone() {
            tokio::spawn(carry(connection, announcements, Arc::clone(&accepts_wake_ups)));
        }
        Self {
            client: client.clone(),
            shared,
            announce,
            accepts_wake_ups,
            popping: Mutex::default(),
        }
    }

    fn shared(&self) -> Result<&Connection, TransportError> {
        let shared = self.shared.as_ref();
        shared.ok_or_else(|| TransportError("no connection".to_owned()))
    }

    /// Fails while Redis accepts no wake-ups, so that workers poll the jobs table instead of waiting for them.
    async fn expect_wake_ups(&self) -> Result<(), TransportError> {
        if !self.accepts_wake_ups.load(Ordering::Relaxed) {
            let mut probe = redis::cmd("SET");
            probe.arg("usher:queue:probe").arg(1).arg("PX").arg(1_000);
            self.ask::<()>(&probe).await?;
            self.accepts_wake_ups.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, TransportError> {
        let shared = self.shared()?;
        let mut lease = shared.lease();
        let answer = command.query_async(&mut lease.manager).await;
        shared.note(&lease, &answer);
        answer.map_err(failed)
    }

    async fn open_popping(&self, wait: Duration) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(wait + Duration::from_secs(2)));
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }
}

#[async_trait]
impl Transport for RedisLists {
    fn push(&self, wake_ups: Vec<WakeUp>) {
        // A full buffer means that Redis is slow or down; workers find these jobs in the table.
        drop(self.announce.try_send(wake_ups));
    }

    async fn pop(&self, queues: &[String], max: usize, wait: Duration) -> Result<Vec<WakeUp>, TransportError> {
        self.expect_wake_ups().await?;
        let rested = self.popping.lock().await.pop();
        let mut connection = match rested {
            Some(connection) => connection,
            None => self.open_popping(wait).await.map_err(failed)?,
        };
        let keys: Vec<String> = Priority::ALL
            .into_iter()
            .flat_map(|p| queues.iter().map(move |queue| key(queue, p.number())))
            .collect();
        let mut command = redis::cmd("BLMPOP");
        command
            .arg(wait.as_secs_f64())
            .arg(keys.len())
            .arg(&keys)
            .arg("LEFT")
            .arg("COUNT")
            .arg(max);
        let popped: Option<(String, Vec<String>)> = command.query_async(&mut connection).await.map_err(failed)?;
        // Only kept after a good answer; a broken or half-read connection was dropped above.
        self.popping.lock().await.push(connection);
        let (key, words) = popped.unwrap_or_default();
        Ok(words.iter().filter_map(|word| read(&key, word)).collect())
    }

    async fn waiting(&self, queue: &str) -> Result<usize, TransportError> {
        self.expect_wake_ups().await?;
        let mut lengths = redis::pipe();
        for priority in Priority::ALL {
            lengths.cmd("LLEN").arg(key(queue, priority.number()));
        }
        let shared = self.shared()?;
        let mut lease = shared.lease();
        let lengths: Result<Vec<usize>, _> = lengths.query_async(&mut lease.manager).await;
        shared.note(&lease, &lengths);
        let lengths = lengths.map_err(failed)?;
        Ok(lengths.into_iter().sum())
    }

    async fn ping(&self) -> Result<(), TransportError> {
        self.ask(&redis::cmd("PING")).await
    }

    fn name(&self) -> &'static str {
        "redis"
    }
}

/// Sends wake-ups to Redis, all that have queued up at once. Ends with the transport.
async fn carry(
    connection: Connection,
    mut announcements: mpsc::Receiver<Vec<WakeUp>>,
    accepts_wake_ups: Arc<AtomicBool>,
) {
    let script = Script::new(PUSH);
    let mut reachable = true;
    let mut batch = Vec::new();
    while announcements.recv_many(&mut batch, BUFFER).await > 0 {
        let mut lists: HashMap<String, Vec<String>> = HashMap::new();
        for wake_up in batch.drain(..).flatten() {
            lists
                .entry(key(&wake_up.queue, wake_up.priority))
                .or_default()
                .push(format!("{}:{}", wake_up.id, wake_up.epoch));
        }
        for (key, words) in lists {
            for words in words.chunks(CHUNK) {
                let mut push = script.key(&key);
                push.arg(MAX_WAITING).arg(words);
                let mut lease = connection.lease();
                let mut pushed = push.invoke_async::<i64>(&mut lease.manager).await;
                connection.note(&lease, &pushed);
                if pushed.as_ref().is_err_and(RedisError::is_connection_dropped) {
                    // Redis may be back already: a connection only notices that it is dead by failing.
                    pushed = push.invoke_async(&mut lease.manager).await;
                }
                if pushed.as_ref().is_err_and(|error| error.code().is_some()) {
                    accepts_wake_ups.store(false, Ordering::Relaxed);
                }
                match pushed {
                    Ok(_) => reachable = true,
                    Err(error) if reachable => {
                        reachable = false;
                        tracing::warn!(%error, "Redis does not answer; jobs wait until workers poll the jobs table");
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

fn key(queue: &str, priority: i16) -> String {
    let list = Priority::ALL
        .into_iter()
        .find(|p| priority <= p.number())
        .unwrap_or(Priority::Low);
    format!("usher:queue:{queue}:{}", list.number())
}

fn read(key: &str, word: &str) -> Option<WakeUp> {
    let (queue, priority) = key.strip_prefix("usher:queue:")?.rsplit_once(':')?;
    let (id, epoch) = word.split_once(':')?;
    Some(WakeUp {
        id: id.parse().ok()?,
        epoch: epoch.parse().ok()?,
        queue: queue.to_owned(),
        priority: priority.parse().ok()?,
    })
}

fn failed(error: RedisError) -> TransportError {
    TransportError(error.to_string())
}

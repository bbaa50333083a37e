//! A real Redis server that keeps nothing on disk, for tests that stop it, empty it or share it.

use std::{
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::{
    process::{Folder, Process, Signal},
    run::{eventually, free_port},
};

/// A server on a free port of 127.0.0.1; what it held is gone after a stop.
pub struct Redis {
    process: Process,
    port: u16,
    folder: Folder,
}

impl Redis {
    /// Starts a new server.
    pub async fn start() -> Self {
        let (folder, port) = (Folder::new(), free_port());
        let mut redis = Self {
            process: serve(&folder, port),
            port,
            folder,
        };
        redis.answers().await;
        redis
    }

    /// For `REDIS_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Stops it; connections are refused from then on.
    pub fn stop(&mut self) {
        self.process.stop();
    }

    /// Ends it with SIGKILL; connections are refused from then on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again, empty, on the same port.
    pub async fn start_again(&mut self) {
        self.process = serve(&self.folder, self.port);
        self.answers().await;
    }

    /// Forgets everything it holds.
    pub async fn flush(&self) {
        self.ask(redis::cmd("FLUSHALL")).await.expect("Redis empties itself");
    }

    /// Bytes that its data and its buffers take (`used_memory` of `INFO`).
    pub async fn memory(&self) -> u64 {
        let info = async {
            let client = redis::Client::open(self.url())?;
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd("INFO")
                .arg("memory")
                .query_async::<String>(&mut connection)
                .await
        };
        let info = info.await.expect("Redis tells its memory");
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        line.and_then(|bytes| bytes.trim().parse().ok())
            .expect("a number of bytes")
    }

    /// Sets one of its settings (`CONFIG SET`), such as `maxmemory`.
    pub async fn configure(&self, setting: &str, value: &str) {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(setting).arg(value);
        self.ask(command).await.expect("Redis takes the setting");
    }

    /// Makes an account that may do everything, and answers the `REDIS_URL` with it. Without one everybody may as well.
    pub async fn url_for(&self, account: &str, password: &str) -> String {
        let mut command = redis::cmd("ACL");
        command.arg(&["SETUSER", account, "on", &format!(">{password}"), "~*", "&*", "+@all"]);
        self.ask(command).await.expect("Redis makes an account");
        format!("redis://{account}:{password}@127.0.0.1:{}/0", self.port)
    }

    /// Every command it gets from now on, with its arguments (`MONITOR`), as text that grows.
    pub async fn overheard(&self) -> Arc<Mutex<String>> {
        let heard = Arc::new(Mutex::new(String::new()));
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))
            .await
            .expect("Redis listens");
        stream.write_all(b"MONITOR\r\n").await.expect("Redis reads");
        let (into, mut lines) = (Arc::clone(&heard), BufReader::new(stream).lines());
        lines.next_line().await.expect("Redis agrees");
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                into.lock().unwrap_or_else(PoisonError::into_inner).push_str(&line);
            }
        });
        heard
    }

    async fn answers(&mut self) {
        eventually(Duration::from_secs(20), "Redis answers", async || {
            self.process.expect_running();
            self.ask(redis::cmd("PING")).await.ok()
        })
        .await;
    }

    async fn ask(&self, command: redis::Cmd) -> redis::RedisResult<()> {
        let client = redis::Client::open(self.url())?;
        command
            .exec_async(&mut client.get_multiplexed_async_connection().await?)
            .await
    }
}

fn serve(folder: &Folder, port: u16) -> Process {
    let mut redis = Command::new("redis-server");
    redis.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    redis.current_dir(folder.path());
    Process::start("redis-server", redis, folder.path().join("redis.log"), Signal::TERM)
}

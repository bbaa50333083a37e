//! The API as a process of its own, over a database with people in it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use usher_shared::SecretKey;
use usher_testkit::{Folder, Program, Running, free_port};

/// A million users take minutes.
const SEEDED_WITHIN: Duration = Duration::from_secs(1_800);

pub const EMAIL: &str = "bench@example.com";
pub const PASSWORD: &str = "four uncommon words together";

pub struct Server {
    running: Running,
    database_url: String,
    address: String,
    pub users: u64,
    /// An API key with every scope.
    pub key: String,
    _folder: Folder,
}

impl Server {
    /// Migrates, seeds this many users, makes a key, and starts the API without rate limits.
    pub async fn start(database_url: &str, users: u64) -> Result<Self> {
        let (folder, secret_key) = (Folder::new(), SecretKey::generate_base64());
        let address = format!("127.0.0.1:{}", free_port());
        let program = |name: &str| {
            Program::named(name)
                .env("DATABASE_URL", database_url)
                .env("SECRET_KEY", &secret_key)
                .env("API_ADDR", &address)
                .env("RATE_LIMITS", "off")
                .env("USHER_SUPERUSER_EMAIL", EMAIL)
                .env("USHER_SUPERUSER_PASSWORD", PASSWORD)
        };
        let usher = async |arguments: &str| {
            let command = arguments.split(' ').fold(program("usher"), Program::arg);
            let (code, text) = command.finish(&folder, SEEDED_WITHIN).await;
            ensure!(code == 0, "usher {arguments}: {text}");
            Ok(text)
        };
        usher("migrate up").await?;
        usher(&format!("seed --users {users}")).await?;
        let made = usher("key create --name bench --scopes all --json").await?;
        let made: serde_json::Value = serde_json::from_str(&made).context(made)?;
        let key = made["key"].as_str().context("no key")?.to_owned();
        let running = program("usher-api").ready_at(&address).start(&folder).await;
        Ok(Self {
            running,
            database_url: database_url.to_owned(),
            address,
            users,
            key,
            _folder: folder,
        })
    }

    pub fn id(&self) -> u32 {
        self.running.id()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn database_url(&self) -> &str {
        &self.database_url
    }
}

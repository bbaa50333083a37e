//! The API as a process of its own, over a database with people in it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
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
    /// The cursor of the last full page of the list.
    pub deepest: String,
    /// Of as many sessions as were asked for.
    pub refresh_tokens: Vec<String>,
    _folder: Folder,
}

impl Server {
    /// Migrates, seeds this many users, makes a key, and starts the API without rate limits. Then as many
    /// sessions are opened.
    pub async fn start(database_url: &str, users: u64, sessions: usize) -> Result<Self> {
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
            // What it says goes to a file, which stays empty where there is no room.
            ensure!(
                code == 0,
                "usher {arguments} ended with {code}, is the disk full? {text}"
            );
            Ok(text)
        };
        usher("migrate up").await?;
        usher(&format!("seed --users {users}")).await?;
        let made = usher("key create --name bench --scopes all --json").await?;
        let made: Value = serde_json::from_str(&made).context(made)?;
        let key = made["key"].as_str().context("no key")?.to_owned();
        let running = program("usher-api").ready_at(&address).start(&folder).await;
        let url = format!("http://{address}");
        let mut refresh_tokens = Vec::new();
        for _ in 0..sessions {
            refresh_tokens.push(refresh_token(&url).await?);
        }
        let deepest = deepest_page(&url, &key).await?;
        Ok(Self {
            running,
            database_url: database_url.to_owned(),
            address,
            users,
            key,
            deepest,
            refresh_tokens,
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

async fn refresh_token(url: &str) -> Result<String> {
    let body = json!({ "email": EMAIL, "password": PASSWORD }).to_string();
    let request = reqwest::Client::new().post(format!("{url}/auth/login")).body(body);
    let answer = request.header("content-type", "application/json").send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    Ok(answer["refresh_token"].as_str().context("no refresh token")?.to_owned())
}

/// A cursor belongs to an order, not to filters: this one is taken where a filter ends, a hundred rows before the end.
async fn deepest_page(url: &str, key: &str) -> Result<String> {
    let get = async |query: &str| -> Result<Value> {
        let request = reqwest::Client::new().get(format!("{url}/users?{query}"));
        let answer = request.bearer_auth(key).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    let oldest = get("sort=created_at&limit=110").await?;
    let until = oldest["data"][109]["created_at"].as_str().context("too few users")?;
    let end = get(&format!("created_before={until}&limit=50")).await?;
    Ok(end["next_cursor"].as_str().context("no deep page")?.to_owned())
}

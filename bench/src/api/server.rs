//! The API as a process of its own, over a database with people in it.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use usher_testkit::{Running, free_port};

use crate::programs::{EMAIL, PASSWORD, Programs};

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
    _programs: Programs,
}

impl Server {
    /// Migrates, seeds this many users, makes a key, and starts the API without rate limits. Then as many
    /// sessions are opened.
    pub async fn start(database_url: &str, users: u64, sessions: usize) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port());
        let programs = Programs::over(database_url).with("API_ADDR", &address);
        programs.seed(users).await?;
        let key = programs.key().await?;
        let api = programs.named("usher-api").ready_at(&address);
        let running = api.start(&programs.folder).await;
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
            _programs: programs,
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

//! The API and the admin as processes over one database, and a worker that comes when there is work.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, StatusCode};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use usher_testkit::{Running, eventually, free_port};
use uuid::Uuid;

use crate::programs::Programs;

/// Its name keeps it out of what is counted.
const UNDONE: &str = "SELECT 1 AS beside_pg_stat_statements FROM jobs WHERE state IN ('ready', 'running') \
    AND kind = 'welcome_email' LIMIT 1";

pub struct System {
    programs: Programs,
    api: String,
    pub admin: String,
    worker: String,
    key: String,
    client: Client,
    _running: [Running; 2],
}

impl System {
    /// Migrates, seeds this many users, and starts API and admin.
    pub async fn open(url: &str, users: u64) -> Result<Self> {
        let [api, admin, worker] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let programs = Programs::over(url);
        programs.seed(users).await?;
        let running = [("usher-api", "API_ADDR", &api), ("usher-admin", "ADMIN_ADDR", &admin)];
        let [one, other] = running.map(|(name, variable, at)| programs.named(name).env(variable, at).ready_at(at));
        Ok(Self {
            _running: [one.start(&programs.folder).await, other.start(&programs.folder).await],
            key: programs.key().await?,
            client: Client::new(),
            api,
            admin,
            worker,
            programs,
        })
    }

    /// The API's answer to the key's holder.
    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .client
            .request(method.clone(), format!("http://{}{path}", self.api));
        let request = request.bearer_auth(&self.key);
        let request = if method == Method::GET {
            request
        } else {
            request.json(body)
        };
        let answer = request.send().await?;
        expect(answer.status(), path)?;
        Ok(answer.json().await?)
    }

    pub async fn create(&self) -> Result<()> {
        let email = format!("{}@example.com", Uuid::new_v4().simple());
        let body = json!({"name": "Ada Lovelace", "email": email});
        self.ask(Method::POST, "/users", &body).await.map(drop)
    }

    /// Runs a worker until nothing waits any more.
    pub async fn work(&self, db: &DatabaseConnection) -> Result<()> {
        let worker = self.programs.named("usher-worker").env("METRICS_ADDR", &self.worker);
        let _running = worker.ready_at(&self.worker).start(&self.programs.folder).await;
        let is_done = async || {
            let left = db
                .query_one_raw(Statement::from_string(DbBackend::Postgres, UNDONE))
                .await;
            left.ok()?.is_none().then_some(())
        };
        eventually(Duration::from_secs(120), "all jobs are done", is_done).await;
        Ok(())
    }

    /// Of the last full page: taken where a filter ends, a hundred rows before the end of the list.
    pub async fn deepest_cursor(&self) -> Result<String> {
        let get = async |path: String| self.ask(Method::GET, &path, &Value::Null).await;
        let oldest = get("/users?sort=created_at&limit=110".to_owned()).await?;
        let until = oldest["data"][109]["created_at"].as_str().context("too few users")?;
        let end = get(format!("/users?created_before={until}&limit=50")).await?;
        Ok(end["next_cursor"].as_str().context("no deep page")?.to_owned())
    }
}

/// Fails on any answer but success.
fn expect(status: StatusCode, path: &str) -> Result<()> {
    ensure!(status.is_success(), "{path}: {status}");
    Ok(())
}

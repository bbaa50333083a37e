//! Where it takes place: all services as processes of their own, on PostgreSQL that notes the time of each commit.

use anyhow::{Context, Result, ensure};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use usher_shared::{
    AppContext,
    foundation::{
        config::{Config, Mode, Source},
        crypto::SecretKey,
        db::{PoolOptions, connect},
    },
};
use usher_testkit::{Postgres, Redis, SmtpSink, administer, free_port};

use super::receiver::Receiver;
use crate::programs::{Mortal, Programs};

pub struct Scene {
    pub postgres: Postgres,
    pub redis: Redis,
    /// The application of whoever looks into the database, and of a writer without the API.
    pub context: AppContext,
    pub apis: Vec<Mortal>,
    pub worker: Mortal,
    /// For each API.
    pub clients: Vec<ApiClient>,
    programs: Programs,
    _sink: SmtpSink,
}

/// Who asks an API, with a key that may do everything.
#[derive(Clone)]
pub struct ApiClient {
    client: Client,
    url: String,
    pub address: String,
    pub key: String,
}

impl Scene {
    /// Starts the servers, this many APIs and a worker.
    pub async fn open(apis: usize) -> Result<Self> {
        let (mut postgres, redis, sink) = (
            Postgres::start_durable().await,
            Redis::start().await,
            SmtpSink::start().await,
        );
        let server = postgres.url("postgres");
        administer(&server, "ALTER SYSTEM SET track_commit_timestamp = on").await?;
        postgres.stop();
        postgres.start_again().await;
        administer(&server, "CREATE DATABASE events").await?;
        let database_url = postgres.url("events");
        let programs = Programs::over(&database_url)
            .with("REDIS_URL", redis.url())
            .with("SMTP_URL", sink.url())
            .with("WEBHOOK_NETWORKS", "127.0.0.0/8")
            .with("LOG_FORMAT", "json");
        programs.seed(0).await?;
        let key = programs.key().await?;
        let mut scene = Self {
            context: context(&database_url).await?,
            apis: Vec::new(),
            worker: Mortal::of(programs.named("usher-worker")),
            clients: Vec::new(),
            postgres,
            redis,
            programs,
            _sink: sink,
        };
        for _ in 0..apis {
            let address = format!("127.0.0.1:{}", free_port());
            let api = scene.programs.named("usher-api").env("API_ADDR", &address);
            scene.apis.push(Mortal::of(api.ready_at(&address)));
            scene.clients.push(ApiClient {
                client: Client::builder().no_proxy().build()?,
                url: format!("http://{address}"),
                address,
                key: key.clone(),
            });
        }
        scene.start_all().await;
        Ok(scene)
    }

    /// Starts every program that does not run.
    pub async fn start_all(&mut self) {
        for api in &mut self.apis {
            api.start(&self.programs.folder).await;
        }
        self.worker.start(&self.programs.folder).await;
    }
}

impl ApiClient {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        request.bearer_auth(&self.key)
    }

    /// A new user's id.
    pub async fn create(&self, address: &str) -> Result<i64> {
        let body = json!({"name": "Ada Lovelace", "email": address});
        let answer = self.request(Method::POST, "/users").json(&body).send().await?;
        let user: Value = answer.error_for_status()?.json().await?;
        user["id"].as_i64().context("no id")
    }

    /// Has all events of users sent there from now on; gives the endpoint's id.
    pub async fn send_to(&self, receiver: &Receiver) -> Result<i64> {
        let body = json!({"url": receiver.url, "types": ["user.*"]});
        let answer = self.request(Method::POST, "/webhooks").json(&body).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "no webhook: {status} {text}");
        let endpoint: Value = serde_json::from_str(&text)?;
        endpoint["id"].as_i64().context("no id")
    }
}

async fn context(database_url: &str) -> Result<AppContext> {
    let settings = Source::of([
        ("DATABASE_URL", database_url),
        ("SECRET_KEY", &SecretKey::generate_base64()),
    ]);
    let db = connect(database_url, &PoolOptions::default()).await?;
    Ok(AppContext::with(Config::read(Mode::Service, &settings)?, db, false))
}

//! The services as processes of their own, over one database, with Redis or without, and a mail server.

use std::time::Duration;

use tokio::task::JoinSet;
use usher_testkit::{Folder, Program, Redis, Running, Smtp, TestDb, free_port};

pub const EMAIL: &str = "root@example.org";
pub const PASSWORD: &str = "seven quiet otters kept watch";

/// Drawn once, for tests alone.
pub const SECRET_KEY: &str = "mRrAwgBO2mbAT6zSBK9VeVZQmEK+A9A9tqJQHfSZM6WBpPUOFXvk5dX6bcaBmj8K";

pub struct Production {
    pub db: TestDb,
    redis_url: Option<String>,
    pub smtp: Smtp,
    folder: Folder,
    settings: Vec<(&'static str, String)>,
    pub api: String,
    pub admin: String,
    /// The worker's health and metrics.
    pub worker: String,
    pub api_metrics: String,
    pub admin_metrics: String,
    pub key: String,
}

impl Production {
    /// Migrates the database and makes a key.
    pub async fn start(db: TestDb, redis: Option<&Redis>) -> Self {
        let [api, admin, worker, api_metrics, admin_metrics] = [(); 5].map(|()| format!("127.0.0.1:{}", free_port()));
        let (smtp, folder, redis_url) = (Smtp::start().await, Folder::new(), redis.map(Redis::url));
        let mut production = Self {
            db,
            redis_url,
            smtp,
            folder,
            settings: vec![],
            api,
            admin,
            worker,
            api_metrics,
            admin_metrics,
            key: String::new(),
        };
        production.command(&["migrate", "up"]).await;
        production.key = production
            .command(&["key", "create", "--name", "journey"])
            .await
            .trim()
            .to_owned();
        production
    }

    /// The services with these settings as well, whichever they are started with.
    pub fn with(mut self, settings: Vec<(&'static str, String)>) -> Self {
        self.settings = settings;
        self
    }

    /// The same services over another database.
    pub fn on(self, db: TestDb) -> Self {
        Self { db, ..self }
    }

    fn program(&self, name: &str) -> Program {
        let program = Program::named(name)
            .env("DATABASE_URL", self.db.url())
            .env("SMTP_URL", self.smtp.url())
            .env("MAIL_FROM", "Usher <usher@example.org>")
            .env("SECRET_KEY", SECRET_KEY)
            .env("API_ADDR", &self.api)
            .env("ADMIN_ADDR", &self.admin)
            .env("RATE_LIMITS", "off")
            .env("RUST_LOG", "debug")
            .env("SIGN_UP", "open")
            .env("STAFF_MFA", "optional")
            .env("USHER_SUPERUSER_EMAIL", EMAIL)
            .env("USHER_SUPERUSER_PASSWORD", PASSWORD);
        let program = match &self.redis_url {
            Some(url) => program.env("REDIS_URL", url),
            None => program,
        };
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        with(program, &settings)
    }

    /// What a management command prints; it must succeed.
    pub async fn command(&self, arguments: &[&str]) -> String {
        let (code, log) = self.command_with(arguments, &[]).await;
        assert_eq!(code, 0, "usher {arguments:?}: {log}");
        log
    }

    /// A management command's exit code and what it prints, with other settings.
    pub async fn command_with(&self, arguments: &[&str], settings: &[(&str, &str)]) -> (i32, String) {
        let usher = with(self.program("usher"), settings);
        let usher = arguments.iter().fold(usher, |usher, argument| usher.arg(*argument));
        usher.finish(&self.folder, Duration::from_secs(60)).await
    }

    /// The API with other settings.
    pub async fn start_api_with(&self, settings: &[(&str, &str)]) -> Running {
        let api = with(self.program("usher-api"), settings).ready_at(&self.api);
        api.start(&self.folder).await
    }

    pub async fn start_api(&self) -> Running {
        let api = self.program("usher-api").env("METRICS_ADDR", &self.api_metrics);
        api.ready_at(&self.api).start(&self.folder).await
    }

    pub async fn start_admin(&self) -> Running {
        let admin = self.program("usher-admin").env("METRICS_ADDR", &self.admin_metrics);
        admin.ready_at(&self.admin).start(&self.folder).await
    }

    pub async fn start_worker(&self) -> Running {
        self.start_worker_with(&[]).await
    }

    /// A worker with other settings.
    pub async fn start_worker_with(&self, settings: &[(&str, &str)]) -> Running {
        let worker = self.program("usher-worker").env("METRICS_ADDR", &self.worker);
        let worker = with(worker, settings).ready_at(&self.worker);
        worker.start(&self.folder).await
    }

    /// One more process of a service, at an address of its own that this variable names.
    pub async fn start_another(&self, name: &str, variable: &str) -> (String, Running) {
        let address = format!("127.0.0.1:{}", free_port());
        let program = self.program(name).env(variable, &address).ready_at(&address);
        let running = program.start(&self.folder).await;
        (address, running)
    }

    /// Creates these users through the API, sixteen at a time.
    pub async fn create(&self, emails: &[String]) {
        let client = reqwest::Client::new();
        for emails in emails.chunks(16) {
            let mut answers = JoinSet::new();
            for email in emails {
                let body = serde_json::json!({"name": "Grace Hopper", "email": email}).to_string();
                let request = client.post(format!("http://{}/users", self.api)).bearer_auth(&self.key);
                answers.spawn(request.header("Content-Type", "application/json").body(body).send());
            }
            while let Some(answer) = answers.join_next().await {
                assert_eq!(answer.expect("it runs").expect("the API answers").status(), 201);
            }
        }
    }
}

fn with(program: Program, settings: &[(&str, &str)]) -> Program {
    settings
        .iter()
        .fold(program, |program, (name, value)| program.env(name, *value))
}

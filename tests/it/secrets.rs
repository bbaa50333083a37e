//! What is said to Usher in confidence stays there: each secret of a person's, a key's and the staff's life is looked
//! for in every log, every metric, every trace, Redis and every table.

mod staff;

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};
use usher_testkit::{Collector, Redis, Smtp, TestDb, eventually, run};

use crate::services::{EMAIL, PASSWORD, Production, SECRET_KEY};

const PATIENCE: Duration = Duration::from_secs(30);
const ADDRESS: &str = "ada.marker@example.org";
const NEW_ADDRESS: &str = "ada.renamed@example.org";

/// Somebody who writes down each secret as it comes by.
struct Keeper<'a> {
    production: &'a Production,
    client: Client,
    access: String,
    kept: BTreeMap<String, String>,
}

impl Keeper<'_> {
    fn keep(&mut self, what: &str, secret: &str) -> String {
        assert!(secret.len() >= 6, "{what} is no secret: {secret:?}");
        self.kept.insert(what.to_owned(), secret.to_owned());
        secret.to_owned()
    }

    /// The secret of an authenticator app, also as the bytes that a table would show.
    fn keep_totp(&mut self, what: &str, readable: &str) -> String {
        let base32 = self.keep(what, &readable.replace(' ', ""));
        let bytes = Secret::try_from_base32(&base32).expect("base32");
        let hex: String = bytes.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        self.keep(&format!("{what} in hexadecimal digits"), &hex);
        self.keep(&format!("{what} in groups"), readable);
        base32
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.production.api);
        let request = self.client.request(method, url).bearer_auth(&self.access).json(&body);
        let answer = request.send().await.expect("the API answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value, status: u16) -> Value {
        let (got, answer) = self.ask(Method::POST, path, body).await;
        assert_eq!(got, status, "{path}: {answer}");
        answer
    }

    /// The id of a user, as the service with a key sees it.
    async fn user_of(&self, email: &str) -> String {
        let url = format!("http://{}/users?email={email}", self.production.api);
        let request = self.client.get(url).bearer_auth(&self.production.key);
        let answer = request.send().await.expect("the API answers");
        let found: Value = answer.json().await.expect("JSON");
        found["data"][0]["id"].to_string()
    }

    /// The tokens of an answer, kept.
    fn signed_in(&mut self, when: &str, answer: &Value) -> String {
        let token = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        self.access = self.keep(&format!("access token {when}"), &token("access_token"));
        self.keep(&format!("refresh token {when}"), &token("refresh_token"))
    }

    /// The token of the link in this address's newest mail.
    async fn link(&mut self, smtp: &Smtp, to: &str, subject: &str) -> String {
        let token = eventually(PATIENCE, subject, async || {
            let mails = smtp.mails();
            let mail = mails
                .iter()
                .rev()
                .find(|mail| mail.to == to && mail.header("Subject").is_some_and(|text| text.contains(subject)))?;
            let (_, rest) = mail.text.split_once("?token=")?;
            rest.split_whitespace().next().map(str::to_owned)
        });
        let token = token.await;
        self.keep(&format!("link of {subject:?}"), &token)
    }
}

/// The passwords of the servers that Usher uses, as their addresses hold them.
struct Servers {
    database: String,
    redis: String,
}

impl Servers {
    const DATABASE: &str = "brass-Lynx-35-harbour";
    const REDIS: &str = "slate-Puffin-86-orchard";
    const MAIL: &str = "coral-Badger-29-steeple";
    const COLLECTOR: &str = "ochre-Weasel-63-lantern";

    async fn of(db: &TestDb, redis: &Redis) -> Self {
        Self {
            // The tests' PostgreSQL believes everybody; what it is told is no less a password.
            database: with_password(db.url(), None, Self::DATABASE),
            redis: redis.url_for("usher", Self::REDIS).await,
        }
    }

    fn settings(&self, production: &Production, collector: &Collector) -> Vec<(&'static str, String)> {
        let mail = with_password(&production.smtp.url(), Some("usher"), Self::MAIL);
        vec![
            ("DATABASE_URL", self.database.clone()),
            ("REDIS_URL", self.redis.clone()),
            ("SMTP_URL", mail),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                format!("authorization=Bearer%20{}", Self::COLLECTOR),
            ),
            ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
        ]
    }

    fn keep(&self, keeper: &mut Keeper<'_>) {
        keeper.keep("password of the database", Self::DATABASE);
        keeper.keep("password of Redis", Self::REDIS);
        keeper.keep("password of the mail server", Self::MAIL);
        keeper.keep("credential of the collector", Self::COLLECTOR);
        keeper.keep("SECRET_KEY", SECRET_KEY);
    }
}

fn with_password(url: &str, account: Option<&str>, password: &str) -> String {
    let mut url = url::Url::parse(url).expect("a URL");
    if let Some(account) = account {
        url.set_username(account).expect("it takes an account");
    }
    url.set_password(Some(password)).expect("it takes a password");
    url.to_string()
}

#[test]
fn no_secret_reaches_logs_metrics_traces_redis_or_tables() {
    run(async {
        let (db, redis) = tokio::join!(TestDb::empty_postgres(), Redis::start());
        let overheard = redis.overheard().await;
        let servers = Servers::of(&db, &redis).await;
        let production = Production::start(db, Some(&redis)).await;
        let collector = Collector::start().await;
        let settings = servers.settings(&production, &collector);
        let production = production.with(settings);
        let services = tokio::join!(
            production.start_api(),
            production.start_admin(),
            production.start_worker()
        );
        let mut ada = Keeper {
            production: &production,
            client: Client::new(),
            access: String::new(),
            kept: BTreeMap::new(),
        };
        servers.keep(&mut ada);
        live(&mut ada).await;
        of_keys(&mut ada).await;
        staff::work(&mut ada).await;
        eventually(PATIENCE, "every job is done", async || {
            let open = "SELECT count(*) AS n FROM jobs WHERE state IN ('ready', 'running') AND kind LIKE '%mail%'";
            (count(&production.db.connect().await, open).await == 0).then_some(())
        })
        .await;

        let traces = eventually(PATIENCE, "spans of all three services", async || {
            let heard = collector.heard();
            let last = ["POST /auth/logout", "POST /admin/{model}/actions", "send mail"];
            last.iter().all(|span| heard.contains(span)).then_some(heard)
        })
        .await;

        let db = production.db.connect().await;
        let mut places = BTreeMap::from([
            ("the traces".to_owned(), traces),
            ("the API's log".to_owned(), services.0.log()),
            ("the admin's log".to_owned(), services.1.log()),
            ("the worker's log".to_owned(), services.2.log()),
            ("the worker's metrics".to_owned(), metrics(&production.worker).await),
            ("the API's metrics".to_owned(), metrics(&production.api_metrics).await),
            (
                "the admin's metrics".to_owned(),
                metrics(&production.admin_metrics).await,
            ),
            (
                "what Redis was told".to_owned(),
                overheard.lock().expect("no panic").clone(),
            ),
        ]);
        for table in tables(&db).await {
            let rows = texts(&db, &format!("SELECT row_to_json(t)::text AS s FROM {table} t")).await;
            places.insert(format!("the table {table}"), rows.join("\n"));
        }
        assert!(
            places["the table users"].contains(NEW_ADDRESS),
            "the search can find something"
        );
        assert!(places["what Redis was told"].contains("usher"), "Redis is listened to");
        let told = &places["the API's metrics"];
        assert!(
            told.contains("/auth/email-change/confirm"),
            "the API's metrics tell its routes: {told}"
        );
        let log = &places["the API's log"];
        assert!(
            log.contains("/auth/login") && log.contains("DEBUG"),
            "the logs say all they can"
        );
        let found = |secret: &str| {
            let places = places.iter().filter(|(_, text)| text.contains(secret));
            places.map(|(place, _)| place.clone()).collect::<Vec<_>>()
        };
        let leaks: Vec<_> = ada
            .kept
            .iter()
            .filter_map(|(what, secret)| Some((what, found(secret))).filter(|(_, places)| !places.is_empty()))
            .collect();
        assert!(leaks.is_empty(), "{leaks:?}");
        assert!(ada.kept.len() >= 60, "{:?}", ada.kept.keys());
        for address in [ADDRESS, NEW_ADDRESS, EMAIL] {
            let places = found(address);
            let told: Vec<_> = places.iter().filter(|place| !place.starts_with("the table")).collect();
            assert!(told.is_empty(), "{address} in {told:?}");
        }
    });
}

/// A person's account from its sign-up to its end.
async fn live(ada: &mut Keeper<'_>) {
    let smtp = &ada.production.smtp;
    let [first, second, third] = [
        "velvet-Otter-72-canyon",
        "amber-Walrus-44-piano",
        "copper-Heron-91-attic",
    ];
    for (what, password) in [("first", first), ("second", second), ("third", third)] {
        ada.keep(&format!("{what} password"), password);
    }
    let wrong = ada.keep("wrong password", "wrong-Magpie-13-cellar");
    ada.access = ada.production.key.clone();
    ada.keep("key of the command line", &ada.production.key);
    let person = json!({"name": "Ada Marker", "email": ADDRESS, "password": first});
    ada.post("/auth/sign-up", person, 202).await;
    let token = ada.link(smtp, ADDRESS, "Confirm").await;
    ada.post("/auth/verify-email", json!({"token": token}), 204).await;

    ada.post("/auth/login", json!({"email": ADDRESS, "password": wrong}), 401)
        .await;
    let tokens = ada
        .post("/auth/login", json!({"email": ADDRESS, "password": first}), 200)
        .await;
    let refresh = ada.signed_in("of the log-in", &tokens);
    let tokens = ada.post("/auth/refresh", json!({"refresh_token": refresh}), 200).await;
    ada.signed_in("of the refresh", &tokens);

    let factor = ada.post("/me/mfa/totp", json!({"label": "Phone"}), 201).await;
    let secret = ada.keep_totp("TOTP secret", factor["secret"].as_str().expect("a secret"));
    let verify = format!("/me/mfa/totp/{}/verify", factor["id"].as_str().expect("an id"));
    ada.post(&verify, json!({"code": code(&secret)}), 200).await;
    let codes = ada.post("/me/mfa/recovery-codes", json!({}), 201).await;
    for (number, code) in codes["codes"].as_array().expect("codes").iter().enumerate() {
        ada.keep(&format!("recovery code {number}"), code.as_str().expect("text"));
    }
    let half = ada
        .post("/auth/login", json!({"email": ADDRESS, "password": first}), 200)
        .await;
    let mfa_token = ada.keep("token of the second step", half["mfa_token"].as_str().expect("a token"));
    let answer = json!({"mfa_token": mfa_token, "recovery_code": codes["codes"][0]});
    let tokens = ada.post("/auth/mfa", answer, 200).await;
    ada.signed_in("of the second step", &tokens);

    ada.post("/auth/password-reset", json!({"email": ADDRESS}), 202).await;
    let token = ada.link(smtp, ADDRESS, "password").await;
    ada.post(
        "/auth/password-reset/confirm",
        json!({"token": token, "password": second}),
        204,
    )
    .await;
    let half = ada
        .post("/auth/login", json!({"email": ADDRESS, "password": second}), 200)
        .await;
    let mfa_token = ada.keep(
        "second token of the second step",
        half["mfa_token"].as_str().expect("a token"),
    );
    let answer = json!({"mfa_token": mfa_token, "recovery_code": codes["codes"][1]});
    let tokens = ada.post("/auth/mfa", answer, 200).await;
    ada.signed_in("after the reset", &tokens);
    let change = json!({"current_password": second, "new_password": third});
    ada.post("/me/password", change, 204).await;
    ada.post("/me/email-change", json!({"new_email": NEW_ADDRESS}), 202)
        .await;
    let token = ada.link(smtp, NEW_ADDRESS, "").await;
    ada.post("/auth/email-change/confirm", json!({"token": token}), 204)
        .await;
    ada.post("/auth/logout", json!({}), 204).await;
}

/// A key from its making to its end.
async fn of_keys(ada: &mut Keeper<'_>) {
    let log_in = json!({"email": EMAIL, "password": PASSWORD});
    let tokens = ada.post("/auth/login", log_in, 200).await;
    ada.signed_in("of a superuser", &tokens);
    let key = ada
        .post("/api-keys", json!({"name": "marker", "scopes": ["users:read"]}), 201)
        .await;
    ada.keep("API key", key["key"].as_str().expect("a key"));
    let key = ada
        .post(&format!("/api-keys/{}/rotate", key["id"]), json!({}), 200)
        .await;
    ada.access = ada.keep("rotated API key", key["key"].as_str().expect("a key"));
    assert_eq!(ada.ask(Method::GET, "/users?q=ada.marker", json!(null)).await.0, 200);
    ada.access = ada.keep("made-up credential", "usk_madeup0000000000000000000000000_000000");
    assert_eq!(ada.ask(Method::GET, "/users", json!(null)).await.0, 401);
    // Somebody who takes us for a server of another kind.
    let basic = ada.keep("credential of another scheme", "YWRhOndyb25nLUhlcm9uLTYyLXBhbnRyeQ==");
    let request = ada.client.get(format!("http://{}/users", ada.production.api));
    let request = request.header("Authorization", format!("Basic {basic}"));
    assert_eq!(request.send().await.expect("the API answers").status(), 401);
}

/// The code that an app shows now for this base32 secret.
pub fn code(secret: &str) -> String {
    let now = usher_shared::foundation::time::now().timestamp();
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_secret(Secret::try_from_base32(secret.replace(' ', "")).expect("base32"))
        .build_noncompliant()
        .generate(u64::try_from(now).expect("after 1970"))
        .to_string()
}

async fn metrics(address: &str) -> String {
    let answer = reqwest::get(format!("http://{address}/metrics")).await;
    answer.expect("metrics").text().await.expect("text")
}

async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db
        .query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await;
    let rows = rows.expect("the database answers");
    rows.iter().map(|row| row.try_get("", "s").expect("text")).collect()
}

async fn tables(db: &DatabaseConnection) -> Vec<String> {
    texts(
        db,
        "SELECT tablename::text AS s FROM pg_tables WHERE schemaname = 'public'",
    )
    .await
}

async fn count(db: &DatabaseConnection, sql: &str) -> i64 {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await;
    row.expect("an answer")
        .expect("a row")
        .try_get("", "n")
        .expect("a number")
}

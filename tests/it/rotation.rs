//! `SECRET_KEY` is replaced, and nobody is signed out, asked again or turned away.

use reqwest::{Client, Method};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use usher_testkit::{Running, TestDb, eventually, on_both};

use crate::{
    secrets::code,
    services::{EMAIL, PASSWORD, Production},
};

const OLD: &str = "TEvWqXHb0rmFg5a2yUsiyIRkE8pdZhnf60WQJbsEMhctlqsxEhzz7q4ybsI2u6Oa";
const NEW: &str = "n2CDhqkJyHuvBBSkgvLQtuQHp5oYxw0mIhgqkPO4vAdqVUrkfuC2NlcQfVd34TEi";

const BEFORE: &[(&str, &str)] = &[("SECRET_KEY", OLD)];
const MEANWHILE: &[(&str, &str)] = &[("SECRET_KEY", NEW), ("SECRET_KEY_OLD", OLD)];
const AFTER: &[(&str, &str)] = &[("SECRET_KEY", NEW)];

/// Somebody who holds whatever the key has made for them.
struct Holder<'a> {
    production: &'a Production,
    client: Client,
    access: String,
    refresh: String,
    totp: String,
    recovery_codes: Vec<String>,
}

impl Holder<'_> {
    async fn ask(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let url = format!("http://{}{path}", self.production.api);
        let request = self.client.request(method, url).bearer_auth(&self.access).json(&body);
        let answer = request.send().await.expect("the API answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Signs in with the password and, where it is owed, this second proof.
    async fn sign_in(&mut self, proof: Value) -> u16 {
        let log_in = json!({"email": EMAIL, "password": PASSWORD});
        let (mut status, mut answer) = self.ask(Method::POST, "/auth/login", log_in).await;
        if answer["mfa_required"] == true {
            let mut body = proof;
            body["mfa_token"] = answer["mfa_token"].clone();
            (status, answer) = self.ask(Method::POST, "/auth/mfa", body).await;
        }
        if status == 200 {
            self.keep(&answer);
        }
        status
    }

    fn keep(&mut self, tokens: &Value) {
        let text = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        (self.access, self.refresh) = (text("access_token"), text("refresh_token"));
    }

    /// A code of the app is taken once; the test does not wait half a minute for the next one.
    async fn app_code(&self) -> Value {
        let db = self.production.db.connect().await;
        db.execute_unprepared("UPDATE mfa_factors SET last_step = 0")
            .await
            .expect("it answers");
        json!({"code": code(&self.totp)})
    }

    async fn enrol(&mut self) {
        let (_, factor) = self.ask(Method::POST, "/me/mfa/totp", json!({"label": "Phone"})).await;
        self.totp = factor["secret"].as_str().expect("a secret").to_owned();
        let verify = format!("/me/mfa/totp/{}/verify", factor["id"].as_str().expect("an id"));
        let (status, _) = self.ask(Method::POST, &verify, json!({"code": code(&self.totp)})).await;
        assert_eq!(status, 200);
        let (_, codes) = self.ask(Method::POST, "/me/mfa/recovery-codes", json!({})).await;
        let codes = codes["codes"].as_array().expect("codes").iter();
        self.recovery_codes = codes.map(|code| code.as_str().expect("text").to_owned()).collect();
    }

    /// Lists users as the service that has an API key.
    async fn list(&self, path: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.production.api);
        let request = self.client.get(url).bearer_auth(&self.production.key);
        let answer = request.send().await.expect("the API answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Makes a user under a key of its own; the same call twice makes one.
    async fn create_once(&self) -> (u16, bool) {
        let request = self.client.post(format!("http://{}/users", self.production.api));
        let request = request
            .bearer_auth(&self.production.key)
            .header("Idempotency-Key", "\"once\"");
        let body = json!({"name": "Ada Lovelace", "email": "ada@example.org"});
        let answer = request.json(&body).send().await.expect("the API answers");
        (
            answer.status().as_u16(),
            answer.headers().contains_key("idempotency-replayed"),
        )
    }
}

#[on_both]
async fn an_old_key_is_accepted_until_what_it_sealed_is_sealed_anew(db: TestDb) {
    let production = Production::start(db, None).await;
    let mut ada = Holder {
        production: &production,
        client: Client::new(),
        access: String::new(),
        refresh: String::new(),
        totp: String::new(),
        recovery_codes: vec![],
    };

    let api = production.start_api_with(BEFORE).await;
    assert_eq!(ada.sign_in(json!(null)).await, 200);
    ada.enrol().await;
    assert_eq!(ada.create_once().await, (201, false));
    let (_, page) = ada.list("/users?limit=1").await;
    let next = format!(
        "/users?limit=1&cursor={}",
        page["next_cursor"].as_str().expect("a cursor")
    );
    let spent = ada.refresh.clone();
    let (_, lost) = ada
        .ask(Method::POST, "/auth/refresh", json!({"refresh_token": spent}))
        .await;
    assert_eq!(api.terminate().await, 0);
    seal(&production).await;

    let (api, worker) = tokio::join!(
        production.start_api_with(MEANWHILE),
        production.start_worker_with(MEANWHILE)
    );
    let (status, found) = ada
        .ask(Method::POST, "/auth/refresh", json!({"refresh_token": spent}))
        .await;
    assert_eq!(
        (status, &found["access_token"]),
        (200, &lost["access_token"]),
        "the lost answer is found again"
    );
    ada.keep(&found);
    assert_eq!(ada.list(&next).await.0, 200, "the cursor leads on");
    assert_eq!(ada.create_once().await, (201, true), "the call is known");
    let proof = ada.app_code().await;
    assert_eq!(ada.sign_in(proof).await, 200, "the app's codes are good");
    let proof = json!({"recovery_code": ada.recovery_codes[0]});
    assert_eq!(ada.sign_in(proof).await, 200, "codes on paper are good");

    let (code, text) = production.command_with(&["reseal"], MEANWHILE).await;
    assert!(
        code == 0 && text.contains("1 re-encrypted, 0 already current, 0 that no key opens"),
        "{text}"
    );
    assert!(text.contains("9 unused"), "{text}");
    let (code, text) = production.command_with(&["reseal", "--json"], MEANWHILE).await;
    assert!(
        code == 0 && text.contains("\"current\": 1") && text.contains("\"resealed\": 0"),
        "{text}"
    );
    let (code, text) = production.command_with(&["doctor"], MEANWHILE).await;
    assert!(code == 0 && text.contains("SECRET_KEY_OLD are accepted too"), "{text}");
    assert_eq!((api.terminate().await, worker.terminate().await), (0, 0));

    let _api: Running = production.start_api_with(AFTER).await;
    assert_eq!(
        ada.ask(Method::GET, "/me", json!(null)).await.0,
        200,
        "the session goes on"
    );
    let proof = ada.app_code().await;
    assert_eq!(ada.sign_in(proof).await, 200, "the app's codes are still good");
    let proof = json!({"recovery_code": ada.recovery_codes[1]});
    assert_eq!(ada.sign_in(proof).await, 401, "codes on paper went with their key");
    assert_eq!(ada.list(&next).await.0, 422, "as did cursors");
    let (code, text) = production.command_with(&["doctor"], AFTER).await;
    assert!(
        code == 1 && text.contains("nor in SECRET_KEY_OLD"),
        "seals need the key that made them: {text}"
    );
}

#[on_both]
async fn what_no_key_opens_is_said(db: TestDb) {
    let production = Production::start(db, None).await;
    let mut ada = Holder {
        production: &production,
        client: Client::new(),
        access: String::new(),
        refresh: String::new(),
        totp: String::new(),
        recovery_codes: vec![],
    };
    let api = production.start_api_with(BEFORE).await;
    assert_eq!(ada.sign_in(json!(null)).await, 200);
    ada.enrol().await;
    assert_eq!(api.terminate().await, 0);
    let (code, text) = production.command_with(&["reseal"], AFTER).await;
    assert!(code == 1 && text.contains("1 that no key opens"), "{text}");
    let (code, text) = production.command_with(&["reseal"], &[("SECRET_KEY", "")]).await;
    assert!(code == 1 && text.contains("SECRET_KEY is not set"), "{text}");
}

/// Lets a worker seal the audit log under the old key.
async fn seal(production: &Production) {
    let worker = production.start_worker_with(BEFORE).await;
    let limit = std::time::Duration::from_secs(30);
    eventually(limit, "the audit log is sealed", async || {
        let (code, text) = production.command_with(&["doctor"], BEFORE).await;
        let (_, sealed) = text.split_once(" sealed")?.0.rsplit_once(' ')?;
        (code == 0 && sealed != "0").then_some(())
    })
    .await;
    assert_eq!(worker.terminate().await, 0);
}

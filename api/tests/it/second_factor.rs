//! Authenticator apps and recovery codes, as their owner sees them.

use axum::http::StatusCode;
use serde_json::json;
use usher_testkit::{TestDb, on_both};

use crate::{app::TestApp, people::code};

/// The secret as people type it into the app.
fn bytes(readable: &str) -> Vec<u8> {
    totp_rs::Secret::try_from_base32(readable.replace(' ', ""))
        .expect("base32")
        .as_bytes()
        .to_vec()
}

#[on_both]
async fn apps_are_named_after_the_product_and_told_apart(db: TestDb) {
    let app = TestApp::with(db, &[("PRODUCT_NAME", "Acme & Co")]).await;
    let ada = app.person("ada@example.com").await;
    let mut seen = vec![];
    for label in [
        json!({}),
        json!({}),
        json!({"label": "Phone"}),
        json!({"label": "PHONE"}),
    ] {
        let added = ada.client.post("/me/mfa/totp", &label).await.json();
        let (id, secret) = (added["id"].as_str().unwrap(), bytes(added["secret"].as_str().unwrap()));
        let confirmed = ada
            .client
            .post(&format!("/me/mfa/totp/{id}/verify"), &json!({"code": code(&secret, 0)}))
            .await;
        assert_eq!(confirmed.status, StatusCode::OK);
        let url = added["otpauth_url"].as_str().unwrap();
        assert!(url.ends_with("&issuer=Acme%20%26%20Co"), "{url}");
        let name = url
            .strip_prefix("otpauth://totp/Acme%20%26%20Co:ada%40example.com")
            .expect(url);
        seen.push((
            confirmed.json()["label"].as_str().unwrap().to_owned(),
            name.split('?').next().unwrap().to_owned(),
        ));
    }
    let named = |label: &str, name: &str| (label.to_owned(), name.to_owned());
    assert_eq!(
        seen,
        [
            named("Authenticator app", ""),
            named("Authenticator app 2", "%20%28Authenticator%20app%202%29"),
            named("Phone", "%20%28Phone%29"),
            named("PHONE 2", "%20%28PHONE%202%29"),
        ]
    );
}

#[on_both]
async fn an_app_is_added_confirmed_used_and_removed(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    assert_eq!(
        ada.client.get("/me/mfa").await.json(),
        json!({"enabled": false, "factors": [], "recovery_codes_left": 0})
    );
    ada.client
        .post("/me/mfa/recovery-codes", &json!({}))
        .await
        .is(409, "mfa_not_enabled");
    let forgotten = ada
        .client
        .post("/me/mfa/totp", &json!({"label": "Old phone"}))
        .await
        .json();
    let added = ada.client.post("/me/mfa/totp", &json!({"label": " Phone "})).await;
    assert_eq!(
        (added.status, added.header("cache-control")),
        (StatusCode::CREATED, "no-store")
    );
    let added = added.json();
    assert!(
        added["qr_svg"].as_str().unwrap().contains("<svg")
            && added["otpauth_url"]
                .as_str()
                .unwrap()
                .starts_with("otpauth://totp/Usher:ada%40example.com?")
    );
    let secret = bytes(added["secret"].as_str().unwrap());
    let (id, gone) = (added["id"].as_str().unwrap(), forgotten["id"].as_str().unwrap());
    ada.client
        .post(&format!("/me/mfa/totp/{gone}/verify"), &json!({"code": "000000"}))
        .await
        .is(404, "mfa_factor_not_found");
    ada.client
        .post(&format!("/me/mfa/totp/{id}/verify"), &json!({"code": "000000"}))
        .await
        .is(401, "mfa_code_invalid");
    assert_eq!(ada.client.get("/me/mfa").await.json()["enabled"], false);
    let confirmed = ada
        .client
        .post(&format!("/me/mfa/totp/{id}/verify"), &json!({"code": code(&secret, 0)}))
        .await
        .json();
    assert_eq!(
        (&confirmed["label"], &confirmed["confirmed"]),
        (&json!("Phone"), &json!(true))
    );
    ada.client
        .post(&format!("/me/mfa/totp/{id}/verify"), &json!({"code": code(&secret, 1)}))
        .await
        .is(404, "mfa_factor_not_found");

    let made = ada.client.post("/me/mfa/recovery-codes", &json!({})).await;
    assert_eq!(
        (made.status, made.header("cache-control")),
        (StatusCode::CREATED, "no-store")
    );
    let codes: Vec<String> = serde_json::from_value(made.json()["codes"].clone()).unwrap();
    assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 10);
    let seen = ada.client.get("/me/mfa").await.json();
    assert_eq!(
        (
            &seen["enabled"],
            &seen["recovery_codes_left"],
            seen["factors"].as_array().unwrap().len()
        ),
        (&json!(true), &json!(10), 1)
    );
    assert!(
        !seen.to_string().contains(added["secret"].as_str().unwrap()),
        "a secret is shown once"
    );

    let token = app.log_in(&ada.email, crate::people::PASSWORD).await.json()["mfa_token"].clone();
    let whole = app
        .anonymous()
        .post("/auth/mfa", &json!({"mfa_token": token, "recovery_code": codes[3]}))
        .await;
    assert_eq!(whole.status, StatusCode::OK);
    assert_eq!(ada.client.get("/me/mfa").await.json()["recovery_codes_left"], 9);
    assert_eq!(
        ada.client.delete(&format!("/me/mfa/{id}")).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        ada.client.get("/me/mfa").await.json(),
        json!({"enabled": false, "factors": [], "recovery_codes_left": 0})
    );
    assert_eq!(
        app.log_in(&ada.email, crate::people::PASSWORD).await.json()["mfa_required"],
        false
    );
    let mails: Vec<_> = app
        .jobs_of(ada.id)
        .await
        .into_iter()
        .filter(|job| job.kind == "mfa_changed")
        .map(|job| job.payload["change"].clone())
        .collect();
    assert_eq!(mails.len(), 4);
    for change in ["added", "recovery_codes_made", "recovery_code_used", "removed"] {
        assert!(mails.contains(&json!(change)), "{change}: {mails:?}");
    }
    for action in ["second_factor_added", "recovery_codes_made", "second_factor_removed"] {
        assert_eq!(app.noted(action).await.len(), 1, "{action}");
    }
}

#[on_both]
async fn another_users_factors_are_not_there(db: TestDb) {
    let app = TestApp::start(db).await;
    let (ada, bob) = (app.person("ada@example.com").await, app.person("bob@example.com").await);
    let added = bob.client.post("/me/mfa/totp", &json!({})).await.json();
    let (id, secret) = (added["id"].as_str().unwrap(), bytes(added["secret"].as_str().unwrap()));
    for id in [id, "x", "%FF", "1"] {
        ada.client
            .delete(&format!("/me/mfa/{id}"))
            .await
            .is(404, "mfa_factor_not_found");
        let verify = format!("/me/mfa/totp/{id}/verify");
        ada.client
            .post(&verify, &json!({"code": code(&secret, 0)}))
            .await
            .is(404, "mfa_factor_not_found");
    }
    assert_eq!(ada.client.get("/me/mfa").await.json()["factors"], json!([]));
    assert_eq!(
        bob.client.get("/me/mfa").await.json()["factors"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[on_both]
async fn five_apps_are_enough(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    for _ in 0..5 {
        app.with_app(ada.id).await;
    }
    app.sql("UPDATE sessions SET mfa_at = reauthenticated_at").await;
    ada.client
        .post("/me/mfa/totp", &json!({}))
        .await
        .is(409, "too_many_factors");
    let faults = ada
        .client
        .post("/me/mfa/totp", &json!({"label": "a\0b"}))
        .await
        .faults();
    assert_eq!(faults, [("value_error".to_owned(), json!(["body", "label"]))]);
}

#[on_both]
async fn an_app_waits_in_the_session_that_added_it_and_no_longer_than_that(db: TestDb) {
    let app = TestApp::start(db).await;
    let thief = app.person("ada@example.com").await;
    let owner = app.sign_in("ada@example.com").await;
    let added = thief.client.post("/me/mfa/totp", &json!({})).await.json();
    let (id, secret) = (added["id"].as_str().unwrap(), bytes(added["secret"].as_str().unwrap()));
    let verify = format!("/me/mfa/totp/{id}/verify");
    assert_eq!(
        owner.client.get("/me/mfa").await.json()["factors"],
        json!([]),
        "it is not shown elsewhere"
    );
    owner
        .client
        .post(&verify, &json!({"code": code(&secret, 0)}))
        .await
        .is(404, "mfa_factor_not_found");
    owner
        .client
        .delete(&format!("/me/mfa/{id}"))
        .await
        .is(404, "mfa_factor_not_found");
    // What another session adds does not end it; its own deletion does.
    owner.client.post("/me/mfa/totp", &json!({})).await;
    assert_eq!(thief.client.get("/me/mfa").await.json()["factors"][0]["id"], id);
    let second = owner.client.get("/me/mfa").await.json()["factors"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        owner.client.delete(&format!("/me/mfa/{second}")).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(
        app.noted("second_factor_removed").await.is_empty(),
        "it protected nothing"
    );
    // It ends with time, and with the password even where the session goes on.
    app.sql("UPDATE mfa_factors SET created_at = '2026-01-01T00:00:00+00:00'")
        .await;
    thief
        .client
        .post(&verify, &json!({"code": code(&secret, 0)}))
        .await
        .is(404, "mfa_factor_not_found");
    let added = owner.client.post("/me/mfa/totp", &json!({})).await.json();
    let (id, secret) = (added["id"].as_str().unwrap(), bytes(added["secret"].as_str().unwrap()));
    let change = json!({"current_password": crate::people::PASSWORD, "new_password": "another four uncommon words"});
    assert_eq!(
        owner.client.post("/me/password", &change).await.status,
        StatusCode::NO_CONTENT
    );
    let verify = format!("/me/mfa/totp/{id}/verify");
    owner
        .client
        .post(&verify, &json!({"code": code(&secret, 0)}))
        .await
        .is(404, "mfa_factor_not_found");
    assert_eq!(owner.client.get("/me/mfa").await.json()["factors"], json!([]));
}

#[on_both]
async fn a_log_in_that_owes_its_code_ends_with_the_other_sessions(db: TestDb) {
    let app = TestApp::start(db).await;
    let ada = app.person("ada@example.com").await;
    let secret = app.with_app(ada.id).await;
    let half = app.log_in(&ada.email, crate::people::PASSWORD).await.json()["mfa_token"].clone();
    assert_eq!(ada.client.delete("/me/sessions").await.status, StatusCode::NO_CONTENT);
    let answer = app
        .anonymous()
        .post("/auth/mfa", &json!({"mfa_token": half, "code": code(&secret, 0)}))
        .await;
    answer.is(400, "token_invalid");
}

//! Every mail that has a link, really written by a worker: its link leads to a page of the API, whose button works.

use std::time::Duration;

use reqwest::{Client, Method};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use usher_shared::foundation::{
    db::{PoolOptions, connect},
    entity::mail,
};
use usher_testkit::{Folder, Program, eventually, free_port, run};

const PASSWORD: &str = "velvet-Otter-72-canyon";

/// Somebody at a browser and at their mailbox.
struct Person {
    api: String,
    client: Client,
    mails: DatabaseConnection,
}

impl Person {
    async fn send(&self, method: Method, path: &str, access: &str, body: Value) -> (u16, Value) {
        let request = self
            .client
            .request(method, format!("{}{path}", self.api))
            .bearer_auth(access);
        let answer = request.json(&body).send().await.expect("the API answers");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    async fn post(&self, path: &str, body: Value) -> u16 {
        self.send(Method::POST, path, "", body).await.0
    }

    async fn log_in(&self, email: &str, password: &str) -> (u16, String) {
        let body = json!({"email": email, "password": password});
        let (status, tokens) = self.send(Method::POST, "/auth/login", "", body).await;
        (status, tokens["access_token"].as_str().unwrap_or_default().to_owned())
    }

    /// Opens the link of the newest mail of this kind, and clicks its button.
    async fn click(&self, kind: &str, to: &str, form: &[(&str, &str)]) -> String {
        let link = eventually(Duration::from_secs(10), kind, async || {
            let mails = mail::Entity::find().filter(mail::Column::Kind.eq(kind));
            let mail = mails.order_by_desc(mail::Column::Id).one(&self.mails).await.ok()??;
            assert_eq!(mail.to_address, to, "{kind}");
            let text = mail.text_body?;
            let link = text.split_whitespace().find(|word| word.contains("?token="))?;
            Some(link.to_owned())
        })
        .await;
        let page = self.client.get(&link).send().await.expect("the page");
        assert_eq!(page.status(), 200, "{kind}: {link}");
        let html = page.text().await.expect("HTML");
        assert!(html.contains("<form method=\"post\""), "{kind}: {html}");
        let (address, token) = link.split_once("?token=").expect("a token");
        let fields: Vec<_> = [("token", token)].iter().chain(form).copied().collect();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let post = self
            .client
            .post(address)
            .header("content-type", "application/x-www-form-urlencoded");
        let done = post.body(form).send().await.expect("the page");
        assert_eq!(done.status(), 200, "{kind}");
        done.text().await.expect("HTML")
    }
}

#[test]
fn the_links_of_all_mails_lead_where_they_say() {
    run(async {
        let (folder, api) = (Folder::new(), format!("127.0.0.1:{}", free_port()));
        let usher = Program::named("usher").env("API_ADDR", &api).env("RATE_LIMITS", "off");
        let usher = usher.env("ADMIN_ADDR", format!("127.0.0.1:{}", free_port()));
        let running = usher.ready_at(&api).start(&folder).await;
        let database = format!("sqlite://{}", folder.join("data/usher.db"));
        let ada = Person {
            api: format!("http://{api}"),
            client: Client::new(),
            mails: connect(&database, &PoolOptions::default()).await.expect("the database"),
        };

        let (old, new) = ("ada@example.com", "ada@new.example.com");
        let body = json!({"name": "Ada Lovelace", "email": old, "password": PASSWORD});
        assert_eq!(ada.post("/auth/sign-up", body).await, 202);
        let page = ada.click("verify_email", old, &[]).await;
        assert!(page.contains("Your email address is confirmed"), "{page}");

        assert_eq!(ada.post("/auth/password-reset", json!({"email": old})).await, 202);
        let chosen = "amber-Walrus-44-piano";
        let page = ada
            .click(
                "password_reset",
                old,
                &[("password", chosen), ("password_again", chosen)],
            )
            .await;
        assert!(page.contains("Your password is set"), "{page}");
        assert_eq!(ada.log_in(old, PASSWORD).await.0, 401);

        let (_, access) = ada.log_in(old, chosen).await;
        assert_eq!(
            ada.send(Method::POST, "/me/email-change", &access, json!({"new_email": new}))
                .await
                .0,
            202
        );
        let page = ada.click("email_change_confirm", new, &[]).await;
        assert!(page.contains("Email address updated"), "{page}");

        assert_eq!(ada.send(Method::DELETE, "/me", &access, json!({})).await.0, 202);
        let page = ada.click("deletion_scheduled", new, &[]).await;
        assert!(page.contains("Your account will not be deleted"), "{page}");

        let page = ada.click("email_change_undo", old, &[]).await;
        assert!(page.contains("Your account is back"), "{page}");
        assert_eq!(ada.send(Method::GET, "/me", &access, json!({})).await.0, 401);
        eventually(
            Duration::from_secs(10),
            "the mail with the link for another password",
            async || {
                let all = mail::Entity::find().filter(mail::Column::Kind.eq("password_reset"));
                (all.all(&ada.mails).await.ok()?.len() == 2).then_some(())
            },
        )
        .await;
        let page = ada
            .click(
                "password_reset",
                old,
                &[("password", PASSWORD), ("password_again", PASSWORD)],
            )
            .await;
        assert!(page.contains("Your password is set"), "{page}");
        assert_eq!(ada.log_in(old, PASSWORD).await.0, 200);
        assert_eq!(running.terminate().await, 0);
    });
}

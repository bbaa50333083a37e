//! People with a password and a session, for tests.

use std::sync::atomic::{AtomicU8, Ordering};

use axum::{body::Body, http::Method};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use totp_rs::{Algorithm, Builder, Secret};
use usher_shared::{
    accounts::{
        mail_tokens::{self, LinkPurpose, LinkRequest},
        mfa, users,
    },
    foundation::{
        entity::{audit_log, job, user},
        rules::Email,
        time::now,
    },
};
use usher_testkit::{hash, superuser};
use uuid::Uuid;

use crate::app::{Answer, Client, TestApp};

pub const PASSWORD: &str = "velvet-Otter-72-canyon";

/// Somebody who is signed in.
pub struct Person {
    pub id: i64,
    pub email: String,
    /// Carries the access token.
    pub client: Client,
    pub access: String,
    pub refresh: String,
}

impl TestApp {
    /// A user with [`PASSWORD`] and a confirmed address.
    pub async fn member(&self, email: &str) -> user::Model {
        let made = superuser(&self.context.db, "Ada Lovelace", email, &hash(PASSWORD).await).await;
        let mut row = made.into_active_model();
        row.is_staff = Set(false);
        row.is_superuser = Set(false);
        row.update(&self.context.db).await.expect("an ordinary user")
    }

    /// The same, signed in.
    pub async fn person(&self, email: &str) -> Person {
        self.member(email).await;
        self.sign_in(email).await
    }

    /// One more session of a member.
    pub async fn sign_in(&self, email: &str) -> Person {
        let answer = self.log_in(email, PASSWORD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        self.signed_in(email, &answer.json()).await
    }

    /// Who has got these tokens.
    pub async fn signed_in(&self, email: &str, tokens: &Value) -> Person {
        let text = |name: &str| {
            tokens[name]
                .as_str()
                .unwrap_or_else(|| panic!("no {name} in {tokens}"))
                .to_owned()
        };
        let access = text("access_token");
        let key = Email::key_of(email);
        let user = users::find_by_email_key(&self.context.db, &key)
            .await
            .expect("an answer")
            .expect("a user");
        Person {
            id: user.id,
            email: email.to_owned(),
            client: self.bearer(&access),
            refresh: text("refresh_token"),
            access,
        }
    }

    /// Posts to `/auth/login`, each time from another address.
    pub async fn log_in(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.elsewhere().post("/auth/login", &body).await
    }

    /// Somebody without a credential at an address that nobody else has.
    pub fn elsewhere(&self) -> Client {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let (third, fourth) = (
            NEXT.fetch_add(1, Ordering::Relaxed),
            NEXT.fetch_add(1, Ordering::Relaxed),
        );
        self.anonymous().from(&format!("198.18.{third}.{fourth}"))
    }

    pub fn bearer(&self, token: &str) -> Client {
        self.anonymous().with("authorization", &format!("Bearer {token}"))
    }

    pub async fn stored(&self, id: i64) -> user::Model {
        user::Entity::find_by_id(id)
            .one(&self.context.db)
            .await
            .expect("an answer")
            .expect("a user")
    }

    pub async fn sql(&self, statement: &str) {
        self.context.db.execute_unprepared(statement).await.expect(statement);
    }

    /// What the audit log has of this action.
    pub async fn noted(&self, action: &str) -> Vec<audit_log::Model> {
        let all = audit_log::Entity::find().all(&self.context.db).await.expect("the log");
        all.into_iter().filter(|row| row.action == action).collect()
    }

    /// The kinds of job about this user, oldest first.
    pub async fn kinds_of(&self, user_id: i64) -> Vec<String> {
        let mut jobs = self.jobs_of(user_id).await;
        jobs.sort_by_key(|job| job.id);
        jobs.into_iter().map(|job| job.kind).collect()
    }

    /// Gives the user an authenticator app and returns its secret. The code of the present step is not used up.
    pub async fn with_app(&self, user_id: i64) -> Vec<u8> {
        let key = &self.context.config.secret_key;
        let factor = mfa::enrol(&self.context.db, key, user_id, Uuid::now_v7(), "Phone")
            .await
            .expect("a factor");
        let secret = mfa::secret(key, &factor).expect("its secret");
        assert!(
            mfa::confirm(&self.context.db, key, &factor, &code(&secret, -1))
                .await
                .expect("an answer")
        );
        secret
    }
}

/// The code of a 30-second step, counted from now.
pub fn code(secret: &[u8], steps: i64) -> String {
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30);
    let at = u64::try_from(now().timestamp() + steps * 30).expect("a time");
    totp.with_secret(Secret::from(secret.to_vec()))
        .build_noncompliant()
        .generate(at)
        .to_string()
}

impl TestApp {
    /// A token as the mail would bring it.
    pub async fn mailed(&self, user_id: i64, purpose: LinkPurpose, email: &str) -> String {
        let hour = chrono::Duration::hours(1);
        let token = mail_tokens::issue_about(&self.context.db, user_id, purpose, hour, email).await;
        token.expect("a token").as_str().to_owned()
    }

    /// The link of this mail, as the worker makes it when it sends the mail; none when the mail is not to be sent.
    pub async fn link_of(&self, job: &job::Model, purpose: LinkPurpose) -> Option<String> {
        let user = self.stored(job.user_id.expect("a user")).await;
        let about = ["new_email", "old_email"]
            .iter()
            .find_map(|name| job.payload[name].as_str());
        let link = LinkRequest::new(user.id, purpose).at(about.unwrap_or(&user.email));
        let (token, row) = mail_tokens::make(&self.context.config.secret_key, job.id, link);
        let open = mail_tokens::open(&self.context.db, vec![row]).await.expect("an answer");
        (!open.is_empty()).then(|| token.as_str().to_owned())
    }

    /// [`Self::link_of`] of the newest mail to this user that has a link for this purpose.
    pub async fn sent_link(&self, user_id: i64, purpose: LinkPurpose) -> Option<String> {
        let kind = match purpose.as_str() {
            "set_password" => "welcome_email",
            "cancel_deletion" => "deletion_scheduled",
            same => same,
        };
        let jobs = self.jobs_of(user_id).await;
        let of_kind = jobs.iter().filter(|job| job.kind == kind);
        let newest = of_kind.max_by_key(|job| job.id).expect("a mail");
        self.link_of(newest, purpose).await
    }

    /// Makes the sessions of this user look as if the password had been shown an hour ago.
    pub async fn no_longer_fresh(&self, user_id: i64) {
        let past = "'2026-01-01T00:00:00+00:00'";
        self.sql(&format!(
            "UPDATE sessions SET reauthenticated_at = {past} WHERE user_id = {user_id}"
        ))
        .await;
    }
}

impl Client {
    /// Sends the form of a page.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let client = self.clone().with("content-type", "application/x-www-form-urlencoded");
        client.call(Method::POST, path, Body::from(form)).await
    }
}

//! The admin under test and its visitors: the visitor is the identity.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header, request},
};
use http_body_util::BodyExt;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr,
};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};
use tower::ServiceExt;
use usher_admin::{AppState, router};
use usher_shared::{
    AppContext,
    accounts::{
        mfa::{self, totp},
        staff::roles,
    },
    foundation::{
        db::{PoolOptions, connect},
        entity::{
            audit_log::{self, ActorKind},
            mfa_factor, role, role_permission, session, user, user_role,
        },
        time::now,
    },
};
use usher_testkit::{Statements, TestDb, config, sign_up, superuser};
use uuid::Uuid;

use crate::mfa::code;

pub const PASSWORD: &str = "four uncommon words together";
const FORM: &str = "application/x-www-form-urlencoded";
pub const ADMIN: &str = "admin@example.com";

/// The admin on a database of its own, with one superuser.
pub struct TestApp {
    pub context: AppContext,
    pub admin: user::Model,
    router: Router,
    statements: Statements,
    #[expect(dead_code, reason = "the database is dropped with it")]
    db: TestDb,
}

impl TestApp {
    pub async fn start(db: TestDb) -> Self {
        Self::with(db, &[]).await
    }

    /// With settings by their names. Rate limits are off and a second factor is optional unless they say otherwise.
    pub async fn with(db: TestDb, settings: &[(&str, &str)]) -> Self {
        let settings = [&[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")], settings].concat();
        let mut connection = db.connect().await;
        let statements = Statements::of(&mut connection);
        let context = AppContext::with(config(db.url(), &settings), connection, true);
        let admin = superuser(&context.db, "Ines Oduya", ADMIN, &hash().await).await;
        Self {
            router: router(AppState::new(&context)),
            context,
            admin,
            statements,
            db,
        }
    }

    /// The same with one connection, so that what it has read can be asked of it.
    pub async fn on_one_connection(self) -> Self {
        let options = PoolOptions {
            max_connections: 1,
            ..PoolOptions::default()
        };
        let url = self.context.config.database_url.clone();
        self.over(&url, &options).await
    }

    /// The same over the network at this address.
    pub async fn over(mut self, url: &str, options: &PoolOptions) -> Self {
        self.context.db = connect(url, options).await.expect("a database");
        self.router = router(AppState::new(&self.context));
        self
    }

    pub fn anonymous(&self) -> Visitor {
        Visitor {
            router: self.router.clone(),
            cookies: BTreeMap::new(),
            token: String::new(),
            is_sent: false,
        }
    }

    /// The superuser, signed in.
    pub async fn superuser(&self) -> Visitor {
        self.signed_in(ADMIN).await
    }

    /// A member of staff with these permissions, signed in.
    pub async fn staff(&self, permissions: &[&str]) -> Visitor {
        let name = format!("staff{}@example.com", uuid());
        self.add_staff(&name, permissions).await;
        self.signed_in(&name).await
    }

    pub async fn signed_in(&self, email: &str) -> Visitor {
        let mut visitor = self.anonymous();
        let page = visitor.sign_in(email, PASSWORD).await;
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::SEE_OTHER, "/admin/"),
            "{}",
            page.body
        );
        visitor
    }

    /// A user whose password is [`PASSWORD`].
    pub async fn add_user(&self, email_text: &str, name: &str) -> user::Model {
        let user = sign_up(&self.context.job_store, name, email_text).await;
        let row = user::ActiveModel {
            password_hash: Set(Some(hash().await)),
            ..user.into_active_model()
        };
        row.update(&self.context.db).await.expect("an update")
    }

    /// Gives the user an authenticator app, confirmed by a code of the past, and answers its id.
    pub async fn add_factor(&self, user_id: i64) -> Uuid {
        self.add_factor_with_secret(user_id).await.0
    }

    /// The same with its secret, as people type it.
    pub async fn add_factor_with_secret(&self, user_id: i64) -> (Uuid, String) {
        let (db, key) = (&self.context.db, &self.context.config.secret_key);
        let factor = mfa::enrol(db, key, user_id, Uuid::now_v7(), "phone")
            .await
            .expect("a factor");
        let secret = mfa::secret(key, &factor).expect("its secret");
        let secret = totp::readable(&secret).replace(' ', "");
        assert!(
            mfa::confirm(db, key, &factor, &code(&secret, -1))
                .await
                .expect("an answer")
        );
        (factor.id, secret)
    }

    /// Lets the codes that this app has shown be used again, as if time had passed.
    pub async fn forget_steps(&self, factor: Uuid) {
        mfa_factor::Entity::update_many()
            .col_expr(mfa_factor::Column::LastStep, Expr::value(0_i64))
            .filter(mfa_factor::Column::Id.eq(factor))
            .exec(&self.context.db)
            .await
            .expect("an update");
    }

    pub async fn add_staff(&self, email: &str, permissions: &[&str]) -> user::Model {
        let user = self.add_user(email, "Sam Staff").await;
        let row = user::ActiveModel {
            is_staff: Set(true),
            ..user.into_active_model()
        };
        let user = row.update(&self.context.db).await.expect("an update");
        let (at, db) = (now(), &self.context.db);
        let role = role::ActiveModel {
            name: Set(format!("role {}", uuid())),
            description: Set(String::new()),
            version: Set(1),
            created_at: Set(at),
            updated_at: Set(at),
            ..Default::default()
        };
        let role = role.insert(db).await.expect("a role");
        for permission in permissions {
            let row = role_permission::ActiveModel {
                role_id: Set(role.id),
                permission: Set((*permission).to_owned()),
            };
            row.insert(db).await.expect("a permission");
        }
        let row = user_role::ActiveModel {
            user_id: Set(user.id),
            role_id: Set(role.id),
        };
        row.insert(db).await.expect("a role of a user");
        user
    }

    /// Gives the one role of a user these permissions and no others.
    pub async fn grant(&self, user_id: i64, permissions: &[String]) {
        let role = roles::of_user(&self.context.db, user_id).await.expect("a query");
        let tx = self.context.job_store.begin().await.expect("a transaction");
        let wanted = permissions.iter().cloned().collect();
        let role = role.first().copied().expect("a role");
        roles::set_permissions(&tx, role, &wanted).await.expect("permissions");
        tx.commit().await.expect("a commit");
    }

    pub async fn user(&self, id: i64) -> user::Model {
        user::Entity::find_by_id(id)
            .one(&self.context.db)
            .await
            .expect("a query")
            .expect("a user")
    }

    /// Makes all sessions forget when the password was shown.
    pub async fn let_freshness_pass(&self) {
        let none: Option<chrono::DateTime<chrono::Utc>> = None;
        session::Entity::update_many()
            .col_expr(session::Column::ReauthenticatedAt, Expr::value(none))
            .exec(&self.context.db)
            .await
            .expect("an update");
    }

    /// The audit log, oldest first, without the accounts that tests make themselves.
    pub async fn audit(&self) -> Vec<audit_log::Model> {
        let mut rows = audit_log::Entity::find().all(&self.context.db).await.expect("a query");
        rows.retain(|row| (row.actor_kind, row.action.as_str()) != (ActorKind::System, "create"));
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// The statements since the last call.
    pub fn take_statements(&self) -> Vec<String> {
        self.statements.take()
    }
}

/// A browser's cookies, and the token of the last page it saw.
#[derive(Clone)]
pub struct Visitor {
    router: Router,
    cookies: BTreeMap<String, String>,
    token: String,
    /// Whether a form was sent with this token, and taken.
    is_sent: bool,
}

impl Visitor {
    pub async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, None, &[]).await
    }

    /// Posts fields with a form's token: the last page's, or another's where that was already submitted.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        if self.is_sent {
            self.get("/admin/no-such-page").await;
        }
        let token = self.token.clone();
        let fields: Vec<_> = [("csrf_token", token.as_str())]
            .into_iter()
            .chain(fields.iter().copied())
            .collect();
        self.post_without_token(path, &fields).await
    }

    pub async fn post_without_token(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_with_headers(path, fields, &[]).await
    }

    pub async fn post_with_headers(&mut self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.send(Method::POST, path, Some((FORM, body)), headers).await
    }

    /// Posts a body of another media type.
    pub async fn post_body(&mut self, path: &str, media_type: &str, body: String) -> Page {
        self.send(Method::POST, path, Some((media_type, body)), &[]).await
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Page {
        self.get("/admin/login").await;
        self.post(
            "/admin/login",
            &[("email", email), ("password", password), ("next", "")],
        )
        .await
    }

    pub fn token(&self) -> String {
        self.token.clone()
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.insert(name.to_owned(), value.to_owned());
    }

    /// Asks for a page with these headers.
    pub async fn get_with_headers(&mut self, path: &str, headers: &[(&str, &str)]) -> Page {
        self.send(Method::GET, path, None, headers).await
    }

    /// Opens a stream of server-sent events.
    pub async fn follow(&self, path: &str, headers: &[(&str, &str)]) -> Told {
        let request = self.request(Method::GET, path, headers);
        let request = request.body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        Told {
            status: response.status(),
            body: response.into_body(),
        }
    }

    fn request(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1:8001");
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request
    }

    async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Option<(&str, String)>,
        headers: &[(&str, &str)],
    ) -> Page {
        let is_form = method == Method::POST;
        let mut request = self.request(method, path, headers);
        if let Some((media_type, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *media_type);
        }
        let request = request
            .body(body.map_or_else(Body::empty, |(_, body)| Body::from(body)))
            .expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let text = cookie.to_str().expect("text");
            let (name, rest) = text.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let bytes = body.collect().await.expect("a body").to_bytes();
        let page = Page {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&bytes).into_owned(),
        };
        if let Some(token) = page.input("csrf_token") {
            (self.token, self.is_sent) = (token, false);
        } else if is_form {
            self.is_sent = true;
        }
        page
    }
}

/// A stream that a visitor has opened.
pub struct Told {
    pub status: StatusCode,
    body: Body,
}

impl Told {
    /// All that comes within this time, and whether that was the end.
    pub async fn within(&mut self, limit: Duration) -> (String, bool) {
        let (mut text, end) = (String::new(), Instant::now() + limit);
        loop {
            match timeout_at(end, self.body.frame()).await {
                Ok(Some(frame)) => {
                    let data = frame.expect("a frame").into_data().expect("data");
                    text.push_str(&String::from_utf8_lossy(&data));
                }
                Ok(None) => return (text, true),
                Err(_) => return (text, false),
            }
        }
    }

    /// What comes until the stream says this, or ends.
    pub async fn until(&mut self, word: &str, limit: Duration) -> String {
        let (mut text, end) = (String::new(), Instant::now() + limit);
        while !text.contains(word) {
            let frame = timeout_at(end, self.body.frame()).await;
            let frame = frame.unwrap_or_else(|_| panic!("no {word} within {limit:?}: {text}"));
            let Some(frame) = frame else { break };
            let data = frame.expect("a frame").into_data().expect("data");
            text.push_str(&String::from_utf8_lossy(&data));
        }
        text
    }
}

/// What a visitor got.
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Page {
    pub fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |value| value.to_str().expect("text"))
    }

    /// Apostrophes count as in the template or as escaped.
    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text) || self.body.contains(&text.replace('\'', "&#39;"))
    }

    /// The value of the first input with this name.
    pub fn input(&self, name: &str) -> Option<String> {
        let input = self
            .tags("<input")
            .find(|tag| attribute(tag, "name").as_deref() == Some(name))?;
        attribute(input, "value")
    }

    /// The hidden fields of the form that is confirmed, but for its token.
    pub fn hidden(&self) -> Vec<(String, String)> {
        let form = between(&self.body, "name=\"_confirmed\"", "</form>");
        let inputs = form.split("<input type=\"hidden\"").skip(1);
        let tags = inputs.map(|rest| rest.split('>').next().unwrap_or_default());
        let named = tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)));
        named.collect()
    }

    /// The hidden fields of the form that is sent there, as a browser sends them back.
    pub fn hidden_of(&self, action: &str) -> Vec<(String, String)> {
        let action = format!("action=\"{action}\"");
        let form = self
            .body
            .split("<form")
            .find(|form| form.contains(&action))
            .unwrap_or_default();
        let form = form.split("</form>").next().unwrap_or_default();
        let inputs = form
            .split("<input")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap_or_default());
        let hidden = inputs.filter(|tag| attribute(tag, "type").as_deref() == Some("hidden"));
        hidden
            .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value")?)))
            .collect()
    }

    /// The address of the link with this `rel`.
    pub fn link(&self, rel: &str) -> Option<String> {
        let link = self
            .tags("<a")
            .find(|tag| attribute(tag, "rel").as_deref() == Some(rel))?;
        attribute(link, "href")
    }

    /// The texts of a list's links to its objects.
    pub fn objects(&self) -> Vec<String> {
        let rows = self.body.split("<a class=\"object\"").skip(1);
        rows.map(|rest| between(rest, ">", "</a>").to_owned()).collect()
    }

    /// The addresses of a list's objects, without the way back.
    pub fn object_paths(&self) -> Vec<String> {
        let links = self
            .tags("<a class=\"object\"")
            .filter_map(|tag| attribute(tag, "href"));
        links
            .map(|href| href.split('?').next().unwrap_or_default().to_owned())
            .collect()
    }

    pub fn policy(&self) -> &str {
        self.headers
            .get(header::CONTENT_SECURITY_POLICY)
            .map_or("", |value| value.to_str().expect("text"))
    }

    fn tags<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.body
            .split(start)
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap_or_default())
    }
}

pub fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start)
        .and_then(|(_, rest)| rest.split_once(end))
        .map_or("", |(found, _)| found)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(
        value
            .replace("&#38;", "&")
            .replace("&amp;", "&")
            .replace("&#34;", "\"")
            .replace("&#39;", "'"),
    )
}

/// Hashed once: Argon2 is slow by design.
async fn hash() -> String {
    static HASH: OnceCell<String> = OnceCell::const_new();
    let hashed = || usher_testkit::hash(PASSWORD);
    HASH.get_or_init(hashed).await.clone()
}

fn uuid() -> String {
    Uuid::new_v4().simple().to_string()
}

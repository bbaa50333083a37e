//! The shop's own sign-in: one password for everyone, and sessions in memory.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
};

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::SET_COOKIE, request::Parts},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use sea_orm::{DbErr, EntityTrait};
use usher_admin_engine::{
    AdminError, Cookie, FLASH, Message, Person, PostedOutside, SentForm, Shell, Staff, Theme, Visit, csrf::Binding,
    new_visitor, page,
};
use usher_shared::{accounts::staff::policy::Holder, foundation::entity::chosen_columns};
use uuid::Uuid;

use crate::Shop;

const PASSWORD: &str = "shop";
/// Everyone is this person.
const ID: i64 = 1;

const SESSION: Cookie = cookie("shop_session");
const VISITOR: Cookie = cookie("shop_visitor");
const THEME: Cookie = cookie("shop_theme");

const fn cookie(name: &'static str) -> Cookie {
    Cookie { name, max_age: None }
}

/// Session ids by the secret in the cookie.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<String, Uuid>>>);

impl Sessions {
    fn start(&self) -> String {
        let secret = new_visitor();
        self.lock().insert(secret.clone(), Uuid::new_v4());
        secret
    }

    fn of(&self, headers: &HeaderMap) -> Option<Uuid> {
        self.lock().get(SESSION.read(headers, false)?).copied()
    }

    fn end(&self, headers: &HeaderMap) {
        if let Some(secret) = SESSION.read(headers, false) {
            self.lock().remove(secret);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Uuid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer around all pages: it finds out who a request is from, and draws the page of an error.
pub async fn receive(State(shop): State<Shop>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let visit = match visit(&shop, &parts).await {
        Ok(visit) => visit,
        Err(error) => return (AdminError::from(error).status(), "The database doesn't answer.").into_response(),
    };
    parts.extensions.insert(visit.clone());
    let had_message = visit.message.is_some();
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(error) = response.extensions().get::<AdminError>().cloned() {
        response = error_page(&shop, &visit, &error);
    }
    if let Some(visitor) = &visit.visitor {
        response.headers_mut().append(SET_COOKIE, VISITOR.set(visitor, false));
    }
    if had_message && !response.status().is_redirection() {
        response.headers_mut().append(SET_COOKIE, FLASH.clear(false));
    }
    response
}

async fn visit(shop: &Shop, request: &Parts) -> Result<Visit, DbErr> {
    let headers = &request.headers;
    let session = shop.sessions.of(headers);
    let visitor = VISITOR.read(headers, false).map_or_else(new_visitor, str::to_owned);
    let csrf_binding = match session {
        Some(id) => Binding::Session { id, user_id: ID },
        None => Binding::Visitor(visitor.clone()),
    };
    let message = FLASH.read(headers, false);
    let key = &shop.context.config.secret_key;
    Ok(Visit {
        app: shop.context.app.clone(),
        staff: match session {
            Some(id) => Some(person(shop, id).await?),
            None => None,
        },
        account_id: session.map(|_| ID),
        sign_in_href: "/admin/login".to_owned(),
        message: message.and_then(|cookie| Message::open(key, &csrf_binding, cookie)),
        csrf_binding,
        visitor: Some(visitor),
        theme: THEME.read(headers, false).map(Theme::parse).unwrap_or_default(),
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: None,
        request_id: Uuid::now_v7().to_string(),
        path: request
            .uri
            .path_and_query()
            .map_or("/admin/", |path| path.as_str())
            .to_owned(),
        session_cookie: SESSION.read(headers, false).map(str::to_owned),
        form: SentForm::default(),
    })
}

async fn person(shop: &Shop, session_id: Uuid) -> Result<Staff, DbErr> {
    let chosen = chosen_columns::Entity::find().all(&shop.context.db).await?;
    let columns = chosen.into_iter().map(|row| {
        let columns = row.columns.split(' ').map(str::to_owned).collect();
        (row.list, columns)
    });
    Ok(Staff::new(Person {
        id: ID,
        name: "Shopkeeper".to_owned(),
        email: "shop@example.org".to_owned(),
        is_superuser: true,
        session_id,
        holder: Holder::system(),
        has_factor: false,
        is_fresh: true,
        columns: columns.collect(),
        acting_for: None,
    }))
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<div class="narrow card"><h1>{{ title }}</h1><p class="lead">{{ words }}</p></div>"#
)]
struct ErrorPage {
    title: &'static str,
    words: String,
}

fn error_page(shop: &Shop, visit: &Visit, error: &AdminError) -> Response {
    let (title, words) = error.words();
    let shell = match &visit.staff {
        Some(staff) => Shell::new(&shop.context, visit, staff, title).here(title),
        None => Shell::outside(&shop.context, visit, title),
    };
    let page = page::framed_with(error.status(), shell, &ErrorPage { title, words });
    page.unwrap_or_else(|_| error.status().into_response())
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<form method="post" class="narrow card stack">
  <h1>Sign in</h1>
  {% if wrong %}<p class="message bad" role="alert">Wrong password</p>{% endif %}
  <input type="hidden" name="csrf_token" value="{{ csrf }}">
  <div class="field">
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autofocus>
  </div>
  <div class="confirm-buttons"><button class="primary">Sign in</button></div>
</form>"#
)]
struct SignInPage {
    csrf: String,
    wrong: bool,
}

/// `GET /admin/login`
pub async fn form(State(shop): State<Shop>, visit: Visit) -> Result<Response, AdminError> {
    draw(&shop, &visit, false)
}

fn draw(shop: &Shop, visit: &Visit, wrong: bool) -> Result<Response, AdminError> {
    let shell = Shell::outside(&shop.context, visit, "Sign in");
    let csrf = shell.csrf.to_string();
    page::framed(shell, &SignInPage { csrf, wrong })
}

/// `POST /admin/login`
pub async fn sign_in(
    State(shop): State<Shop>,
    visit: Visit,
    PostedOutside { fields, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    if !is_own || fields.get("password") != Some(PASSWORD) {
        return draw(&shop, &visit, true);
    }
    let cookie = SESSION.set(&shop.sessions.start(), false);
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/admin/")).into_response())
}

/// `POST /admin/logout`
pub async fn sign_out(State(shop): State<Shop>, headers: HeaderMap, _form: PostedOutside) -> Response {
    shop.sessions.end(&headers);
    Redirect::to("/admin/login").into_response()
}

/// `POST /admin/theme`
pub async fn theme(PostedOutside { fields, .. }: PostedOutside) -> Response {
    let theme = Theme::parse(fields.get("theme").unwrap_or_default());
    let cookie = THEME.set(theme.as_str(), false);
    ([(SET_COOKIE, cookie)], Redirect::to("/admin/")).into_response()
}

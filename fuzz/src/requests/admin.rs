//! Requests to the admin by a superuser's browser, with the token of its forms.

use std::cell::RefCell;

use axum::{
    Router,
    body::Bytes,
    http::{Request, StatusCode, header, response::Parts},
};
use tokio::runtime::{Builder, Runtime};
use url::form_urlencoded::Serializer;
use usher_admin::{AppState, router};
use usher_shared::AppContext;
use usher_testkit::{TestDb, hash, superuser};

use super::{answer, app, default, request};

const EMAIL: &str = "admin@example.com";
const PASSWORD: &str = "four uncommon words together";
const FORM: &str = "application/x-www-form-urlencoded";

struct Admin {
    runtime: Runtime,
    router: Router,
    cookies: String,
    token: String,
    #[expect(dead_code, reason = "the database is dropped with it")]
    db: TestDb,
}

/// A request to the admin, as text. Forms get the token that belongs to the browser.
pub fn admin_requests(data: &[u8]) {
    thread_local!(static ADMIN: RefCell<Option<Admin>> = const { RefCell::new(None) });
    let Some(request) = request(data) else { return };
    ADMIN.with_borrow_mut(|kept| {
        let admin = kept.get_or_insert_with(Admin::start);
        let (parts, _) = admin.send(request);
        let to_login = |place: &header::HeaderValue| place.as_bytes().starts_with(b"/admin/login");
        if parts.headers.get(header::LOCATION).is_some_and(to_login) {
            *kept = None; // signed out: another browser, on another database
        }
    });
}

impl Admin {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (router, db) = runtime.block_on(async {
            let db = TestDb::sqlite().await;
            let app = app(&db, &[("RATE_LIMITS", "off"), ("STAFF_MFA", "optional")]).await;
            people(&app).await;
            (router(AppState::new(&app)), db)
        });
        let mut admin = Self {
            runtime,
            router,
            cookies: String::new(),
            token: String::new(),
            db,
        };
        admin.sign_in();
        admin
    }

    fn sign_in(&mut self) {
        let page = |address: &str| Request::get(address).body(vec![]).expect("a request");
        let (parts, body) = self.send(page("/admin/login"));
        self.keep(&parts, &body);
        let fields = [("email", EMAIL), ("password", PASSWORD), ("next", "")];
        let form = Serializer::new(String::new()).extend_pairs(fields).finish();
        let post = Request::post("/admin/login")
            .body(form.into_bytes())
            .expect("a request");
        let (parts, body) = self.send(post);
        assert_eq!(
            parts.status,
            StatusCode::SEE_OTHER,
            "{}",
            String::from_utf8_lossy(&body)
        );
        self.keep(&parts, &body);
        let (parts, body) = self.send(page("/admin/account"));
        self.keep(&parts, &body);
    }

    /// Notes the cookies of an answer and the token of its form.
    fn keep(&mut self, parts: &Parts, body: &Bytes) {
        let cookies = parts.headers.get_all(header::SET_COOKIE).iter();
        let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
        let mut kept: Vec<&str> = pairs.collect();
        if !kept.is_empty() {
            kept.extend(self.cookies.split("; ").filter(|old| !old.is_empty()));
            self.cookies = kept.join("; ");
        }
        let html = String::from_utf8_lossy(body);
        if let Some((_, rest)) = html.split_once("name=\"csrf_token\" value=\"") {
            self.token = rest.split('"').next().unwrap_or_default().to_owned();
        }
    }

    fn send(&self, mut request: Request<Vec<u8>>) -> (Parts, Bytes) {
        let headers = request.headers_mut();
        default(headers, header::HOST, "127.0.0.1:8001");
        default(headers, header::COOKIE, &self.cookies);
        if request.method() == "POST" {
            default(request.headers_mut(), header::CONTENT_TYPE, FORM);
            let token = format!("csrf_token={}&", self.token);
            *request.body_mut() = [token.as_bytes(), request.body()].concat();
        }
        self.runtime.block_on(answer(&self.router, request))
    }
}

/// A superuser to sign in as, and somebody to look at.
async fn people(app: &AppContext) {
    let hash = hash(PASSWORD).await;
    for (name, address) in [("Ines Oduya", EMAIL), ("Ada Lovelace", "ada@example.com")] {
        superuser(&app.db, name, address, &hash).await;
    }
}

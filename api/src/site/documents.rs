//! The documents for people and programs: Swagger UI, ReDoc, the OpenAPI document and that of events, all
//! from the binary.

use std::{
    io::Write,
    sync::{Arc, OnceLock},
};

use askama::Template;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use flate2::{Compression, write::GzEncoder};
use usher_shared::foundation::crypto::sha256;

use super::assets::{address, file};
use crate::{described::Described, state::AppState, toolkit::html::Page};

/// Scripts and styles come from here alone. Both programs write style elements of their own, and ReDoc searches in
/// a worker that it makes from a blob.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "documents.html")]
struct Documents {
    title: String,
    kind: &'static str,
    root: String,
    styles: Vec<String>,
    icon: String,
    scripts: [String; 2],
}

impl Documents {
    fn new(state: &AppState, what: &str, kind: &'static str, styles: &[&str], script: &str) -> Self {
        let at = |name| address(&state.root, name);
        Self {
            title: format!("{} {what}", state.described.name),
            kind,
            root: state.root.clone(),
            styles: styles.iter().copied().map(at).collect(),
            icon: at("icon.svg"),
            scripts: [at(script), at("documents.js")],
        }
    }
}

/// The pages and the documents.
pub(super) fn router() -> Router<AppState> {
    let openapi = |described: &Described, api_url: &str| described.document(api_url).to_json().unwrap_or_default();
    let asyncapi = |described: &Described, api_url: &str| described.events(api_url).to_string();
    Router::new()
        .route("/docs", get(swagger_ui))
        .route("/redoc", get(redoc))
        .route("/openapi.json", document(openapi))
        .route("/asyncapi.json", document(asyncapi))
}

/// A document of this installation. It is made when first asked for.
fn document(make: fn(&Described, &str) -> String) -> MethodRouter<AppState> {
    let prepared = Arc::new(OnceLock::new());
    get(async move |State(state): State<AppState>, headers: HeaderMap| {
        let made = || Prepared::new(&make(&state.described, &state.config.api_url));
        let Prepared { packed, hash } = prepared.get_or_init(made);
        file(&headers, "application/json", hash, packed, true)
    })
}

async fn swagger_ui(State(state): State<AppState>) -> Response {
    let page = Documents::new(
        &state,
        "API",
        "swagger-ui",
        &["swagger-ui.css", "documents.css"],
        "swagger-ui-bundle.js",
    );
    Page::new(page).policy(POLICY).into_response()
}

async fn redoc(State(state): State<AppState>) -> Response {
    let page = Documents::new(
        &state,
        "API reference",
        "redoc",
        &["documents.css"],
        "redoc.standalone.js",
    );
    Page::new(page).policy(POLICY).into_response()
}

/// A document, ready to send.
struct Prepared {
    packed: Bytes,
    hash: String,
}

impl Prepared {
    fn new(json: &str) -> Self {
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        let packed = packed
            .write_all(json.as_bytes())
            .and_then(|()| packed.finish())
            .unwrap_or_default();
        let hash = sha256(json.as_bytes())[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            packed: packed.into(),
            hash,
        }
    }
}

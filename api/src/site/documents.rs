//! The documents for people and programs: Swagger UI, ReDoc and the OpenAPI document, all from the binary.

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
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use usher_shared::foundation::crypto::sha256;
use utoipa::openapi::OpenApi;

use super::assets::{address, file};
use crate::{state::AppState, toolkit::html::Page};

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

/// The pages and the document. It is made when first asked for.
pub(super) fn router() -> Router<AppState> {
    let document = Arc::new(OnceLock::new());
    let openapi_json = async move |State(state): State<AppState>, headers: HeaderMap| {
        let api_url = &state.config.api_url;
        let Prepared { packed, hash } = document.get_or_init(|| Prepared::new(&state.described.document(api_url)));
        file(&headers, "application/json", hash, packed, true)
    };
    Router::new()
        .route("/docs", get(swagger_ui))
        .route("/redoc", get(redoc))
        .route("/openapi.json", get(openapi_json))
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

/// The OpenAPI document of this installation, ready to send.
struct Prepared {
    packed: Bytes,
    hash: String,
}

impl Prepared {
    fn new(document: &OpenApi) -> Self {
        let json = document.to_json().unwrap_or_default();
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

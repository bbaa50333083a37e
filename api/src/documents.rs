//! The documents for people and programs: Swagger UI, ReDoc and the OpenAPI document, all from the binary.

use std::io::Write;

use askama::Template;
use axum::{
    body::Bytes,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::GzEncoder};
use usher_shared::foundation::crypto::sha256;
use utoipa::openapi::{OpenApi, server::ServerBuilder};

use crate::{
    assets::{address, file},
    openapi::password_grant,
    page::Page,
    state::AppState,
};

/// Scripts and styles come from here alone. Both programs write style elements of their own, and ReDoc searches in
/// a worker that it makes from a blob.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "documents.html")]
struct Documents {
    title: &'static str,
    kind: &'static str,
    root: String,
    styles: Vec<String>,
    icon: String,
    scripts: [String; 2],
}

impl Documents {
    fn new(state: &AppState, title: &'static str, kind: &'static str, styles: &[&str], script: &str) -> Self {
        let at = |name| address(&state.root, name);
        Self {
            title,
            kind,
            root: state.root.clone(),
            styles: styles.iter().copied().map(at).collect(),
            icon: at("icon.svg"),
            scripts: [at(script), at("documents.js")],
        }
    }
}

pub(crate) async fn swagger_ui(State(state): State<AppState>) -> Response {
    let page = Documents::new(
        &state,
        "Usher API",
        "swagger-ui",
        &["swagger-ui.css", "documents.css"],
        "swagger-ui-bundle.js",
    );
    Page::new(page).policy(POLICY).into_response()
}

pub(crate) async fn redoc(State(state): State<AppState>) -> Response {
    let page = Documents::new(
        &state,
        "Usher API reference",
        "redoc",
        &["documents.css"],
        "redoc.standalone.js",
    );
    Page::new(page).policy(POLICY).into_response()
}

/// The OpenAPI document of this installation, ready to send.
pub(crate) struct Prepared {
    packed: Bytes,
    hash: String,
}

impl Prepared {
    pub(crate) fn new(mut document: OpenApi, api_url: &str) -> Self {
        document.servers = Some(vec![ServerBuilder::new().url(api_url).build()]);
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("accessToken", password_grant(api_url));
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

pub(crate) async fn openapi_json(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let Prepared { packed, hash } = state.document();
    file(&headers, "application/json", hash, packed, true)
}

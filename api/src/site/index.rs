//! The front page: where everything is.

use askama::Template;
use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde_json::json;
use usher_shared::foundation::{config::GraphQl, program::Program};

use super::assets::address;
use crate::{
    state::AppState,
    toolkit::html::{BY_ACCEPT, Page, wants_html},
};

#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    product: String,
    root: String,
    style: String,
    icon: String,
    version: &'static str,
    has_graphiql: bool,
}

pub(crate) async fn show(State(state): State<AppState>, headers: HeaderMap) -> Response {
    let program = Program::current();
    let (root, version) = (&state.root, program.version);
    if wants_html(&headers) {
        let (style, icon) = (address(root, "pages.css"), address(root, "icon.svg"));
        return Page::new(Index {
            product: state.config.product_name.clone(),
            root: root.clone(),
            style,
            icon,
            version,
            has_graphiql: state.config.graphql == GraphQl::On,
        })
        .into_response();
    }
    let at = |path: &str| format!("{}{path}", state.config.api_url);
    let links = json!({
        "name": program.name,
        "version": version,
        "docs": at("/docs"),
        "reference": at("/redoc"),
        "openapi": at("/openapi.json"),
        "asyncapi": at("/asyncapi.json"),
        "problems": at("/problems"),
        "health": { "live": at("/health/live"), "ready": at("/health/ready") },
    });
    (BY_ACCEPT, Json(links)).into_response()
}

//! What belongs to no resource: the front page, the documents, health, the error codes, and the pages behind mailed
//! links.

mod assets;
mod documents;
mod explanations;
mod graphiql;
mod health;
mod index;
mod mailed_links;
mod set_password;

use axum::{Router, routing::get};
use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) use graphiql::graphiql;

/// The paths of pages, which no document lists.
pub(crate) const PAGES: &[&str] = &[
    "/",
    "/favicon.ico",
    "/assets/{name}",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/asyncapi.json",
    "/set-password",
    "/reset-password",
    "/verify-email",
    "/confirm-email-change",
    "/undo-email-change",
    "/keep-account",
];

/// The documented operations.
pub(crate) fn operations() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(health::router())
        .merge(explanations::router())
}

/// The pages, with the documents for a given `API_URL`.
pub(crate) fn pages() -> Router<AppState> {
    Router::new()
        .route("/", get(index::show))
        .route("/favicon.ico", get(assets::favicon))
        .route("/assets/{name}", get(assets::show))
        .merge(documents::router())
        .merge(set_password::router())
        .merge(mailed_links::router())
}

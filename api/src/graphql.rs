//! `/graphql`: what the API can do, in one language of queries (GraphQL, October 2021 edition).
//!
//! There is no second set of rules. Types and fields are made from the OpenAPI document, and each root field is an
//! operation of it, which runs as it does for a request of its own: the same credentials and scopes, the same limits,
//! the same checks of what is sent, the same idempotency. What an operation answers is then cut to what was asked.
//! Fields that lead from one resource to another ([`Relation`]) ask the list of the other once, for all objects of a
//! level together.
//!
//! `async-graphql` reads queries, checks them against the schema and answers questions about it. It doesn't run them: of
//! answers that are JSON already it would make a future for each value, which costs more than the page itself.

mod answer;
mod catalog;
mod cut;
mod execute;
mod graph;
mod http;
mod names;
mod operation;
mod page;
mod plan;
mod prepared;
mod schema;
mod session;
mod socket;
mod values;
mod write;

use std::sync::Arc;

use axum::{Extension, Router, routing::get};
use utoipa::openapi::OpenApi;

use self::{catalog::Catalog, graph::Graph, schema::Checked};
use crate::{relation::Relation, state::AppState};

pub(crate) const PATH: &str = "/graphql";

/// The address, for an API of this document whose operations these are.
///
/// # Errors
///
/// One line that says which names can't stand beside each other, or which relation leads nowhere.
pub(crate) fn router(
    document: &OpenApi,
    relations: &[Relation],
    operations: Router,
    allows_introspection: bool,
) -> Result<Router<AppState>, String> {
    let catalog = catalog(document, relations)?;
    let graph = Graph {
        schema: Checked::new(&catalog, allows_introspection)?,
        catalog,
        operations,
        allows_introspection,
    };
    Ok(Router::new()
        .route(PATH, get(http::page).post(http::answer))
        .layer(Extension(Arc::new(graph))))
}

/// The schema of an API of this document, in GraphQL's own language.
///
/// # Errors
///
/// As [`router`].
pub(crate) fn sdl(document: &OpenApi, relations: &[Relation]) -> Result<String, String> {
    Ok(Checked::new(&catalog(document, relations)?, true)?.sdl())
}

fn catalog(document: &OpenApi, relations: &[Relation]) -> Result<Catalog, String> {
    let document = serde_json::to_value(document).map_err(|error| error.to_string())?;
    Catalog::new(&document, relations)
}

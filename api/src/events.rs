//! `GET /events`: what happened, in pages or as it comes.

mod asyncapi;
mod catalog;
mod data;
mod document;
mod list;
mod messages;
mod reason;
mod selection;
mod shape;
pub(crate) mod socket;
mod start;
mod stream;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) use asyncapi::{SERVERS, channels, messages, operations, schemas};
pub(crate) use catalog::Catalog;
pub(crate) use data::{EventData, named};
pub(crate) use document::describe;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    list::router()
}

//! `GET /events`: what happened, in pages or as it comes.

mod list;
mod selection;
mod shape;
mod stream;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    list::router()
}

//! Webhooks: where events are sent, and how that went.

mod access;
mod change;
mod create;
mod deliveries;
mod input;
mod list;
mod shape;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    list::router()
        .merge(create::router())
        .merge(change::router())
        .merge(deliveries::router())
}

//! Keys of other services. Superusers make and change them; a key can only look at itself.

mod change;
mod create;
mod input;
mod list;
mod shape;
mod show;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(create::router())
        .merge(list::router())
        .merge(show::router())
        .merge(change::router())
}

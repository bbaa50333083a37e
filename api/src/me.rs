//! The signed-in person's own account.

mod account;
mod deletion;
mod email;
mod mfa;
mod password;
mod sessions;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(account::router())
        .merge(deletion::router())
        .merge(password::router())
        .merge(email::router())
        .merge(sessions::router())
        .merge(mfa::router())
}

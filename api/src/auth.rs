//! How people get in: sign-up, log-in, tokens, and everything that leads to a password or away from it.

mod accepted;
mod login;
mod mailed;
mod oauth;
mod password_reset;
mod reauthenticate;
mod refresh;
mod session;
mod sign_up;
mod tokens;

use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) use accepted::{ACCEPTED, AcceptedOut};
pub(crate) use login::refused;
pub(crate) use mailed::{Errand, run};
pub(crate) use password_reset::{Occasion, acceptable, set_by_link};
pub(crate) use session::{SessionOut, SessionsOut, about, ended};
pub(crate) use sign_up::charge_mail;

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(sign_up::router())
        .merge(mailed::router())
        .merge(login::router())
        .merge(reauthenticate::router())
        .merge(refresh::router())
        .merge(oauth::router())
        .merge(password_reset::router())
}

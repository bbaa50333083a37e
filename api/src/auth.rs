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

use usher_shared::foundation::program::BuiltIn;
use utoipa_axum::router::OpenApiRouter;

use crate::state::AppState;

pub(crate) use accepted::{ACCEPTED, AcceptedOut};
pub(crate) use login::refused;
pub(crate) use mailed::{Errand, run};
pub(crate) use password_reset::{Occasion, acceptable, set_by_link};
pub(crate) use session::{SessionOut, SessionsOut, about, ended};
pub(crate) use sign_up::charge_mail;

/// Without these parts.
pub(crate) fn router(left_out: &[BuiltIn]) -> OpenApiRouter<AppState> {
    let mut router = OpenApiRouter::new();
    if !left_out.contains(&BuiltIn::SelfSignUp) {
        router = router.merge(sign_up::router());
    }
    router = router
        .merge(sign_up::resend_router())
        .merge(mailed::router())
        .merge(login::router())
        .merge(reauthenticate::router())
        .merge(refresh::router());
    if !left_out.contains(&BuiltIn::OAuthToken) {
        router = router.merge(oauth::router());
    }
    router.merge(password_reset::router())
}

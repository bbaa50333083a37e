//! Switching between light and dark, kept in a cookie.

use axum::{
    extract::State,
    http::header::SET_COOKIE,
    response::{IntoResponse, Redirect, Response},
};
use usher_admin_engine::{AdminError, Posted, Theme};

use crate::sign_in::{cookies::THEME, next::own_address};
use crate::state::AppState;

/// `POST /admin/theme`
pub(crate) async fn switch(State(state): State<AppState>, Posted(form): Posted) -> Result<Response, AdminError> {
    let theme = Theme::parse(form.get("theme").unwrap_or_default());
    let to = own_address(form.get("next").unwrap_or_default());
    let cookie = THEME.set(theme.as_str(), state.is_https());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

//! Dark, light, or as the system has it: kept in a cookie, switched by a plain form.

use axum::{
    extract::State,
    http::header::SET_COOKIE,
    response::{IntoResponse, Redirect, Response},
};

use crate::{engine::{error::AdminError, request::{cookie::THEME, posted::Posted}}, sign_in::login::own_address, state::AppState};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::System,
        }
    }

    /// The value of `data-theme` and of the cookie.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// `POST /admin/theme`
pub(crate) async fn switch(State(state): State<AppState>, Posted(form): Posted) -> Result<Response, AdminError> {
    let theme = Theme::parse(form.get("theme").unwrap_or_default());
    let to = own_address(form.get("next").unwrap_or_default());
    let cookie = THEME.set(theme.word(), state.is_https());
    Ok(([(SET_COOKIE, cookie)], Redirect::to(&to)).into_response())
}

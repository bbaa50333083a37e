//! The page that asks for email address and password.

use askama::Template;
use axum::{http::StatusCode, response::Response};
use usher_admin_engine::{AdminError, Shell, Visit, page};
use usher_shared::foundation::program::Program;

use crate::state::AppState;

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct LoginPage {
    shell: Shell,
    /// As it is typed on the command line.
    program: &'static str,
    email: String,
    next: String,
    /// A form that was submitted too late, sealed.
    kept: Option<String>,
    error: Option<&'static str>,
}

/// The sign-in page, shown instead of the one a form was submitted to.
pub(crate) fn ask(state: &AppState, visit: &Visit, sealed: &str, words: &'static str) -> Result<Response, AdminError> {
    let page = login_page(state, visit, ["", ""], Some(sealed), Some(words));
    page::show_with(StatusCode::UNAUTHORIZED, &page)
}

pub(crate) fn login_page(
    state: &AppState,
    visit: &Visit,
    [email, next]: [&str; 2],
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> LoginPage {
    let shell = Shell::outside(state, visit, "Sign in");
    LoginPage {
        shell,
        program: Program::current().name,
        email: email.to_owned(),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
    }
}

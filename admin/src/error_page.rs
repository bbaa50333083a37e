//! The page for an error that a handler returned.

use askama::Template;
use axum::{
    http::{
        HeaderValue,
        header::{ACCEPT_ENCODING, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use usher_admin_engine::{AdminError, Shell, Visit, page};

use crate::sign_in::{reauth, saved_form};
use crate::state::AppState;

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    shell: Shell,
    status: u16,
    title: &'static str,
    words: String,
    request_id: String,
    signed_in: bool,
}

/// The page for an error. The cause of an internal one is logged here, once.
pub(crate) fn render(error: &AdminError, state: &AppState, visit: &Visit) -> Response {
    if let AdminError::Internal(cause) | AdminError::Unavailable(cause) = error {
        tracing::error!(
            request_id = visit.request_id,
            cause = format!("{cause:#}"),
            "an admin page failed"
        );
    }
    let (title, words) = error.words();
    let staff = visit.staff.as_ref();
    if let (AdminError::Reauthenticate(waiting), Some(staff)) = (error, staff) {
        return reauth::ask(state, visit, staff, waiting);
    }
    if let AdminError::SignedInSince(form) = error {
        return saved_form::ask_again(state, visit, &reauth::told(&visit.path, form));
    }
    let page = ErrorPage {
        shell: match staff {
            Some(staff) => Shell::new(state, visit, staff, title).here(title),
            None => Shell::outside(state, visit, title),
        },
        status: error.status().as_u16(),
        title,
        words,
        request_id: visit.request_id.clone(),
        signed_in: staff.is_some(),
    };
    let mut response = match page::show_with(error.status(), &page) {
        Ok(response) => response,
        Err(_) => error.status().into_response(),
    };
    if matches!(error, AdminError::UnsupportedBody) {
        // RFC 7694 §3
        response
            .headers_mut()
            .insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

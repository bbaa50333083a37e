//! A form that was sent after its session had ended. It is kept, sealed, in the page that asks to sign in, and given
//! back to the same person once they have. Nobody else can read it there: neither who looks at the page, nor another
//! person who signs in on it.

use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use usher_admin_engine::{Shell, Visit, Waiting, page};
use usher_shared::foundation::time::now;

use super::next;
use crate::state::AppState;
use crate::texts;

const PURPOSE: &str = "admin form of an ended session";
/// The same as a session's.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// The most that fits, sealed, into the sign-in form.
const MAX_BYTES: usize = 128 * 1024;
/// Larger forms are kept but not displayed.
const MAX_SHOWN: usize = 16 * 1024;

#[derive(Serialize, Deserialize)]
struct Kept {
    user_id: i64,
    at: DateTime<Utc>,
    to: String,
    form: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "kept.html")]
struct KeptPage {
    shell: Shell,
    to: String,
    form: Vec<(String, String)>,
    /// What the person entered, without the page's own fields.
    typed: Vec<(String, String)>,
}

/// Where a person goes after sign-in: to the form that was kept for them, or to `next`.
pub(crate) fn arrived(state: &AppState, visit: &Visit, user_id: i64, next: &str, sealed: Option<&str>) -> Response {
    let kept = give_back(state, visit, user_id, sealed);
    kept.unwrap_or_else(|| next::arrive(next))
}

/// None if it is too large.
pub(super) fn seal(state: &AppState, user_id: i64, waiting: Waiting) -> Option<String> {
    let fields = waiting.form.unwrap_or_default();
    let kept = Kept {
        user_id,
        at: now(),
        to: waiting.to,
        form: fields.into_pairs(),
    };
    let plain = serde_json::to_vec(&kept)
        .ok()
        .filter(|plain| plain.len() <= MAX_BYTES)?;
    Some(BASE64_URL_SAFE_NO_PAD.encode(state.config.secret_key.seal(PURPOSE, &plain)))
}

/// The page that gives a kept form back to the person who submitted it, if there is one.
fn give_back(state: &AppState, visit: &Visit, user_id: i64, sealed: Option<&str>) -> Option<Response> {
    let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed?).ok()?;
    let plain = state.config.secret_key.open(PURPOSE, &sealed)?;
    let kept: Kept = serde_json::from_slice(&plain).ok()?;
    if kept.user_id != user_id || now() - kept.at >= LIFETIME {
        return None;
    }
    if kept.form.is_empty() {
        return Some(Redirect::to(&kept.to).into_response());
    }
    Some(show(state, visit, StatusCode::OK, kept.to, kept.form))
}

/// The same page for a form that was opened before the person signed in again in another tab.
pub(crate) fn ask_again(state: &AppState, visit: &Visit, waiting: &Waiting) -> Response {
    match &waiting.form {
        Some(form) => {
            let (to, form) = (waiting.to.clone(), form.clone().into_pairs());
            show(state, visit, StatusCode::FORBIDDEN, to, form)
        }
        None => Redirect::to(&waiting.to).into_response(),
    }
}

fn show(state: &AppState, visit: &Visit, status: StatusCode, to: String, form: Vec<(String, String)>) -> Response {
    let length: usize = form.iter().map(|(name, value)| name.len() + value.len()).sum();
    let typed = form
        .iter()
        .filter(|(name, value)| length <= MAX_SHOWN && !name.starts_with('_') && !value.is_empty());
    let page = KeptPage {
        shell: Shell::outside(state, visit, texts::sign_in::KEPT_TITLE),
        typed: typed.cloned().collect(),
        to,
        form,
    };
    page::show_with(status, &page).unwrap_or_else(IntoResponse::into_response)
}

//! A form that was sent after its session had ended. It is kept, sealed, in the page that asks to sign in, and given back
//! to the same person once they have. Nobody else can read it there: not whoever looks at the page, and not another person
//! who signs in on it.

use askama::Template;
use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use usher_shared::foundation::{
    rate_limit::{Policy, bucket},
    time::now,
};

use crate::{engine::{error::AdminError, request::{csrf, posted::Fields, visit::{Standing, Visit}}, shell::{frame::Shell, page}}, sign_in::{login, mfa, reauth::{self, Waiting}}, state::AppState};

/// The hidden field of the pages on the way back in.
pub(crate) const FIELD: &str = "_kept";

const PURPOSE: &str = "admin form of an ended session";
/// As long as a session.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// What the log-in form, which holds it sealed, has room for.
const MAX_BYTES: usize = 128 * 1024;
/// What is also shown to be read.
const MAX_SHOWN: usize = 16 * 1024;

const SIGN_IN: &str = "You were signed out before this form was sent. Sign in, and you get it back.";
const PASSWORDS: &str =
    "You were signed out before this form was sent, and passwords aren't kept. Sign in, then try again.";
const TOO_LARGE: &str = "You were signed out before this form was sent, and it was too large to keep. Sign in, go back in your \
    browser, and send it again.";
const FILE: &str = "You were signed out before the file was sent. Sign in, then choose the file again.";

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
    /// What a person typed, without the page's own fields.
    typed: Vec<(String, String)>,
}

/// Asks whoever sends a form without being signed in to do so, and keeps the form for them. `to` is where they are sent
/// when there is nothing to keep.
pub(crate) async fn ask(state: &AppState, request: Request, to: &str) -> Result<Response, AdminError> {
    let elsewhere = || AdminError::SignIn(to.to_owned());
    let visit = request.extensions().get::<Visit>().cloned().ok_or_else(elsewhere)?;
    csrf::check_origin(request.headers(), &state.config.admin_url)?;
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|media_type| media_type.starts_with("multipart/form-data")) {
        return Ok(visit.say_warning(FILE.to_owned(), &format!("/admin/login?{}", login::query(&visit.path))));
    }
    let quota = state.config.rate_limits.quota(Policy::Anonymous);
    login::allowed(state.limiter.check_here(&bucket::anonymous(visit.address), quota))?;
    let Ok(body) = Bytes::from_request(request, state).await else {
        return Ok(visit.say_warning(TOO_LARGE.to_owned(), to));
    };
    let fields = Fields::parse(&body);
    let author = csrf::author(&state.config.secret_key, fields.get(csrf::FIELD).unwrap_or_default());
    let user_id = author.ok_or_else(elsewhere)?;
    let waiting = reauth::told(&visit.path, &fields);
    let words = if waiting.lost { PASSWORDS } else { SIGN_IN };
    let Some(sealed) = seal(state, user_id, waiting) else {
        return Ok(visit.say_warning(TOO_LARGE.to_owned(), to));
    };
    match &visit.standing {
        Standing::Nobody => login::ask(state, &visit, &sealed, words),
        Standing::OwesCode(signed) if signed.user.id == user_id => mfa::ask(state, &visit, "", Some(&sealed), None),
        Standing::OwesFactor(signed) if signed.user.id == user_id => {
            mfa::ask_to_enrol(state, &state.db, &visit, (&signed.user, signed.id), "", Some(&sealed)).await
        }
        _ => Err(elsewhere()),
    }
}

/// None when it is too large.
fn seal(state: &AppState, user_id: i64, waiting: Waiting) -> Option<String> {
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

/// The page that gives a kept form back, where this person sent one; none where there is nothing to give back.
pub(crate) fn give_back(state: &AppState, visit: &Visit, user_id: i64, sealed: Option<&str>) -> Option<Response> {
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

/// The same page for a form that was made before the person signed in again, in another tab.
pub(crate) fn ask_again(state: &AppState, visit: &Visit, waiting: &Waiting) -> Response {
    match &waiting.form {
        Some(form) => show(
            state,
            visit,
            StatusCode::FORBIDDEN,
            waiting.to.clone(),
            form.clone().into_pairs(),
        ),
        None => Redirect::to(&waiting.to).into_response(),
    }
}

fn show(state: &AppState, visit: &Visit, status: StatusCode, to: String, form: Vec<(String, String)>) -> Response {
    let length: usize = form.iter().map(|(name, value)| name.len() + value.len()).sum();
    let typed = form
        .iter()
        .filter(|(name, value)| length <= MAX_SHOWN && !name.starts_with('_') && !value.is_empty());
    let page = KeptPage {
        shell: Shell::outside(state, visit, "Your form was kept"),
        typed: typed.cloned().collect(),
        to,
        form,
    };
    page::show_with(status, &page).unwrap_or_else(IntoResponse::into_response)
}

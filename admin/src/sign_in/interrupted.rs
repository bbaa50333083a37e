//! Asks a visitor who sends a form without being signed in to do so, and keeps the form for them.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
    response::Response,
};
use usher_admin_engine::{AdminError, Fields, Visit, allowed, csrf};
use usher_shared::foundation::rate_limit::{Policy, bucket};

use super::visitor::{SignIn, Visitor};
use super::{code, enrol, login_page, next, reauth, saved_form};
use crate::state::AppState;
use crate::texts;

/// Asks a visitor who submits a form without being signed in to sign in, and keeps the form for them. `to` is where
/// they go when there is nothing to keep.
pub(crate) async fn ask(state: &AppState, request: Request, to: &str) -> Result<Response, AdminError> {
    let elsewhere = || AdminError::SignIn(to.to_owned());
    let visit = request.extensions().get::<Visit>().cloned().ok_or_else(elsewhere)?;
    let visitor = request.extensions().get::<Visitor>().cloned().ok_or_else(elsewhere)?;
    csrf::check_origin(request.headers(), &state.config.admin_url)?;
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    if media_type.is_some_and(|media_type| media_type.starts_with("multipart/form-data")) {
        return Ok(visit.say_warning(
            texts::sign_in::FILE_NOT_KEPT,
            &format!("/admin/login?{}", next::query(&visit.path)),
        ));
    }
    let quota = state.config.rate_limits.quota(Policy::Anonymous);
    allowed(state.limiter.check_here(&bucket::anonymous(visit.address), quota))?;
    let Ok(body) = Bytes::from_request(request, state).await else {
        return Ok(visit.say_warning(texts::sign_in::FORM_TOO_LARGE, to));
    };
    let fields = Fields::parse(&body);
    let author = csrf::author(&state.config.secret_key, fields.get(csrf::FIELD).unwrap_or_default());
    let user_id = author.ok_or_else(elsewhere)?;
    let waiting = reauth::told(&visit.path, &fields);
    let words = if waiting.lost {
        texts::sign_in::PASSWORDS_NOT_KEPT
    } else {
        texts::sign_in::FORM_KEPT
    };
    let Some(sealed) = saved_form::seal(state, user_id, waiting) else {
        return Ok(visit.say_warning(texts::sign_in::FORM_TOO_LARGE, to));
    };
    match &visitor.sign_in {
        SignIn::Nobody => login_page::ask(state, &visit, &sealed, words),
        SignIn::OwesCode(signed) if signed.user.id == user_id => code::ask(state, &visit, "", Some(&sealed), None),
        SignIn::OwesFactor(signed) if signed.user.id == user_id => {
            enrol::ask(state, &state.db, &visit, (&signed.user, signed.id), "", Some(&sealed)).await
        }
        _ => Err(elsewhere()),
    }
}

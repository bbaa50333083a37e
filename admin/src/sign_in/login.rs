//! Signing in with email and password, and signing out. Every failure has the same message and timing.

use axum::{
    extract::{Query, State},
    http::{StatusCode, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use sea_orm::DbErr;
use usher_admin_engine::{AdminError, PostedOutside, SAVED_FORM, Visit, allowed, csrf::Binding, page};
use usher_shared::{
    accounts::{impersonation, mfa, password_hash, users},
    foundation::{
        entity::user,
        rate_limit::{Policy, bucket},
        rules::Email,
        time::now,
    },
    jobs::Tx,
};

use super::attempts::{guesser, record, refused, signed_in};
use super::next::{self, Next};
use super::session::{self, Signed};
use super::visitor::{SignIn, Visitor};
use super::{code, device, enrol, saved_form};
use super::{cookies::SESSION, login_page::login_page};
use crate::state::AppState;
use crate::texts;

/// `GET /admin/login?next=`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    if matches!(visitor.sign_in, SignIn::Complete(_)) {
        return Ok(next::arrive(&next));
    }
    page::show(&login_page(&state, &visit, ["", &next], None, None))
}

/// `POST /admin/login`
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let [email, password, next] = ["email", "password", "next"].map(|name| form.get(name).unwrap_or_default());
    let sealed = form.get(SAVED_FORM);
    if !is_own {
        let words = texts::sign_in::TOO_OLD;
        let page = login_page(&state, &visit, [email, next], sealed, Some(words));
        return page::show_with(StatusCode::FORBIDDEN, &page);
    }
    let key = Email::key_of(&email.replace('\0', ""));
    let log_ins = state.config.rate_limits.quota(Policy::LogIn);
    allowed(state.limiter.check(&bucket::log_ins(visit.address), log_ins).await)?;

    let user = users::find_by_email_key(&state.db, &key).await?;
    let secret = &state.config.secret_key;
    let guesser = guesser(&state.db, secret, (&visit, &visitor), &key, user.as_ref()).await?;
    let attempt = state.limiter.try_password(&state.config.rate_limits, guesser).await;
    let attempt = attempt.map_err(AdminError::too_many)?;
    // Always verified, so that an unknown account takes as long as a known one.
    let matches = password_hash::verify(password, user.as_ref().and_then(|user| user.password_hash.as_deref())).await;
    let staff = user
        .as_ref()
        .filter(|user| matches && user.is_staff && user.may_sign_in(now()));
    let Some(staff) = staff else {
        let reason = if matches {
            "not a staff account that can sign in"
        } else {
            "wrong password"
        };
        refused(&state, &visit, user.as_ref(), reason).await?;
        let page = login_page(&state, &visit, [email, next], sealed, Some(texts::sign_in::REFUSED));
        return page::show_with(StatusCode::UNAUTHORIZED, &page);
    };
    attempt.succeeded().await;
    let better = password_hash::rehash(password, staff.password_hash.as_deref().unwrap_or_default()).await;

    let tx = form.begin(&state).await?;
    // Locked until the session exists: a password that is changed at the same time must end it, too.
    let held = users::find_for_change(&tx, staff.id).await?;
    if !held.is_some_and(|held| held.password_hash == staff.password_hash && held.is_staff && held.may_sign_in(now())) {
        return Err(AdminError::StaleForm);
    }
    if let Some(hash) = better {
        users::keep_rehashed(&**tx, staff, hash).await?;
    }
    if let Some(signed) = visitor.sign_in.signed() {
        leave(&tx, &visit, signed, "signed in again").await?;
    }
    let (id, token) = session::start(&**tx, staff.id, &visit).await?;
    let owes_factor = signed_in_unless_factor(&state, &tx, &visit, staff).await?;
    let visit = visit.bound_to(Binding::Session { id, user_id: staff.id });
    let page = match (owes_factor, sealed) {
        (true, None) => next::redirect("/admin/mfa", next),
        (true, Some(_)) if mfa::has_factor(&**tx, staff.id).await? => code::ask(&state, &visit, next, sealed, None)?,
        (true, Some(_)) => enrol::ask(&state, &**tx, &visit, (staff, id), next, sealed).await?,
        (false, _) => saved_form::arrived(&state, &visit, staff.id, next, sealed),
    };
    let cookie = (SET_COOKIE, SESSION.set(token.as_str(), state.is_https()));
    let device = (!owes_factor).then(|| (SET_COOKIE, device::cookie(&state, staff)));
    let cookies = AppendHeaders([cookie].into_iter().chain(device));
    tx.finish((cookies, page).into_response()).await
}

/// Ends a session of this browser, and any impersonation its person had started.
async fn leave(tx: &Tx, visit: &Visit, signed: &Signed, reason: &str) -> Result<(), DbErr> {
    session::end(&**tx, signed.id, reason).await?;
    impersonation::end(&**tx, signed.user.id, &visit.actor(signed.user.id, &signed.user.email))
        .await
        .map(drop)
}

/// `POST /admin/logout`. A second click arrives after the session ended and leads to the same page.
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let cookie = SESSION.clear(state.is_https());
    let signed_out = ([(SET_COOKIE, cookie)], Redirect::to("/admin/login")).into_response();
    let Some(signed) = visitor.sign_in.signed() else {
        return Ok(signed_out);
    };
    if !is_own {
        return Err(AdminError::StaleForm);
    }
    let tx = form.begin(&state).await?;
    leave(&tx, &visit, signed, "signed out").await?;
    let actor = visit.actor(signed.user.id, &signed.user.email);
    record(&**tx, &actor, "logout", Some(&signed.user), None).await?;
    tx.finish(signed_out).await
}

/// Whether a second factor is still needed; if not, the sign-in is complete and recorded.
async fn signed_in_unless_factor(state: &AppState, tx: &Tx, visit: &Visit, user: &user::Model) -> Result<bool, DbErr> {
    let owed = code::is_owed(state, &**tx, user).await?;
    if !owed {
        signed_in(tx, visit, user).await?;
    }
    Ok(owed)
}

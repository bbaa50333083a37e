//! The page where an account gets a second factor.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sea_orm::{ConnectionTrait, DbErr};
use usher_admin_engine::{AdminError, Posted, SAVED_FORM, Shell, Visit, page};
use usher_shared::{
    accounts::mfa::{self, totp},
    foundation::{
        entity::{mfa_factor, user},
        time::now,
    },
};
use uuid::Uuid;

use super::factor_check::{Accepted, Proof, WRONG_CODE, accept, codes_page};
use super::next::{self, Next};
use super::visitor::{SignIn, Visitor};
use super::{saved_form, session::Signed};
use crate::state::AppState;

const TOO_LATE: &str =
    "Setup took longer than 15 minutes, so there's a new secret. Scan it, then enter the code your app shows.";

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    shell: Shell,
    next: String,
    kept: Option<String>,
    error: Option<&'static str>,
    label: String,
    secret: String,
    /// The QR code as a `data:` address.
    picture: Option<String>,
}

/// The page where an account gets its first factor, in the place of another.
pub(crate) async fn ask(
    state: &AppState,
    conn: &impl ConnectionTrait,
    visit: &Visit,
    (user, session_id): (&user::Model, Uuid),
    next: &str,
    sealed: Option<&str>,
) -> Result<Response, AdminError> {
    let factor = waiting_factor(state, conn, user, session_id).await?;
    let page = enrol_page(state, conn, visit, user, &factor, (next, sealed), None).await?;
    page::show_with(StatusCode::UNAUTHORIZED, &page)
}

/// `GET /admin/mfa/enrol`: shows the secret of a factor that waits to be confirmed.
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visitor) else {
        return Ok(Redirect::to(&not_enrolling(&visitor, &next)).into_response());
    };
    if let Some(staff) = &visit.staff {
        staff.require_fresh(&visit, None)?;
    }
    let factor = waiting_factor(&state, &state.db, &signed.user, signed.id).await?;
    page::show(&enrol_page(&state, &state.db, &visit, &signed.user, &factor, (&next, None), None).await?)
}

/// `POST /admin/mfa/enrol`: the first right code confirms the factor.
pub(crate) async fn enrol(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visitor) else {
        let next = form.get("next").unwrap_or_default();
        return Ok(Redirect::to(&not_enrolling(&visitor, next)).into_response());
    };
    if let Some(staff) = &visit.staff {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let (next, sealed) = (form.get("next").unwrap_or_default(), form.get(SAVED_FORM));
    let db = &state.db;
    let Some(factor) = mfa::waiting(db, signed.user.id, signed.id).await? else {
        // The other click has confirmed it.
        visit.answered_elsewhere().await?;
        let factor = begin(&state, db, &signed.user, signed.id).await?;
        let page = enrol_page(
            &state,
            db,
            &visit,
            &signed.user,
            &factor,
            (next, sealed),
            Some(TOO_LATE),
        )
        .await?;
        return page::show_with(StatusCode::UNAUTHORIZED, &page);
    };
    match accept(&state, (&visit, &visitor), &signed, Proof::Confirms(&factor), &form).await? {
        Some(Accepted { cookies, codes, tx }) => {
            let page = if codes.is_empty() {
                saved_form::arrived(&state, &visit, signed.user.id, next, sealed)
            } else {
                page::show(&codes_page(&state, &visit, next, sealed, codes))?
            };
            tx.finish((cookies, page).into_response()).await
        }
        None => {
            let page = enrol_page(
                &state,
                &state.db,
                &visit,
                &signed.user,
                &factor,
                (next, sealed),
                Some(WRONG_CODE),
            )
            .await?;
            page::show_with(StatusCode::UNAUTHORIZED, &page)
        }
    }
}

/// Who may enrol: those who must, as long as the password that they have just shown is good for it, and signed-in staff
/// who want a factor, or another one.
fn enrolling(visitor: &Visitor) -> Option<Arc<Signed>> {
    match &visitor.sign_in {
        SignIn::OwesFactor(signed) => {
            let shown = signed.reauthenticated_at;
            let lately = shown.is_some_and(|at| now() - at < mfa::ENROLMENT_LIFETIME);
            lately.then(|| Arc::clone(signed))
        }
        SignIn::Complete(signed) => Some(Arc::clone(signed)),
        _ => None,
    }
}

/// Where everybody else goes: to the code, or to the password once more.
fn not_enrolling(visitor: &Visitor, next: &str) -> String {
    let page = match &visitor.sign_in {
        SignIn::OwesFactor(_) => "login",
        _ => "mfa",
    };
    format!("/admin/{page}?{}", next::query(next))
}

/// The factor that this session is about to confirm; the same one however often the page is loaded.
async fn waiting_factor(
    state: &AppState,
    conn: &impl ConnectionTrait,
    user: &user::Model,
    session_id: Uuid,
) -> Result<mfa_factor::Model, DbErr> {
    match mfa::waiting(conn, user.id, session_id).await? {
        Some(factor) => Ok(factor),
        None => begin(state, conn, user, session_id).await,
    }
}

async fn begin(
    state: &AppState,
    conn: &impl ConnectionTrait,
    user: &user::Model,
    session_id: Uuid,
) -> Result<mfa_factor::Model, DbErr> {
    let key = &state.config.secret_key;
    mfa::enrol(conn, key, user.id, session_id, mfa::DEFAULT_LABEL).await
}

async fn enrol_page(
    state: &AppState,
    conn: &impl ConnectionTrait,
    visit: &Visit,
    user: &user::Model,
    factor: &mfa_factor::Model,
    (next, sealed): (&str, Option<&str>),
    error: Option<&'static str>,
) -> Result<EnrolPage, AdminError> {
    let secret = mfa::secret(&state.config.secret_key, factor).map_err(anyhow::Error::from)?;
    let config = &state.config;
    let address = mfa::otpauth_address(conn, &config.secret_key, &config.product_name, &user.email, factor).await;
    let picture = totp::qr_code(&address.map_err(anyhow::Error::from)?);
    Ok(EnrolPage {
        shell: Shell::outside(state, visit, "Set up two-factor authentication"),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
        label: factor.label.clone(),
        secret: totp::readable(&secret),
        picture: picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))),
    })
}

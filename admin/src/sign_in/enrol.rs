//! The page that sets up a second factor.

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

use super::factor_check::{Accepted, Proof, accept, codes_page};
use super::next::{self, Next};
use super::visitor::{SignIn, Visitor};
use super::{saved_form, session::Signed};
use crate::state::AppState;
use crate::texts;

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

/// The setup page for the first factor, shown instead of another.
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

/// `GET /admin/mfa/enrol`: shows the secret of a factor that isn't confirmed yet.
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

/// `POST /admin/mfa/enrol`: the first correct code confirms the factor.
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
        // A second click; the first one confirmed it.
        visit.answered_elsewhere().await?;
        let factor = begin(&state, db, &signed.user, signed.id).await?;
        let page = enrol_page(
            &state,
            db,
            &visit,
            &signed.user,
            &factor,
            (next, sealed),
            Some(texts::two_factor::SET_UP_TOO_LATE),
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
                Some(texts::two_factor::WRONG_CODE),
            )
            .await?;
            page::show_with(StatusCode::UNAUTHORIZED, &page)
        }
    }
}

/// Who may set up a factor: visitors who need one to finish signing in, while their password confirmation is recent,
/// and signed-in staff.
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

/// Where other visitors are sent: to the code page, or back to sign-in.
fn not_enrolling(visitor: &Visitor, next: &str) -> String {
    let page = match &visitor.sign_in {
        SignIn::OwesFactor(_) => "login",
        _ => "mfa",
    };
    format!("/admin/{page}?{}", next::query(next))
}

/// The factor that this session is setting up; reloading the page keeps it.
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
        shell: Shell::outside(state, visit, texts::two_factor::SET_UP_TITLE),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
        label: factor.label.clone(),
        secret: totp::readable(&secret),
        picture: picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))),
    })
}

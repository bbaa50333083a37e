//! The page that sets up a second factor.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
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
    let enrolment = Enrolment {
        state,
        conn,
        visit,
        user,
    };
    let factor = enrolment.factor(session_id).await?;
    let page = enrolment.page(&factor, (next, sealed), None).await?;
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
        return Ok(not_enrolling(&visitor, &next));
    };
    if let Some(staff) = &visit.staff {
        staff.require_fresh(&visit, None)?;
    }
    let enrolment = Enrolment::of(&state, &visit, &signed);
    let factor = enrolment.factor(signed.id).await?;
    page::show(&enrolment.page(&factor, (&next, None), None).await?)
}

/// `POST /admin/mfa/enrol`: the first correct code confirms the factor.
pub(crate) async fn enrol(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visitor) else {
        return Ok(not_enrolling(&visitor, form.get("next").unwrap_or_default()));
    };
    if let Some(staff) = &visit.staff {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let (next, sealed) = (form.get("next").unwrap_or_default(), form.get(SAVED_FORM));
    let enrolment = Enrolment::of(&state, &visit, &signed);
    let Some(factor) = mfa::waiting(&state.db, signed.user.id, signed.id).await? else {
        // A second click; the first one confirmed it.
        visit.answered_elsewhere().await?;
        let (factor, late) = (enrolment.begin(signed.id).await?, texts::two_factor::SET_UP_TOO_LATE);
        let page = enrolment.page(&factor, (next, sealed), Some(late)).await?;
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
            let wrong = texts::two_factor::WRONG_CODE;
            let page = enrolment.page(&factor, (next, sealed), Some(wrong)).await?;
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

/// Sends other visitors to the code page, or back to sign-in.
fn not_enrolling(visitor: &Visitor, next: &str) -> Response {
    match &visitor.sign_in {
        SignIn::OwesFactor(_) => next::redirect("/admin/login", next),
        _ => next::redirect("/admin/mfa", next),
    }
}

/// Who sets up a factor, and where that is read and written.
struct Enrolment<'a, C> {
    state: &'a AppState,
    conn: &'a C,
    visit: &'a Visit,
    user: &'a user::Model,
}

impl<'a> Enrolment<'a, DatabaseConnection> {
    fn of(state: &'a AppState, visit: &'a Visit, signed: &'a Signed) -> Self {
        let (conn, user) = (&state.db, &signed.user);
        Self {
            state,
            conn,
            visit,
            user,
        }
    }
}

impl<C: ConnectionTrait> Enrolment<'_, C> {
    /// The factor that this session is setting up; reloading the page keeps it.
    async fn factor(&self, session_id: Uuid) -> Result<mfa_factor::Model, DbErr> {
        match mfa::waiting(self.conn, self.user.id, session_id).await? {
            Some(factor) => Ok(factor),
            None => self.begin(session_id).await,
        }
    }

    async fn begin(&self, session_id: Uuid) -> Result<mfa_factor::Model, DbErr> {
        let key = &self.state.config.secret_key;
        mfa::enrol(self.conn, key, self.user.id, session_id, mfa::DEFAULT_LABEL).await
    }

    async fn page(
        &self,
        factor: &mfa_factor::Model,
        (next, sealed): (&str, Option<&str>),
        error: Option<&'static str>,
    ) -> Result<EnrolPage, AdminError> {
        let (config, email) = (&self.state.config, &self.user.email);
        let key = &config.secret_key;
        let secret = mfa::secret(key, factor).map_err(anyhow::Error::from)?;
        let address = mfa::otpauth_address(self.conn, key, &config.product_name, email, factor).await;
        let picture = totp::qr_code(&address.map_err(anyhow::Error::from)?);
        Ok(EnrolPage {
            shell: Shell::outside(self.state, self.visit, texts::two_factor::SET_UP_TITLE),
            next: next.to_owned(),
            kept: sealed.map(str::to_owned),
            error,
            label: factor.label.clone(),
            secret: totp::readable(&secret),
            picture: picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))),
        })
    }
}

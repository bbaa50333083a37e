//! The page that asks for the code of a second factor, after the password.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use sea_orm::{ConnectionTrait, DbErr};
use usher_admin_engine::{AdminError, Posted, PostedOutside, SAVED_FORM, Shell, Visit, page};
use usher_shared::{
    accounts::mfa,
    foundation::{config::StaffMfa, entity::user},
};

use super::factor_check::{Accepted, Proof, accept};
use super::next::{self, Next};
use super::visitor::{SignIn, Visitor};
use super::{login_page, saved_form};
use crate::state::AppState;
use crate::texts;

#[derive(Template)]
#[template(path = "mfa.html")]
struct CodePage {
    shell: Shell,
    next: String,
    /// A form that was submitted too late, sealed.
    kept: Option<String>,
    error: Option<&'static str>,
}

/// Whether this person needs a second factor to complete the sign-in.
pub(crate) async fn is_owed(state: &AppState, conn: &impl ConnectionTrait, user: &user::Model) -> Result<bool, DbErr> {
    let required = state.config.staff_mfa == StaffMfa::Required && user.is_superuser;
    Ok(required || mfa::has_factor(conn, user.id).await?)
}

/// `GET /admin/mfa`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    match &visitor.sign_in {
        SignIn::OwesCode(_) => page::show(&code_page(&state, &visit, &next, None, None)),
        SignIn::OwesFactor(_) => Ok(next::redirect("/admin/mfa/enrol", &next)),
        SignIn::Complete(_) => Ok(next::arrive(&next)),
        SignIn::Nobody => Ok(next::redirect("/admin/login", &next)),
    }
}

/// The code page, shown instead of another.
pub(crate) fn ask(
    state: &AppState,
    visit: &Visit,
    next: &str,
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> Result<Response, AdminError> {
    page::show_with(StatusCode::UNAUTHORIZED, &code_page(state, visit, next, sealed, error))
}

/// `POST /admin/mfa`
pub(crate) async fn answer(
    State(state): State<AppState>,
    visit: Visit,
    visitor: Visitor,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let (next, sealed) = (form.get("next").unwrap_or_default(), form.get(SAVED_FORM));
    let signed = match &visitor.sign_in {
        SignIn::OwesCode(signed) => signed,
        // Signed in from another tab.
        SignIn::Complete(signed) => return Ok(saved_form::arrived(&state, &visit, signed.user.id, next, sealed)),
        SignIn::OwesFactor(_) => return Ok(next::redirect("/admin/mfa/enrol", next)),
        SignIn::Nobody => match sealed {
            Some(sealed) => return login_page::ask(&state, &visit, sealed, texts::two_factor::SIGNED_OUT),
            None => return Ok(next::redirect("/admin/login", next)),
        },
    };
    if !is_own {
        return ask(&state, &visit, next, sealed, Some(texts::two_factor::TOO_OLD));
    }
    match accept(&state, (&visit, &visitor), signed, Proof::SignsIn, &form).await? {
        Some(Accepted { cookies, tx, .. }) => {
            let page = saved_form::arrived(&state, &visit, signed.user.id, next, sealed);
            tx.finish((cookies, page).into_response()).await
        }
        None => ask(&state, &visit, next, sealed, Some(texts::two_factor::WRONG_CODE)),
    }
}

/// `POST /admin/mfa/saved`: continues after the recovery codes page.
pub(crate) async fn saved(State(state): State<AppState>, visit: Visit, Posted(form): Posted) -> Response {
    let next = form.get("next").unwrap_or_default();
    match &visit.staff {
        Some(staff) => saved_form::arrived(&state, &visit, staff.id(), next, form.get(SAVED_FORM)),
        None => next::arrive(next),
    }
}

fn code_page(
    state: &AppState,
    visit: &Visit,
    next: &str,
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> CodePage {
    CodePage {
        shell: Shell::outside(state, visit, texts::two_factor::TITLE),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
    }
}

//! Confirming the password before sensitive actions, so that a stolen session cannot take them. A form that was
//! submitted too late is kept in the confirmation page and sent on after a correct answer.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use usher_admin_engine::{AdminError, Fields, METHOD, NEXT, Posted, Shell, Staff, Visit, Waiting, csrf, page};
use usher_shared::{
    accounts::{mfa, sessions},
    foundation::rate_limit::Guesser,
};

use super::next::{Next, own_address};
use super::{attempts, visitor::SignedIn};
use crate::state::AppState;
use crate::texts;

/// Names of this page's fields, which no form of the engine uses.
const PASSWORD: &str = "_password";
const CODE: &str = "_code";
const OWN: [&str; 5] = [PASSWORD, CODE, NEXT, METHOD, csrf::FIELD];

#[derive(Template)]
#[template(path = "reauth.html")]
struct ReauthPage {
    shell: Shell,
    next: String,
    /// `post` where a form waits to be sent on.
    method: &'static str,
    kept: Vec<(String, String)>,
    lost: bool,
    has_factor: bool,
    error: Option<&'static str>,
}

/// A submitted form without its passwords and codes.
pub(crate) fn told(path: &str, form: &Fields) -> Waiting {
    let get = |name| form.get(name).unwrap_or_default();
    let kept = Fields::of(form.iter().filter(|(name, _)| !OWN.contains(name)));
    match path.split('?').next().unwrap_or_default() {
        "/admin/reauthenticate" => Waiting {
            to: own_address(get(NEXT)),
            form: (get(METHOD) == "post").then_some(kept),
            lost: false,
        },
        "/admin/account/password" => Waiting {
            to: "/admin/account".to_owned(),
            form: None,
            lost: true,
        },
        _ => Waiting {
            to: path.to_owned(),
            form: Some(kept),
            lost: false,
        },
    }
}

/// `GET /admin/reauthenticate?next=`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    let waiting = Waiting {
        to: own_address(&next),
        form: None,
        lost: false,
    };
    page::show(&draw(&state, &visit, &staff, &waiting, None))
}

/// `POST /admin/reauthenticate`. After a correct answer, a waiting form is resubmitted by a redirect (307).
pub(crate) async fn answer(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    SignedIn(signed): SignedIn,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let get = |name| form.get(name).unwrap_or_default();
    let user = &signed.user;
    let mut right = attempts::is_own_password(&state, user, get(PASSWORD)).await?;
    if right && signed.has_factor {
        let (limits, guesser) = (&state.config.rate_limits, Guesser::Known { user_id: user.id });
        let attempt = state.limiter.try_code(limits, guesser, user.id).await;
        let attempt = attempt.map_err(AdminError::too_many)?;
        right = mfa::verify(&state.db, &state.config.secret_key, user.id, get(CODE))
            .await
            .map_err(anyhow::Error::from)?;
        if right {
            attempt.succeeded().await;
        }
    }
    let waiting = told("/admin/reauthenticate", &form);
    if !right {
        attempts::refused(&state, &visit, Some(user), "wrong password on confirmation").await?;
        let words = texts::sign_in::WRONG_CONFIRMATION;
        return page::show_with(
            StatusCode::UNAUTHORIZED,
            &draw(&state, &visit, &staff, &waiting, Some(words)),
        );
    }
    sessions::reauthenticated(&state.db, signed.id, signed.has_factor).await?;
    Ok(match waiting.form {
        Some(_) => Redirect::temporary(&waiting.to).into_response(),
        None => Redirect::to(&waiting.to).into_response(),
    })
}

/// The confirmation page, shown instead of the requested one.
pub(crate) fn ask(state: &AppState, visit: &Visit, staff: &Staff, waiting: &Waiting) -> Response {
    let page = draw(state, visit, staff, waiting, None);
    page::show_with(StatusCode::UNAUTHORIZED, &page).unwrap_or_else(IntoResponse::into_response)
}

fn draw(state: &AppState, visit: &Visit, staff: &Staff, waiting: &Waiting, error: Option<&'static str>) -> ReauthPage {
    let title = texts::sign_in::CONFIRM_TITLE;
    let kept = waiting.form.iter().flat_map(Fields::iter);
    ReauthPage {
        shell: Shell::new(state, visit, staff, title).here(title),
        next: waiting.to.clone(),
        method: if waiting.form.is_some() { "post" } else { "get" },
        kept: kept
            .filter(|(name, _)| !OWN.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        lost: waiting.lost,
        has_factor: staff.has_factor(),
        error,
    }
}

//! Signing in with email and password, and signing out. Every failure reads and takes the same.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{StatusCode, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use serde::Deserialize;
use usher_shared::{
    accounts::{impersonation, mfa, password_hash, sessions, users},
    audit::{self, Actor, Entry},
    foundation::{
        entity::{audit_log::ActorKind, user},
        rate_limit::{Decision, Guesser, Policy, bucket},
        rules::Email,
        time::now,
    },
    jobs::Tx,
};

use crate::{engine::{error::AdminError, request::{cookie::SESSION, posted::PostedOutside, staff::actor, visit::{Standing, Visit}}, shell::{frame::Shell, page}}, sign_in::{device, saved_form, session::{self, Signed}}, state::AppState};

const REFUSED: &str = "Email or password is wrong, or the account may not sign in here.";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    email: String,
    next: String,
    /// A form that was sent too late, sealed.
    kept: Option<String>,
    error: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    pub(crate) next: String,
}

/// `GET /admin/login?next=`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    if matches!(visit.standing, Standing::Staff(_)) {
        return Ok(Redirect::to(&own_address(&next)).into_response());
    }
    page::show(&login_page(&state, &visit, ["", &next], None, None))
}

/// The page that asks to sign in, in the place of the one that a form was sent to.
pub(crate) fn ask(state: &AppState, visit: &Visit, sealed: &str, words: &'static str) -> Result<Response, AdminError> {
    let page = login_page(state, visit, ["", ""], Some(sealed), Some(words));
    page::show_with(StatusCode::UNAUTHORIZED, &page)
}

/// `POST /admin/login`
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    visit: Visit,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let [email, password, next] = ["email", "password", "next"].map(|name| form.get(name).unwrap_or_default());
    let sealed = form.get(kept::FIELD);
    if !is_own {
        let words = "This page was open for too long. Sign in here.";
        let page = login_page(&state, &visit, [email, next], sealed, Some(words));
        return page::show_with(StatusCode::FORBIDDEN, &page);
    }
    let key = Email::key_of(&email.replace('\0', ""));
    let log_ins = state.config.rate_limits.quota(Policy::LogIn);
    allowed(state.limiter.check(&bucket::log_ins(visit.address), log_ins).await)?;

    let user = users::find_by_email_key(&state.db, &key).await?;
    let guesser = guesser(&state.db, &visit, &key, user.as_ref()).await?;
    let attempt = state.limiter.try_password(&state.config.rate_limits, guesser).await;
    let attempt = attempt.map_err(too_many)?;
    // Always verified, so that an unknown account takes as long as a known one.
    let matches = password_hash::verify(password, user.as_ref().and_then(|user| user.password_hash.as_deref())).await;
    let staff = user
        .as_ref()
        .filter(|user| matches && user.is_staff && user.may_sign_in(now()));
    let Some(staff) = staff else {
        refused(&state, &visit, user.as_ref(), "password").await?;
        return page::show_with(
            StatusCode::UNAUTHORIZED,
            &login_page(&state, &visit, [email, next], sealed, Some(REFUSED)),
        );
    };
    attempt.succeeded().await;
    let better = password_hash::rehash(password, staff.password_hash.as_deref().unwrap_or_default()).await;

    let tx = form.begin(&state).await?;
    // Held until the session is there: a new password that is set meanwhile must end it, too.
    let held = users::find_for_change(&tx, staff.id).await?;
    if !held.is_some_and(|held| held.password_hash == staff.password_hash && held.is_staff && held.may_sign_in(now())) {
        return Err(AdminError::StaleForm);
    }
    if let Some(hash) = better {
        users::keep_rehashed(&**tx, staff, hash).await?;
    }
    if let Some(signed) = visit.standing.signed() {
        leave(&tx, &visit, signed, "signed in again").await?;
    }
    let (id, token) = session::start(&**tx, staff.id, &visit).await?;
    let owes_factor = signed_in_unless_factor(&state, &tx, &visit, staff).await?;
    let visit = visit.signed_in(id, staff.id);
    let page = match (owes_factor, sealed) {
        (true, None) => Redirect::to(&format!("/admin/mfa?{}", query(next))).into_response(),
        (true, Some(_)) if mfa::has_factor(&**tx, staff.id).await? => {
            crate::sign_in::mfa::ask(&state, &visit, next, sealed, None)?
        }
        (true, Some(_)) => crate::sign_in::mfa::ask_to_enrol(&state, &**tx, &visit, (staff, id), next, sealed).await?,
        (false, _) => arrived(&state, &visit, staff.id, next, sealed),
    };
    let cookie = (SET_COOKIE, SESSION.set(token.as_str(), state.is_https()));
    let device = (!owes_factor).then(|| (SET_COOKIE, device::cookie(&state, staff)));
    let cookies = AppendHeaders([cookie].into_iter().chain(device));
    tx.finish((cookies, page).into_response()).await
}

/// Where somebody goes who has just signed in: to the form that was kept for them, or on.
pub(crate) fn arrived(state: &AppState, visit: &Visit, user_id: i64, next: &str, sealed: Option<&str>) -> Response {
    let kept = kept::give_back(state, visit, user_id, sealed);
    kept.unwrap_or_else(|| Redirect::to(&own_address(next)).into_response())
}

/// Ends a session of this browser, and what its person had open in somebody else's name.
async fn leave(tx: &Tx, visit: &Visit, signed: &Signed, reason: &str) -> Result<(), DbErr> {
    session::end(&**tx, signed.id, reason).await?;
    impersonation::end(&**tx, signed.user.id, &actor(&signed.user, visit))
        .await
        .map(drop)
}

/// `POST /admin/logout`. The second of two clicks comes in a session that has ended, and leads to the same page.
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    visit: Visit,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let cookie = SESSION.clear(state.is_https());
    let signed_out = ([(SET_COOKIE, cookie)], Redirect::to("/admin/login")).into_response();
    let Some(signed) = visit.standing.signed() else {
        return Ok(signed_out);
    };
    if !is_own {
        return Err(AdminError::StaleForm);
    }
    let tx = form.begin(&state).await?;
    leave(&tx, &visit, signed, "signed out").await?;
    record(&**tx, &actor(&signed.user, &visit), "logout", Some(&signed.user), None).await?;
    tx.finish(signed_out).await
}

/// Writes down a completed sign-in.
pub(crate) async fn signed_in(tx: &Tx, visit: &Visit, user: &user::Model) -> Result<(), DbErr> {
    user::Entity::update_many()
        .col_expr(user::Column::LastLoginAt, Expr::value(now()))
        .filter(user::Column::Id.eq(user.id))
        .exec(&**tx)
        .await?;
    record(&**tx, &actor(user, visit), "login", Some(user), None).await
}

/// Writes down a failed one. What was typed is not kept: people type passwords into the wrong field.
pub(crate) async fn refused(
    state: &AppState,
    visit: &Visit,
    user: Option<&user::Model>,
    step: &str,
) -> Result<(), DbErr> {
    state.metrics.log_in_failed();
    let anonymous = Actor {
        label: "Anonymous".to_owned(),
        kind: ActorKind::Anonymous,
        id: None,
        ..address_of(visit)
    };
    record(
        &state.db,
        &anonymous,
        "login_failed",
        user,
        Some(format!("wrong {step}")),
    )
    .await
}

/// Who tries to sign in: somebody in a browser or at an address that the account signed in with, or a stranger. As many
/// statements where there is no account.
pub(crate) async fn guesser<'a>(
    conn: &impl ConnectionTrait,
    visit: &Visit,
    email_key: &'a str,
    user: Option<&user::Model>,
) -> Result<Guesser<'a>, DbErr> {
    let user_id = user.map_or(users::NOBODY, |user| user.id);
    let is_neighbour = sessions::is_known_address(conn, user_id, visit.address).await?;
    Ok(if user.is_some_and(|user| visit.is_device_of(user)) {
        Guesser::Known { user_id }
    } else if is_neighbour {
        Guesser::Neighbour { user_id }
    } else {
        Guesser::Stranger { email_key }
    })
}

/// Lets a counted attempt through, or says how long to wait.
pub(crate) fn allowed(decision: Decision) -> Result<(), AdminError> {
    if decision.allowed {
        Ok(())
    } else {
        Err(too_many(decision))
    }
}

/// How long to wait.
pub(crate) fn too_many(decision: Decision) -> AdminError {
    let wait = decision.retry_after + Duration::from_millis(999);
    AdminError::TooMany(wait.as_secs().max(1))
}

/// The address when it leads to a page of the admin, else the dashboard: nobody is sent elsewhere.
pub(crate) fn own_address(next: &str) -> String {
    const HERE: &str = "http://admin.invalid";
    let here = url::Url::parse(HERE).ok();
    // Read as a browser reads it: `//host`, `\\host` and control characters lead away.
    let joined = here.as_ref().and_then(|here| here.join(next).ok());
    match (here, joined) {
        (Some(here), Some(url))
            if next.starts_with('/') && url.origin() == here.origin() && url.path().starts_with("/admin/") =>
        {
            url[url::Position::BeforePath..].to_owned()
        }
        _ => "/admin/".to_owned(),
    }
}

/// `next=…`, to be carried on.
pub(crate) fn query(next: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish()
}

fn login_page(
    state: &AppState,
    visit: &Visit,
    [email, next]: [&str; 2],
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> LoginPage {
    let shell = Shell::outside(state, visit, "Sign in");
    LoginPage {
        shell,
        email: email.to_owned(),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
    }
}

/// Whether a second factor is still owed; if not, the sign-in is complete and written down.
async fn signed_in_unless_factor(state: &AppState, tx: &Tx, visit: &Visit, user: &user::Model) -> Result<bool, DbErr> {
    let owed = crate::sign_in::mfa::is_owed(state, &**tx, user).await?;
    if !owed {
        signed_in(tx, visit, user).await?;
    }
    Ok(owed)
}

fn address_of(visit: &Visit) -> Actor {
    Actor {
        address: Some(visit.address.to_string()),
        request_id: Some(visit.request_id.clone()),
        ..Actor::system()
    }
}

async fn record(
    conn: &impl ConnectionTrait,
    actor: &Actor,
    action: &str,
    user: Option<&user::Model>,
    reason: Option<String>,
) -> Result<(), DbErr> {
    let entry = Entry {
        action,
        object_type: "user",
        object_id: user.map(|user| user.id.to_string()),
        object_label: user.map(|user| user.email.clone()),
        changes: None,
        reason,
    };
    audit::record(conn, actor, entry).await
}

#[cfg(test)]
mod tests {
    use super::own_address;

    #[test]
    fn next_leads_only_to_pages_of_the_admin() {
        assert_eq!(own_address("/admin/users?q=ada&o=-id"), "/admin/users?q=ada&o=-id");
        for foreign in [
            "",
            "admin/users",
            "https://evil.example/admin/",
            "//evil.example/admin/",
            "/\\evil.example/admin/",
            "/\t/evil.example/admin/",
            "\\\\evil.example",
            "javascript:alert(1)",
            "/admin.evil.example/",
            "/admin/../../docs",
            "/docs",
            "http://admin.invalid/admin/",
        ] {
            assert_eq!(own_address(foreign), "/admin/", "{foreign:?}");
        }
    }
}

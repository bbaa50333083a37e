//! Signing in with email and password, and signing out. Every failure reads and takes the same.

use std::time::Duration;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, sea_query::Expr};
use serde::Deserialize;
use usher_shared::{
    audit::{self, Actor, Entry},
    entity::{audit_log::ActorKind, user},
    impersonation,
    jobs::Tx,
    password,
    rate_limit::{Decision, Quota, RateLimiter, bucket},
    rules::Email,
    time::now,
    users,
};

use crate::{
    cookie::SESSION,
    error::AdminError,
    page,
    posted::Posted,
    session,
    shell::Shell,
    staff::actor,
    state::AppState,
    visit::{Standing, Visit},
};

/// Attempts from one address.
const PER_ADDRESS: Quota = Quota::per_minute(5);
/// Failed attempts on one account, from wherever.
const PER_ACCOUNT: Quota = Quota::per_hour(20);

const REFUSED: &str = "Email or password is wrong, or the account may not sign in here.";

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    shell: Shell,
    email: String,
    next: String,
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
    page::show(&login_page(&state, &visit, "", &next, None))
}

/// `POST /admin/login`
pub(crate) async fn sign_in(
    State(state): State<AppState>,
    visit: Visit,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let [email, password, next] = ["email", "password", "next"].map(|name| form.get(name).unwrap_or_default());
    let key = Email::key_of(&email.replace('\0', ""));
    allowed(
        state
            .limiter
            .check(&format!("admin-login:{}", bucket::network(visit.address)), PER_ADDRESS)
            .await,
    )?;
    let failures = bucket::admin_failures(&key);
    allowed(state.limiter.peek(&failures, PER_ACCOUNT).await)?;

    let user = users::find_by_email_key(&state.db, &key).await?;
    // Always verified, so that an unknown account takes as long as a known one.
    let matches = password::verify(password, user.as_ref().and_then(|user| user.password_hash.as_deref())).await;
    let staff = user
        .as_ref()
        .filter(|user| matches && user.is_staff && user.may_sign_in(now()));
    let Some(staff) = staff else {
        state.limiter.check(&failures, PER_ACCOUNT).await;
        refused(&state, &visit, user.as_ref(), "password").await?;
        return page::show_with(
            StatusCode::UNAUTHORIZED,
            &login_page(&state, &visit, email, next, Some(REFUSED)),
        );
    };

    let tx = state.ledger.begin().await?;
    let token = session::start(&*tx, staff.id, &visit).await?;
    let owes_factor = signed_in_unless_factor(&state, &tx, &visit, staff).await?;
    tx.commit().await?;
    let to = match owes_factor {
        true => format!("/admin/mfa?{}", query(next)),
        false => own_address(next),
    };
    Ok((
        [(SET_COOKIE, SESSION.set(token.as_str(), state.is_https()))],
        Redirect::to(&to),
    )
        .into_response())
}

/// `POST /admin/logout`
pub(crate) async fn sign_out(
    State(state): State<AppState>,
    visit: Visit,
    Posted(_): Posted,
) -> Result<Response, AdminError> {
    if let Standing::Staff(signed) | Standing::OwesCode(signed) | Standing::OwesFactor(signed) = &visit.standing {
        let tx = state.ledger.begin().await?;
        session::end(&*tx, signed.id, "signed out").await?;
        impersonation::end(&*tx, signed.user.id, &actor(&signed.user, &visit)).await?;
        record(&*tx, &actor(&signed.user, &visit), "logout", Some(&signed.user), None).await?;
        tx.commit().await?;
    }
    Ok((
        [(SET_COOKIE, SESSION.clear(state.is_https()))],
        Redirect::to("/admin/login"),
    )
        .into_response())
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

/// Lets an account be tried again that was tried too often, here or at the API.
pub(crate) async fn forget_failures(limiter: &RateLimiter, email_key: &str) {
    for bucket in [bucket::admin_failures(email_key), bucket::api_failures(email_key)] {
        limiter.forget(&bucket).await;
    }
}

/// Lets a counted attempt through, or says how long to wait.
pub(crate) fn allowed(decision: Decision) -> Result<(), AdminError> {
    if decision.allowed {
        return Ok(());
    }
    let wait = decision.retry_after + Duration::from_millis(999);
    Err(AdminError::TooMany(wait.as_secs().max(1)))
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

fn login_page(state: &AppState, visit: &Visit, email: &str, next: &str, error: Option<&'static str>) -> LoginPage {
    let shell = Shell::outside(state, visit, "Sign in");
    LoginPage {
        shell,
        email: email.to_owned(),
        next: next.to_owned(),
        error,
    }
}

/// Whether a second factor is still owed; if not, the sign-in is complete and written down.
async fn signed_in_unless_factor(state: &AppState, tx: &Tx, visit: &Visit, user: &user::Model) -> Result<bool, DbErr> {
    let owed = crate::mfa::is_owed(state, &**tx, user).await?;
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

//! The second factor: the code asked for after the password, and the page where an account gets its first.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{StatusCode, header::SET_COOKIE},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr,
};
use usher_shared::{
    SecretKey,
    audit::{self, Entry},
    config::StaffMfa,
    entity::{
        mfa_factor::{self, FactorKind},
        user,
    },
    rate_limit::Quota,
    time::now,
    totp,
};
use uuid::Uuid;

use crate::{
    cookie::SESSION,
    error::AdminError,
    login::{self, Next, own_address},
    page,
    posted::Posted,
    session::{self, Signed},
    shell::Shell,
    staff::actor,
    state::AppState,
    visit::{Standing, Visit},
};

/// Codes tried for one account.
const CODES: Quota = Quota::per_minute(5);

const PURPOSE: &str = "totp secret";

const WRONG_CODE: &str = "That code is wrong, has run out, or was used already. Wait for the next one.";

#[derive(Template)]
#[template(path = "mfa.html")]
struct CodePage {
    shell: Shell,
    next: String,
    error: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolPage {
    shell: Shell,
    next: String,
    error: Option<&'static str>,
    secret: String,
    /// The QR code as a `data:` address.
    picture: Option<String>,
}

/// Whether the password alone does not complete this person's sign-in.
pub(crate) async fn is_owed(state: &AppState, conn: &impl ConnectionTrait, user: &user::Model) -> Result<bool, DbErr> {
    let required = state.config.staff_mfa == StaffMfa::Required && user.is_superuser;
    Ok(required || factor(conn, user.id, true).await?.is_some())
}

/// `GET /admin/mfa`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    match &visit.standing {
        Standing::OwesCode(_) => page::show(&code_page(&state, &visit, &next, None)),
        Standing::OwesFactor(_) => {
            Ok(Redirect::to(&format!("/admin/mfa/enrol?{}", login::query(&next))).into_response())
        }
        Standing::Staff(_) => Ok(Redirect::to(&own_address(&next)).into_response()),
        Standing::Nobody => Ok(Redirect::to("/admin/login").into_response()),
    }
}

/// `POST /admin/mfa`
pub(crate) async fn answer(
    State(state): State<AppState>,
    visit: Visit,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let Standing::OwesCode(signed) = &visit.standing else {
        return Ok(Redirect::to("/admin/").into_response());
    };
    let next = form.get("next").unwrap_or_default();
    let factor = factor(&state.db, signed.user.id, true)
        .await?
        .ok_or(AdminError::NotFound)?;
    match accept(&state, &visit, signed, &factor, form.get("code").unwrap_or_default()).await? {
        Some(response) => Ok(response(next)),
        None => page::show_with(
            StatusCode::UNAUTHORIZED,
            &code_page(&state, &visit, next, Some(WRONG_CODE)),
        ),
    }
}

/// `GET /admin/mfa/enrol`: shows the secret of a factor that waits to be confirmed.
pub(crate) async fn enrolment(
    State(state): State<AppState>,
    visit: Visit,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visit) else {
        return Ok(Redirect::to("/admin/mfa").into_response());
    };
    let factor = waiting_factor(&state, &signed.user).await?;
    page::show(&enrol_page(&state, &visit, &signed.user, &factor, &next, None)?)
}

/// `POST /admin/mfa/enrol`: the first right code confirms the factor.
pub(crate) async fn enrol(
    State(state): State<AppState>,
    visit: Visit,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visit) else {
        return Ok(Redirect::to("/admin/mfa").into_response());
    };
    let next = form.get("next").unwrap_or_default();
    let factor = waiting_factor(&state, &signed.user).await?;
    match accept(&state, &visit, &signed, &factor, form.get("code").unwrap_or_default()).await? {
        Some(response) => Ok(response(next)),
        None => {
            let page = enrol_page(&state, &visit, &signed.user, &factor, next, Some(WRONG_CODE))?;
            page::show_with(StatusCode::UNAUTHORIZED, &page)
        }
    }
}

/// Who may enrol: those who must, and signed-in staff without a factor who want to.
fn enrolling(visit: &Visit) -> Option<Arc<Signed>> {
    match &visit.standing {
        Standing::OwesFactor(signed) => Some(Arc::clone(signed)),
        Standing::Staff(signed) if !signed.has_factor => Some(Arc::clone(signed)),
        _ => None,
    }
}

/// Checks a code; a right one confirms the factor where that is still to be done, and completes the sign-in.
async fn accept(
    state: &AppState,
    visit: &Visit,
    signed: &Signed,
    factor: &mfa_factor::Model,
    code: &str,
) -> Result<Option<impl FnOnce(&str) -> Response + use<>>, AdminError> {
    login::allowed(
        state
            .limiter
            .check(&format!("admin-code:{}", signed.user.id), CODES)
            .await,
    )?;
    let secret = open(&state.config.secret_key, factor)?;
    let tx = state.ledger.begin().await?;
    let step = totp::step_of(&secret, code, now().timestamp());
    let used = match step {
        Some(step) => use_step(&*tx, factor, step).await?,
        None => false,
    };
    if !used {
        tx.rollback().await?;
        login::refused(&state.db, visit, Some(&signed.user), "code").await?;
        return Ok(None);
    }
    if factor.confirmed_at.is_none() {
        let entry = Entry {
            action: "second_factor_added",
            object_type: "user",
            object_id: Some(signed.user.id.to_string()),
            object_label: Some(signed.user.email.clone()),
            ..Entry::default()
        };
        audit::record(&*tx, &actor(&signed.user, visit), entry).await?;
    }
    let token = session::complete(&*tx, signed.id).await?;
    if !matches!(visit.standing, Standing::Staff(_)) {
        login::signed_in(&tx, visit, &signed.user).await?;
    }
    tx.commit().await?;
    let cookie = SESSION.set(token.as_str(), state.is_https());
    Ok(Some(move |next: &str| {
        ([(SET_COOKIE, cookie)], Redirect::to(&own_address(next))).into_response()
    }))
}

/// Takes a step for good, and confirms the factor. False when it, or a later one, was taken before.
async fn use_step(conn: &impl ConnectionTrait, factor: &mfa_factor::Model, step: i64) -> Result<bool, DbErr> {
    let confirmed = mfa_factor::Column::ConfirmedAt.if_null(now());
    let taken = mfa_factor::Entity::update_many()
        .col_expr(mfa_factor::Column::LastStep, Expr::value(step))
        .col_expr(mfa_factor::Column::ConfirmedAt, confirmed)
        .filter(mfa_factor::Column::Id.eq(factor.id))
        .filter(mfa_factor::Column::LastStep.lt(step))
        .exec(conn)
        .await?;
    Ok(taken.rows_affected == 1)
}

async fn factor(
    conn: &impl ConnectionTrait,
    user_id: i64,
    confirmed: bool,
) -> Result<Option<mfa_factor::Model>, DbErr> {
    let at = mfa_factor::Column::ConfirmedAt;
    mfa_factor::Entity::find()
        .filter(mfa_factor::Column::UserId.eq(user_id))
        .filter(if confirmed { at.is_not_null() } else { at.is_null() })
        .order_by_asc(mfa_factor::Column::Id)
        .one(conn)
        .await
}

/// The factor that this person is about to confirm; the same one however often the page is loaded.
async fn waiting_factor(state: &AppState, user: &user::Model) -> Result<mfa_factor::Model, DbErr> {
    if let Some(factor) = factor(&state.db, user.id, false).await? {
        return Ok(factor);
    }
    let row = mfa_factor::ActiveModel {
        id: Set(Uuid::now_v7()),
        user_id: Set(user.id),
        kind: Set(FactorKind::Totp),
        label: Set("Authenticator app".to_owned()),
        secret_sealed: Set(state.config.secret_key.seal(PURPOSE, &totp::new_secret())),
        last_step: Set(0),
        created_at: Set(now()),
        ..Default::default()
    };
    mfa_factor::Entity::insert(row).exec_with_returning(&state.db).await
}

fn open(key: &SecretKey, factor: &mfa_factor::Model) -> Result<Vec<u8>, AdminError> {
    let opened = key.open(PURPOSE, &factor.secret_sealed);
    opened.ok_or_else(|| anyhow::anyhow!("a second factor was sealed with another SECRET_KEY").into())
}

fn code_page(state: &AppState, visit: &Visit, next: &str, error: Option<&'static str>) -> CodePage {
    CodePage {
        shell: Shell::outside(state, visit, "Second factor"),
        next: next.to_owned(),
        error,
    }
}

fn enrol_page(
    state: &AppState,
    visit: &Visit,
    user: &user::Model,
    factor: &mfa_factor::Model,
    next: &str,
    error: Option<&'static str>,
) -> Result<EnrolPage, AdminError> {
    let secret = open(&state.config.secret_key, factor)?;
    let picture = totp::qr_code(&totp::address(&secret, &user.email));
    Ok(EnrolPage {
        shell: Shell::outside(state, visit, "Set up a second factor"),
        next: next.to_owned(),
        error,
        secret: totp::readable(&secret),
        picture: picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))),
    })
}

//! The second factor: the code asked for after the password, and the page where an account gets its first.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use sea_orm::{ConnectionTrait, DbErr};
use usher_shared::{
    accounts::mfa::{self, totp},
    audit::{self, Actor, Entry},
    foundation::{
        config::StaffMfa,
        entity::{mfa_factor, user},
        rate_limit::{Guesser, Quota},
        time::now,
    },
    jobs::{MfaChange, MfaChanged, Options, Tx, enqueue_with},
};
use uuid::Uuid;

use crate::{engine::{error::AdminError, request::{cookie::SESSION, form_token::FormTx, posted::{Fields, Posted, PostedOutside}, staff::actor, visit::{Standing, Visit}}, shell::{frame::Shell, page}}, sign_in::{device, login::{self, Next, own_address}, saved_form, session::{self, Signed}}, state::AppState};

/// Codes tried for one account, right ones too. How many may be wrong is one rule with the API.
const CODES: Quota = Quota::per_minute(5);

const WRONG_CODE: &str = "That code is wrong, has run out, or was used already. Wait for the next one.";
const SIGNED_OUT: &str = "You were signed out. Sign in, and you get your form back.";
const TOO_LATE: &str =
    "This took longer than 15 minutes, so there is a new secret. Scan it, then enter the code it shows.";

#[derive(Template)]
#[template(path = "mfa.html")]
struct CodePage {
    shell: Shell,
    next: String,
    /// A form that was sent too late, sealed.
    kept: Option<String>,
    error: Option<&'static str>,
}

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

/// New codes on paper, shown once.
#[derive(Template)]
#[template(path = "codes.html")]
pub(crate) struct CodesPage {
    shell: Shell,
    next: String,
    kept: Option<String>,
    codes: Vec<String>,
}

pub(crate) fn codes_page(
    state: &AppState,
    visit: &Visit,
    next: &str,
    sealed: Option<&str>,
    codes: Vec<String>,
) -> CodesPage {
    CodesPage {
        shell: Shell::outside(state, visit, "Recovery codes"),
        next: own_address(next),
        kept: sealed.map(str::to_owned),
        codes,
    }
}

/// Whether the password alone does not complete this person's sign-in.
pub(crate) async fn is_owed(state: &AppState, conn: &impl ConnectionTrait, user: &user::Model) -> Result<bool, DbErr> {
    let required = state.config.staff_mfa == StaffMfa::Required && user.is_superuser;
    Ok(required || mfa::has_factor(conn, user.id).await?)
}

/// `GET /admin/mfa`
pub(crate) async fn form(
    State(state): State<AppState>,
    visit: Visit,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    match &visit.standing {
        Standing::OwesCode(_) => page::show(&code_page(&state, &visit, &next, None, None)),
        Standing::OwesFactor(_) => {
            Ok(Redirect::to(&format!("/admin/mfa/enrol?{}", login::query(&next))).into_response())
        }
        Standing::Staff(_) => Ok(Redirect::to(&own_address(&next)).into_response()),
        Standing::Nobody => Ok(Redirect::to(&format!("/admin/login?{}", login::query(&next))).into_response()),
    }
}

/// The page that asks for the code, in the place of another.
pub(crate) fn ask(
    state: &AppState,
    visit: &Visit,
    next: &str,
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> Result<Response, AdminError> {
    page::show_with(StatusCode::UNAUTHORIZED, &code_page(state, visit, next, sealed, error))
}

/// The page where an account gets its first factor, in the place of another.
pub(crate) async fn ask_to_enrol(
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

/// `POST /admin/mfa`
pub(crate) async fn answer(
    State(state): State<AppState>,
    visit: Visit,
    PostedOutside { fields: form, is_own }: PostedOutside,
) -> Result<Response, AdminError> {
    let (next, sealed) = (form.get("next").unwrap_or_default(), form.get(kept::FIELD));
    let signed = match &visit.standing {
        Standing::OwesCode(signed) => signed,
        // Another tab was faster.
        Standing::Staff(signed) => return Ok(login::arrived(&state, &visit, signed.user.id, next, sealed)),
        Standing::OwesFactor(_) => {
            return Ok(Redirect::to(&format!("/admin/mfa/enrol?{}", login::query(next))).into_response());
        }
        Standing::Nobody => match sealed {
            Some(sealed) => return login::ask(&state, &visit, sealed, SIGNED_OUT),
            None => return Ok(Redirect::to(&format!("/admin/login?{}", login::query(next))).into_response()),
        },
    };
    if !is_own {
        return ask(
            &state,
            &visit,
            next,
            sealed,
            Some("This page was open for too long. Enter the code here."),
        );
    }
    match accept(&state, &visit, signed, Proof::SignsIn, &form).await? {
        Some(Accepted { cookies, tx, .. }) => {
            let page = login::arrived(&state, &visit, signed.user.id, next, sealed);
            tx.finish((cookies, page).into_response()).await
        }
        None => ask(&state, &visit, next, sealed, Some(WRONG_CODE)),
    }
}

/// `GET /admin/mfa/enrol`: shows the secret of a factor that waits to be confirmed.
pub(crate) async fn enrolment(
    State(state): State<AppState>,
    visit: Visit,
    Query(Next { next }): Query<Next>,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visit) else {
        return Ok(Redirect::to(&not_enrolling(&visit, &next)).into_response());
    };
    if let Some(staff) = visit.staff() {
        staff.require_fresh(&visit, None)?;
    }
    let factor = waiting_factor(&state, &state.db, &signed.user, signed.id).await?;
    page::show(&enrol_page(&state, &state.db, &visit, &signed.user, &factor, (&next, None), None).await?)
}

/// `POST /admin/mfa/enrol`: the first right code confirms the factor.
pub(crate) async fn enrol(
    State(state): State<AppState>,
    visit: Visit,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let Some(signed) = enrolling(&visit) else {
        let next = form.get("next").unwrap_or_default();
        return Ok(Redirect::to(&not_enrolling(&visit, next)).into_response());
    };
    if let Some(staff) = visit.staff() {
        staff.require_fresh(&visit, Some(&form))?;
    }
    let (next, sealed) = (form.get("next").unwrap_or_default(), form.get(kept::FIELD));
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
    match accept(&state, &visit, &signed, Proof::Confirms(&factor), &form).await? {
        Some(Accepted { cookies, codes, tx }) => {
            let page = if codes.is_empty() {
                login::arrived(&state, &visit, signed.user.id, next, sealed)
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
fn enrolling(visit: &Visit) -> Option<Arc<Signed>> {
    match &visit.standing {
        Standing::OwesFactor(signed) => {
            let shown = signed.reauthenticated_at;
            let lately = shown.is_some_and(|at| now() - at < mfa::ENROLMENT_LIFETIME);
            lately.then(|| Arc::clone(signed))
        }
        Standing::Staff(signed) => Some(Arc::clone(signed)),
        _ => None,
    }
}

/// Where everybody else goes: to the code, or to the password once more.
fn not_enrolling(visit: &Visit, next: &str) -> String {
    let page = match &visit.standing {
        Standing::OwesFactor(_) => "login",
        _ => "mfa",
    };
    format!("/admin/{page}?{}", login::query(next))
}

/// What a typed code is good for.
enum Proof<'a> {
    /// A code of a confirmed factor, or one of the codes on paper.
    SignsIn,
    /// The first code of this factor.
    Confirms(&'a mfa_factor::Model),
}

/// What a right code leads to.
struct Accepted {
    cookies: AppendHeaders<[(HeaderName, HeaderValue); 2]>,
    /// New codes on paper, to be shown once.
    codes: Vec<String>,
    /// All of it, still to be committed.
    tx: FormTx,
}

/// Checks a code; a right one confirms the factor where that is still to be done, and completes the sign-in.
async fn accept(
    state: &AppState,
    visit: &Visit,
    signed: &Signed,
    proof: Proof<'_>,
    form: &Fields,
) -> Result<Option<Accepted>, AdminError> {
    let (key, user) = (&state.config.secret_key, &signed.user);
    let bucket = format!("admin-code:{}", user.id);
    login::allowed(state.limiter.check(&bucket, CODES).await)?;
    // Whoever is signed in is known; who has only shown the password is a stranger, or comes from where the account was.
    let guesser = match &visit.standing {
        Standing::Staff(_) => Guesser::Known { user_id: user.id },
        _ => login::guesser(&state.db, visit, &user.email_key, Some(user)).await?,
    };
    let attempt = state
        .limiter
        .try_code(&state.config.rate_limits, guesser, user.id)
        .await;
    let attempt = attempt.map_err(login::too_many)?;
    let (tx, code) = (form.begin(state).await?, form.get("code").unwrap_or_default());
    let (right, change) = match proof {
        Proof::Confirms(factor) => (
            mfa::confirm(&**tx, key, factor, code)
                .await
                .map_err(anyhow::Error::from)?,
            Some(MfaChange::Added),
        ),
        Proof::SignsIn
            if mfa::verify(&**tx, key, user.id, code)
                .await
                .map_err(anyhow::Error::from)? =>
        {
            (true, None)
        }
        Proof::SignsIn => (
            mfa::use_recovery_code(&**tx, key, user.id, code).await?,
            Some(MfaChange::RecoveryCodeUsed),
        ),
    };
    if !right {
        tx.rollback().await?;
        login::refused(state, visit, Some(user), "code").await?;
        return Ok(None);
    }
    attempt.succeeded().await;
    let actor = actor(user, visit);
    if let Some(change) = change {
        note(&tx, &actor, user, change).await?;
    }
    let mut codes = vec![];
    if matches!(proof, Proof::Confirms(_)) && mfa::count_recovery_codes(&**tx, user.id).await? == 0 {
        codes = mfa::make_recovery_codes(&**tx, key, user.id).await?;
    }
    let token = session::complete(&**tx, signed.id).await?;
    if !matches!(visit.standing, Standing::Staff(_)) {
        login::signed_in(&tx, visit, user).await?;
    }
    Ok(Some(Accepted {
        cookies: AppendHeaders([
            (SET_COOKIE, SESSION.set(token.as_str(), state.is_https())),
            (SET_COOKIE, device::cookie(state, user)),
        ]),
        codes,
        tx,
    }))
}

/// Writes down a change of somebody's second factor, and tells the owner by mail.
pub(crate) async fn note(tx: &Tx, actor: &Actor, user: &user::Model, change: MfaChange) -> Result<(), AdminError> {
    let action = match change {
        MfaChange::Added => "second_factor_added",
        MfaChange::Removed => "second_factor_removed",
        MfaChange::RecoveryCodesMade => "recovery_codes_made",
        MfaChange::RecoveryCodeUsed => "recovery_code_used",
    };
    let entry = Entry {
        action,
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        ..Entry::default()
    };
    audit::record(&**tx, actor, entry).await?;
    let told = MfaChanged {
        user_id: user.id,
        change,
    };
    enqueue_with(tx, told, Options::default().actor(actor.word()))
        .await
        .map_err(anyhow::Error::from)?;
    Ok(())
}

/// `POST /admin/mfa/saved`: on from the page of the codes on paper.
pub(crate) async fn saved(State(state): State<AppState>, visit: Visit, Posted(form): Posted) -> Response {
    let next = form.get("next").unwrap_or_default();
    match visit.staff() {
        Some(staff) => login::arrived(&state, &visit, staff.id(), next, form.get(kept::FIELD)),
        None => Redirect::to(&own_address(next)).into_response(),
    }
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

fn code_page(
    state: &AppState,
    visit: &Visit,
    next: &str,
    sealed: Option<&str>,
    error: Option<&'static str>,
) -> CodePage {
    CodePage {
        shell: Shell::outside(state, visit, "Second factor"),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
    }
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
        shell: Shell::outside(state, visit, "Set up a second factor"),
        next: next.to_owned(),
        kept: sealed.map(str::to_owned),
        error,
        label: factor.label.clone(),
        secret: totp::readable(&secret),
        picture: picture.map(|svg| format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg))),
    })
}

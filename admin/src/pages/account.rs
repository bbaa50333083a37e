//! The person's own account: password, second factors, recovery codes and sessions.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use usher_shared::{
    accounts::{
        mfa, password_hash,
        sessions::{self, Which},
        users,
    },
    audit::{self, Entry, ObjectType},
    foundation::{
        config::StaffMfa,
        entity::session::{self, SessionKind},
        rules::Password,
    },
    jobs::MfaChange,
};
use uuid::Uuid;

use crate::sign_in::attempts;
use crate::sign_in::factor_check::{codes_page, note};
use crate::sign_in::visitor::SignedIn;
use crate::state::AppState;
use crate::texts;
use usher_admin_engine::{AdminError, Cell, Posted, Shell, Staff, Visit, page, short_time};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    shell: Shell,
    name: String,
    email: String,
    factors: Vec<Factor>,
    codes_left: u64,
    sessions: Vec<Device>,
    /// Whether the person must confirm their identity before changing the password.
    confirm_first: bool,
    /// Errors of the current and the new password.
    wrong: [Option<String>; 2],
}

struct Factor {
    id: Uuid,
    label: String,
    since: String,
}

struct Device {
    id: Uuid,
    name: String,
    kind: &'static str,
    address: String,
    seen: Cell,
    here: bool,
}

/// `GET /admin/account`
pub(crate) async fn show(State(state): State<AppState>, visit: Visit, staff: Staff) -> Result<Response, AdminError> {
    page::show(&draw(&state, &visit, &staff, [None, None]).await?)
}

async fn draw(
    state: &AppState,
    visit: &Visit,
    staff: &Staff,
    wrong: [Option<String>; 2],
) -> Result<AccountPage, AdminError> {
    let (db, id) = (&state.db, staff.id());
    let factors = mfa::factors(db, id).await?;
    let device = |session: session::Model| Device {
        id: session.id,
        name: session
            .user_agent
            .unwrap_or_else(|| texts::account::UNKNOWN_DEVICE.to_owned()),
        kind: if session.kind == SessionKind::Admin {
            "Admin"
        } else {
            "API"
        },
        address: session.address.unwrap_or_default(),
        seen: Cell::time(session.last_seen_at),
        here: session.id == staff.session_id(),
    };
    Ok(AccountPage {
        shell: Shell::new(state, visit, staff, texts::account::TITLE).here(texts::account::TITLE),
        name: staff.name().to_owned(),
        email: staff.email().to_owned(),
        factors: factors
            .into_iter()
            .map(|factor| Factor {
                id: factor.id,
                label: factor.label,
                since: short_time(factor.created_at),
            })
            .collect(),
        codes_left: mfa::count_recovery_codes(db, id).await?,
        sessions: sessions::list(db, id).await?.into_iter().map(device).collect(),
        confirm_first: staff.has_factor() && !staff.is_fresh(),
        wrong,
    })
}

/// `POST /admin/account/password`: requires the current one and ends every other session.
pub(crate) async fn set_password(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    SignedIn(signed): SignedIn,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    if staff.has_factor() {
        staff.require_fresh_on("/admin/account")?;
    }
    let get = |name| form.get(name).unwrap_or_default();
    let (present, new) = (get("present"), get("new"));
    let user = &signed.user;
    let wrong = if !attempts::is_own_password(&state, user, present).await? {
        Err([Some(texts::account::WRONG_PASSWORD.to_owned()), None])
    } else if new != get("again") {
        Err([None, Some(texts::account::PASSWORDS_DIFFER.to_owned())])
    } else {
        Password::parse(new, &state.config.known_words(&[&user.name, &user.email]))
            .map_err(|reasons| [None, reasons.into_iter().next().map(|reason| reason.message)])
    };
    let password = match wrong {
        Ok(password) => password,
        Err(wrong) => {
            let page = draw(&state, &visit, &staff, wrong).await?;
            return page::show_with(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
    };
    let hash = password_hash::hash(&password).await.map_err(anyhow::Error::from)?;
    let tx = form.begin(&state).await?;
    let actor = staff.actor(&visit);
    let held = users::find_for_change(&tx, user.id).await?;
    // Someone who only knows the old password must not overwrite one that was set at the same time.
    let held = held.filter(|held| held.password_hash == user.password_hash);
    let held = held.ok_or(AdminError::StaleForm)?;
    users::replace_password(&tx, &held, hash, Some(staff.session_id()), &actor)
        .await
        .map_err(anyhow::Error::from)?;
    let words = texts::account::PASSWORD_CHANGED;
    tx.finish(visit.say(words, "/admin/account")).await
}

/// `POST /admin/account/factors/{id}/remove`
pub(crate) async fn remove_factor(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    SignedIn(signed): SignedIn,
    Path(id): Path<String>,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    staff.require_fresh(&visit, Some(&form))?;
    let id: Uuid = id.parse().map_err(|_| AdminError::NotFound)?;
    let tx = form.begin(&state).await?;
    mfa::remove(&**tx, staff.id(), id).await?.ok_or(AdminError::NotFound)?;
    let required = state.config.staff_mfa == StaffMfa::Required && staff.is_superuser();
    if required && !mfa::has_factor(&**tx, staff.id()).await? {
        let words = texts::account::LAST_FACTOR;
        return Ok(visit.say_warning(words, "/admin/account"));
    }
    note(&tx, &staff.actor(&visit), &signed.user, MfaChange::Removed).await?;
    tx.finish(visit.say(texts::account::FACTOR_REMOVED, "/admin/account"))
        .await
}

/// `POST /admin/account/recovery-codes`: replaces all earlier ones; shown once.
pub(crate) async fn make_codes(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    SignedIn(signed): SignedIn,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    staff.require_fresh(&visit, Some(&form))?;
    if !staff.has_factor() {
        return Err(AdminError::BadRequest(texts::account::NO_FACTOR.to_owned()));
    }
    let tx = form.begin(&state).await?;
    let codes = mfa::make_recovery_codes(&**tx, &state.config.secret_key, staff.id()).await?;
    note(&tx, &staff.actor(&visit), &signed.user, MfaChange::RecoveryCodesMade).await?;
    tx.finish(page::show(&codes_page(&state, &visit, "/admin/account", None, codes))?)
        .await
}

/// `POST /admin/account/sessions/revoke`: one by its `id`, or all others.
pub(crate) async fn revoke(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Posted(form): Posted,
) -> Result<Response, AdminError> {
    let which = match form.get("id") {
        Some(id) => Which::One(id.parse().map_err(|_| AdminError::NotFound)?),
        None => Which::Others(staff.session_id()),
    };
    let tx = form.begin(&state).await?;
    let ended = sessions::end(&**tx, staff.id(), which, "revoked by its owner").await?;
    let entry = Entry::about(ObjectType::User, staff.id(), staff.email(), "revoke_sessions");
    audit::record(&**tx, &staff.actor(&visit), entry).await?;
    let words = match ended {
        0 => texts::account::NO_SESSIONS.to_owned(),
        1 => "1 session signed out".to_owned(),
        more => format!("{more} sessions signed out"),
    };
    tx.finish(visit.say(words, "/admin/account")).await
}

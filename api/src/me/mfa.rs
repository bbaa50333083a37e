//! `/me/mfa`: authenticator apps and recovery codes of one's own account.

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::{
        mfa::{self, totp},
        sessions, users,
    },
    audit,
    foundation::{entity::mfa_factor, rate_limit::Guesser, rules::Name},
    jobs::{MfaChange, MfaChanged, enqueue},
};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    auth::about,
    state::AppState,
    toolkit::{
        body::{Body, OptionalBody},
        caller::{CurrentUser, FreshUser},
        code::Code,
        error::ApiError,
        limits, moment,
        openapi::{BODY_ERRORS, Errors, USER_ERRORS, error_list},
        path_id::uuid_of,
        request::Context,
        secret::Secret,
    },
};

/// The most second factors of one account.
const MAX_FACTORS: usize = 5;

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(show))
        .routes(routes!(enrol))
        .routes(routes!(verify))
        .routes(routes!(remove))
        .routes(routes!(make_codes))
}

/// The second factors of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = Mfa)]
struct MfaOut {
    /// Whether a code is asked for when the account logs in.
    #[schema(example = true)]
    enabled: bool,
    /// One that waits for its first code is shown to the session that added it alone.
    factors: Vec<FactorOut>,
    #[schema(example = 10, minimum = 0, maximum = 10)]
    recovery_codes_left: u64,
}

/// One authenticator app.
#[derive(Serialize, ToSchema)]
#[schema(as = MfaFactor)]
struct FactorOut {
    #[schema(example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")]
    id: Uuid,
    #[schema(example = "Phone")]
    label: String,
    /// Until its first code was sent it protects nothing.
    #[schema(example = true)]
    confirmed: bool,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
}

impl From<mfa_factor::Model> for FactorOut {
    fn from(factor: mfa_factor::Model) -> Self {
        Self {
            id: factor.id,
            label: factor.label,
            confirmed: factor.confirmed_at.is_some(),
            created_at: factor.created_at,
        }
    }
}

/// Your second factors
#[utoipa::path(
    get, path = "/me/mfa", operation_id = "getMyMfa", tag = "Me",
    responses(
        (status = 200, description = "Authenticator apps, and how many recovery codes are left", body = MfaOut),
        Errors<Show>,
    ),
    security(("accessToken" = [])),
)]
async fn show(State(state): State<AppState>, current: CurrentUser) -> Result<Json<MfaOut>, ApiError> {
    let user_id = current.0.user.id;
    let factors = mfa::factors(&state.db, user_id).await?;
    let waiting = mfa::waiting(&state.db, user_id, current.0.session.id).await?;
    Ok(Json(MfaOut {
        enabled: !factors.is_empty(),
        factors: factors.into_iter().chain(waiting).map(FactorOut::from).collect(),
        recovery_codes_left: mfa::count_recovery_codes(&state.db, user_id).await?,
    }))
}

error_list!(Show, [USER_ERRORS], []);

/// What to call it.
#[derive(FromFields)]
#[schema(as = NewTotp)]
struct EnrolIn {
    /// By which you tell your devices apart; a second one of the same label gets a number.
    #[schema(example = "Phone")]
    label: Option<Name>,
}

/// A secret for an authenticator app, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(as = TotpSecret)]
struct SecretOut {
    /// Confirms it at `POST /me/mfa/totp/{id}/verify`.
    #[schema(example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")]
    id: Uuid,
    /// To type into the app.
    #[schema(example = "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ")]
    secret: String,
    /// What the QR code says.
    #[schema(example = "otpauth://totp/Usher:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Usher")]
    otpauth_url: String,
    /// The QR code as an SVG document; null when address and label are too long for one.
    #[schema(example = "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")]
    qr_svg: Option<String>,
}

/// Add an authenticator app
///
/// Returns the secret and a QR code, this once. The app counts after its first code was sent to `POST
/// /me/mfa/totp/{id}/verify` within 15 minutes in the same session; an earlier unconfirmed app is dropped. It is also
/// dropped when the session ends or the password changes. Needs a password confirmed within the last five minutes, and
/// a code if the account already has a second factor: `POST /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/me/mfa/totp", operation_id = "addTotp", tag = "Me",
    request_body(content = Option<EnrolIn>, content_type = "application/json"),
    responses((status = 201, description = "The secret", body = SecretOut), Errors<Enrol>),
    security(("accessToken" = [])),
)]
async fn enrol(
    State(state): State<AppState>,
    FreshUser(current): FreshUser,
    OptionalBody(body): OptionalBody<EnrolIn>,
) -> Result<(StatusCode, Secret<SecretOut>), ApiError> {
    let (user, session, key) = (&current.0.user, &current.0.session, &state.config.secret_key);
    let tx = state.job_store.begin().await?;
    users::find_for_change(&tx, user.id).await?;
    if mfa::factors(&*tx, user.id).await?.len() >= MAX_FACTORS {
        return Err(Code::TOO_MANY_FACTORS.into());
    }
    let label = body.label.as_ref().map_or(mfa::DEFAULT_LABEL, Name::as_str);
    let factor = mfa::enrol(&*tx, key, user.id, session.id, label).await?;
    let otpauth_url = mfa::otpauth_address(&*tx, key, &state.config.product_name, &user.email, &factor).await?;
    tx.commit().await?;
    let secret = mfa::secret(key, &factor)?;
    let shown = SecretOut {
        id: factor.id,
        secret: totp::readable(&secret),
        qr_svg: totp::qr_code(&otpauth_url),
        otpauth_url,
    };
    Ok((StatusCode::CREATED, Secret(shown)))
}

error_list!(
    Enrol,
    [BODY_ERRORS, USER_ERRORS],
    [REAUTHENTICATION_REQUIRED, TOO_MANY_FACTORS]
);

/// A code of the app.
#[derive(FromFields)]
#[schema(as = TotpCode)]
struct CodeIn {
    /// Six digits.
    #[schema(example = "123456")]
    code: String,
}

/// Confirm an authenticator app
///
/// Send its first code in the session that added it. From then on sign-ins ask for a code. Create recovery codes next.
/// Needs a password confirmed within the last five minutes: `POST /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/me/mfa/totp/{id}/verify", operation_id = "confirmTotp", tag = "Me",
    params(("id" = Uuid, Path, description = "The factor's id", example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")),
    request_body(content = CodeIn, content_type = "application/json"),
    responses((status = 200, description = "The app counts from now on", body = FactorOut), Errors<Verify>),
    security(("accessToken" = [])),
)]
async fn verify(
    State(state): State<AppState>,
    Context(context): Context,
    FreshUser(current): FreshUser,
    id: Result<Path<String>, PathRejection>,
    Body(body): Body<CodeIn>,
) -> Result<Json<FactorOut>, ApiError> {
    let (user, session) = (&current.0.user, &current.0.session);
    let id = uuid_of(id).ok_or(Code::MFA_FACTOR_NOT_FOUND)?;
    let tx = state.job_store.begin().await?;
    users::find_for_change(&tx, user.id).await?;
    let waiting = mfa::waiting(&*tx, user.id, session.id).await?;
    let waiting = waiting
        .filter(|factor| factor.id == id)
        .ok_or(Code::MFA_FACTOR_NOT_FOUND)?;
    let attempt = limits::try_code(&state, Guesser::Known { user_id: user.id }, user.id).await?;
    if !mfa::confirm(&*tx, &state.config.secret_key, &waiting, &body.code).await? {
        return Err(Code::MFA_CODE_INVALID.into());
    }
    attempt.succeeded().await;
    sessions::note_factor(&*tx, session.id).await?;
    audit::record(&*tx, &current.actor(&context), about(user, "second_factor_added")).await?;
    let (user_id, change) = (user.id, MfaChange::Added);
    enqueue(&tx, MfaChanged { user_id, change }).await?;
    tx.commit().await?;
    let confirmed = FactorOut::from(waiting);
    Ok(Json(FactorOut {
        confirmed: true,
        ..confirmed
    }))
}

error_list!(
    Verify,
    [BODY_ERRORS, USER_ERRORS],
    [REAUTHENTICATION_REQUIRED, MFA_FACTOR_NOT_FOUND, MFA_CODE_INVALID]
);

/// Remove an authenticator app
///
/// Removing the last one also removes the recovery codes, and the password alone logs in. Needs a password confirmed
/// within the last five minutes: `POST /auth/reauthenticate`.
#[utoipa::path(
    delete, path = "/me/mfa/{id}", operation_id = "removeFactor", tag = "Me",
    params(("id" = Uuid, Path, description = "The factor's id", example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")),
    responses((status = 204, description = "The app is removed"), Errors<Remove>),
    security(("accessToken" = [])),
)]
async fn remove(
    State(state): State<AppState>,
    Context(context): Context,
    FreshUser(current): FreshUser,
    id: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let (user, session) = (&current.0.user, &current.0.session);
    let id = uuid_of(id).ok_or(Code::MFA_FACTOR_NOT_FOUND)?;
    let tx = state.job_store.begin().await?;
    users::find_for_change(&tx, user.id).await?;
    if !mfa::cancel_enrolment(&*tx, user.id, session.id, id).await? {
        let gone = mfa::remove(&*tx, user.id, id).await?;
        gone.ok_or(Code::MFA_FACTOR_NOT_FOUND)?;
        audit::record(&*tx, &current.actor(&context), about(user, "second_factor_removed")).await?;
        let (user_id, change) = (user.id, MfaChange::Removed);
        enqueue(&tx, MfaChanged { user_id, change }).await?;
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(Remove, [USER_ERRORS], [REAUTHENTICATION_REQUIRED, MFA_FACTOR_NOT_FOUND]);

/// Ten recovery codes, shown only once.
#[derive(Serialize, ToSchema)]
#[schema(as = RecoveryCodes)]
struct RecoveryCodesOut {
    /// Each logs in once in the place of an authenticator app.
    #[schema(
        example = json!([
            "k3m9-x0qa-7v2d", "9b5s-eh64-42ek", "ybut-39jk-dat7", "v5a8-zy2v-puau", "a87b-bpws-zwwx",
            "d4wn-cqej-979h", "a4zy-vwzk-vb2y", "bmrx-bwtj-8ffn", "bfg7-9bav-u343", "gpaj-kphr-c6q8",
        ]),
        min_items = 10,
        max_items = 10
    )]
    codes: Vec<String>,
}

/// Create recovery codes
///
/// Ten new codes, shown only once; older ones stop working. Needs a second factor, and a password confirmed within the
/// last five minutes: `POST /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/me/mfa/recovery-codes", operation_id = "makeRecoveryCodes", tag = "Me",
    responses((status = 201, description = "The codes", body = RecoveryCodesOut), Errors<MakeCodes>),
    security(("accessToken" = [])),
)]
async fn make_codes(
    State(state): State<AppState>,
    Context(context): Context,
    FreshUser(current): FreshUser,
) -> Result<(StatusCode, Secret<RecoveryCodesOut>), ApiError> {
    let user = &current.0.user;
    let tx = state.job_store.begin().await?;
    users::find_for_change(&tx, user.id).await?;
    if !mfa::has_factor(&*tx, user.id).await? {
        return Err(Code::MFA_NOT_ENABLED.into());
    }
    let codes = mfa::make_recovery_codes(&*tx, &state.config.secret_key, user.id).await?;
    audit::record(&*tx, &current.actor(&context), about(user, "recovery_codes_made")).await?;
    let (user_id, change) = (user.id, MfaChange::RecoveryCodesMade);
    enqueue(&tx, MfaChanged { user_id, change }).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Secret(RecoveryCodesOut { codes })))
}

error_list!(MakeCodes, [USER_ERRORS], [REAUTHENTICATION_REQUIRED, MFA_NOT_ENABLED]);

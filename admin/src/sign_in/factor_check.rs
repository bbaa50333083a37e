//! Checking the code of a second factor, and recording changes of factors.

use askama::Template;
use axum::{
    http::{HeaderName, HeaderValue, header::SET_COOKIE},
    response::AppendHeaders,
};
use usher_admin_engine::{AdminError, Fields, FormTx, Shell, Visit, allowed};
use usher_shared::{
    accounts::mfa,
    audit::Actor,
    foundation::{
        entity::{mfa_factor, user},
        rate_limit::{Guesser, Quota},
    },
    jobs::{EnqueueOptions, MfaChange, MfaChanged, Tx, enqueue_with},
};

use super::session::{self, Signed};
use super::visitor::{SignIn, Visitor};
use super::{attempts, device};
use super::{cookies::SESSION, next::own_address};
use crate::state::AppState;

/// Attempts per account, including correct codes. The limit on wrong codes is shared with the API.
const CODES: Quota = Quota::per_minute(5);

/// New recovery codes, shown once.
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

/// What a code proves.
pub(super) enum Proof<'a> {
    /// A code of a confirmed factor, or a recovery code.
    SignsIn,
    /// The first code of this factor.
    Confirms(&'a mfa_factor::Model),
}

/// The outcome of a correct code.
pub(super) struct Accepted {
    pub(super) cookies: AppendHeaders<[(HeaderName, HeaderValue); 2]>,
    /// New recovery codes, to be shown once.
    pub(super) codes: Vec<String>,
    /// The transaction, not committed yet.
    pub(super) tx: FormTx,
}

/// Checks a code. A correct one confirms a new factor and completes the sign-in.
pub(super) async fn accept(
    state: &AppState,
    (visit, visitor): (&Visit, &Visitor),
    signed: &Signed,
    proof: Proof<'_>,
    form: &Fields,
) -> Result<Option<Accepted>, AdminError> {
    let (key, user) = (&state.config.secret_key, &signed.user);
    let bucket = format!("admin-code:{}", user.id);
    allowed(state.limiter.check(&bucket, CODES).await)?;
    // Whoever is signed in is known; who has only shown the password is a stranger, or comes from where the account
    // was.
    let guesser = match &visitor.sign_in {
        SignIn::Complete(_) => Guesser::Known { user_id: user.id },
        _ => attempts::guesser(&state.db, key, (visit, visitor), &user.email_key, Some(user)).await?,
    };
    let attempt = state
        .limiter
        .try_code(&state.config.rate_limits, guesser, user.id)
        .await;
    let attempt = attempt.map_err(AdminError::too_many)?;
    let (tx, code) = (form.begin(state).await?, form.get("code").unwrap_or_default());
    let (right, change) = match proof {
        Proof::Confirms(factor) => {
            let right = mfa::confirm(&**tx, key, factor, code).await;
            (right.map_err(anyhow::Error::from)?, Some(MfaChange::Added))
        }
        Proof::SignsIn => {
            let right = mfa::verify(&**tx, key, user.id, code).await;
            if right.map_err(anyhow::Error::from)? {
                (true, None)
            } else {
                let right = mfa::use_recovery_code(&**tx, key, user.id, code).await?;
                (right, Some(MfaChange::RecoveryCodeUsed))
            }
        }
    };
    if !right {
        tx.rollback().await?;
        attempts::refused(state, visit, Some(user), "wrong code").await?;
        return Ok(None);
    }
    attempt.succeeded().await;
    let actor = visit.actor(user.id, &user.email);
    if let Some(change) = change {
        note(&tx, &actor, user, change).await?;
    }
    let mut codes = vec![];
    if matches!(proof, Proof::Confirms(_)) && mfa::count_recovery_codes(&**tx, user.id).await? == 0 {
        codes = mfa::make_recovery_codes(&**tx, key, user.id).await?;
    }
    let token = session::complete(&**tx, signed.id).await?;
    if !matches!(visitor.sign_in, SignIn::Complete(_)) {
        attempts::signed_in(&tx, visit, user).await?;
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

/// Records a change of second factors in the audit log and notifies the user by email.
pub(crate) async fn note(tx: &Tx, actor: &Actor, user: &user::Model, change: MfaChange) -> Result<(), AdminError> {
    let action = match change {
        MfaChange::Added => "second_factor_added",
        MfaChange::Removed => "second_factor_removed",
        MfaChange::RecoveryCodesMade => "recovery_codes_made",
        MfaChange::RecoveryCodeUsed => "recovery_code_used",
    };
    attempts::record(&**tx, actor, action, Some(user), None).await?;
    let told = MfaChanged {
        user_id: user.id,
        change,
    };
    enqueue_with(tx, told, EnqueueOptions::by(actor))
        .await
        .map_err(anyhow::Error::from)?;
    Ok(())
}

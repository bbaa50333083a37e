//! Browsers that an account signed in with, known by a signed cookie: guesses from elsewhere do not lock them out
//! (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). The cookie grants no access.

use axum::http::HeaderValue;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use usher_shared::foundation::{crypto::SecretKey, entity::user};

use super::cookies::DEVICE;
use crate::state::AppState;

const PURPOSE: &str = "admin device";

/// `Set-Cookie` for the browser of a person who has completed the sign-in.
pub(crate) fn cookie(state: &AppState, user: &user::Model) -> HeaderValue {
    let tag = state.config.secret_key.sign(PURPOSE, &message(user));
    DEVICE.set(&BASE64_URL_SAFE_NO_PAD.encode(tag), state.is_https())
}

/// Whether the cookie was made for this account.
pub(crate) fn is_known(key: &SecretKey, cookie: &str, user: &user::Model) -> bool {
    let tag = BASE64_URL_SAFE_NO_PAD.decode(cookie);
    tag.is_ok_and(|tag| key.verify(PURPOSE, &message(user), &tag))
}

/// Changing the password makes all browsers unknown again.
fn message(user: &user::Model) -> Vec<u8> {
    let since = user.password_changed_at.map_or(0, |at| at.timestamp_micros());
    format!("{}:{since}", user.id).into_bytes()
}

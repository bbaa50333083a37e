//! Protection against forged forms: a token bound to the visitor's session, and the browser's own word on
//! where the form came from. See OWASP's CSRF Prevention Cheat Sheet, "HMAC-based token".

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use url::Url;
use usher_shared::{SecretKey, crypto::random};

use crate::error::AdminError;

/// The hidden field's name.
pub(crate) const FIELD: &str = "csrf_token";

const PURPOSE: &str = "admin csrf";

/// A token for one page. It is masked afresh each time, because compressed pages tell an eavesdropper
/// about bytes that repeat (BREACH).
pub(crate) fn token(key: &SecretKey, binding: &str) -> String {
    let mask = random::<32>();
    let tag = key.sign(PURPOSE, binding.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode([mask, xor(mask, tag)].concat())
}

/// Whether the token was made for this visitor.
pub(crate) fn check(key: &SecretKey, binding: &str, token: &str) -> Result<(), AdminError> {
    let tag = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let (mask, masked) = bytes.split_at_checked(32)?;
        Some(xor(mask.try_into().ok()?, masked.try_into().ok()?))
    });
    match tag {
        Some(tag) if key.verify(PURPOSE, binding.as_bytes(), &tag) => Ok(()),
        _ => Err(AdminError::StaleForm),
    }
}

/// Refuses what the browser says comes from elsewhere. Browsers that say nothing are left to the token.
pub(crate) fn check_origin(headers: &HeaderMap, admin_url: &str) -> Result<(), AdminError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(AdminError::StaleForm);
    }
    let Some(origin) = header("origin") else { return Ok(()) };
    let own = Url::parse(admin_url).is_ok_and(|url| url.origin().ascii_serialization() == origin);
    let named = origin
        .split_once("://")
        .is_some_and(|(_, host)| Some(host) == header("host"));
    if own || named {
        Ok(())
    } else {
        Err(AdminError::StaleForm)
    }
}

fn xor(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

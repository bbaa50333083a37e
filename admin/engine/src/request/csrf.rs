//! Protection against forged forms: a token bound to the visitor's session, and the browser's own word on
//! where the form came from. See OWASP's CSRF Prevention Cheat Sheet, "HMAC-based token".

use std::fmt;

use axum::http::HeaderMap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use url::Url;
use usher_shared::foundation::crypto::{SecretKey, random};
use uuid::Uuid;

use crate::error::AdminError;

/// The hidden field's name.
pub const FIELD: &str = "csrf_token";

const PURPOSE: &str = "admin csrf";
const TAG: usize = 32;

/// What a form's token is bound to. The two never have the same text, whatever a visitor's cookie holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The cookie of a visitor who has not signed in.
    Visitor(String),
    Session {
        id: Uuid,
        user_id: i64,
    },
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visitor(cookie) => write!(f, "visitor:{cookie}"),
            Self::Session { id, user_id } => write!(f, "session:{id}:{user_id}"),
        }
    }
}

impl Binding {
    /// What follows the tag, so that a form still tells whose it was after its session has ended. None of it is secret.
    fn written(&self) -> Vec<u8> {
        match self {
            Self::Visitor(_) => vec![],
            Self::Session { id, user_id } => [id.as_bytes().as_slice(), &user_id.to_be_bytes()].concat(),
        }
    }

    fn read(written: &[u8]) -> Option<Self> {
        let (id, user_id) = written.split_at_checked(16)?;
        Some(Self::Session {
            id: Uuid::from_slice(id).ok()?,
            user_id: i64::from_be_bytes(user_id.try_into().ok()?),
        })
    }
}

/// The tokens of one page's forms, a new one each time it is displayed. They are masked at random, because repeated
/// bytes in compressed pages leak to an eavesdropper (BREACH), and because a form is identified by its token
/// ([`crate::request::form_token`]).
#[derive(Clone)]
pub struct Tokens {
    tag: [u8; TAG],
    written: Vec<u8>,
}

impl Tokens {
    pub fn new(key: &SecretKey, binding: &Binding) -> Self {
        Self {
            tag: key.sign(PURPOSE, binding.to_string().as_bytes()),
            written: binding.written(),
        }
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mask = random::<TAG>();
        let token = [mask.as_slice(), &xor(mask, self.tag), &self.written].concat();
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(token))
    }
}

/// Whether the token was made for this visitor.
pub fn check(key: &SecretKey, binding: &Binding, token: &str) -> Result<(), AdminError> {
    match tag_of(token) {
        Some((tag, _)) if key.verify(PURPOSE, binding.to_string().as_bytes(), &tag) => Ok(()),
        _ => Err(AdminError::StaleForm),
    }
}

/// The account whose session this token was made for, whether or not that session is still active.
pub fn author(key: &SecretKey, token: &str) -> Option<i64> {
    let (tag, written) = tag_of(token)?;
    let binding = Binding::read(&written)?;
    let Binding::Session { user_id, .. } = binding else {
        return None;
    };
    key.verify(PURPOSE, binding.to_string().as_bytes(), &tag)
        .then_some(user_id)
}

/// The unmasked tag, and what follows it.
fn tag_of(token: &str) -> Option<([u8; TAG], Vec<u8>)> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let (mask, rest) = bytes.split_first_chunk::<TAG>()?;
    let (masked, written) = rest.split_first_chunk::<TAG>()?;
    Some((xor(*mask, *masked), written.to_vec()))
}

/// What the browser says about where a form came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Own,
    /// An old browser or none: the token alone decides.
    Unsaid,
}

/// Rejects forms that the browser says come from another site.
pub fn check_origin(headers: &HeaderMap, admin_url: &str) -> Result<Origin, AdminError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let site = header("sec-fetch-site");
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(AdminError::StaleForm);
    }
    let Some(origin) = header("origin") else {
        return Ok(match site {
            Some("same-origin") => Origin::Own,
            _ => Origin::Unsaid,
        });
    };
    let own = Url::parse(admin_url).is_ok_and(|url| url.origin().ascii_serialization() == origin);
    let named = origin
        .split_once("://")
        .is_some_and(|(_, host)| Some(host) == header("host"));
    if own || named {
        Ok(Origin::Own)
    } else {
        Err(AdminError::StaleForm)
    }
}

fn xor(a: [u8; TAG], b: [u8; TAG]) -> [u8; TAG] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitors_token_is_none_of_a_session_and_says_nobodys_name() {
        let key = SecretKey::from_base64(&SecretKey::generate_base64()).unwrap();
        let id = Uuid::now_v7();
        let session = Binding::Session { id, user_id: 7 };
        let own = Tokens::new(&key, &session).to_string();
        assert!(check(&key, &session, &own).is_ok());
        assert_eq!(author(&key, &own), Some(7));
        for cookie in [id.to_string(), session.to_string(), format!("{id}:7")] {
            let visitor = Binding::Visitor(cookie);
            let planted = Tokens::new(&key, &visitor).to_string();
            assert!(check(&key, &visitor, &planted).is_ok());
            assert!(check(&key, &session, &planted).is_err() && check(&key, &visitor, &own).is_err());
            assert_eq!(author(&key, &planted), None);
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&planted).unwrap();
            bytes.extend(session.written());
            assert_eq!(
                author(&key, &BASE64_URL_SAFE_NO_PAD.encode(bytes)),
                None,
                "a name put behind another tag"
            );
        }
    }
}

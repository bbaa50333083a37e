//! How far a visitor has signed in.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};
use usher_admin_engine::AdminError;
use usher_shared::foundation::{config::StaffMfa, crypto::SecretKey, entity::user};

use super::{device, session::Signed};

/// How far a visitor has signed in.
#[derive(Clone, Debug)]
pub(crate) enum SignIn {
    Nobody,
    /// The password was right; the account's second factor is still asked for.
    OwesCode(Arc<Signed>),
    /// The password was right; the application requires a second factor, and the account has none.
    OwesFactor(Arc<Signed>),
    Complete(Arc<Signed>),
}

impl SignIn {
    /// How far this session's person has come.
    pub(crate) fn of(signed: Arc<Signed>, mfa: StaffMfa) -> Self {
        match signed.has_factor {
            _ if signed.is_complete(mfa) => Self::Complete(signed),
            true => Self::OwesCode(signed),
            false => Self::OwesFactor(signed),
        }
    }

    pub(crate) fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Nobody => None,
            Self::OwesCode(signed) | Self::OwesFactor(signed) | Self::Complete(signed) => Some(signed),
        }
    }
}

/// The visitor of a request.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) sign_in: SignIn,
    pub(crate) device: Option<String>,
}

impl Visitor {
    /// Whether the browser is one that this account signed in with.
    pub(crate) fn is_device_of(&self, key: &SecretKey, user: &user::Model) -> bool {
        let cookie = self.device.as_deref();
        cookie.is_some_and(|cookie| device::is_known(key, cookie, user))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AdminError> {
        let visitor = parts.extensions.get::<Self>().cloned();
        visitor.ok_or_else(|| AdminError::from(anyhow::anyhow!("the layer for visits is missing")))
    }
}

/// The session, if the visitor is fully signed in.
pub(crate) struct SignedIn(pub(crate) Arc<Signed>);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        match Visitor::from_request_parts(parts, state).await?.sign_in {
            SignIn::Complete(signed) => Ok(Self(signed)),
            _ => Err(AdminError::StaleForm),
        }
    }
}

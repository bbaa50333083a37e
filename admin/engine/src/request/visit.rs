//! One request: who it is from, and what their cookies say. The application's outermost layer finds that out once, puts
//! it into the request's extensions, and renders the [`AdminError`] that a handler returns.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    extract::FromRequestParts,
    http::{header::SET_COOKIE, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use usher_shared::{
    AppContext,
    audit::Actor,
    foundation::{crypto::random, entity::audit_log::ActorKind},
};

use super::cookie::{FLASH, is_https};
use super::csrf::{self, Binding};
use super::sent::{Fields, FormToken};
use super::staff::Staff;
use crate::error::AdminError;
use crate::shell::{flash::Message, theme::Theme};

/// The circumstances of a request.
#[derive(Clone, Debug)]
pub struct Visit {
    pub app: AppContext,
    /// The person, once fully signed in.
    pub staff: Option<Staff>,
    /// The account of the session, even if the sign-in still lacks its second factor.
    pub account_id: Option<i64>,
    /// Where a visitor who has not signed in does so, and comes back.
    pub sign_in_href: String,
    /// What the visitor's form tokens are bound to.
    pub csrf_binding: Binding,
    /// The cookie from before signing in, which a sign-in tab that is still open was made for.
    pub visitor: Option<String>,
    pub theme: Theme,
    pub message: Option<Message>,
    pub address: IpAddr,
    pub user_agent: Option<String>,
    pub request_id: String,
    /// Path and query.
    pub path: String,
    /// The session's cookie, as it came.
    pub session_cookie: Option<String>,
    pub form: SentForm,
}

/// The form that came with a request, once it is read.
#[derive(Clone, Debug, Default)]
pub struct SentForm(Arc<OnceLock<FormToken>>);

impl Visit {
    /// The same request with another session, whose pages it answers with.
    pub fn bound_to(&self, csrf_binding: Binding) -> Self {
        Self {
            csrf_binding,
            ..self.clone()
        }
    }

    /// Takes a form by its token: it must be this visitor's, and not have been sent before.
    pub(super) async fn check_form(&self, token: &str, to: &str, contents: &[u8]) -> Result<FormToken, AdminError> {
        let own = csrf::check(&self.app.config.secret_key, &self.csrf_binding, token);
        let form = FormToken::new(&self.app, token, (to, contents), self.session_cookie.as_deref());
        if own.is_ok() || form.has_cookie() {
            form.refuse_again(&self.app, own.is_ok()).await?;
        }
        own?;
        let _ = self.form.0.set(form.clone());
        Ok(form)
    }

    /// [`Self::check_form`] for forms of signing in and out, whose token may be of an earlier session of this browser.
    /// If the token is not this browser's own, the cookie that came along tells: a code renews it.
    pub(super) async fn take_form(&self, token: &str, contents: &[u8], own: bool) -> Result<FormToken, AdminError> {
        let cookie = self.session_cookie.as_deref();
        let form = FormToken::new(&self.app, token, (&self.path, contents), cookie);
        if own || form.has_cookie() {
            form.refuse_again(&self.app, own).await?;
        }
        if own {
            let _ = self.form.0.set(form.clone());
        }
        Ok(form)
    }

    /// The answer to the same form, if another request did what it asks while this one failed to.
    pub async fn answered_elsewhere(&self) -> Result<(), AdminError> {
        match self.form.0.get() {
            Some(form) if !form.is_finished() => form.refuse_again(&self.app, true).await,
            _ => Ok(()),
        }
    }

    /// Goes to another page, which says this.
    pub fn say(&self, words: impl Into<String>, to: &str) -> Response {
        self.leave(&Message::success(words), to)
    }

    /// Goes to another page, which says this as a warning.
    pub fn say_warning(&self, words: impl Into<String>, to: &str) -> Response {
        self.leave(&Message::warning(words), to)
    }

    /// Goes to another page, which says this and links to a third.
    pub fn say_with(&self, words: String, (href, label): (&str, &str), to: &str) -> Response {
        self.leave(&Message::success(words).link(href, label), to)
    }

    fn leave(&self, message: &Message, to: &str) -> Response {
        let sealed = message.seal(&self.app.config.secret_key, &self.csrf_binding);
        let cookie = FLASH.set(&sealed, is_https(&self.app.config));
        ([(SET_COOKIE, cookie)], Redirect::to(to)).into_response()
    }

    /// A user who acts in this request, as the audit log names them.
    pub fn actor(&self, user_id: i64, email: &str) -> Actor {
        Actor {
            address: Some(self.address.to_string()),
            request_id: Some(self.request_id.clone()),
            ..Actor::new(ActorKind::User, Some(user_id), email)
        }
    }
}

impl Staff {
    /// Lets through who [is fresh](Self::is_fresh). Otherwise asks for the password, and keeps what was about to be
    /// done.
    pub fn require_fresh(&self, visit: &Visit, form: Option<&Fields>) -> Result<(), AdminError> {
        if self.is_fresh() {
            return Ok(());
        }
        Err(AdminError::confirm_password(&visit.path, form, false))
    }

    /// The person as the audit log names them.
    pub fn actor(&self, visit: &Visit) -> Actor {
        visit.actor(self.id(), self.email())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AdminError> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| AdminError::from(anyhow::anyhow!("the layer for visits is missing")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Staff {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AdminError> {
        let visit = Visit::from_request_parts(parts, state).await?;
        visit.staff.ok_or(AdminError::SignIn(visit.sign_in_href))
    }
}

/// A new value for [`Visit::visitor`].
pub fn new_visitor() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(random::<24>())
}

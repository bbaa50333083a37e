//! A signed-in member of staff. Naming [`Staff`] in a handler's signature is the check.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};
use usher_shared::{
    accounts::{sessions, staff::acts::Holder},
    audit::Actor,
    foundation::entity::{audit_log::ActorKind, user},
};
use uuid::Uuid;

use crate::{engine::{error::AdminError, request::{posted::Fields, visit::{Standing, Visit}}}, sign_in::{reauth::Waiting, session::{Impersonated, Signed}}, state::AppState};

/// The person, with what their roles let them do as of this request.
#[derive(Clone, Debug)]
pub(crate) struct Staff(Arc<Signed>);

impl Staff {
    pub(crate) fn new(signed: Arc<Signed>) -> Self {
        Self(signed)
    }

    pub(crate) fn user(&self) -> &user::Model {
        &self.0.user
    }

    pub(crate) fn id(&self) -> i64 {
        self.0.user.id
    }

    pub(crate) fn session_id(&self) -> Uuid {
        self.0.id
    }

    pub(crate) fn has_factor(&self) -> bool {
        self.0.has_factor
    }

    pub(crate) fn is_superuser(&self) -> bool {
        self.0.user.is_superuser
    }

    /// The person as the table of acts asks about them.
    pub(crate) fn holder(&self) -> &Holder {
        &self.0.holder
    }

    /// Whether a role gives this permission, such as `users.change`. Superusers have all.
    pub(crate) fn may(&self, permission: &str) -> bool {
        self.0.holder.may(permission)
    }

    pub(crate) fn require(&self, permission: &str) -> Result<(), AdminError> {
        if self.may(permission) {
            return Ok(());
        }
        Err(AdminError::Forbidden(format!(
            "This takes the permission {permission}, which none of your roles gives. Ask a superuser for it."
        )))
    }

    /// Whether the person has shown the password within the last five minutes, and the second factor where there is one.
    pub(crate) fn is_fresh(&self) -> bool {
        sessions::is_fresh(self.0.reauthenticated_at, self.0.mfa_at, self.0.has_factor)
    }

    /// Lets through who [is fresh](Self::is_fresh); else keeps what they were about to do.
    pub(crate) fn require_fresh(&self, visit: &Visit, form: Option<&Fields>) -> Result<(), AdminError> {
        if self.is_fresh() {
            return Ok(());
        }
        Err(AdminError::Reauthenticate(Box::new(Waiting {
            to: visit.path.clone(),
            form: form.cloned(),
            lost: false,
        })))
    }

    /// [`Self::require_fresh`] for a form with passwords or a file: it is not kept, and the page it stands on comes back.
    pub(crate) fn require_fresh_on(&self, page: &str) -> Result<(), AdminError> {
        if self.is_fresh() {
            return Ok(());
        }
        Err(AdminError::Reauthenticate(Box::new(Waiting {
            to: page.to_owned(),
            form: None,
            lost: true,
        })))
    }

    /// The columns that the person chose for this list.
    pub(crate) fn columns(&self, list: &str) -> Option<&[String]> {
        self.0.columns.get(list).map(Vec::as_slice)
    }

    /// For whom the person acts at present.
    pub(crate) fn impersonated(&self) -> Option<&Impersonated> {
        self.0.impersonated.as_ref()
    }

    /// The person as the audit log names them.
    pub(crate) fn actor(&self, visit: &Visit) -> Actor {
        actor(self.user(), visit)
    }
}

/// A user who acts in this request.
pub(crate) fn actor(user: &user::Model, visit: &Visit) -> Actor {
    Actor {
        address: Some(visit.address.to_string()),
        request_id: Some(visit.request_id.clone()),
        ..Actor::new(ActorKind::User, Some(user.id), user.email.clone())
    }
}

impl FromRequestParts<AppState> for Staff {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, AdminError> {
        let visit = Visit::from_request_parts(parts, state).await?;
        // Only a page can be gone back to; a form would be sent empty.
        let next = if parts.method == Method::GET {
            visit.path.as_str()
        } else {
            "/admin/"
        };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("next", next)
            .finish();
        match visit.standing {
            Standing::Staff(signed) => Ok(Self(signed)),
            Standing::OwesCode(_) => Err(AdminError::SignIn(format!("/admin/mfa?{query}"))),
            Standing::OwesFactor(_) => Err(AdminError::SignIn(format!("/admin/mfa/enrol?{query}"))),
            Standing::Nobody => Err(AdminError::SignIn(format!("/admin/login?{query}"))),
        }
    }
}

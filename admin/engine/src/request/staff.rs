//! A signed-in member of staff, with what their roles allow as of this request.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};
use usher_shared::accounts::staff::policy::Holder;
use uuid::Uuid;

use crate::error::AdminError;

/// What the application knows about somebody who has signed in.
#[derive(Debug)]
pub struct Person {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub is_superuser: bool,
    pub session_id: Uuid,
    /// The person's permissions.
    pub holder: Holder,
    /// Whether the account has a second factor.
    pub has_factor: bool,
    /// Whether the password, and the second factor where there is one, were confirmed recently.
    pub is_fresh: bool,
    /// The columns chosen for lists, by the list's name.
    pub columns: HashMap<String, Vec<String>>,
    /// The user that this person is impersonating.
    pub acting_for: Option<ActingFor>,
}

/// An impersonation in progress.
#[derive(Clone, Debug)]
pub struct ActingFor {
    pub email: String,
    /// The user's page.
    pub href: String,
    pub until: DateTime<Utc>,
}

/// The person who looks at a page. Naming `Staff` in a handler's signature is the check that somebody has signed in.
#[derive(Clone, Debug)]
pub struct Staff(Arc<Person>);

impl Staff {
    pub fn new(person: Person) -> Self {
        Self(Arc::new(person))
    }

    pub fn id(&self) -> i64 {
        self.0.id
    }

    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub fn email(&self) -> &str {
        &self.0.email
    }

    pub fn session_id(&self) -> Uuid {
        self.0.session_id
    }

    pub fn is_superuser(&self) -> bool {
        self.0.is_superuser
    }

    /// Whether the account has a second factor.
    pub fn has_factor(&self) -> bool {
        self.0.has_factor
    }

    /// The person as the rules about permissions see them.
    pub fn holder(&self) -> &Holder {
        &self.0.holder
    }

    /// Whether a role gives this permission, such as `users.change`. Superusers have all.
    pub fn may(&self, permission: &str) -> bool {
        self.0.holder.may(permission)
    }

    pub fn require(&self, permission: &str) -> Result<(), AdminError> {
        if self.may(permission) {
            return Ok(());
        }
        Err(AdminError::Forbidden(format!(
            "You need the permission {permission}. Ask a superuser for it."
        )))
    }

    /// Whether the password, and the second factor where there is one, were confirmed within the last five minutes.
    pub fn is_fresh(&self) -> bool {
        self.0.is_fresh
    }

    /// Lets through who [is fresh](Self::is_fresh). For a form with passwords or a file: it is not kept, and the user
    /// comes back to `page`.
    pub fn require_fresh_on(&self, page: &str) -> Result<(), AdminError> {
        if self.is_fresh() {
            return Ok(());
        }
        Err(AdminError::confirm_password(page, None, true))
    }

    /// The columns that the person chose for this list.
    pub(crate) fn columns(&self, list: &str) -> Option<&[String]> {
        self.0.columns.get(list).map(Vec::as_slice)
    }

    /// The user that this person is impersonating.
    pub fn acting_for(&self) -> Option<&ActingFor> {
        self.0.acting_for.as_ref()
    }
}

//! What a product adds to accounts. It is part of the program, as its routes are: set once, before anything runs, and
//! the same everywhere in the process.

use std::{mem, sync::OnceLock};

use super::{api_keys::Scope, hooks::UserHooks, staff::bulk::BulkExtension, user_data::UserData};

/// What a product adds to accounts.
#[derive(Debug, Default)]
pub struct Extensions {
    /// Scopes of API keys beside those that Usher brings.
    pub scopes: Vec<Scope>,
    /// What else happens when an account is created, changed or deleted, or when somebody signs in.
    pub hooks: UserHooks,
    /// What the product's apps store about people.
    pub user_data: Vec<UserData>,
    /// What staff can do to many objects at once.
    pub bulk_actions: Vec<BulkExtension>,
}

impl Extensions {
    /// Adds what another app adds.
    pub fn merge(&mut self, other: Self) {
        self.scopes.extend(other.scopes);
        self.hooks = mem::take(&mut self.hooks).and(other.hooks);
        self.user_data.extend(other.user_data);
        self.bulk_actions.extend(other.bulk_actions);
    }
}

static NONE: Extensions = Extensions {
    scopes: vec![],
    hooks: UserHooks::new(),
    user_data: vec![],
    bulk_actions: vec![],
};
static EXTENSIONS: OnceLock<Extensions> = OnceLock::new();

/// Sets what this program adds. Only the first call counts: a process runs one product.
pub fn extend(extensions: Extensions) {
    drop(EXTENSIONS.set(extensions));
}

/// What this program adds; nothing until [`extend`] was called.
pub(crate) fn extensions() -> &'static Extensions {
    EXTENSIONS.get().unwrap_or(&NONE)
}

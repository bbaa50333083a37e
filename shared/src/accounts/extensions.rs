//! What a product adds to accounts, each part registered where it is used.

use std::mem;

use super::{
    api_keys::{SCOPES, Scope},
    hooks::{HOOKS, UserHooks},
    staff::{
        bulk::{BULK_ACTIONS, BulkExtension},
        imports::{IMPORTS, ImportExtension},
    },
    user_data::{USER_DATA, UserData},
};

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
    /// What staff can import from files.
    pub imports: Vec<ImportExtension>,
}

impl Extensions {
    /// Adds what another app adds.
    pub fn merge(&mut self, other: Self) {
        self.scopes.extend(other.scopes);
        self.hooks = mem::take(&mut self.hooks).and(other.hooks);
        self.user_data.extend(other.user_data);
        self.bulk_actions.extend(other.bulk_actions);
        self.imports.extend(other.imports);
    }
}

/// Sets what this program adds. Only the first call counts: a process runs one product.
pub fn extend(extensions: Extensions) {
    SCOPES.set(extensions.scopes);
    HOOKS.set(extensions.hooks);
    USER_DATA.set(extensions.user_data);
    BULK_ACTIONS.set(extensions.bulk_actions);
    IMPORTS.set(extensions.imports);
}

//! What jobs do. A new job is a file in the folder of its kind, and a line in the `register` of that folder.

mod long;
mod mails;
mod retention;
mod webhooks;

use crate::runtime::Registry;

/// The kinds of job that Usher brings.
#[must_use]
pub fn registry() -> Registry {
    let registry = long::register(mails::register(retention::register(Registry::new())));
    webhooks::register(registry)
}

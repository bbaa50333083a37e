//! What jobs do. A new job is a file in the folder of its kind, and a line in the `register` of that folder.

mod long;
mod mails;
mod retention;

use crate::runtime::Registry;

/// The kinds of job that Usher brings.
#[must_use]
pub fn registry() -> Registry {
    long::register(mails::register(retention::register(Registry::new())))
}

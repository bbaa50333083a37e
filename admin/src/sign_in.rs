//! Signing in: password, second factor, session, and the forms that were sent without one.

pub(crate) mod attempts;
pub(crate) mod code;
pub(crate) mod cookies;
mod device;
pub(crate) mod enrol;
pub(crate) mod factor_check;
pub(crate) mod interrupted;
pub(crate) mod login;
mod login_page;
pub(crate) mod next;
pub(crate) mod reauth;
pub(crate) mod saved_form;
pub(crate) mod session;
pub(crate) mod visitor;

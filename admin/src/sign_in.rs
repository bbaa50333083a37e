//! TODO: say why this folder exists.

mod device;
mod login;
mod mfa;
mod reauth;
mod saved_form;
mod session;

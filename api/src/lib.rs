//! The public JSON API: sign people up, look them up, and document itself.
//! Front ends and other services come in here; staff use the admin.

mod api_keys;
mod auth;
#[cfg(test)]
mod example;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod me;
mod openapi;
mod router;
mod serve;
mod site;
#[cfg(test)]
mod slow_handlers;
mod state;
mod texts;
mod toolkit;
mod users;

pub use openapi::openapi;
pub use router::router;
pub use serve::{run, serve};
pub use state::AppState;
pub use toolkit::code::Code;

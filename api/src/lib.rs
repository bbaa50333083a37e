//! The public JSON API: sign people up, look them up, and document itself.
//! Front ends and other services come in here; staff use the admin.

mod api_keys;
mod assets;
mod auth;
mod caller;
mod code;
mod documents;
mod error;
mod etag;
#[cfg(test)]
mod example;
mod explanations;
mod fields;
mod fixed;
mod form;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod guard;
mod health;
mod idempotency;
mod index;
mod json_body;
mod key_use;
mod limits;
mod list;
mod mailed_links;
mod me;
mod moment;
mod openapi;
mod page;
mod path_id;
mod problem;
mod query;
mod request;
mod router;
mod secret;
mod serve;
mod set_password;
mod state;
mod users;
mod visible_text;

pub use code::Code;
pub use openapi::openapi;
pub use router::router;
pub use serve::{run, serve};
pub use state::AppState;

//! Users and how they sign in: sessions, second factors, API keys, mailed links, and what staff may do.

pub mod api_keys;
mod extensions;
pub mod hooks;
pub mod impersonation;
pub mod mail_tokens;
pub mod mfa;
pub mod password_hash;
pub mod sessions;
pub mod staff;
pub mod user_data;
pub mod users;

pub use extensions::{Extensions, extend};

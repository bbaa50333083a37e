//! What every room of Usher knows: configuration, the schema, the rules, the job ledger and its queue.
//! It knows nothing of HTTP, templates or SMTP.

pub mod client_address;
pub mod crypto;
pub mod db;
pub mod entity;
pub mod password;
pub mod rules;
pub mod time;
pub mod token;

pub use client_address::client_address;
pub use crypto::SecretKey;
pub use token::{Token, TokenKind};

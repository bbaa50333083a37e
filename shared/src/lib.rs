//! What every room of Usher knows: configuration, the schema, the rules, the job ledger and its queue.
//! It knows nothing of HTTP, templates or SMTP.

mod batch;
mod client_address;
mod house;

pub mod acts;
pub mod api_keys;
pub mod audit;
pub mod bulk;
pub mod config;
pub mod crypto;
pub mod csv;
pub mod db;
pub mod entity;
pub mod exports;
pub mod impersonation;
pub mod imports;
pub mod job_files;
pub mod jobs;
pub mod log;
pub mod mail_log;
pub mod mail_suppressions;
pub mod mail_tokens;
pub mod metrics;
pub mod mfa;
pub mod password;
pub mod process;
pub mod rate_limit;
pub mod redact;
pub mod roles;
pub mod rules;
pub mod search;
pub mod sessions;
pub mod time;
pub mod token;
pub mod totp;
pub mod trace;
pub mod users;

pub use batch::{Batch, Gather};
pub use client_address::{Client, Forwarding, Unread, client_address};
pub use config::Config;
pub use crypto::SecretKey;
pub use house::{House, OpenError};
pub use token::{Token, TokenKind};

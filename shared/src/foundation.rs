//! What everything else is built on: settings, the database and its entities, cryptography, field rules, time, metrics
//! and traces. It knows nothing of jobs or accounts.

pub mod background;
pub mod batcher;
pub mod cache;
pub mod client_address;
pub mod config;
pub mod crypto;
pub mod csv;
pub mod db;
pub mod entity;
pub mod file_backend;
pub mod file_store;
pub mod log;
pub mod metrics;
pub mod process;
pub mod program;
pub mod rate_limit;
pub mod redact;
pub(crate) mod redis;
mod registered;
pub mod rules;
pub mod search;
pub mod time;
pub mod token;
pub mod trace;

pub(crate) use registered::Registered;

//! The schema as SeaORM entities. They don't derive serde: each service decides field by field what leaves the
//! application.

pub mod api_key;
pub mod audit_log;
pub mod audit_seal;
pub mod audit_unsealed;
pub mod chosen_columns;
pub mod event;
pub mod event_reader;
pub mod event_stream;
pub mod idempotency_key;
pub mod job;
pub mod job_attempt;
pub mod job_file;
pub mod job_file_chunk;
pub mod job_item;
pub mod job_queue;
pub mod job_schedule;
pub mod mail;
pub mod mail_breaker;
pub mod mail_suppression;
pub mod mail_token;
pub mod mfa_challenge;
pub mod mfa_factor;
pub mod recovery_code;
pub mod role;
pub mod role_permission;
pub mod session;
pub mod spent_form_token;
pub mod spent_refresh_token;
pub mod stored_file;
pub mod stored_file_chunk;
pub mod user;
pub mod user_role;
pub mod webhook_delivery;
pub mod webhook_endpoint;
pub mod worker;

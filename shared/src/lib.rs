//! What every room of Usher knows: configuration, the schema, the rules, the job ledger and its queue.
//! It knows nothing of HTTP, templates or SMTP.

pub mod entity;

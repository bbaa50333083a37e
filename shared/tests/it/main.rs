//! The shared rules and the jobs table, black-box, on both databases and on real Redis.

mod accounts;
mod audit;
mod batch;
mod batch_inserter;
mod bulk;
mod cache;
mod claims;
mod config;
mod cost;
mod disk;
mod due;
mod email;
mod enqueue;
mod events;
mod file_store;
mod fixtures;
mod job_files;
mod limits;
mod mfa;
mod rate_limit;
mod schedules;
mod sessions;
mod staff;
mod sweep;
mod transport;
mod writing;

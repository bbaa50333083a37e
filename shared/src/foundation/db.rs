//! The database, PostgreSQL or SQLite: connections, transactions and the few differences between the two.

mod columns;
mod commit_gate;
mod connect;
mod dialect;
mod errors;
mod foreign_keys;
mod in_time;
mod literal_limits;
mod pooler;
mod schema;
mod time_limit;
mod writing;

pub use columns::{any_of, columns, id_in};
pub use commit_gate::{CommitGate, Cut, cut_before_commit, with_gate};
pub use connect::{ConnectError, PoolOptions, connect, ping};
pub(crate) use dialect::Sql;
pub use dialect::clock;
pub(crate) use errors::violated_unique;
pub use errors::{is_disk_full, is_outage};
pub use foreign_keys::{ForeignKey, ForeignKeys};
pub use in_time::{InTime, in_time};
pub use literal_limits::with_literal_limits;
pub use schema::{SCHEMA, SchemaError, check_schema};
pub(crate) use time_limit::ANSWER_LIMIT;
pub use time_limit::within;
pub use writing::{Transactional, WriteTransaction, Writing, begin, savepoint, writing};

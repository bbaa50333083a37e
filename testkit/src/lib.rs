//! Real parts for the tests, nothing mocked: PostgreSQL, SQLite, Redis, an SMTP server, a browser and
//! the product's own processes. Each starts on a free port of 127.0.0.1 and in a temporary folder,
//! and is gone when its test process ends, however that ends.

mod access;
mod app;
mod browser;
mod collector;
mod database;
mod pooler;
mod postgres;
mod process;
mod program;
mod proxy;
mod receiver;
mod redis;
mod run;
mod script;
mod smtp;
mod smtp_sink;
mod watcher;

pub use access::{WAY_BACK, access_left, plant_access};
pub use app::{Statements, config, create_tables, email, hash, new_user, sign_up, superuser};
pub use browser::{Browser, ColorScheme};
pub use collector::{Collector, Span};
pub use database::TestDb;
pub use pooler::Pooler;
pub use postgres::{Postgres, administer};
pub use process::Folder;
pub use program::{Program, Running};
pub use proxy::{Flow, Proxy};
pub use receiver::{Receiver, Reply, Webhook};
pub use redis::Redis;
pub use run::{eventually, free_port, run};
pub use script::judge;
pub use smtp::{Mail, Smtp};
pub use smtp_sink::{Accepted, Deed, SmtpSink, Step};
pub use usher_testkit_macros::on_both;

//! Real parts for the tests, nothing mocked: PostgreSQL, SQLite, Redis, an SMTP server, a browser and
//! the product's own processes. Each starts on a free port of 127.0.0.1 and in a temporary folder,
//! and is gone when its test process ends, however that ends.

mod access;
mod browser;
mod collector;
mod database;
mod pooler;
mod postgres;
mod process;
mod program;
mod proxy;
mod redis;
mod run;
mod smtp;
mod smtp_sink;
mod watcher;

pub use access::{WAY_BACK, access_left, plant_access};
pub use browser::{Browser, ColorScheme};
pub use collector::{Collector, Span};
pub use database::TestDb;
pub use pooler::Pooler;
pub use postgres::{Postgres, administer};
pub use process::Folder;
pub use program::{Program, Running};
pub use proxy::{Flow, Proxy};
pub use redis::Redis;
pub use run::{eventually, free_port, run};
pub use smtp::{Mail, Smtp};
pub use smtp_sink::{Accepted, Deed, SmtpSink, Step};

/// Writes each test once and runs it on both databases, as `name::sqlite` and `name::postgres`.
///
/// A test takes its own fresh [`TestDb`] and may return a `Result`:
/// ```
/// use usher_testkit::{TestDb, on_both};
///
/// on_both! {
///     async fn an_email_belongs_to_one_user(db: TestDb) {
///         let db = db.connect().await;
///         // …
///     }
/// }
/// ```
#[macro_export]
macro_rules! on_both {
    ($($(#[$about:meta])* async fn $name:ident($db:ident: TestDb) $(-> $answer:ty)? $body:block)+) => {$(
        $(#[$about])*
        async fn $name($db: $crate::TestDb) $(-> $answer)? $body

        mod $name {
            #[test]
            fn sqlite() -> impl ::std::process::Termination {
                $crate::run(async { super::$name($crate::TestDb::sqlite().await).await })
            }

            #[test]
            fn postgres() -> impl ::std::process::Termination {
                $crate::run(async { super::$name($crate::TestDb::postgres().await).await })
            }
        }
    )+};
}

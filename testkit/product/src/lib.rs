//! The test kit of products that are built on Usher. A test is written once and runs on SQLite and on PostgreSQL, with
//! the product's real services over a database of its own:
//!
//! ```no_run
//! use serde_json::json;
//! use usher::{Project, accounts::api_keys::Scope};
//! use usher_test::{TestDb, TestProject, on_both};
//!
//! #[on_both]
//! async fn a_new_user_is_welcomed(db: TestDb) {
//!     let project = TestProject::open(Project::new("acme"), db).await;
//!     let billing = project.key(&[Scope::USERS_WRITE]).await;
//!     let ada = json!({"name": "Ada Lovelace", "email": "ada@example.org"});
//!     billing.post("/users", &ada).await.expect(201);
//!     project.run_jobs().await;
//!     assert_eq!(project.mails("ada@example.org").await.len(), 1);
//! }
//! # fn main() {}
//! ```

mod browser;
mod client;
mod project;
mod staff;

pub use browser::Browser;
pub use client::{Answer, Client, Person};
pub use project::TestProject;
pub use staff::{Page, Staff};
pub use usher_testkit::{TestDb, eventually, on_both};

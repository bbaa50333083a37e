//! Lists, once for every resource: pages by key, from an order that an index holds, and never more work than a page
//! is worth, however the list is filtered.

mod answer;
mod connection;
mod cursor;
mod filters;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod order;
mod page;
mod query;
mod related;

pub use answer::ListOut;
pub(super) use cursor::text_of;
pub use filters::{equal, filter_parameter};
pub use order::{Col, Filter, Listed};
pub use query::{ListIn, ListQuery, limit_fault};
pub use related::related;

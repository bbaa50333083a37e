//! Which request caused what: W3C Trace Context, from the request through its jobs to their mails. The context belongs
//! to the task instead of being passed as an argument, so that no enqueue can forget it.

mod collector;
mod context;
mod export;
mod span;
mod statement;

pub use collector::Collector;
pub use context::{Trace, carried};
pub use export::{ExportError, Exporting, start};
pub(crate) use export::{count_spans, is_on};
pub use span::{NO_ROUTE, Span, during};
pub(crate) use statement::{finished, timed};

//! Who may do what to what: one table of acts on an account, a session, an API key, a role or a job, and what each
//! takes. Forms, actions, bulk actions, retried jobs, imports and the API ask it; none of them has a rule of its own.

mod allow;
mod holder;
mod refusal;
mod table;

pub(super) use allow::owner;
pub use allow::{key_refusal, session_refusal, user_refusal};
pub use holder::{Holder, Target};
pub use refusal::Refusal;
pub use table::{Act, ReasonRule, Rule};

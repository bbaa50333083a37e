//! API keys of other services: what they may do, how they are made, and whether a presented one is valid.

mod change;
mod key_ring;
mod rules;
mod scope;

pub use change::{KeyEdit, NewKey, create, edit, find_for_change, issue, revoke, rotate, tell};
pub use key_ring::{KeyRing, allowed};
pub use rules::{
    GRACE, MAX_GRACE, MAX_NETWORKS, MAX_PER_MINUTE, check_end, parse_grace, parse_limit, parse_networks, parse_scopes,
};
pub(super) use scope::SCOPES;
pub use scope::{Scope, allows};

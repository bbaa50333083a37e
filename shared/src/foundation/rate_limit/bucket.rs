//! Names of buckets that more than one room counts in. They tell no mailbox to whoever reads Redis.

use std::net::IpAddr;

use crate::foundation::crypto::sha256;

/// Log-ins from one address, at the API and at the admin.
#[must_use]
pub fn log_ins(address: IpAddr) -> String {
    format!("log_in:{}", network(address))
}

/// What changes something from one address without a credential.
#[must_use]
pub fn anonymous(address: IpAddr) -> String {
    format!("anonymous:{}", network(address))
}

/// Wrong passwords and codes for the account with this address, whether there is one or not, from wherever nobody knows
/// it. The address is folded, as [`crate::foundation::rules::Email::key_of`] does it.
#[must_use]
pub fn failures(email_key: &str) -> String {
    format!("log_in_failures:{}", digest(email_key))
}

/// The same from network addresses from which the account signed in.
#[must_use]
pub fn neighbour_failures(user_id: i64) -> String {
    format!("neighbour_failures:{user_id}")
}

/// The same in the account's sessions and in browsers that it signed in with. Nobody else can fill it.
#[must_use]
pub fn known_failures(user_id: i64) -> String {
    format!("known_failures:{user_id}")
}

/// Wrong codes for an account, from wherever.
#[must_use]
pub fn code_failures(user_id: i64) -> String {
    format!("code_failures:{user_id}")
}

/// A name for an address that is short, however long the address, and tells nobody who reads Redis.
#[must_use]
pub fn digest(email_key: &str) -> String {
    let hash = sha256(email_key.as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who has an IPv6 address has at least a /64 of them.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

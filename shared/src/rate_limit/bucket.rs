//! Names of buckets that more than one room counts in. They tell no mailbox to whoever reads Redis.

use std::net::IpAddr;

use crate::crypto::sha256;

/// Wrong passwords and codes at the API for the account with this address, whether there is one or not.
/// The address is folded, as [`crate::rules::Email::key_of`] does it.
#[must_use]
pub fn api_failures(email_key: &str) -> String {
    format!("log_in_failures:{}", digest(email_key))
}

/// The same at the admin.
#[must_use]
pub fn admin_failures(email_key: &str) -> String {
    format!("admin-login-account:{}", digest(email_key))
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

//! Names of buckets that several services use. They don't reveal email addresses to whoever reads Redis.

use std::net::IpAddr;

use crate::foundation::crypto::{hex, sha256};

/// Sign-ins from one address, at the API and the admin.
#[must_use]
pub fn log_ins(address: IpAddr) -> String {
    format!("log_in:{}", network(address))
}

/// Unauthenticated requests from one address that change something.
#[must_use]
pub fn anonymous(address: IpAddr) -> String {
    format!("anonymous:{}", network(address))
}

/// Wrong passwords and codes for the account with this address, whether there is one or not, from unknown clients. The
/// address is folded by [`crate::foundation::rules::Email::key_of`].
#[must_use]
pub fn failures(email_key: &str) -> String {
    format!("log_in_failures:{}", digest(email_key))
}

/// The same, from network addresses from which the account has signed in.
#[must_use]
pub fn neighbour_failures(user_id: i64) -> String {
    format!("neighbour_failures:{user_id}")
}

/// The same, in the account's sessions and in browsers that it signed in with. Nobody else can fill this bucket.
#[must_use]
pub fn known_failures(user_id: i64) -> String {
    format!("known_failures:{user_id}")
}

/// Wrong codes for an account, from anywhere.
#[must_use]
pub fn code_failures(user_id: i64) -> String {
    format!("code_failures:{user_id}")
}

/// A short name for an email address that doesn't reveal it.
#[must_use]
pub fn digest(email_key: &str) -> String {
    hex(&sha256(email_key.as_bytes())[..16])
}

/// An IPv6 address counts as its /64 network, the least that a client has.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

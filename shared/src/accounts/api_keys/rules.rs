//! What is valid in a key: one rule, shown by the API as 422 and by the admin beside the field.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde_json::json;

use super::scope::Scope;
use crate::foundation::{
    rules::{Violation, ViolationKind},
    time::now,
};

/// The most networks of one key.
pub const MAX_NETWORKS: usize = 32;
/// The highest limit of a key, in requests per minute.
pub const MAX_PER_MINUTE: i64 = 1_000_000;
/// How long a rotated secret works by default, in seconds: a day.
pub const GRACE: u32 = 86_400;
/// The most that can be chosen, in seconds: a week.
pub const MAX_GRACE: u32 = 604_800;

/// One or more scopes; duplicates count once.
pub fn parse_scopes<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Vec<Scope>, Violation> {
    let mut scopes = Vec::new();
    for (number, word) in words.into_iter().enumerate() {
        let known = Scope::words();
        let scope = Scope::parse(word).ok_or_else(|| {
            Violation::new(ViolationKind::Enum, format!("Each scope must be one of {known}"))
                .with(json!({ "expected": known }))
                .of_element(number)
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        let message = "Name at least one scope: a key without any opens nothing";
        return Err(Violation::new(ViolationKind::TooShort, message).with(json!({ "min_length": 1 })));
    }
    Ok(scopes)
}

/// Networks in CIDR form, or single addresses.
pub fn parse_networks<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<IpNet>, Violation> {
    let texts: Vec<&str> = texts.into_iter().collect();
    if texts.len() > MAX_NETWORKS {
        let fault = Violation::new(ViolationKind::TooLong, "Name 32 networks at most");
        return Err(fault.with(json!({ "max_length": MAX_NETWORKS })));
    }
    let network = |text: &str| {
        let text = text.trim();
        let network = text
            .parse()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.map(|network: IpNet| network.trunc())
    };
    let wrong = |number| {
        Violation::value("Write each network as a CIDR such as 192.0.2.0/24, or as one address").of_element(number)
    };
    let networks = texts.into_iter().enumerate();
    networks
        .map(|(number, text)| network(text).ok_or_else(|| wrong(number)))
        .collect()
}

/// Requests a minute.
pub fn parse_limit(raw: i64) -> Result<i32, Violation> {
    let limit = within("The limit", raw, 1, MAX_PER_MINUTE)?;
    i32::try_from(limit).map_err(|_| Violation::value("The limit is out of range"))
}

/// Seconds that the previous secret of a rotated key still works.
pub fn parse_grace(raw: i64) -> Result<u32, Violation> {
    let grace = within("The grace", raw, 0, MAX_GRACE.into())?;
    u32::try_from(grace).map_err(|_| Violation::value("The grace is out of range"))
}

/// When a key expires.
pub fn check_end(end: DateTime<Utc>) -> Result<DateTime<Utc>, Violation> {
    if end > now() {
        Ok(end)
    } else {
        Err(Violation::value(
            "The key must end in the future; revoke it to end it now",
        ))
    }
}

fn within(what: &str, raw: i64, least: i64, most: i64) -> Result<i64, Violation> {
    if raw < least {
        let message = format!("{what} must be {least} or more");
        return Err(Violation::new(ViolationKind::GreaterThanEqual, message).with(json!({ "ge": least })));
    }
    if raw > most {
        let message = format!("{what} must be {most} or less");
        return Err(Violation::new(ViolationKind::LessThanEqual, message).with(json!({ "le": most })));
    }
    Ok(raw)
}

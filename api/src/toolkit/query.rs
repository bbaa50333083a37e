//! Reads the query of an address parameter by parameter and collects **every** fault, as [`crate::toolkit::fields`]
//! does for bodies.

use std::borrow::Cow;

use axum::{
    extract::{FromRef, FromRequestParts},
    http::request::Parts,
};
use chrono::{DateTime, SubsecRound, Utc};
use url::form_urlencoded;
use usher_shared::foundation::rules::{Violation, ViolationKind};

use super::{
    error::ApiError,
    fields::{FieldError, Step},
    state::Toolkit,
};

/// The query of an address, read and checked.
pub(crate) struct Query<T>(pub(crate) T);

/// What a query is read into.
pub(crate) trait FromQuery {
    /// The whole is refused for any fault that `parameters` has noted.
    fn from_query(parameters: &mut Parameters, toolkit: &Toolkit) -> Self;
}

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let mut parameters = Parameters::new(parts.uri.query().unwrap_or_default());
        let read = T::from_query(&mut parameters, &Toolkit::from_ref(state));
        parameters.refuse_unknown();
        match parameters.faults.is_empty() {
            true => Ok(Self(read)),
            false => Err(ApiError::Invalid(parameters.faults)),
        }
    }
}

/// The parameters of one query, and the faults found so far. Ask in declaration order: faults are listed so.
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<FieldError>,
}

impl Parameters {
    fn new(query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self {
            pairs: pairs
                .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
                .collect(),
            known: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// A parameter that may be absent; of two with one name the last wins. None as well when it is at fault, which is
    /// noted.
    pub(crate) fn optional<U>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(&str) -> Result<U, Violation>,
    ) -> Option<U> {
        self.known.push(name);
        let (_, value) = self.pairs.iter().rev().find(|(given, _)| given == name)?;
        let read = legible(value).and_then(rule);
        read.map_err(|violation| self.refuse(name.into(), violation)).ok()
    }

    pub(crate) fn refuse(&mut self, name: Cow<'static, str>, violation: Violation) {
        self.faults
            .push(FieldError::new("query", Some(Step::Key(name)), violation));
    }

    /// All parameters but this one, to make an address of the same list from.
    pub(crate) fn without(&self, name: &str) -> Vec<(String, String)> {
        let others = self.pairs.iter().filter(|(given, _)| given != name);
        others.cloned().collect()
    }

    /// A misspelt filter that is ignored answers with everybody, so it is not ignored.
    fn refuse_unknown(&mut self) {
        let mut unknown: Vec<String> = self.pairs.iter().map(|(name, _)| name.clone()).collect();
        unknown.retain(|name| !self.known.contains(&&**name));
        unknown.dedup();
        for name in unknown {
            let message = format!("Unknown parameter; use {}", self.known.join(", "));
            self.refuse(name.into(), Violation::new(ViolationKind::ExtraForbidden, message));
        }
    }
}

/// What no column holds is looked for in none: databases refuse NUL, and U+FFFD is what is left of broken UTF-8.
fn legible(value: &str) -> Result<&str, Violation> {
    if value
        .chars()
        .any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)
    {
        return Err(Violation::value(
            "The value holds a control character or is not UTF-8; remove it",
        ));
    }
    Ok(value)
}

/// `true` or `false`.
pub(crate) fn boolean(text: &str) -> Result<bool, Violation> {
    text.parse()
        .map_err(|_| Violation::new(ViolationKind::BoolParsing, "Write true or false"))
}

/// A moment in RFC 3339, in whole microseconds as rows have them.
pub(crate) fn moment(text: &str) -> Result<DateTime<Utc>, Violation> {
    // In a URL, an unencoded + is a space.
    let read = DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok();
    let read = read.map(|at| at.to_utc().trunc_subsecs(6)).filter(storable);
    read.ok_or_else(|| {
        Violation::new(
            ViolationKind::DatetimeParsing,
            "Write a time in RFC 3339, such as 2026-11-22T12:00:00Z",
        )
    })
}

/// Years of four digits: those sort as text as they do in time, which SQLite needs.
fn storable(at: &DateTime<Utc>) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&at.year())
}

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
use utoipa::openapi::{
    Schema, Type,
    path::Parameter,
    schema::{KnownFormat, ObjectBuilder, SchemaFormat},
};
use uuid::Uuid;

use super::{
    connection::Connection,
    error::ApiError,
    fields::{FieldError, Step},
    path_id, schema,
    state::Toolkit,
};

/// The query of an address, read and checked.
pub struct Query<T>(pub T);

/// What a query is read into.
pub trait FromQuery {
    /// The whole is refused for any fault that `parameters` has noted.
    fn from_query(parameters: &mut Parameters, toolkit: &Toolkit) -> Self;

    /// The parameters, for the document.
    #[must_use]
    fn parameters() -> Vec<Parameter> {
        vec![]
    }

    /// The fault in the example of a 422.
    #[must_use]
    fn sample_fault() -> FieldError {
        let violation = Violation::new(ViolationKind::ExtraForbidden, "Unknown parameter; leave it out");
        FieldError::new("query", Some(Step::Key("page".into())), violation)
    }
}

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let mut parameters = Parameters::new(parts.uri.path(), parts.uri.query().unwrap_or_default());
        parameters.connection = parts.extensions.remove();
        let read = T::from_query(&mut parameters, &Toolkit::from_ref(state));
        parameters.refuse_unknown();
        match parameters.faults.is_empty() {
            true => Ok(Self(read)),
            false => Err(ApiError::Invalid(parameters.faults)),
        }
    }
}

/// The parameters of one query, and the faults found so far. Ask in declaration order: faults are listed so.
pub struct Parameters {
    path: String,
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    faults: Vec<FieldError>,
    connection: Option<Connection>,
}

impl Parameters {
    fn new(path: &str, query: &str) -> Self {
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned();
        Self {
            path: path.to_owned(),
            pairs: pairs
                .filter(|(name, value)| !(name.is_empty() && value.is_empty()))
                .collect(),
            known: Vec::new(),
            faults: Vec::new(),
            connection: None,
        }
    }

    /// What is asked of a list besides its parameters.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The path of the request.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A parameter that may be absent; of two with one name the last wins. None as well when it is at fault, which is
    /// noted.
    pub fn optional<U>(&mut self, name: &'static str, rule: impl FnOnce(&str) -> Result<U, Violation>) -> Option<U> {
        self.known.push(name);
        let (_, value) = self.pairs.iter().rev().find(|(given, _)| given == name)?;
        let read = legible(value).and_then(rule);
        read.map_err(|violation| self.refuse(name.into(), violation)).ok()
    }

    /// Notes a fault of a parameter, such as one that contradicts another.
    pub fn refuse(&mut self, name: Cow<'static, str>, violation: Violation) {
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
///
/// # Errors
///
/// Another word.
pub fn boolean(text: &str) -> Result<bool, Violation> {
    text.parse()
        .map_err(|_| Violation::new(ViolationKind::BoolParsing, "Write true or false"))
}

/// A moment in RFC 3339, in whole microseconds as rows have them.
///
/// # Errors
///
/// Another form, or a year of more than four digits.
pub fn moment(text: &str) -> Result<DateTime<Utc>, Violation> {
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

/// A type that a query parameter can have, such as a filter of a list.
pub trait QueryValue: Sized {
    /// Reads the parameter.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    fn parse(text: &str) -> Result<Self, Violation>;

    /// What the document says of it.
    fn schema() -> Schema;
}

impl QueryValue for bool {
    fn parse(text: &str) -> Result<Self, Violation> {
        boolean(text)
    }

    fn schema() -> Schema {
        ObjectBuilder::new().schema_type(Type::Boolean).into()
    }
}

impl QueryValue for i64 {
    fn parse(text: &str) -> Result<Self, Violation> {
        text.parse()
            .map_err(|_| Violation::new(ViolationKind::IntParsing, "Write a whole number"))
    }

    fn schema() -> Schema {
        schema::whole_64().into()
    }
}

impl QueryValue for DateTime<Utc> {
    fn parse(text: &str) -> Result<Self, Violation> {
        moment(text)
    }

    fn schema() -> Schema {
        schema::time()
    }
}

impl QueryValue for Uuid {
    fn parse(text: &str) -> Result<Self, Violation> {
        path_id::uuid(text).ok_or_else(|| Violation::value("Write a UUID"))
    }

    fn schema() -> Schema {
        let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
        schema::text().format(Some(format)).into()
    }
}

impl QueryValue for String {
    fn parse(text: &str) -> Result<Self, Violation> {
        Ok(text.to_owned())
    }

    fn schema() -> Schema {
        schema::text().pattern(Some(LEGIBLE)).into()
    }
}

/// A filter by a column that may be empty finds values, not their absence.
impl<T: QueryValue> QueryValue for Option<T> {
    fn parse(text: &str) -> Result<Self, Violation> {
        T::parse(text).map(Some)
    }

    fn schema() -> Schema {
        T::schema()
    }
}

/// What [`legible`] lets through, as a pattern.
const LEGIBLE: &str = r"^[^\x00-\x1f\x7f-\x9f�]*$";

/// Years of four digits: those sort as text as they do in time, which SQLite needs.
fn storable(at: &DateTime<Utc>) -> bool {
    use chrono::Datelike;
    (1..=9999).contains(&at.year())
}

//! Times on the wire, all of one width ([`usher_shared::foundation::time::rfc3339`]).

use chrono::{DateTime, Utc};
use serde::Serializer;
use usher_shared::foundation::time;

pub(crate) fn fixed<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time::rfc3339(*at))
}

pub(crate) fn fixed_or_null<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => fixed(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes a time, or none, as all times of the API are written: `#[serde(serialize_with = "rfc3339")]`.
///
/// # Errors
///
/// Those of the serializer.
pub fn rfc3339<T: Moment, S: Serializer>(at: &T, serializer: S) -> Result<S::Ok, S::Error> {
    fixed_or_null(&at.moment(), serializer)
}

/// A time, or none.
pub trait Moment {
    fn moment(&self) -> Option<DateTime<Utc>>;
}

impl Moment for DateTime<Utc> {
    fn moment(&self) -> Option<DateTime<Utc>> {
        Some(*self)
    }
}

impl Moment for Option<DateTime<Utc>> {
    fn moment(&self) -> Option<DateTime<Utc>> {
        *self
    }
}

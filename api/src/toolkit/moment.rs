//! Times on the wire, all of one width ([`usher_shared::foundation::time::rfc3339`]).

use chrono::{DateTime, Utc};
use serde::Serializer;
use usher_shared::foundation::time::rfc3339;

pub fn fixed<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at))
}

pub fn fixed_or_null<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => fixed(at, serializer),
        None => serializer.serialize_none(),
    }
}

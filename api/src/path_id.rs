//! The numeric `{id}` of an address.

use std::{borrow::Cow, num::IntErrorKind};

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use usher_shared::rules::{Violation, ViolationKind};

use crate::{
    error::ApiError,
    fields::{FieldError, Step},
};

/// The `{id}` in the path; none for a whole number beyond 64 bits, which no row can have.
pub struct PathId(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A rejection here means that the text is not UTF-8, and so is no number either.
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| not_a_number())?;
        let text = params
            .iter()
            .find(|(name, _)| *name == "id")
            .map_or("", |(_, value)| value);
        match text.parse() {
            Ok(id) => Ok(Self(Some(id))),
            Err(error) => match error.kind() {
                IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Ok(Self(None)),
                _ => Err(not_a_number()),
            },
        }
    }
}

impl PathId {
    /// What is said of an id that is no whole number.
    pub(crate) fn fault() -> FieldError {
        let violation = Violation::new(
            ViolationKind::IntParsing,
            "The id in the address must be a whole number",
        );
        FieldError::new("path", Some(Step::Key(Cow::Borrowed("id"))), violation)
    }
}

fn not_a_number() -> ApiError {
    ApiError::Invalid(vec![PathId::fault()])
}

//! The numeric `{id}` of an address.

use std::borrow::Cow;

use axum::{
    extract::{FromRequestParts, Path, RawPathParams, rejection::PathRejection},
    http::request::Parts,
};
use sea_orm::{Condition, ConnectionTrait, EntityTrait, PrimaryKeyTrait, QueryFilter, QuerySelect};
use usher_shared::{
    foundation::rules::{Violation, ViolationKind},
    jobs::Tx,
};
use uuid::{Uuid, fmt::Hyphenated};

use super::{
    code::Code,
    error::ApiError,
    fields::{FieldError, Step},
};

/// The `{id}` in the path; none for a number that no row can have, because it exceeds 64 bits or isn't written the way
/// the API writes it.
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
        let number = text.trim();
        let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(not_a_number());
        }
        // A row has one address: written in another way, such as 02 or +2, the number is that of none.
        let id = text.parse().ok().filter(|id: &i64| id.to_string() == text);
        Ok(Self(id))
    }
}

impl PathId {
    /// The id, or 404.
    ///
    /// # Errors
    ///
    /// [`Code::NOT_FOUND`] for a number that no row can have.
    pub fn found(&self) -> Result<i64, ApiError> {
        self.0.ok_or(Code::NOT_FOUND.into())
    }

    /// The row with this id, if it is one of `rows`, such as those that a caller may see.
    ///
    /// # Errors
    ///
    /// [`Code::NOT_FOUND`], and those of the database.
    pub async fn row<E: EntityTrait>(&self, conn: &impl ConnectionTrait, rows: Condition) -> Result<E::Model, ApiError>
    where
        <E::PrimaryKey as PrimaryKeyTrait>::ValueType: From<i64>,
    {
        let row = E::find_by_id(self.found()?).filter(rows).one(conn).await?;
        row.ok_or(Code::NOT_FOUND.into())
    }

    /// [`PathId::row`], locked until the transaction ends.
    ///
    /// # Errors
    ///
    /// [`Code::NOT_FOUND`], and those of the database.
    pub async fn row_for_change<E: EntityTrait>(&self, tx: &Tx, rows: Condition) -> Result<E::Model, ApiError>
    where
        <E::PrimaryKey as PrimaryKeyTrait>::ValueType: From<i64>,
    {
        let row = E::find_by_id(self.found()?).filter(rows);
        row.lock_exclusive().one(&**tx).await?.ok_or(Code::NOT_FOUND.into())
    }

    /// What is said of an id that is no whole number.
    #[must_use]
    pub fn fault() -> FieldError {
        let violation = Violation::new(
            ViolationKind::IntParsing,
            "The id in the address must be a whole number",
        );
        FieldError::new("path", Some(Step::Key(Cow::Borrowed("id"))), violation)
    }
}

/// A UUID as the API writes it, in any letter case (RFC 9562 §4); in another form, such as in braces, it names nothing.
#[must_use]
pub fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == Hyphenated::LENGTH)
}

/// A UUID in the address; what is none names nothing.
#[must_use]
pub fn uuid_of(segment: Result<Path<String>, PathRejection>) -> Option<Uuid> {
    segment.ok().and_then(|Path(text)| uuid(&text))
}

fn not_a_number() -> ApiError {
    ApiError::Invalid(vec![PathId::fault()])
}

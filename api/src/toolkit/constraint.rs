//! What a constraint of the database means for the client: insert, then translate, rather than look first.

use sea_orm::{DbErr, SqlErr};
use usher_shared::foundation::rules::Violation;

use super::{code::Code, error::ApiError, fields::in_body};

/// Tells the client which constraint refused a row.
///
/// ```
/// use sea_orm::DbErr;
/// use usher_api::{ApiError, Code, OnConstraint};
///
/// fn answer(inserted: Result<(), DbErr>) -> Result<(), ApiError> {
///     inserted.on_missing("user_id").on_taken(Code::EMAIL_EXISTS)
/// }
/// ```
pub trait OnConstraint<T> {
    /// 422 for this field of the body, where there is no row with the id that it refers to.
    ///
    /// # Errors
    ///
    /// That one, and any other as it is.
    fn on_missing(self, field: &'static str) -> Result<T, ApiError>;

    /// This code, where another row has the value of a unique index.
    ///
    /// # Errors
    ///
    /// That one, and any other as it is.
    fn on_taken(self, code: Code) -> Result<T, ApiError>;
}

impl<T, E: Into<ApiError>> OnConstraint<T> for Result<T, E> {
    fn on_missing(self, field: &'static str) -> Result<T, ApiError> {
        self.map_err(|error| {
            translate(error, |broken| match broken {
                SqlErr::ForeignKeyConstraintViolation(_) => {
                    let violation = Violation::value("Nothing has this id; send the id of something that exists");
                    Some(ApiError::Invalid(vec![in_body(field, violation)]))
                }
                _ => None,
            })
        })
    }

    fn on_taken(self, code: Code) -> Result<T, ApiError> {
        self.map_err(|error| {
            translate(error, |broken| match broken {
                SqlErr::UniqueConstraintViolation(_) => Some(code.into()),
                _ => None,
            })
        })
    }
}

fn translate(error: impl Into<ApiError>, rule: impl FnOnce(SqlErr) -> Option<ApiError>) -> ApiError {
    let error = error.into();
    let broken = match &error {
        ApiError::Internal(cause) => cause.downcast_ref::<DbErr>().and_then(DbErr::sql_err),
        _ => None,
    };
    broken.and_then(rule).unwrap_or(error)
}

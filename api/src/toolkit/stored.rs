//! How fields of a body are stored, so that a body becomes the row to insert or to update.

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue, Value};
use usher_shared::foundation::rules::{Age, Name};
use uuid::Uuid;

use super::{
    fields::Patch,
    values::{Integer, Lines, Text},
};

/// A field of a body that is stored in a column.
pub trait Stored {
    /// As the column has it.
    type Column: Into<Value>;

    /// For an active model: what was sent, or unset where a patch doesn't change it.
    fn active(self) -> ActiveValue<Self::Column>;
}

impl<T: Stored> Stored for Option<T>
where
    Option<T::Column>: Into<Value>,
{
    type Column = Option<T::Column>;

    fn active(self) -> ActiveValue<Self::Column> {
        match self.map(T::active) {
            None => ActiveValue::Set(None),
            Some(ActiveValue::Set(value) | ActiveValue::Unchanged(value)) => ActiveValue::Set(Some(value)),
            Some(ActiveValue::NotSet) => ActiveValue::NotSet,
        }
    }
}

impl<T: Stored> Stored for Patch<T> {
    type Column = T::Column;

    fn active(self) -> ActiveValue<Self::Column> {
        self.0.map_or(ActiveValue::NotSet, T::active)
    }
}

/// Stored as they are.
macro_rules! stored_as_they_are {
    ($($kind:ty),*) => {
        $(impl Stored for $kind {
            type Column = Self;

            fn active(self) -> ActiveValue<Self> {
                ActiveValue::Set(self)
            }
        })*
    };
}

stored_as_they_are!(bool, i64, String, DateTime<Utc>, Uuid);

impl<const MIN: usize, const MAX: usize> Stored for Text<MIN, MAX> {
    type Column = String;

    fn active(self) -> ActiveValue<String> {
        ActiveValue::Set(self.into())
    }
}

impl<const MIN: usize, const MAX: usize> Stored for Lines<MIN, MAX> {
    type Column = String;

    fn active(self) -> ActiveValue<String> {
        ActiveValue::Set(self.into())
    }
}

impl<const MIN: i64, const MAX: i64> Stored for Integer<MIN, MAX> {
    type Column = i64;

    fn active(self) -> ActiveValue<i64> {
        ActiveValue::Set(self.into())
    }
}

impl Stored for Name {
    type Column = String;

    fn active(self) -> ActiveValue<String> {
        ActiveValue::Set(self.as_str().to_owned())
    }
}

impl Stored for Age {
    type Column = i16;

    fn active(self) -> ActiveValue<i16> {
        ActiveValue::Set(self.years())
    }
}

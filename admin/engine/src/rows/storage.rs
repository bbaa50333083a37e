//! How a column's values are stored, and how they are written as text: in forms, filters, addresses and cursors.

use chrono::{DateTime, NaiveDateTime, Utc};
use sea_orm::{ColumnType, DbErr, QueryResult, Value};
use serde_json::Value as Json;
use usher_shared::foundation::time::rfc3339;
use uuid::Uuid;

/// The column's type as the database driver needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    SmallInt,
    Int,
    BigInt,
    Bool,
    #[default]
    Text,
    Time,
    Uuid,
    Json,
    Bytes,
}

impl Storage {
    pub fn of(column_type: &ColumnType) -> Self {
        match column_type {
            ColumnType::TinyInteger | ColumnType::SmallInteger => Self::SmallInt,
            ColumnType::Integer => Self::Int,
            ColumnType::BigInteger => Self::BigInt,
            ColumnType::Boolean => Self::Bool,
            ColumnType::DateTime | ColumnType::Timestamp | ColumnType::TimestampWithTimeZone => Self::Time,
            ColumnType::Uuid => Self::Uuid,
            ColumnType::Json | ColumnType::JsonBinary => Self::Json,
            ColumnType::Blob | ColumnType::Binary(_) | ColumnType::VarBinary(_) => Self::Bytes,
            _ => Self::Text,
        }
    }

    /// One value of a result row.
    pub fn read(self, row: &QueryResult, column: &str) -> Result<Value, DbErr> {
        Ok(match self {
            Self::SmallInt => row.try_get::<Option<i16>>("", column)?.into(),
            Self::Int => row.try_get::<Option<i32>>("", column)?.into(),
            Self::BigInt => row.try_get::<Option<i64>>("", column)?.into(),
            Self::Bool => row.try_get::<Option<bool>>("", column)?.into(),
            Self::Text => row.try_get::<Option<String>>("", column)?.into(),
            Self::Time => row.try_get::<Option<DateTime<Utc>>>("", column)?.into(),
            Self::Uuid => row.try_get::<Option<Uuid>>("", column)?.into(),
            Self::Json => row.try_get::<Option<Json>>("", column)?.into(),
            Self::Bytes => row.try_get::<Option<Vec<u8>>>("", column)?.into(),
        })
    }

    /// Parses a text; `None` if it is not a value of this type.
    pub fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::SmallInt => text.parse::<i16>().ok().map(Value::from),
            Self::Int => text.parse::<i32>().ok().map(Value::from),
            Self::BigInt => text.parse::<i64>().ok().map(Value::from),
            Self::Bool => text.parse::<bool>().ok().map(Value::from),
            Self::Text => (!text.contains('\0')).then(|| Value::from(text)),
            Self::Time => parse_time(text).map(Value::from),
            Self::Uuid => text.parse::<Uuid>().ok().map(Value::from),
            Self::Json | Self::Bytes => None,
        }
    }

    /// The id in an address. Other spellings of the same id are rejected: an object has one address.
    pub fn parse_id(self, text: &str) -> Option<Value> {
        let is_ours = |id: &Value| text_of(id).is_some_and(|ours| ours.eq_ignore_ascii_case(text));
        self.parse(text).filter(is_ours)
    }

    /// SQL's NULL of this type.
    pub fn null(self) -> Value {
        match self {
            Self::SmallInt => Value::SmallInt(None),
            Self::Int => Value::Int(None),
            Self::BigInt => Value::BigInt(None),
            Self::Bool => Value::Bool(None),
            Self::Text => Value::String(None),
            Self::Time => Value::ChronoDateTimeUtc(None),
            Self::Uuid => Value::Uuid(None),
            Self::Json => Value::Json(None),
            Self::Bytes => Value::Bytes(None),
        }
    }
}

/// The text that [`Storage::parse`] reads back as this value; `None` for NULL and types without one.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::SmallInt(Some(number)) => Some(number.to_string()),
        Value::Int(Some(number)) => Some(number.to_string()),
        Value::BigInt(Some(number)) => Some(number.to_string()),
        Value::Bool(Some(truth)) => Some(truth.to_string()),
        Value::String(Some(text)) => Some(text.clone()),
        Value::ChronoDateTimeUtc(Some(at)) => Some(rfc3339(*at)),
        Value::Uuid(Some(id)) => Some(id.to_string()),
        _ => None,
    }
}

/// RFC 3339, or what `<input type="datetime-local">` sends, which is read as UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let local = || {
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
            .iter()
            .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
            .map(|at| at.and_utc())
    };
    let at = text.parse::<DateTime<Utc>>().ok().or_else(local)?;
    // What both databases can store and every form can show.
    (0..=9999).contains(&chrono::Datelike::year(&at)).then_some(at)
}

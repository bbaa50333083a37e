//! A place in a list, signed so that clients can't forge one.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sea_orm::{ColumnTrait, ColumnType, Value};
use usher_shared::foundation::{crypto::SecretKey, rules::Violation};

use super::order::{Col, Listed, Order};

/// Bytes of the signature behind the text.
const TAG: usize = 32;

/// Where a page starts and which way it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cursor {
    pub(super) backward: bool,
    /// The row beyond which the page lies; none for the very end of the list, from which it goes backward.
    pub(super) place: Option<Place>,
}

/// A row's place: its values in the columns of the order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place(pub(super) Vec<Value>);

impl Place {
    pub(super) fn of<L: Listed>(order: &Order<L>, row: &L) -> Self {
        Self(order.keys.iter().map(|key| row.value(key.column)).collect())
    }
}

impl Cursor {
    /// The end of a list, from which one goes backward.
    pub(super) const END: Self = Self {
        backward: true,
        place: None,
    };

    /// What comes after a place.
    pub(super) fn forward(place: Option<Place>) -> Self {
        Self { backward: false, place }
    }

    /// As text for clients, who can do nothing with it but send it back to the same path.
    pub(super) fn seal(self, path: &str, sort: &str, key: &SecretKey) -> String {
        let place = self
            .place
            .map(|Place(values)| values.iter().map(text_of).collect::<Vec<_>>());
        let mut bytes = serde_json::json!([sort, self.backward, place]).to_string().into_bytes();
        let tag = key.sign(&purpose(path), &bytes);
        bytes.extend(tag);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`Cursor::seal`] made for the same list in the same order.
    pub(super) fn open<L: Listed>(text: &str, path: &str, sort: &str, key: &SecretKey) -> Result<Self, Violation> {
        let wrong = || Violation::value("The cursor is not one of this list; take it from next_cursor or prev_cursor");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (bytes, tag) = bytes
            .split_at_checked(bytes.len().saturating_sub(TAG))
            .ok_or_else(wrong)?;
        if !key.verify(&purpose(path), bytes, tag) {
            return Err(wrong());
        }
        let (made_for, backward, place): (String, bool, Option<Vec<Option<String>>>) =
            serde_json::from_slice(bytes).map_err(|_| wrong())?;
        if made_for != sort {
            let message = format!("The cursor was made for sort={made_for}; keep that, or start without a cursor");
            return Err(Violation::value(message));
        }
        let keys = Order::<L>::parse(sort).map_err(|_| wrong())?.keys;
        let place = match place {
            None => None,
            Some(texts) if texts.len() == keys.len() => {
                let values = keys.iter().zip(&texts);
                let values = values.map(|(key, text)| value_of::<L>(key.column, text.as_deref()));
                Some(Place(values.collect::<Option<_>>().ok_or_else(wrong)?))
            }
            Some(_) => return Err(wrong()),
        };
        Ok(Self { backward, place })
    }
}

fn purpose(path: &str) -> String {
    format!("cursor {path}")
}

/// A value of the kinds that lists are sorted by; none for NULL.
pub(in crate::toolkit) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BigInt(number) => number.map(|number| number.to_string()),
        Value::Int(number) => number.map(|number| number.to_string()),
        Value::SmallInt(number) => number.map(|number| number.to_string()),
        Value::ChronoDateTimeUtc(at) => at.map(|at| at.to_rfc3339()),
        Value::Uuid(id) => id.map(|id| id.to_string()),
        Value::String(text) => text.clone(),
        other => unreachable!("no list is sorted by {other:?}"),
    }
}

fn value_of<L: Listed>(column: Col<L>, text: Option<&str>) -> Option<Value> {
    let definition = column.def();
    let Some(text) = text else {
        // Compared by IS NULL, whatever its type.
        return definition.is_null().then_some(Value::String(None));
    };
    Some(match definition.get_column_type() {
        ColumnType::BigInteger => text.parse::<i64>().ok()?.into(),
        ColumnType::Integer => text.parse::<i32>().ok()?.into(),
        ColumnType::SmallInteger => text.parse::<i16>().ok()?.into(),
        ColumnType::TimestampWithTimeZone => chrono::DateTime::parse_from_rfc3339(text).ok()?.to_utc().into(),
        ColumnType::Uuid => text.parse::<uuid::Uuid>().ok()?.into(),
        _ => text.into(),
    })
}

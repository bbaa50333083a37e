//! Cuts the rows of a list to what was asked while they are read: what isn't asked for is skipped, and nothing is made
//! twice. It is for rows without relations, which is nearly all of them; others are read whole first.

use std::{cell::Cell, fmt};

use async_graphql::{Value as Graphql, indexmap::IndexMap};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Number, Value as Json, value::RawValue};

use super::{
    plan::{Selected, What},
    schema::type_name,
    values::{Kind, Type, to_graphql},
};

/// A list as operations answer with it.
#[derive(Deserialize)]
pub(super) struct List<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    pub(super) next_cursor: Option<IgnoredAny>,
    pub(super) prev_cursor: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) count: Json,
    #[serde(default)]
    pub(super) count_is_exact: Json,
    pub(super) connection: Place,
}

/// Where it begins and ends.
#[derive(Deserialize)]
pub(super) struct Place {
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
}

/// The fields of a row, if rows can be cut to them while they are read: each value is read once, so it can be selected
/// in one way only.
pub(super) fn can_cut(fields: &[Selected<'_>]) -> bool {
    fields
        .iter()
        .enumerate()
        .all(|(number, selected)| match &selected.what {
            What::TypeName(_) => true,
            What::Value(field) => {
                let is_again =
                    |other: &Selected<'_>| matches!(&other.what, What::Value(again) if again.key == field.key);
                can_cut(&selected.fields) && !fields[..number].iter().any(is_again)
            }
            _ => false,
        })
}

impl List<'_> {
    /// The rows with these fields, and about how many bytes they have. None where a row is not as the schema says; it is
    /// read in the other way then, which says what is wrong.
    pub(super) fn rows(&self, rows: &Type, fields: &[Selected<'_>]) -> Option<(Graphql, usize)> {
        let size = Cell::new(0);
        let cut = Cut {
            kind: rows,
            fields,
            size: &size,
        };
        let mut json = serde_json::Deserializer::from_str(self.data.get());
        let rows = cut.deserialize(&mut json).ok()?;
        Some((rows, size.get()))
    }
}

/// A value of this type.
#[derive(Clone, Copy)]
struct Cut<'c> {
    kind: &'c Type,
    fields: &'c [Selected<'c>],
    size: &'c Cell<usize>,
}

impl Cut<'_> {
    fn weighed(self, value: Graphql, size: usize) -> Graphql {
        self.size.set(self.size.get() + size + 16);
        value
    }
}

impl<'de> DeserializeSeed<'de> for Cut<'_> {
    type Value = Graphql;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Graphql, D::Error> {
        match self.kind.kind {
            Kind::Json => {
                let value = Json::deserialize(deserializer)?;
                let size = value.to_string().len();
                Ok(self.weighed(to_graphql(&Kind::Json, &value), size))
            }
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Cut<'_> {
    type Value = Graphql;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a value of the type {:?}", self.kind)
    }

    fn visit_unit<E: Error>(self) -> Result<Graphql, E> {
        match self.kind.is_required {
            true => Err(E::custom("there is no value")),
            false => Ok(Graphql::Null),
        }
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<Graphql, E> {
        Ok(self.weighed(Graphql::Boolean(is), 0))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Graphql, E> {
        Ok(self.weighed(to_graphql(&self.kind.kind, &Json::Number(number.into())), 0))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Graphql, E> {
        Ok(self.weighed(to_graphql(&self.kind.kind, &Json::Number(number.into())), 0))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Graphql, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("no number of JSON"))?;
        Ok(self.weighed(Graphql::Number(number), 0))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Graphql, E> {
        let value = match self.kind.kind {
            Kind::Enum(_) => to_graphql(&self.kind.kind, &Json::String(text.to_owned())),
            _ => Graphql::String(text.to_owned()),
        };
        Ok(self.weighed(value, text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Graphql, A::Error> {
        let Kind::List(inner) = &self.kind.kind else {
            return Err(A::Error::custom("no list"));
        };
        let cut = Cut { kind: inner, ..self };
        let mut made = vec![];
        while let Some(value) = values.next_element_seed(cut)? {
            made.push(value);
        }
        Ok(Graphql::List(made))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut values: A) -> Result<Graphql, A::Error> {
        // In the order in which they were asked for, with what may be missing as null.
        let mut object: IndexMap<_, _> = self
            .fields
            .iter()
            .map(|selected| match &selected.what {
                What::TypeName(name) => (selected.name.clone(), type_name(name)),
                _ => (selected.name.clone(), Graphql::Null),
            })
            .collect();
        let mut required = self.fields.iter().filter(|selected| is_required(selected)).count();
        while let Some(key) = values.next_key::<Key<'_>>()? {
            let wanted = self
                .fields
                .iter()
                .enumerate()
                .find_map(|(number, selected)| match &selected.what {
                    What::Value(field) if field.key == key.0 => Some((number, field, selected)),
                    _ => None,
                });
            let Some((number, field, selected)) = wanted else {
                values.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = values.next_value_seed(Cut {
                kind: &field.kind,
                fields: &selected.fields,
                size: self.size,
            })?;
            required -= usize::from(field.kind.is_required);
            if let Some((_, place)) = object.get_index_mut(number) {
                *place = value;
            }
        }
        match required {
            0 => Ok(Graphql::Object(object)),
            _ => Err(A::Error::custom("a value is missing")),
        }
    }
}

fn is_required(selected: &Selected<'_>) -> bool {
    matches!(&selected.what, What::Value(field) if field.kind.is_required)
}

/// A name, borrowed where it can be.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

//! Cuts the rows of a page to what was asked while they are read: values are copied as they are written there, and what
//! isn't asked for is skipped. It is for pages without relations, which is nearly all of them; others are read whole.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value as Json, json, value::RawValue};

use super::{
    answer::{append, append_name},
    plan::{Selected, What},
    values::{Kind, Type},
    write::MAX_ANSWER,
};

/// Whether objects can be cut to these fields: each value is met once, so it can be selected in one way only.
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

/// A page.
pub(super) struct Page {
    /// The rows, as they are answered with.
    pub(super) rows: Vec<u8>,
    /// What a connection has besides.
    pub(super) rest: Json,
}

/// Where it begins and ends.
#[derive(Default, Deserialize)]
struct Place {
    start: Option<String>,
    end: Option<String>,
}

impl Page {
    /// None where it is not as the schema says, or the rows would make an answer too large.
    pub(super) fn cut(page: &[u8], fields: &[Selected<'_>]) -> Option<Self> {
        let nodes = fields
            .iter()
            .find(|selected| matches!(&selected.what, What::Value(field) if field.key == "nodes"));
        let cut = Cut {
            nodes: nodes.map(|nodes| &*nodes.fields),
        };
        cut.deserialize(&mut serde_json::Deserializer::from_slice(page)).ok()
    }
}

/// Reads a page.
struct Cut<'c> {
    nodes: Option<&'c [Selected<'c>]>,
}

impl<'de> DeserializeSeed<'de> for Cut<'_> {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Cut<'_> {
    type Value = Page;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a page")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut page: A) -> Result<Page, A::Error> {
        let mut rows = vec![];
        let (mut has_next, mut has_previous) = (false, false);
        let (mut count, mut is_exact) = (Json::Null, Json::Null);
        let mut place = Place::default();
        while let Some(key) = page.next_key::<Key<'_>>()? {
            match (&*key.0, self.nodes) {
                ("data", Some(fields)) => page.next_value_seed(Rows {
                    json: &mut rows,
                    fields,
                })?,
                ("next_cursor", _) => has_next = page.next_value::<Option<IgnoredAny>>()?.is_some(),
                ("prev_cursor", _) => has_previous = page.next_value::<Option<IgnoredAny>>()?.is_some(),
                ("count", _) => count = page.next_value()?,
                ("count_is_exact", _) => is_exact = page.next_value()?,
                ("connection", _) => place = page.next_value()?,
                _ => drop(page.next_value::<IgnoredAny>()?),
            }
        }
        let rest = json!({
            "page_info": {
                "has_next_page": has_next,
                "has_previous_page": has_previous,
                "start_cursor": place.start,
                "end_cursor": place.end,
            },
            "total_count": count,
            "total_count_is_exact": is_exact,
        });
        Ok(Page { rows, rest })
    }
}

/// Copies the rows of a list.
struct Rows<'c> {
    json: &'c mut Vec<u8>,
    fields: &'c [Selected<'c>],
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        self.json.push(b'[');
        let begin = self.json.len();
        let mut values = vec![None; self.fields.len()];
        while let Some(()) = rows.next_element_seed(Object {
            fields: self.fields,
            values: &mut values,
        })? {
            if self.json.len() > begin {
                self.json.push(b',');
            }
            append_object(self.json, self.fields, &mut values)
                .ok_or_else(|| Error::custom("not as the schema says"))?;
        }
        self.json.push(b']');
        Ok(())
    }
}

/// Finds an object's values that are asked for, in the fields' order.
struct Object<'c, 'de> {
    fields: &'c [Selected<'c>],
    values: &'c mut [Option<&'de RawValue>],
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<Key<'_>>()? {
            let is_meant = |selected: &Selected<'_>| matches!(&selected.what, What::Value(field) if field.key == key.0);
            match self.fields.iter().position(is_meant) {
                Some(number) => self.values[number] = Some(object.next_value()?),
                None => drop(object.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// Writes an object of the values that were found, and forgets them.
fn append_object(json: &mut Vec<u8>, fields: &[Selected<'_>], values: &mut [Option<&RawValue>]) -> Option<()> {
    let mut before = b'{';
    for (selected, value) in fields.iter().zip(values) {
        json.push(before);
        before = b',';
        append_name(json, &selected.name);
        match &selected.what {
            What::TypeName(name) => append(json, name),
            What::Value(field) => {
                let value = value.take().map_or("null", RawValue::get);
                append_value(json, value, &field.kind, &selected.fields)?;
            }
            _ => return None,
        }
    }
    if fields.is_empty() {
        json.push(before);
    }
    json.push(b'}');
    (json.len() <= MAX_ANSWER).then_some(())
}

/// Writes a value. None where it is of another type.
fn append_value(json: &mut Vec<u8>, value: &str, kind: &Type, fields: &[Selected<'_>]) -> Option<()> {
    match (&kind.kind, value) {
        (_, "null") if kind.is_required => return None,
        (_, "null") => json.extend_from_slice(b"null"),
        (Kind::Object(_), object) => {
            let mut values = vec![None; fields.len()];
            let reader = Object {
                fields,
                values: &mut values,
            };
            reader
                .deserialize(&mut serde_json::Deserializer::from_str(object))
                .ok()?;
            append_object(json, fields, &mut values)?;
        }
        (Kind::List(inner), list) => {
            let values: Vec<&RawValue> = serde_json::from_str(list).ok()?;
            json.push(b'[');
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    json.push(b',');
                }
                append_value(json, value.get(), inner, fields)?;
            }
            json.push(b']');
        }
        (Kind::Id { .. }, id) if !id.starts_with('"') => {
            json.push(b'"');
            json.extend_from_slice(id.as_bytes());
            json.push(b'"');
        }
        (Kind::Enum(_), word) => json.extend(word.bytes().map(|byte| byte.to_ascii_uppercase())),
        (_, value) => json.extend_from_slice(value.as_bytes()),
    }
    Some(())
}

/// A name, borrowed where it can be.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

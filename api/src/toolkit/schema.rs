//! What the document says of a body and its fields.

use serde_json::{Value, json};
use utoipa::openapi::{
    RefOr, Schema,
    schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, SchemaType, Type},
};

use super::fields::Field;

/// The schema of a body, to which its fields are added in their order.
pub struct BodySchema(Object);

impl BodySchema {
    /// The schema of an object without fields yet.
    #[must_use]
    pub fn new(about: &str) -> Self {
        let mut body = Object::with_type(Type::Object);
        body.description = Some(about.to_owned());
        Self(body)
    }

    /// Says of this field what its type says, with a comment before and another example.
    pub fn field<T: Field>(mut self, name: &str, about: &str, example: Option<Value>) -> Self {
        let mut field = T::schema();
        let (_, description, shown) = parts(&mut field);
        let about = [Some(about).filter(|about| !about.is_empty()), description.as_deref()];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        *description = Some(about.join(" ")).filter(|about| !about.is_empty());
        *shown = example.or(shown.take());
        if T::absent().is_none() {
            self.0.required.push(name.to_owned());
        }
        self.0.properties.insert(name.to_owned(), field.into());
        self
    }
}

impl From<BodySchema> for RefOr<Schema> {
    fn from(BodySchema(body): BodySchema) -> Self {
        Schema::Object(body).into()
    }
}

/// Bytes.
#[must_use]
pub(super) fn binary() -> Object {
    let bytes = ObjectBuilder::new().schema_type(Type::String);
    bytes
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build()
}

/// The same, or null.
#[must_use]
pub fn nullable(mut schema: Schema) -> Schema {
    if let Schema::Object(Object {
        enum_values: Some(values),
        ..
    }) = &mut schema
    {
        values.push(Value::Null);
    }
    let (kind, ..) = parts(&mut schema);
    if let SchemaType::Type(one) = kind {
        *kind = SchemaType::from_iter([one.clone(), Type::Null]);
    }
    schema
}

/// The same with this example in place of another.
#[must_use]
pub fn with_example(schema: impl Into<Schema>, example: Value) -> Schema {
    let mut schema = schema.into();
    let (.., shown) = parts(&mut schema);
    *shown = Some(example);
    schema
}

/// The type, the description and the example.
fn parts(schema: &mut Schema) -> (&mut SchemaType, &mut Option<String>, &mut Option<Value>) {
    match schema {
        Schema::Object(value) => (&mut value.schema_type, &mut value.description, &mut value.example),
        Schema::Array(list) => (&mut list.schema_type, &mut list.description, &mut list.example),
        _ => unreachable!("a field holds a value or a list"),
    }
}

/// A text.
#[must_use]
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// A whole number within these bounds.
#[must_use]
pub fn whole(minimum: u32, maximum: u32) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(minimum))
        .maximum(Some(maximum))
}

/// A whole number of 64 bits.
#[must_use]
pub fn whole_64() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
}

/// A time in RFC 3339.
#[must_use]
pub fn time() -> Schema {
    let schema = text().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
    with_example(schema, json!("2100-01-01T00:00:00Z"))
}

const RULE: &str = "At least one visible character; no control, bidirectional, private-use or unassigned characters; \
    joiners and selectors only where a script or an emoji needs them.";
// No more than every engine knows (RE2, ECMA-262, Python): what else is refused is in Unicode's tables, for which they
// have no common word.
const FIRST: &str = r"[^\s\x00-\x1f\x7f-\x9f]";
const ANY: &str = r"[^\x00-\x1f\x7f-\x9f]";

/// A line of text of `min` to `max` characters after trimming.
#[must_use]
pub fn trimmed_between(about: &str, min: usize, max: usize) -> ObjectBuilder {
    if min == 1 {
        return trimmed(about, max);
    }
    let words = format!("{about}{min}–{max} characters after trimming. {RULE}");
    text()
        .min_length(Some(min))
        .pattern(Some(format!(r"^{ANY}*$")))
        .description(Some(words))
}

/// Lines of text, `min` to `max` characters after trimming.
#[must_use]
pub fn lines(min: usize, max: usize) -> ObjectBuilder {
    let words = format!("{min}–{max} characters after trimming, in any number of lines. {RULE}");
    text().min_length(Some(min)).description(Some(words))
}

/// Text that people see; the rule is `usher_shared::foundation::rules::text`. The pattern counts the characters: a
/// `maxLength` would count the white space around them, too.
#[must_use]
pub fn trimmed(about: &str, max: usize) -> ObjectBuilder {
    text()
        .min_length(Some(1))
        .pattern(Some(format!(r"^\s*{FIRST}{ANY}{{0,{}}}\s*$", max - 1)))
        .description(Some(format!("{about}1–{max} characters after trimming. {RULE}")))
}

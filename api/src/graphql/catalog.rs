//! What the OpenAPI document offers, as GraphQL's types and root fields.

use async_graphql::indexmap::IndexMap;
use serde_json::Value;

use super::{
    names::{camel, enum_value, noun, pascal},
    operation::{Answer, Argument, Operation, Paging, Place},
    values::{Kind, Type},
};

use crate::relation::Relation;

/// Everything that can be asked.
#[derive(Default)]
pub(super) struct Catalog {
    pub(super) objects: IndexMap<String, Object>,
    pub(super) inputs: IndexMap<String, IndexMap<String, Field>>,
    /// The values of enums, as GraphQL writes them.
    pub(super) enums: IndexMap<String, Vec<String>>,
    pub(super) queries: IndexMap<String, Operation>,
    pub(super) mutations: IndexMap<String, Operation>,
}

#[derive(Default)]
pub(super) struct Object {
    pub(super) about: String,
    pub(super) fields: IndexMap<String, Field>,
}

pub(super) struct Field {
    /// Its name in JSON.
    pub(super) key: String,
    pub(super) kind: Type,
    pub(super) about: String,
    pub(super) related: Option<Related>,
}

/// Where the rows of a relation come from.
pub(super) struct Related {
    /// The query that lists them.
    pub(super) list: String,
    pub(super) column: String,
    pub(super) is_many: bool,
}

/// The type of what is told of a page.
const PAGE_INFO: &str = "PageInfo";
/// What the name of a page begins with, before that of its rows.
const PAGE_OF: &str = "List_";
/// What events are called in the document.
pub(super) const EVENT: &str = "Event";
/// The version of an object, as a field of it.
pub(super) const ETAG: &str = "etag";
/// Headers that mean something to an operation. Those about caches and streams don't.
const HEADERS: &[&str] = &["If-Match", "Idempotency-Key"];
/// Parameters of lists that connections have in their own way.
const PAGING: &[&str] = &["limit", "cursor", "count"];

impl Catalog {
    /// Reads the document.
    ///
    /// # Errors
    ///
    /// One line on names that collide, or on a relation that leads nowhere.
    pub(super) fn new(document: &Value, relations: &[Relation]) -> Result<Self, String> {
        let mut reader = Reader {
            document,
            catalog: Self::default(),
            relations,
            lists: IndexMap::new(),
        };
        reader.add_page_info();
        let paths = document["paths"].as_object().into_iter().flatten();
        for (path, item) in paths {
            for (method, operation) in item.as_object().into_iter().flatten() {
                reader.operation(method, path, operation)?;
            }
        }
        for relation in relations {
            reader.relate(relation)?;
        }
        reader.check_names()?;
        Ok(reader.catalog)
    }
}

/// Whether a type is one that is sent or one that is answered: GraphQL keeps them apart.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
}

struct Reader<'d> {
    document: &'d Value,
    catalog: Catalog,
    relations: &'d [Relation],
    /// The queries that list something, by the operation's id, with the type of their rows.
    lists: IndexMap<String, (String, String)>,
}

impl<'d> Reader<'d> {
    /// Adds an operation that asks for a credential and speaks JSON. The others are for signing in, probes, and files.
    fn operation(&mut self, method: &str, path: &str, operation: &'d Value) -> Result<(), String> {
        let Some(id) = operation["operationId"].as_str() else {
            return Ok(());
        };
        if !needs_credential(operation) || !speaks_json(operation) {
            return Ok(());
        }
        let is_query = method == "get";
        let name = if is_query { noun(id) } else { id.to_owned() };
        let answer = self.answer(&name, operation);
        let mut arguments = IndexMap::new();
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = self.resolved(parameter);
            if let Some((name, argument)) = self.argument(id, parameter, &answer) {
                arguments.insert(name, argument);
            }
        }
        if let Answer::Page(_) = answer {
            arguments.extend(paging());
        }
        if let Some(body) = operation.get("requestBody") {
            let schema = &json_of(body)["schema"];
            let mut value = self.type_of(schema, &pascal(id), "input", Way::In);
            value.is_required = body["required"] == true && !is_nullable(schema);
            let argument = Argument {
                place: Place::Body,
                value,
                about: String::new(),
            };
            arguments.insert("input".to_owned(), argument);
        }
        if let (Answer::Page(connection), true) = (&answer, is_query) {
            let row = connection.trim_end_matches("Connection").to_owned();
            self.lists.insert(id.to_owned(), (name.clone(), row));
        }
        let made = Operation {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            about: about_operation(operation),
            arguments,
            answer,
        };
        let roots = match is_query {
            true => &mut self.catalog.queries,
            false => &mut self.catalog.mutations,
        };
        match roots.insert(name.clone(), made) {
            None => Ok(()),
            Some(other) => Err(format!(
                "GraphQL would have the field {name} twice, for {} and {path}; give one another operation id",
                other.path
            )),
        }
    }

    fn argument(&mut self, id: &str, parameter: &'d Value, answer: &Answer) -> Option<(String, Argument)> {
        let name = parameter["name"].as_str()?;
        let place = match parameter["in"].as_str()? {
            "path" => Place::Path(name.to_owned()),
            "query" if matches!(answer, Answer::Page(_)) && PAGING.contains(&name) => return None,
            "query" => Place::Query(name.to_owned()),
            "header" if HEADERS.contains(&name) => Place::Header(name.to_owned()),
            _ => return None,
        };
        let mut value = self.type_of(&parameter["schema"], &pascal(id), name, Way::In);
        value.is_required = parameter["required"] == true;
        let argument = Argument {
            place,
            value,
            about: text(&parameter["description"]),
        };
        Some((camel(name), argument))
    }

    fn answer(&mut self, name: &str, operation: &'d Value) -> Answer {
        let answers = successes(operation);
        let Some(answer) = answers.clone().find(|answer| !json_of(answer).is_null()) else {
            return Answer::Nothing;
        };
        let schema = &json_of(answer)["schema"];
        if let Some(row) = name_of(schema).and_then(|name| name.strip_prefix(PAGE_OF)) {
            return Answer::Page(self.connection(row, self.resolved(schema)));
        }
        let answered = self.type_of(&json_of(answer)["schema"], &pascal(name), "answer", Way::Out);
        let has_tag = answers.into_iter().any(|answer| !answer["headers"]["ETag"].is_null());
        if let (Kind::Object(object), true) = (&answered.kind, has_tag) {
            let about = "Its version, for `ifMatch`. Null in lists.";
            self.add_field(object, ETAG, Type::optional(Kind::Text), about);
        }
        Answer::Value(answered)
    }

    /// The types of a page: `UserConnection` and `UserEdge`, as Relay's specification of connections has them.
    fn connection(&mut self, row: &str, page: &'d Value) -> String {
        let rows = &page["properties"]["data"]["items"];
        let Kind::Object(node) = self.named(row, self.resolved(rows), row, Way::Out) else {
            return String::new();
        };
        let (connection, edge) = (format!("{node}Connection"), format!("{node}Edge"));
        if self.catalog.objects.contains_key(&connection) {
            return connection;
        }
        let object = |kind: &str| Type::required(Kind::Object(kind.to_owned()));
        let list = |kind: &str| Type::required(Kind::List(Box::new(object(kind))));
        let about = format!("A page of a list of {node}.");
        self.add_object(&connection, &about);
        self.add_field(&connection, "nodes", list(&node), "");
        self.add_field(&connection, "edges", list(&edge), "The same with the cursor of each.");
        self.add_field(&connection, "page_info", object(PAGE_INFO), "");
        let about = "How many the whole list has, counted up to 10,000. Null where a relation leads here.";
        self.add_field(&connection, "total_count", Type::optional(Kind::Int), about);
        let about = "False where counting stopped, so that there may be more.";
        self.add_field(
            &connection,
            "total_count_is_exact",
            Type::optional(Kind::Boolean),
            about,
        );
        self.add_object(&edge, "An object of a list, and where it is.");
        self.add_field(&edge, "cursor", Type::required(Kind::Text), "");
        self.add_field(&edge, "node", object(&node), "");
        connection
    }

    fn add_page_info(&mut self) {
        let is = || Type::required(Kind::Boolean);
        let cursor = || Type::optional(Kind::Text);
        self.add_object(PAGE_INFO, "Whether there is more, and where to go on.");
        self.add_field(PAGE_INFO, "has_next_page", is(), "");
        self.add_field(PAGE_INFO, "has_previous_page", is(), "");
        self.add_field(PAGE_INFO, "start_cursor", cursor(), "For `before`.");
        self.add_field(PAGE_INFO, "end_cursor", cursor(), "For `after`.");
    }

    fn add_object(&mut self, name: &str, about: &str) {
        let object = Object {
            about: about.to_owned(),
            fields: IndexMap::new(),
        };
        self.catalog.objects.insert(name.to_owned(), object);
    }

    fn add_field(&mut self, object: &str, key: &str, kind: Type, about: &str) {
        let field = Field {
            key: key.to_owned(),
            kind,
            about: about.to_owned(),
            related: None,
        };
        let fields = &mut self.catalog.objects.entry(object.to_owned()).or_default().fields;
        fields.entry(camel(key)).or_insert(field);
    }

    fn relate(&mut self, relation: &Relation) -> Result<(), String> {
        let Relation {
            of,
            name,
            column,
            list,
            is_many,
        } = *relation;
        let whole = || format!("the relation {name} of {of}");
        let listed = self.lists.get(list).cloned();
        let (query, row) = listed.ok_or_else(|| format!("{}: {list} is no operation that lists", whole()))?;
        let target = match is_many {
            true => format!("{row}Connection"),
            false => row,
        };
        let object = self.catalog.objects.get_mut(of);
        let object = object.ok_or_else(|| format!("{}: no operation answers with {of}", whole()))?;
        let source = if is_many { "id" } else { column };
        if !object.fields.values().any(|field| field.key == source) {
            return Err(format!("{}: {of} has no field {source}", whole()));
        }
        let kind = Type::optional(Kind::Object(target));
        let field = Field {
            key: source.to_owned(),
            kind,
            about: String::new(),
            related: Some(Related {
                list: query,
                column: if is_many { column } else { "id" }.to_owned(),
                is_many,
            }),
        };
        match object.fields.insert(camel(name), field) {
            None => Ok(()),
            Some(_) => Err(format!("{}: {of} has a field of that name", whole())),
        }
    }

    /// Types of different kinds share their names.
    fn check_names(&self) -> Result<(), String> {
        let Catalog {
            objects, inputs, enums, ..
        } = &self.catalog;
        let own = ["Query", "Mutation", "Subscription", "DateTime", "Int64", "JSON"];
        let all = own.into_iter().chain(objects.keys().map(String::as_str));
        let all = all.chain(inputs.keys().chain(enums.keys()).map(String::as_str));
        let mut seen = std::collections::HashSet::new();
        for name in all {
            if !seen.insert(name) {
                return Err(format!(
                    "GraphQL would have the type {name} twice; give one schema another name"
                ));
            }
        }
        Ok(())
    }

    fn type_of(&mut self, schema: &'d Value, parent: &str, field: &str, way: Way) -> Type {
        let kind = self.kind_of(schema, parent, field, way);
        match is_nullable(schema) {
            true => Type::optional(kind),
            false => Type::required(kind),
        }
    }

    fn kind_of(&mut self, schema: &'d Value, parent: &str, field: &str, way: Way) -> Kind {
        if let Some(name) = name_of(schema) {
            let target = self.resolved(schema);
            return self.named(name, target, field, way);
        }
        for choice in ["oneOf", "anyOf"] {
            let mut others = schema[choice].as_array().into_iter().flatten();
            let mut others = others.by_ref().filter(|one| one["type"] != "null");
            if let Some(only) = others.next() {
                return match others.next() {
                    None => self.kind_of(only, parent, field, way),
                    Some(_) => Kind::Json,
                };
            }
        }
        let inline = format!("{parent}{}", pascal(field));
        self.named(&inline, schema, field, way)
    }

    /// The kind of a schema that has a name, or would have this one.
    fn named(&mut self, name: &str, schema: &'d Value, field: &str, way: Way) -> Kind {
        let is = |kind: &str| has_type(schema, kind);
        if schema["allOf"].is_array() || schema["properties"].as_object().is_some_and(|all| !all.is_empty()) {
            return self.object(name, schema, way);
        }
        if schema["oneOf"].is_array() || schema["anyOf"].is_array() || schema["$ref"].is_string() {
            return self.kind_of(schema, name, field, way);
        }
        if is("string") {
            return self.text(name, schema, field);
        }
        let is_id = field == "id" || field.ends_with("_id") || self.is_reference(field);
        match () {
            () if is("integer") && is_id => Kind::Id { numeric: true },
            () if is("integer") && schema["format"] == "int32" => Kind::Int,
            () if is("integer") => Kind::Long,
            () if is("number") => Kind::Float,
            () if is("boolean") => Kind::Boolean,
            () if is("array") => Kind::List(Box::new(self.type_of(&schema["items"], name, "item", way))),
            () => Kind::Json,
        }
    }

    fn text(&mut self, name: &str, schema: &'d Value, field: &str) -> Kind {
        let words = schema["enum"].as_array().into_iter().flatten();
        let values: Option<Vec<String>> = words.map(|word| enum_value(word.as_str()?)).collect();
        if let Some(values) = values.filter(|values| !values.is_empty()) {
            let known = self.component_with(&schema["enum"]).unwrap_or(name).to_owned();
            self.catalog.enums.insert(known.clone(), values);
            return Kind::Enum(known);
        }
        match schema["format"].as_str() {
            Some("date-time") => Kind::DateTime,
            Some("uuid") if field == "id" || field.ends_with("_id") => Kind::Id { numeric: false },
            _ => Kind::Text,
        }
    }

    /// The component that is an enum of the same words: parameters repeat it.
    fn component_with(&self, words: &Value) -> Option<&'d str> {
        let components = self.document["components"]["schemas"].as_object()?;
        let same = components.iter().find(|(_, schema)| schema["enum"] == *words);
        same.map(|(name, _)| name.as_str())
    }

    fn is_reference(&self, field: &str) -> bool {
        self.relations.iter().any(|relation| relation.column == field)
    }

    fn object(&mut self, name: &str, schema: &'d Value, way: Way) -> Kind {
        let name = match way {
            Way::In => format!("{}Input", pascal(name)),
            Way::Out => pascal(name),
        };
        let is_known = match way {
            Way::In => self.catalog.inputs.contains_key(&name),
            Way::Out => self.catalog.objects.contains_key(&name),
        };
        if is_known {
            return Kind::Object(name);
        }
        // Before its fields, one of which can be of the same type.
        match way {
            Way::In => drop(self.catalog.inputs.insert(name.clone(), IndexMap::new())),
            Way::Out => self.add_object(&name, schema["description"].as_str().unwrap_or_default()),
        }
        for part in self.parts(schema) {
            let required = part["required"].as_array();
            for (key, property) in part["properties"].as_object().into_iter().flatten() {
                let mut kind = self.type_of(property, &name, key, way);
                kind.is_required &= required.is_some_and(|required| required.iter().any(|name| name == key));
                let field = Field {
                    key: key.clone(),
                    kind,
                    about: text(&property["description"]),
                    related: None,
                };
                let fields = match way {
                    Way::In => self.catalog.inputs.entry(name.clone()).or_default(),
                    Way::Out => &mut self.catalog.objects.entry(name.clone()).or_default().fields,
                };
                fields.insert(camel(key), field);
            }
        }
        Kind::Object(name)
    }

    /// The schemas that an object is put together of.
    fn parts(&self, schema: &'d Value) -> Vec<&'d Value> {
        match schema["allOf"].as_array() {
            None => vec![schema],
            Some(all) => all.iter().flat_map(|part| self.parts(self.resolved(part))).collect(),
        }
    }

    /// What a reference refers to.
    fn resolved(&self, value: &'d Value) -> &'d Value {
        let pointer = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
        pointer
            .and_then(|pointer| self.document.pointer(pointer))
            .unwrap_or(value)
    }
}

fn paging() -> impl Iterator<Item = (String, Argument)> {
    [
        (
            Paging::First,
            "first",
            Kind::Int,
            "How many: 1 to 200, 50 unless you say otherwise.",
        ),
        (Paging::After, "after", Kind::Text, "Those after this cursor."),
        (
            Paging::Last,
            "last",
            Kind::Int,
            "How many, counted from the end or from `before`.",
        ),
        (
            Paging::Before,
            "before",
            Kind::Text,
            "Those before this cursor, with `last`.",
        ),
    ]
    .into_iter()
    .map(|(paging, name, kind, about)| {
        let argument = Argument {
            place: Place::Page(paging),
            value: Type::optional(kind),
            about: about.to_owned(),
        };
        (name.to_owned(), argument)
    })
}

fn needs_credential(operation: &Value) -> bool {
    let mut all = operation["security"].as_array().into_iter().flatten();
    all.any(|one| one.as_object().is_some_and(|schemes| !schemes.is_empty()))
}

/// Whether JSON is enough to ask and to answer.
fn speaks_json(operation: &Value) -> bool {
    let is_json = |part: &Value| part.get("content").is_none_or(|_| !json_of(part).is_null());
    operation.get("requestBody").is_none_or(is_json) && successes(operation).all(is_json)
}

fn successes(operation: &Value) -> impl Iterator<Item = &Value> + Clone {
    let answers = operation["responses"].as_object().into_iter().flatten();
    answers
        .filter(|(status, _)| status.starts_with('2'))
        .map(|(_, answer)| answer)
}

/// What a request or an answer says as JSON.
fn json_of(part: &Value) -> &Value {
    &part["content"]["application/json"]
}

/// The name of a schema that is referred to.
fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn has_type(schema: &Value, kind: &str) -> bool {
    match &schema["type"] {
        Value::Array(kinds) => kinds.iter().any(|one| one == kind),
        one => one == kind,
    }
}

fn is_nullable(schema: &Value) -> bool {
    let choices = ["oneOf", "anyOf"]
        .into_iter()
        .flat_map(|choice| schema[choice].as_array());
    has_type(schema, "null") || choices.flatten().any(|one| one["type"] == "null")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn about_operation(operation: &Value) -> String {
    let parts = [&operation["summary"], &operation["description"]];
    let parts: Vec<&str> = parts
        .into_iter()
        .filter_map(Value::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

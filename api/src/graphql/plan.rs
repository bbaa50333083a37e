//! A query that was checked, put together with the catalog: which operations it runs, and what it takes of their
//! answers.

use std::collections::BTreeMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value as Constant, Variables,
    indexmap::IndexMap,
    parser::types::{
        Directive, DocumentOperations, ExecutableDocument, Field as Asked, OperationDefinition, OperationType,
        Selection, SelectionSet, VariableDefinition,
    },
};
use async_graphql_value::Value;

use super::{
    catalog::{Catalog, Field, Related},
    operation::{Answer, Argument, Operation, Paging, Place},
    schema::{EVENTS, MUTATION, QUERY, SUBSCRIPTION},
};

/// Selections that a query may have, those of a fragment counted wherever it stands.
const MAX_SELECTIONS: usize = 1_000;
/// The same where the schema is asked about: each can answer with hundreds of types. Tools take about 150.
const MAX_INTROSPECTION: usize = 300;
/// Values that an answer may have if every page is full.
const MAX_COST: u64 = 50_000;
/// Operations that one request may run, relations included.
const MAX_OPERATIONS: usize = 20;
/// Rows of a page unless the query says otherwise.
const PAGE: u64 = 50;
const MAX_PAGE: u64 = 200;

/// What to run.
pub(super) struct Plan<'c> {
    pub(super) kind: OperationType,
    pub(super) roots: Vec<Selected<'c>>,
    /// Whether a relation is followed.
    pub(super) has_relations: bool,
}

/// A field of an answer.
pub(super) struct Selected<'c> {
    /// What the answer calls it.
    pub(super) name: Name,
    pub(super) pos: Pos,
    pub(super) what: What<'c>,
    pub(super) fields: Vec<Selected<'c>>,
}

pub(super) enum What<'c> {
    TypeName(&'c str),
    /// A value of the object.
    Value(&'c Field),
    /// Other objects, which are loaded once for all objects; the number is this field's own.
    Relation(usize, &'c Field, &'c Related, Call<'c>),
    /// An operation, at the root.
    Operation(Call<'c>),
    /// The stream of events, with what was asked.
    Events(IndexMap<Name, Constant>),
}

/// An operation and its arguments.
pub(super) struct Call<'c> {
    pub(super) operation: &'c Operation,
    pub(super) arguments: Vec<(&'c Argument, Constant)>,
    /// Rows of a page.
    pub(super) size: u64,
    /// Whether the list is counted as well.
    pub(super) counts: bool,
}

impl Call<'_> {
    pub(super) fn paging(&self, wanted: Paging) -> Option<&Constant> {
        let mut arguments = self.arguments.iter();
        let found = arguments.find(|(argument, _)| argument.place == Place::Page(wanted));
        found.map(|(_, value)| value).filter(|value| **value != Constant::Null)
    }
}

impl Related {
    /// What a field of many takes: what the list takes, but the column that decides already, and no cursors, which would
    /// be good for one parent alone.
    pub(super) fn arguments<'c>(&'c self, list: &'c Operation) -> impl Iterator<Item = (&'c String, &'c Argument)> {
        list.arguments.iter().filter(|(_, argument)| match &argument.place {
            Place::Query(name) => *name != self.column,
            Place::Page(paging) => *paging == Paging::First,
            _ => false,
        })
    }
}

/// Refuses what would take long to check: fragments within fragments grow without end.
pub(super) fn weigh(document: &ExecutableDocument, is_introspection: bool) -> Result<(), ServerError> {
    let most = match is_introspection {
        true => MAX_INTROSPECTION,
        false => MAX_SELECTIONS,
    };
    let mut left = most;
    let operations = document
        .operations
        .iter()
        .map(|(_, operation)| &operation.node.selection_set.node);
    let fragments = document
        .fragments
        .values()
        .map(|fragment| &fragment.node.selection_set.node);
    match operations.chain(fragments).all(|set| fits(document, set, &mut left)) {
        true => Ok(()),
        false => {
            let message = format!("The query has more than {most} fields, fragments included; ask for less");
            Err(ServerError::new(message, None))
        }
    }
}

fn fits(document: &ExecutableDocument, set: &SelectionSet, left: &mut usize) -> bool {
    set.items.iter().all(|item| {
        let Some(rest) = left.checked_sub(1) else { return false };
        *left = rest;
        match &item.node {
            Selection::Field(field) => fits(document, &field.node.selection_set.node, left),
            Selection::InlineFragment(fragment) => fits(document, &fragment.node.selection_set.node, left),
            Selection::FragmentSpread(spread) => match document.fragments.get(&spread.node.fragment_name.node) {
                Some(fragment) => fits(document, &fragment.node.selection_set.node, left),
                None => true,
            },
        }
    })
}

/// Whether a root field asks about the schema.
pub(super) fn is_introspection(document: &ExecutableDocument, name: Option<&str>) -> bool {
    let Some(operation) = operation(document, name) else {
        return false;
    };
    asks_about_schema(document, &operation.selection_set.node, &mut MAX_SELECTIONS.clone())
}

/// Fragments can hold each other, so it looks no further than a query may go.
fn asks_about_schema(document: &ExecutableDocument, set: &SelectionSet, left: &mut usize) -> bool {
    set.items.iter().any(|item| {
        let Some(rest) = left.checked_sub(1) else { return false };
        *left = rest;
        match &item.node {
            Selection::Field(field) => ["__schema", "__type"].contains(&field.node.name.node.as_str()),
            Selection::InlineFragment(fragment) => asks_about_schema(document, &fragment.node.selection_set.node, left),
            Selection::FragmentSpread(spread) => {
                let fragment = document.fragments.get(&spread.node.fragment_name.node);
                fragment.is_some_and(|fragment| asks_about_schema(document, &fragment.node.selection_set.node, left))
            }
        }
    })
}

/// The operation of a document that a request means.
pub(super) fn operation<'d>(document: &'d ExecutableDocument, name: Option<&str>) -> Option<&'d OperationDefinition> {
    match (&document.operations, name) {
        (DocumentOperations::Single(only), _) => Some(&only.node),
        (DocumentOperations::Multiple(all), Some(name)) => all.get(name).map(|one| &one.node),
        (DocumentOperations::Multiple(all), None) if all.len() == 1 => all.values().next().map(|one| &one.node),
        (DocumentOperations::Multiple(_), None) => None,
    }
}

impl<'c> Plan<'c> {
    /// Puts a query that was checked together with the catalog.
    ///
    /// # Errors
    ///
    /// If it would cost too much.
    pub(super) fn new(
        catalog: &'c Catalog,
        document: &ExecutableDocument,
        name: Option<&str>,
        variables: &Variables,
    ) -> Result<Self, ServerError> {
        let unknown = || ServerError::new("The request has no such operation", None);
        let operation = operation(document, name).ok_or_else(unknown)?;
        check_variables(operation, variables)?;
        let mut planner = Planner {
            catalog,
            document,
            definitions: &operation.variable_definitions,
            variables,
            cost: 0,
            operations: 0,
            relations: 0,
        };
        let roots = planner.roots(operation)?;
        Ok(Self {
            kind: operation.ty,
            roots,
            has_relations: planner.relations > 0,
        })
    }
}

/// That every variable that must be there is (GraphQL §6.1.2).
fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), ServerError> {
    let missing = operation.variable_definitions.iter().find(|definition| {
        let VariableDefinition {
            name,
            var_type,
            default_value,
            ..
        } = &definition.node;
        let given = variables.get(&name.node);
        let is_there = given.map_or(default_value.is_some(), |value| *value != Constant::Null);
        !var_type.node.nullable && !is_there
    });
    match missing {
        None => Ok(()),
        Some(definition) => {
            let name = &definition.node.name.node;
            let message = format!("Send the variable ${name}, which can't be null");
            Err(ServerError::new(message, Some(definition.pos)))
        }
    }
}

struct Planner<'c, 'd> {
    catalog: &'c Catalog,
    document: &'d ExecutableDocument,
    definitions: &'d [Positioned<VariableDefinition>],
    variables: &'d Variables,
    cost: u64,
    operations: usize,
    relations: usize,
}

/// Fields that the answer calls the same: their selections are one.
type Grouped<'d> = IndexMap<&'d str, Vec<&'d Positioned<Asked>>>;

impl<'c, 'd> Planner<'c, 'd> {
    fn roots(&mut self, operation: &'d OperationDefinition) -> Result<Vec<Selected<'c>>, ServerError> {
        let mut grouped = Grouped::new();
        self.collect(&operation.selection_set.node, &mut grouped);
        let (type_name, known) = match operation.ty {
            OperationType::Query => (QUERY, Some(&self.catalog.queries)),
            OperationType::Mutation => (MUTATION, Some(&self.catalog.mutations)),
            OperationType::Subscription => (SUBSCRIPTION, None),
        };
        let mut roots = vec![];
        if operation.ty == OperationType::Subscription && grouped.len() != 1 {
            let message = "A subscription has one field; subscribe to others beside it";
            return Err(ServerError::new(message, None));
        }
        for (name, asked) in grouped {
            same(name, &asked)?;
            let (field, pos) = (&asked[0].node, asked[0].pos);
            let operation = known.and_then(|known| known.get(field.name.node.as_str()));
            let (what, fields) = match operation {
                Some(operation) => {
                    let mut call = self.call(operation, field, operation.arguments.iter(), pos)?;
                    let fields = self.fields(operation.answer.object(), &asked, call.size)?;
                    call.counts = asks(&fields, "total_count") || asks(&fields, "total_count_is_exact");
                    (What::Operation(call), fields)
                }
                None if known.is_none() && field.name.node == EVENTS => {
                    let arguments = field.arguments.iter();
                    let arguments =
                        arguments.filter_map(|(name, value)| Some((name.node.clone(), self.constant(&value.node)?)));
                    let arguments = arguments.collect();
                    (
                        What::Events(arguments),
                        self.fields(Some(super::catalog::EVENT), &asked, 1)?,
                    )
                }
                None => (What::TypeName(type_name), vec![]),
            };
            roots.push(Selected {
                name: Name::new(name),
                pos,
                what,
                fields,
            });
        }
        Ok(roots)
    }

    /// What is selected of objects of this type, of which there can be so many.
    fn fields(
        &mut self,
        object: Option<&'c str>,
        asked: &[&'d Positioned<Asked>],
        times: u64,
    ) -> Result<Vec<Selected<'c>>, ServerError> {
        let Some((type_name, object)) = object.and_then(|name| self.catalog.objects.get_key_value(name)) else {
            return Ok(vec![]);
        };
        let mut grouped = Grouped::new();
        for field in asked {
            self.collect(&field.node.selection_set.node, &mut grouped);
        }
        let mut fields = vec![];
        for (name, asked) in grouped {
            same(name, &asked)?;
            let (one, pos) = (&asked[0].node, asked[0].pos);
            self.cost = self.cost.saturating_add(times);
            if self.cost > MAX_COST {
                let message = format!("The answer could have more than {MAX_COST} values; ask for less");
                return Err(ServerError::new(message, Some(pos)));
            }
            let (what, fields_of) = match object.fields.get(one.name.node.as_str()) {
                None => (What::TypeName(type_name), vec![]),
                Some(field) => self.field(field, &asked, times, pos)?,
            };
            fields.push(Selected {
                name: Name::new(name),
                pos,
                what,
                fields: fields_of,
            });
        }
        Ok(fields)
    }

    fn field(
        &mut self,
        field: &'c Field,
        asked: &[&'d Positioned<Asked>],
        times: u64,
        pos: Pos,
    ) -> Result<(What<'c>, Vec<Selected<'c>>), ServerError> {
        let list = field.related.as_ref().and_then(|related| {
            let list = self.catalog.queries.get(&related.list)?;
            Some((related, list))
        });
        let Some((related, list)) = list else {
            return Ok((What::Value(field), self.fields(field.kind.object(), asked, times)?));
        };
        let mut call = self.call(list, &asked[0].node, related.arguments(list), pos)?;
        if !related.is_many {
            call.size = 1;
        }
        let number = self.relations;
        self.relations += 1;
        let fields = self.fields(field.kind.object(), asked, times.saturating_mul(call.size))?;
        Ok((What::Relation(number, field, related, call), fields))
    }

    fn call(
        &mut self,
        operation: &'c Operation,
        field: &'d Asked,
        known: impl Iterator<Item = (&'c String, &'c Argument)>,
        pos: Pos,
    ) -> Result<Call<'c>, ServerError> {
        self.operations += 1;
        if self.operations > MAX_OPERATIONS {
            let message =
                format!("A request can run {MAX_OPERATIONS} operations; send the others in a request of their own");
            return Err(ServerError::new(message, Some(pos)));
        }
        let arguments = known.filter_map(|(name, argument)| {
            let value = self.constant(field.get_argument(name).map(|value| &value.node)?)?;
            Some((argument, value))
        });
        let mut call = Call {
            operation,
            arguments: arguments.collect(),
            size: 1,
            counts: false,
        };
        if let Answer::Page(_) = operation.answer {
            call.size = page_size(&call).map_err(|message| ServerError::new(message, Some(pos)))?;
        }
        Ok(call)
    }

    /// The fields of a selection, those of fragments among them, in their order (GraphQL §6.3.2). All types are of
    /// objects, so that a fragment that was checked fits.
    fn collect(&self, set: &'d SelectionSet, into: &mut Grouped<'d>) {
        for item in &set.items {
            if self.is_skipped(item.node.directives()) {
                continue;
            }
            match &item.node {
                Selection::Field(field) => into
                    .entry(field.node.response_key().node.as_str())
                    .or_default()
                    .push(field),
                Selection::InlineFragment(fragment) => self.collect(&fragment.node.selection_set.node, into),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.collect(&fragment.node.selection_set.node, into);
                    }
                }
            }
        }
    }

    fn is_skipped(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().any(|directive| {
            let condition = directive
                .node
                .get_argument("if")
                .and_then(|value| self.constant(&value.node));
            match directive.node.name.node.as_str() {
                "skip" => condition == Some(Constant::Boolean(true)),
                "include" => condition == Some(Constant::Boolean(false)),
                _ => false,
            }
        })
    }

    /// The value of an argument. A variable that was not given is none, also as a field of an input object.
    fn constant(&self, value: &Value) -> Option<Constant> {
        Some(match value {
            Value::Variable(name) => return self.variable(name),
            Value::Null => Constant::Null,
            Value::Number(number) => Constant::Number(number.clone()),
            Value::String(text) => Constant::String(text.clone()),
            Value::Boolean(is) => Constant::Boolean(*is),
            Value::Binary(bytes) => Constant::Binary(bytes.clone()),
            Value::Enum(name) => Constant::Enum(name.clone()),
            Value::List(values) => {
                let values = values.iter().map(|value| self.constant(value).unwrap_or_default());
                Constant::List(values.collect())
            }
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields = fields.filter_map(|(name, value)| Some((name.clone(), self.constant(value)?)));
                Constant::Object(fields.collect())
            }
        })
    }

    fn variable(&self, name: &Name) -> Option<Constant> {
        if let Some(given) = self.variables.get(name) {
            return Some(given.clone());
        }
        let mut definitions = self.definitions.iter();
        let definition = definitions.find(|definition| definition.node.name.node == *name)?;
        definition.node.default_value.as_ref().map(|value| value.node.clone())
    }
}

/// Whether the value of this key is selected.
pub(super) fn asks(fields: &[Selected<'_>], key: &str) -> bool {
    let mut fields = fields.iter();
    fields.any(|selected| matches!(&selected.what, What::Value(field) if field.key == key))
}

/// That fields which the answer calls the same are the same (GraphQL §5.3.2).
fn same(name: &str, asked: &[&Positioned<Asked>]) -> Result<(), ServerError> {
    let arguments = |field: &Positioned<Asked>| -> BTreeMap<String, String> {
        let arguments = field.node.arguments.iter();
        arguments
            .map(|(name, value)| (name.node.to_string(), value.node.to_string()))
            .collect()
    };
    let first = asked[0];
    let other = asked[1..].iter().find(|other| {
        let is_same = other.node.name.node == first.node.name.node && arguments(other) == arguments(first);
        !is_same
    });
    match other {
        None => Ok(()),
        Some(other) => {
            let message = format!("Two different fields would both be called {name}; give one an alias");
            Err(ServerError::new(message, Some(other.pos)))
        }
    }
}

/// How many rows a page is asked to have.
fn page_size(call: &Call<'_>) -> Result<u64, String> {
    let number = |paging| call.paging(paging).map(|value| (paging, value));
    let given = match (number(Paging::First), number(Paging::Last)) {
        (Some(_), Some(_)) => return Err("Ask for the first or for the last ones, not for both".to_owned()),
        (given, None) | (None, given) => given,
    };
    if call.paging(Paging::Before).is_some() && !matches!(given, Some((Paging::Last, _))) {
        return Err("Ask for the last ones before a cursor".to_owned());
    }
    if call.paging(Paging::After).is_some() && matches!(given, Some((Paging::Last, _))) {
        return Err("Ask for the first ones after a cursor".to_owned());
    }
    let Some((_, given)) = given else { return Ok(PAGE) };
    match given {
        Constant::Number(number) => number.as_u64().filter(|size| (1..=MAX_PAGE).contains(size)),
        _ => None,
    }
    .ok_or_else(|| format!("A page has 1 to {MAX_PAGE} rows"))
}

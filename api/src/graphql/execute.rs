//! Runs a plan: its operations, then for each level of relations one list, and cuts what they answer to what was asked.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_graphql::{
    Name, PathSegment, Response, ServerError, Value as Graphql, indexmap::IndexMap, parser::types::OperationType,
};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use serde_json::{Map, Value as Json, json};

use super::{
    catalog::Related,
    cut::{List, can_cut},
    graph::Graph,
    operation::{Answer, Paging},
    plan::{Call, Plan, Selected, What, asks},
    schema::type_name,
    session::{Failure, Session},
    values::{Kind, Type, to_graphql},
};
use crate::toolkit::connection::{Connection, Parents};

/// Runs a query or a mutation.
pub(super) async fn execute(graph: &Graph, session: &Session, plan: &Plan<'_>) -> Response {
    let execution = Execution::new(graph, session, plan);
    let mut values = vec![];
    if plan.kind == OperationType::Mutation {
        // One after the other, in their order (GraphQL §6.2.2).
        for root in &plan.roots {
            values.push(execution.root(root).await);
        }
    } else {
        // Few at once: each holds a connection to the database.
        let running: Vec<_> = plan.roots.iter().map(|root| execution.root(root)).collect();
        values = stream::iter(running).buffered(AT_ONCE).collect().await;
    }
    let names = plan.roots.iter().map(|root| root.name.clone());
    let data = names.zip(values).collect::<IndexMap<_, _>>();
    execution.response(Graphql::Object(data))
}

/// What a subscription answers to an event.
pub(super) async fn tell(graph: &Graph, session: &Session, plan: &Plan<'_>, event: &Json) -> Response {
    let execution = Execution::new(graph, session, plan);
    let mut data = IndexMap::new();
    for root in &plan.roots {
        let value = match root.what {
            What::TypeName(name) => Ok(type_name(name)),
            _ => {
                let loaded = execution.load(vec![event], &root.fields).await;
                let path = Path::root(&root.name);
                execution.object(event, &root.fields, &loaded, &path)
            }
        };
        // Its field is never null, so there is no answer without it (GraphQL §6.4.4).
        match value {
            Ok(value) => data.insert(root.name.clone(), value),
            Err(_) => return execution.response(Graphql::Null),
        };
    }
    execution.response(Graphql::Object(data))
}

/// Operations that run at the same time for one request.
const AT_ONCE: usize = 4;
/// What an answer may have, in bytes of its names and texts: aliases repeat a text as often as they like.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Why there is no value.
enum Ended {
    /// One that must not be null is, so that what holds it is.
    Null,
    /// The answer has become too large, and there is none.
    TooLarge,
}

/// The page of a list.
enum Page {
    /// As it was asked for.
    Cut(Graphql),
    /// With all that it has.
    Whole(Json),
}

/// Rows by what they belong to, of each relation that is followed.
type Loaded = HashMap<usize, Result<HashMap<i64, Json>, Failure>>;

/// Where a value is in the answer.
struct Path<'p> {
    before: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p Name),
    Index(usize),
}

impl<'p> Path<'p> {
    fn root(name: &'p Name) -> Self {
        Self {
            before: None,
            step: Step::Field(name),
        }
    }

    fn then<'n>(&'n self, step: Step<'n>) -> Path<'n> {
        Path {
            before: Some(self),
            step,
        }
    }

    fn segments(&self) -> Vec<PathSegment> {
        let mut segments = self.before.map(Path::segments).unwrap_or_default();
        segments.push(match self.step {
            Step::Field(name) => PathSegment::Field(name.to_string()),
            Step::Index(index) => PathSegment::Index(index),
        });
        segments
    }
}

struct Execution<'e> {
    graph: &'e Graph,
    session: &'e Session,
    has_relations: bool,
    /// Of the answer so far.
    size: AtomicUsize,
    errors: Mutex<Vec<ServerError>>,
}

impl<'e> Execution<'e> {
    fn new(graph: &'e Graph, session: &'e Session, plan: &Plan<'_>) -> Self {
        Self {
            graph,
            session,
            has_relations: plan.has_relations,
            size: AtomicUsize::new(0),
            errors: Mutex::default(),
        }
    }

    fn response(self, data: Graphql) -> Response {
        let is_too_large = self.size.load(Ordering::Relaxed) > MAX_ANSWER;
        let mut response = Response::new(if is_too_large { Graphql::Null } else { data });
        response.errors = self.errors.into_inner().unwrap_or_else(PoisonError::into_inner);
        response
    }

    fn note(&self, error: ServerError) {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }

    async fn root(&self, root: &Selected<'_>) -> Graphql {
        let path = Path::root(&root.name);
        let call = match &root.what {
            What::TypeName(name) => return type_name(name),
            What::Operation(call) => call,
            _ => return Graphql::Null,
        };
        let answered = match call.operation.answer {
            Answer::Page(_) => match self.page(call, &root.fields).await {
                Ok(Page::Cut(page)) => return page,
                Ok(Page::Whole(page)) => Ok(page),
                Err(failure) => Err(failure),
            },
            _ => self.run(call, None).await,
        };
        let value = match answered {
            Ok(value) => value,
            Err(failure) => {
                self.note(failure.at(Some(root.pos), path.segments()));
                return Graphql::Null;
            }
        };
        let loaded = self.load(vec![&value], &root.fields).await;
        let kind = match &call.operation.answer {
            Answer::Nothing => return Graphql::Boolean(true),
            Answer::Value(kind) => kind,
            Answer::Page(_) => {
                return self
                    .object(&value, &root.fields, &loaded, &path)
                    .unwrap_or(Graphql::Null);
            }
        };
        self.value(&value, kind, root, &loaded, &path).unwrap_or(Graphql::Null)
    }

    async fn run(&self, call: &Call<'_>, connection: Option<Connection>) -> Result<Json, Failure> {
        let Graph {
            operations, catalog, ..
        } = self.graph;
        self.session.run(operations, catalog, call, connection).await?.value()
    }

    /// A page as a connection, cut to what was asked if that can be done while it is read.
    async fn page(&self, call: &Call<'_>, fields: &[Selected<'_>]) -> Result<Page, Failure> {
        let connection = Connection {
            backward: call.paging(Paging::Last).is_some(),
            cursors: asks(fields, "edges"),
            parents: None,
        };
        let Graph {
            operations, catalog, ..
        } = self.graph;
        let answered = self.session.run(operations, catalog, call, Some(connection)).await?;
        if let Some(page) = self.cut(&answered.bytes, fields) {
            return Ok(Page::Cut(page));
        }
        let mut page = answered.value()?;
        let rows = items(&mut page["data"]);
        let place = &mut page["connection"];
        let cursors = items(&mut place["cursors"]);
        let (start, end) = (place["start"].take(), place["end"].take());
        let page_info = json!({
            "has_next_page": !page["next_cursor"].is_null(),
            "has_previous_page": !page["prev_cursor"].is_null(),
            "start_cursor": start,
            "end_cursor": end,
        });
        let mut made = rows_as(rows, cursors, fields);
        made.insert("page_info".to_owned(), page_info);
        made.insert("total_count".to_owned(), page["count"].take());
        made.insert("total_count_is_exact".to_owned(), page["count_is_exact"].take());
        Ok(Page::Whole(Json::Object(made)))
    }

    /// The page without having read it whole. None if it can't be cut so.
    fn cut(&self, page: &[u8], fields: &[Selected<'_>]) -> Option<Graphql> {
        if self.has_relations || asks(fields, "edges") {
            return None;
        }
        let (selected, rows) = fields.iter().find_map(|selected| match &selected.what {
            What::Value(field) if field.key == "nodes" => Some((selected, &field.kind)),
            _ => None,
        })?;
        if !can_cut(fields) || !can_cut(&selected.fields) {
            return None;
        }
        let list: List<'_> = serde_json::from_slice(page).ok()?;
        let (rows, size) = list.rows(rows, &selected.fields)?;
        let mut rest = json!({
            "page_info": {
                "has_next_page": list.next_cursor.is_some(),
                "has_previous_page": list.prev_cursor.is_some(),
                "start_cursor": list.connection.start,
                "end_cursor": list.connection.end,
            },
            "nodes": [],
        });
        rest["total_count"] = list.count;
        rest["total_count_is_exact"] = list.count_is_exact;
        if self.size.load(Ordering::Relaxed) + size > MAX_ANSWER {
            return None;
        }
        self.size.fetch_add(size, Ordering::Relaxed);
        let path = Path::root(&selected.name);
        let page = self.object(&rest, fields, &Loaded::new(), &path).ok()?;
        let Graphql::Object(mut page) = page else { return None };
        page.insert(selected.name.clone(), rows);
        Some(Graphql::Object(page))
    }

    /// Loads what these values lead to, level by level: each relation once, whatever the number of values is.
    fn load<'l>(&'l self, values: Vec<&'l Json>, fields: &'l [Selected<'l>]) -> BoxFuture<'l, Loaded> {
        if !self.has_relations {
            return std::future::ready(Loaded::new()).boxed();
        }
        async move {
            let mut wanted = vec![];
            for value in values {
                gather(value, fields, &mut wanted);
            }
            let loads = wanted.into_iter().map(async |(selected, mut ids)| {
                let What::Relation(number, _, related, call) = &selected.what else {
                    return Loaded::new();
                };
                ids.sort_unstable();
                ids.dedup();
                let rows = match ids.is_empty() {
                    true => Ok(HashMap::new()),
                    false => self.rows(related, call, ids, &selected.fields).await,
                };
                let mut loaded = match &rows {
                    Ok(rows) => self.load(rows.values().collect(), &selected.fields).await,
                    Err(_) => Loaded::new(),
                };
                loaded.insert(*number, rows);
                loaded
            });
            join_all(loads).await.into_iter().flatten().collect()
        }
        .boxed()
    }

    /// The rows of a relation, by what they belong to.
    async fn rows(
        &self,
        related: &Related,
        call: &Call<'_>,
        ids: Vec<i64>,
        fields: &[Selected<'_>],
    ) -> Result<HashMap<i64, Json>, Failure> {
        let connection = Connection {
            backward: false,
            cursors: related.is_many && (asks(fields, "edges") || asks(fields, "page_info")),
            parents: Some(Parents {
                column: related.column.clone(),
                ids: ids.clone(),
            }),
        };
        let mut answer = self.run(call, Some(connection)).await?;
        let parents = items(&mut answer["connection"]["parents"]).into_iter();
        let parents = parents.filter_map(|id| id.as_i64());
        let rows = items(&mut answer["data"]);
        if !related.is_many {
            return Ok(parents.zip(rows).collect());
        }
        let mut by_parent: HashMap<i64, (Vec<Json>, Vec<Json>)> = HashMap::new();
        by_parent.extend(ids.into_iter().map(|id| (id, Default::default())));
        let cursors = items(&mut answer["connection"]["cursors"]).into_iter();
        let cursors = cursors.chain(std::iter::repeat(Json::Null));
        for (parent, (row, cursor)) in parents.zip(rows.into_iter().zip(cursors)) {
            let (rows, cursors) = by_parent.entry(parent).or_default();
            rows.push(row);
            cursors.push(cursor);
        }
        let size = usize::try_from(call.size).unwrap_or(usize::MAX);
        let connections = by_parent.into_iter().map(|(parent, (mut rows, mut cursors))| {
            let has_more = rows.len() > size;
            rows.truncate(size);
            cursors.truncate(size);
            let page_info = json!({
                "has_next_page": has_more,
                "has_previous_page": false,
                "start_cursor": cursors.first(),
                "end_cursor": cursors.last(),
            });
            let mut made = rows_as(rows, cursors, fields);
            made.insert("page_info".to_owned(), page_info);
            (parent, Json::Object(made))
        });
        Ok(connections.collect())
    }

    fn object(
        &self,
        value: &Json,
        fields: &[Selected<'_>],
        loaded: &Loaded,
        path: &Path<'_>,
    ) -> Result<Graphql, Ended> {
        let mut object = IndexMap::with_capacity(fields.len());
        for selected in fields {
            let path = path.then(Step::Field(&selected.name));
            let made = match &selected.what {
                What::TypeName(name) => type_name(name),
                What::Value(field) => self.value(&value[&field.key], &field.kind, selected, loaded, &path)?,
                What::Relation(number, field, ..) => {
                    let id = value[&field.key].as_i64();
                    match (id, loaded.get(number)) {
                        (Some(id), Some(Ok(rows))) => match rows.get(&id) {
                            Some(row) => self.value(row, &field.kind, selected, loaded, &path)?,
                            None => Graphql::Null,
                        },
                        (Some(_), Some(Err(failure))) => {
                            self.note_once(failure, selected, &path);
                            Graphql::Null
                        }
                        _ => Graphql::Null,
                    }
                }
                What::Operation(_) | What::Events(_) => Graphql::Null,
            };
            object.insert(selected.name.clone(), made);
        }
        Ok(Graphql::Object(object))
    }

    fn value(
        &self,
        value: &Json,
        kind: &Type,
        selected: &Selected<'_>,
        loaded: &Loaded,
        path: &Path<'_>,
    ) -> Result<Graphql, Ended> {
        let made = match (&kind.kind, value) {
            (_, Json::Null) => Err(Ended::Null),
            (Kind::Object(_), value) => self.object(value, &selected.fields, loaded, path),
            (Kind::List(inner), Json::Array(values)) => {
                let made = values.iter().enumerate().map(|(index, value)| {
                    let path = path.then(Step::Index(index));
                    self.value(value, inner, selected, loaded, &path)
                });
                made.collect::<Result<Vec<_>, _>>().map(Graphql::List)
            }
            (kind, value) => self.weighed(value).map(|()| to_graphql(kind, value)),
        };
        match made {
            Ok(made) => Ok(made),
            Err(Ended::TooLarge) => Err(Ended::TooLarge),
            Err(Ended::Null) if !kind.is_required => Ok(Graphql::Null),
            Err(Ended::Null) => {
                if value.is_null() {
                    let mut error = ServerError::new("The answer lacks this value", Some(selected.pos));
                    error.path = path.segments();
                    self.note(error);
                }
                Err(Ended::Null)
            }
        }
    }

    /// Counts a value of the answer.
    fn weighed(&self, value: &Json) -> Result<(), Ended> {
        let size = size_of(value);
        let before = self.size.fetch_add(size, Ordering::Relaxed);
        if before + size <= MAX_ANSWER {
            return Ok(());
        }
        if before <= MAX_ANSWER {
            let message = format!("The answer would have more than {MAX_ANSWER} bytes; ask for less");
            self.note(ServerError::new(message, None));
        }
        Err(Ended::TooLarge)
    }

    /// A relation that could not be loaded is missing in each object, and said once.
    fn note_once(&self, failure: &Failure, selected: &Selected<'_>, path: &Path<'_>) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        if !errors.iter().any(|error| error.locations == [selected.pos]) {
            errors.push(failure.clone().at(Some(selected.pos), path.segments()));
        }
    }
}

/// The relations that are followed from a value, each with the ids that it is followed from.
fn gather<'l>(value: &Json, fields: &'l [Selected<'l>], wanted: &mut Vec<(&'l Selected<'l>, Vec<i64>)>) {
    if let Json::Array(values) = value {
        values.iter().for_each(|value| gather(value, fields, wanted));
        return;
    }
    for selected in fields {
        match &selected.what {
            What::Value(field) if !selected.fields.is_empty() => gather(&value[&field.key], &selected.fields, wanted),
            What::Relation(_, field, ..) => {
                let Some(id) = value[&field.key].as_i64() else { continue };
                match wanted.iter_mut().find(|(known, _)| std::ptr::eq(*known, selected)) {
                    Some((_, ids)) => ids.push(id),
                    None => wanted.push((selected, vec![id])),
                }
            }
            _ => {}
        }
    }
}

/// About how many bytes a value has in an answer, with its name.
fn size_of(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len() + 16,
        Json::Array(values) => values.iter().map(size_of).sum(),
        Json::Object(fields) => fields.iter().map(|(name, value)| name.len() + size_of(value)).sum(),
        _ => 16,
    }
}

/// The values of a list, taken out of it.
fn items(list: &mut Json) -> Vec<Json> {
    match list.take() {
        Json::Array(items) => items,
        _ => vec![],
    }
}

/// Rows as nodes, as edges, or as both.
fn rows_as(rows: Vec<Json>, cursors: Vec<Json>, fields: &[Selected<'_>]) -> Map<String, Json> {
    let mut made = Map::new();
    if !asks(fields, "edges") {
        made.insert("nodes".to_owned(), Json::Array(rows));
        return made;
    }
    if asks(fields, "nodes") {
        made.insert("nodes".to_owned(), Json::Array(rows.clone()));
    }
    let edges = rows.into_iter().zip(cursors);
    let edges = edges.map(|(node, cursor)| json!({"node": node, "cursor": cursor}));
    made.insert("edges".to_owned(), Json::Array(edges.collect()));
    made
}

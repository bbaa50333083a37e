//! Runs a plan: its operations, then for each level of relations one list.

use std::collections::HashMap;

use async_graphql::parser::types::OperationType;
use axum::body::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use serde_json::{Value as Json, json};

use super::{
    answer::Answer,
    catalog::Related,
    cut::can_cut,
    graph::Graph,
    operation::{self, Paging},
    page::{items, page_of, rows_as},
    plan::{Call, Plan, Selected, What, asks},
    session::{Answered, Failure, Session},
    write::Writer,
};
use crate::toolkit::connection::{Connection, Parents};

/// Operations that run at the same time for one request.
const AT_ONCE: usize = 4;

/// Runs a query or a mutation.
pub(super) async fn execute(graph: &Graph, session: &Session, plan: &Plan<'_>) -> Answer {
    let execution = Execution::new(graph, session, plan);
    let mut fetched = vec![];
    if plan.kind == OperationType::Mutation {
        // One after the other, in their order (GraphQL §6.2.2).
        for root in &plan.roots {
            fetched.push(execution.root(root).await);
        }
    } else {
        // Few at once: each holds a connection to the database.
        let running: Vec<_> = plan.roots.iter().map(|root| execution.root(root)).collect();
        fetched = stream::iter(running).buffered(AT_ONCE).collect().await;
    }
    let mut writer = Writer::default();
    for (root, fetched) in plan.roots.iter().zip(fetched) {
        writer.root(root, fetched);
    }
    writer.answer()
}

/// What a subscription answers to an event.
pub(super) async fn tell(graph: &Graph, session: &Session, plan: &Plan<'_>, event: &Json) -> Answer {
    let execution = Execution::new(graph, session, plan);
    let mut writer = Writer::default();
    for root in &plan.roots {
        let loaded = execution.load(vec![event], &root.fields).await;
        writer.event(root, event, &loaded);
    }
    writer.answer()
}

/// What a root field is written from.
pub(super) enum Fetched {
    /// A name of the schema, or that an operation without an answer has run.
    Nothing,
    Failed(Failure),
    /// A value, and what is related to it.
    Value(Json, Loaded),
    /// A page as it came, of which what was asked for can be cut.
    Page(Bytes),
}

/// Rows by what they belong to, of each relation that is followed.
pub(super) type Loaded = HashMap<usize, Result<HashMap<i64, Json>, Failure>>;

struct Execution<'e> {
    graph: &'e Graph,
    session: &'e Session,
    has_relations: bool,
}

impl<'e> Execution<'e> {
    fn new(graph: &'e Graph, session: &'e Session, plan: &Plan<'_>) -> Self {
        Self {
            graph,
            session,
            has_relations: plan.has_relations,
        }
    }

    async fn root(&self, root: &Selected<'_>) -> Fetched {
        match &root.what {
            What::Operation(call) => {
                let fetched = self.fetch(call, &root.fields).await;
                fetched.unwrap_or_else(Fetched::Failed)
            }
            _ => Fetched::Nothing,
        }
    }

    async fn fetch(&self, call: &Call<'_>, fields: &[Selected<'_>]) -> Result<Fetched, Failure> {
        let value = match call.operation.answer {
            operation::Answer::Nothing => {
                self.run(call, None).await?;
                return Ok(Fetched::Nothing);
            }
            operation::Answer::Value(_) => self.run(call, None).await?.value()?,
            operation::Answer::Page(_) => {
                let connection = Connection {
                    backward: call.paging(Paging::Last).is_some(),
                    cursors: asks(fields, "edges"),
                    parents: None,
                };
                let page = self.run(call, Some(connection)).await?.bytes;
                if !self.has_relations && can_cut(fields) && !asks(fields, "edges") {
                    return Ok(Fetched::Page(page));
                }
                page_of(&page, fields)?
            }
        };
        let loaded = self.load(vec![&value], fields).await;
        Ok(Fetched::Value(value, loaded))
    }

    async fn run(&self, call: &Call<'_>, connection: Option<Connection>) -> Result<Answered, Failure> {
        let Graph {
            operations, catalog, ..
        } = self.graph;
        self.session.run(operations, catalog, call, connection).await
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
        let mut answer = self.run(call, Some(connection)).await?.value()?;
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

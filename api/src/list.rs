//! Lists, once for every resource: pages by key, from an order that an index holds, and never more work than a page
//! is worth, however the list is filtered.

mod cursor;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod page;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sea_orm::{DbErr, EntityTrait, IdenStatic, QueryResult, Value, sea_query::Condition};
use serde::Serialize;
use serde_json::json;
use url::form_urlencoded;
use usher_shared::foundation::rules::{Violation, ViolationKind};
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::ApiError,
    fields::{FieldError, Step},
    query::Parameters,
    state::AppState,
};

use cursor::Cursor;
pub(crate) use page::Page;

/// Rows on a page unless the client says otherwise.
const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// A table that can be listed.
pub(crate) trait Listed: EntityTrait {
    /// The path of the list.
    const PATH: &'static str;
    /// What clients can sort by, each with the column whose index, continued by the id, holds the order. Rows without a
    /// value in a column that may be NULL come last, or first the other way round.
    const SORTS: &'static [(&'static str, Self::Column)];
    const ID: Self::Column;
    /// Those of them that many rows can share. Behind one nothing is sorted: all of these would have to be read.
    const SHARED: &'static [&'static str] = &[];

    /// What the list tells of a row.
    type Row: Send;
    /// The columns that it takes.
    const COLUMNS: &'static [Self::Column];

    /// The rows that are there for clients.
    fn visible() -> Condition;

    /// Reads a row by the positions in `COLUMNS`: names cost ten times as much, and a page has hundreds of values.
    fn read(row: &QueryResult) -> Result<Self::Row, DbErr>;

    /// The row's value in the id or in a column to sort by.
    fn value(row: &Self::Row, column: Self::Column) -> Value;
}

/// One filter of a list.
pub(crate) struct Filter<E: EntityTrait> {
    condition: Condition,
    /// The column of which it is a range: walking in that column's order, only the range is walked.
    range_of: Option<E::Column>,
    /// Whether an index finds its rows without looking at others.
    indexed: bool,
}

impl<E: EntityTrait> Filter<E> {
    /// A filter that rows are held against one by one.
    pub(crate) fn plain(condition: Condition) -> Self {
        Self {
            condition,
            range_of: None,
            indexed: false,
        }
    }

    /// A filter with an index of its own.
    pub(crate) fn indexed(condition: Condition) -> Self {
        Self {
            indexed: true,
            ..Self::plain(condition)
        }
    }

    /// A range of values of one of the columns to sort by.
    pub(crate) fn range(column: E::Column, condition: Condition) -> Self {
        Self {
            range_of: Some(column),
            ..Self::indexed(condition)
        }
    }
}

/// An order of a list: columns, and the id where those have the same values.
pub(crate) struct Order<E: EntityTrait> {
    /// As the address says it, such as `-created_at`.
    word: String,
    /// One and more, the id last.
    keys: Vec<Key<E>>,
}

/// A column of an order, and which way it goes.
pub(crate) struct Key<E: EntityTrait> {
    column: E::Column,
    descending: bool,
}

impl<E: Listed> Order<E> {
    fn parse(word: &str) -> Result<Self, Violation> {
        let mut keys: Vec<Key<E>> = vec![];
        for part in word.split(',') {
            let name = part.strip_prefix('-').unwrap_or(part);
            let known = E::SORTS.iter().find(|(known, _)| *known == name);
            let (_, column) = known.ok_or_else(Self::unknown)?;
            if let Some(before) = keys.last().filter(|key| E::SHARED.contains(&key.column.as_str())) {
                let before = before.column.as_str();
                let message = format!("Many can have the same {before}: sort by it last, as in sort={name},{before}");
                return Err(Violation::new(ViolationKind::Enum, message).with(json!({ "expected": before })));
            }
            // What stands behind a column that was named before, or behind the id, decides nothing.
            let is_decided = |key: &Key<E>| [column.as_str(), E::ID.as_str()].contains(&key.column.as_str());
            if !keys.iter().any(is_decided) {
                keys.push(Key {
                    column: *column,
                    descending: name != part,
                });
            }
        }
        let last = keys.last().map(|key| (key.column.as_str(), key.descending));
        if let Some((_, descending)) = last.filter(|(column, _)| *column != E::ID.as_str()) {
            keys.push(Key {
                column: E::ID,
                descending,
            });
        }
        Ok(Self {
            word: word.to_owned(),
            keys,
        })
    }

    fn unknown() -> Violation {
        let names: Vec<&str> = E::SORTS.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        let message = format!(
            "Sort by {names}, or several of them with commas between; with - in front it is the other way round"
        );
        Violation::new(ViolationKind::Enum, message).with(json!({ "expected": names }))
    }

    /// What the list is sorted by first.
    fn first(&self) -> E::Column {
        self.keys.first().map_or(E::ID, |key| key.column)
    }
}

/// What every list is asked: how much, from where, in which order.
pub(crate) struct ListQuery<E: EntityTrait> {
    limit: u64,
    order: Order<E>,
    cursor: Option<Cursor>,
    count: bool,
    /// The other parameters, for the addresses of the pages before and after.
    others: Vec<(String, String)>,
}

impl<E: Listed> ListQuery<E> {
    /// Reads `limit`, `sort`, `cursor` and `count`.
    pub(crate) fn read(parameters: &mut Parameters, default_sort: &'static str, state: &AppState) -> Option<Self> {
        let limit = parameters.optional("limit", parse_limit);
        let order = parameters.optional("sort", Order::parse);
        let sort = match &order {
            Some(Some(order)) => order.word.clone(),
            _ => default_sort.to_owned(),
        };
        let cursor = parameters.optional("cursor", |text| {
            Cursor::open::<E>(text, &sort, &state.config.secret_key)
        });
        let count = parameters.optional("count", crate::query::boolean);
        Some(Self {
            limit: limit?.unwrap_or(DEFAULT_LIMIT),
            order: match order? {
                Some(order) => order,
                None => Order::parse(default_sort).ok()?,
            },
            cursor: cursor?,
            count: count?.unwrap_or(false),
            others: parameters.without("cursor"),
        })
    }

    /// The page as an answer, with links to those beside it (RFC 8288).
    pub(crate) fn answer<T: Serialize>(
        &self,
        page: Page<E>,
        state: &AppState,
        shape: impl FnMut(E::Row) -> T,
    ) -> Result<Response, ApiError> {
        let seal = |cursor: Cursor| cursor.seal::<E>(&self.order.word, &state.config.secret_key);
        let (prev, next) = (page.prev.map(seal), page.next.map(seal));
        let link = [("prev", &prev), ("next", &next)]
            .into_iter()
            .filter_map(|(rel, cursor)| {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query
                    .extend_pairs(&self.others)
                    .append_pair("cursor", cursor.as_deref()?);
                Some(format!("<{}{}?{}>; rel=\"{rel}\"", state.root, E::PATH, query.finish()))
            });
        let link = link.collect::<Vec<_>>().join(", ");
        let list = ListOut {
            data: page.rows.into_iter().map(shape).collect(),
            has_more: next.is_some(),
            next_cursor: next,
            prev_cursor: prev,
            count: page.count.map(|count| count.rows),
            count_is_exact: page.count.map(|count| count.is_exact),
        };
        let mut response = (StatusCode::OK, Json(list)).into_response();
        if !link.is_empty() {
            let link = HeaderValue::from_str(&link).map_err(anyhow::Error::from)?;
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }
}

fn parse_limit(text: &str) -> Result<u64, Violation> {
    let limit: i64 = text
        .parse()
        .map_err(|_| Violation::new(ViolationKind::IntParsing, "The limit must be a whole number"))?;
    match u64::try_from(limit) {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        Ok(0) | Err(_) => {
            Err(Violation::new(ViolationKind::GreaterThanEqual, "The limit must be 1 or more").with(json!({ "ge": 1 })))
        }
        Ok(_) => Err(
            Violation::new(ViolationKind::LessThanEqual, "The limit must be 200 or less")
                .with(json!({ "le": MAX_LIMIT })),
        ),
    }
}

/// The fault in the example of a list's 422.
pub(crate) fn limit_fault() -> FieldError {
    let violation = Violation::new(ViolationKind::LessThanEqual, "The limit must be 200 or less");
    let violation = violation.with(json!({ "le": MAX_LIMIT }));
    FieldError::new("query", Some(Step::Key("limit".into())), violation)
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = List)]
pub(crate) struct ListOut<T> {
    data: Vec<T>,
    /// For `cursor`, to go on; null on the last page.
    #[schema(example = "WyItY3JlYXRlZF9hdCIsdHJ1ZSxudWxsXQ")]
    next_cursor: Option<String>,
    /// For `cursor`, to go back; null on the first page.
    prev_cursor: Option<String>,
    /// Whether there is a `next_cursor`. A page of a filtered list can be short, even empty, and have more.
    has_more: bool,
    /// With `count=true`: how many rows the whole list has, counted up to 10,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 10_000)]
    count: Option<u64>,
    /// With `count=true`: false when counting was stopped, so that there may be more than `count`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    count_is_exact: Option<bool>,
}

/// What every list takes besides its filters and `sort`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes what `ListQuery` reads")]
pub(crate) struct ListIn {
    /// Rows on a page.
    #[param(minimum = 1, maximum = 200, default = 50, required = false)]
    limit: u64,
    /// `next_cursor` or `prev_cursor` of another page of the same list in the same order. One that was made up is 422.
    #[param(required = false, min_length = 1)]
    cursor: String,
    /// Whether to count the list as well, up to 10,000.
    #[param(default = false, required = false)]
    count: bool,
}

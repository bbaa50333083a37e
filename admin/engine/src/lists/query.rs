//! A list's state as its address says it: what is searched, filtered and sorted, and where in the list one is.
//! Every link of the list is written here too, so that what is written can be read.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{
    Value,
    sea_query::{Condition, Expr, ExprTrait, IntoCondition, SimpleExpr},
};
use url::form_urlencoded::Serializer;
use usher_shared::foundation::time::{first_id, now};

use crate::declare::spec::{Kind, Spec};
use crate::declare::{many_to_many::Across, meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::keyset::{Cursor, Direction, Order};
use crate::lists::period::Period;
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::{names::Reference, storage::Storage};

/// Longer searches are cut: no word in the application is longer.
const MAX_SEARCH_CHARS: usize = 200;

/// Clocks of the processes that make ids differ by less than this.
const CLOCKS: TimeDelta = TimeDelta::hours(1);

/// Names of the parameters that are no columns.
const SEARCH: &str = "q";
const ORDER: &str = "o";
const AFTER: &str = "after";
const BEFORE: &str = "before";
/// Asks for counts beside the filters. They cost a look at each, so they are asked for.
pub(crate) const FACETS: &str = "_facets";

/// What the address asks for.
#[derive(Debug)]
pub(crate) struct ListQuery {
    pub(crate) search: String,
    pub(crate) filters: Vec<Filter>,
    pub(crate) order: Order,
    /// Whether the address names the order.
    ordered: bool,
    pub(crate) cursor: Option<(Direction, Cursor)>,
}

/// One column and what it must be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    pub(crate) column: &'static str,
    pub(crate) test: Test,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    Is {
        text: String,
        value: Value,
        /// Whether the value is one of those that the declaration lists.
        listed: bool,
    },
    Null(bool),
    /// Tied to this object of another model, by the filter of this name.
    Tied {
        text: String,
        id: Value,
    },
    /// A year, a month or a day: `2026`, `2026-11`, `2026-11-22`, in UTC.
    During(Period),
    /// From this time on.
    From {
        text: String,
        at: DateTime<Utc>,
    },
    /// Before this time.
    Before {
        text: String,
        at: DateTime<Utc>,
    },
}

/// Why an address cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadQuery {
    /// It asks about a column that nobody may ask about.
    Secret(&'static str),
    /// It asks for something that is not there; the clean list is.
    Unknown,
}

impl ListQuery {
    pub(crate) fn parse(model: &Model, fields: &Fields) -> Result<Self, BadQuery> {
        let (column, descending) = model.ordering;
        let mut query = Self {
            search: String::new(),
            filters: vec![],
            order: Order::of(model, column, descending).ok_or(BadQuery::Unknown)?,
            ordered: false,
            cursor: None,
        };
        // The order first: a cursor is read in its light.
        if let Some(order) = fields.get(ORDER) {
            let (column, descending) = order.strip_prefix('-').map_or((order, false), |column| (column, true));
            query.order = Order::of(model, column, descending).ok_or(BadQuery::Unknown)?;
            query.ordered = true;
        }
        for (name, value) in fields.iter() {
            let cursor = || Cursor::decode(&query.order, value).ok_or(BadQuery::Unknown);
            match name {
                ORDER => {}
                // Asks for something about the list, not of it.
                FACETS => {}
                SEARCH => query.search = searched(value),
                AFTER => query.cursor = Some((Direction::Forward, cursor()?)),
                BEFORE => query.cursor = Some((Direction::Backward, cursor()?)),
                name => query.filters.extend(filter(model, name, value)?),
            }
        }
        Ok(query)
    }

    pub(crate) fn has_filters(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    /// What the filters ask for. Rows that are marked as deleted are in it only when a filter asks about the mark.
    pub(crate) fn condition(&self, model: &Model) -> Condition {
        let asked = |column: &&str| self.filter(column).is_none();
        let hidden = model.soft().filter(asked).map(|column| Expr::col(column).is_null());
        let beside = self
            .filters
            .iter()
            .filter_map(|filter| model.field(filter.column)?.beside);
        let beside = beside.filter(|(column, _)| self.filter(column).is_none());
        let all = self
            .filters
            .iter()
            .fold(Condition::all(), |all, filter| all.add(filter.condition(model)));
        beside
            .fold(all, |all, (column, word)| all.add(Expr::col(column).eq(word)))
            .add_option(hidden)
    }

    /// The filter on this column, if there is one.
    pub(crate) fn filter(&self, column: &str) -> Option<&Test> {
        self.filters
            .iter()
            .find(|filter| filter.column == column)
            .map(|filter| &filter.test)
    }

    /// The objects of other models that the list is filtered by.
    pub(crate) fn references(&self, model: &Model) -> Vec<Reference> {
        let reference = |filter: &Filter| match &filter.test {
            Test::Is { value, .. } => match model.field(filter.column)?.kind {
                Kind::ForeignKey(to) => Some((to, value.clone())),
                _ => None,
            },
            Test::Tied { id, .. } => {
                let across = model.across.iter().find(|across| across.name == filter.column)?;
                Some((across.model, id.clone()))
            }
            _ => None,
        };
        self.filters.iter().filter_map(reference).collect()
    }

    /// Refuses filters by objects of models that this person may not see: who has a role is the roles' to tell.
    pub(crate) fn require(&self, model: &Model, staff: &Staff) -> Result<(), AdminError> {
        let tied = self
            .filters
            .iter()
            .filter(|filter| matches!(filter.test, Test::Tied { .. }));
        for filter in tied {
            if let Some(across) = model.across.iter().find(|across| across.name == filter.column) {
                staff.require(&format!("{}.{}", across.model, Operation::View.as_str()))?;
            }
        }
        Ok(())
    }

    /// The address's query of the list with another filter on this column, from its first page.
    pub(crate) fn with_filter(&self, column: &'static str, test: Option<Test>) -> String {
        let others = self.filters.iter().filter(|filter| filter.column != column).cloned();
        let filters: Vec<_> = others.chain(test.map(|test| Filter { column, test })).collect();
        self.write(&filters, self.ordered.then_some(&self.order), None)
    }

    /// The list by another column, or by the same in the other direction.
    pub(crate) fn with_order(&self, order: &Order) -> String {
        self.write(&self.filters, Some(order), None)
    }

    /// Another page of the list.
    pub(crate) fn at(&self, direction: Direction, cursor: &Cursor) -> String {
        self.write(
            &self.filters,
            self.ordered.then_some(&self.order),
            Some((direction, cursor)),
        )
    }

    /// All that the list holds, from its start.
    pub(crate) fn unplaced(&self) -> String {
        self.write(&self.filters, self.ordered.then_some(&self.order), None)
    }

    /// The list as it is, for the way back from an object.
    pub(crate) fn here(&self) -> String {
        let cursor = self.cursor.as_ref().map(|(direction, cursor)| (*direction, cursor));
        self.write(&self.filters, self.ordered.then_some(&self.order), cursor)
    }

    /// The parameters that the search form keeps: all but the search and the place.
    pub(crate) fn kept_by_search(&self) -> Vec<(String, String)> {
        let order = self.ordered.then(|| (ORDER.to_owned(), self.order.text()));
        self.filters.iter().map(Filter::parameter).chain(order).collect()
    }

    /// The parameters that the form of a free filter keeps: all but that filter and the place.
    pub(crate) fn kept_by_filter(&self, column: &str) -> Vec<(String, String)> {
        let search = (!self.search.is_empty()).then(|| (SEARCH.to_owned(), self.search.clone()));
        let is_other = |filter: &&Filter| filter.column != column;
        let others = self.filters.iter().filter(is_other);
        let order = self.ordered.then(|| (ORDER.to_owned(), self.order.text()));
        search
            .into_iter()
            .chain(others.map(Filter::parameter))
            .chain(order)
            .collect()
    }

    fn write(&self, filters: &[Filter], order: Option<&Order>, cursor: Option<(Direction, &Cursor)>) -> String {
        let mut query = Serializer::new(String::new());
        if !self.search.is_empty() {
            query.append_pair(SEARCH, &self.search);
        }
        query.extend_pairs(filters.iter().map(Filter::parameter));
        if let Some(order) = order {
            query.append_pair(ORDER, &order.text());
        }
        if let Some((direction, cursor)) = cursor {
            let name = if direction == Direction::Forward { AFTER } else { BEFORE };
            query.append_pair(name, &cursor.encode());
        }
        query.finish()
    }
}

impl Filter {
    fn condition(&self, model: &Model) -> Condition {
        let column = Expr::col(self.column);
        if let Some(by_clock) = model.field(self.column).and_then(|spec| spec.by_clock) {
            match &self.test {
                Test::Is { text, .. } => return (by_clock.rows)(Some(text), now()),
                Test::Null(true) => return (by_clock.rows)(None, now()),
                Test::Null(false) => return (by_clock.rows)(None, now()).not(),
                _ => {}
            }
        }
        match &self.test {
            Test::Tied { id, .. } => {
                let across = model.across.iter().find(|across| across.name == self.column);
                return Condition::all().add_option(across.map(|across| across.condition(model.id, id)));
            }
            // A word of the declaration stands in the statement itself: with a parameter in its place no plan could use
            // an index that leaves out the words that most rows have.
            Test::Is {
                value: Value::String(Some(word)),
                listed: true,
                ..
            } => {
                let same = column.eq(Expr::cust(format!("'{word}'")));
                let choice = model.field(self.column).and_then(|spec| spec.choice(word));
                match choice.and_then(|choice| choice.implies) {
                    Some(implied) => same.and(Expr::cust(implied)),
                    None => same,
                }
            }
            Test::Is { value, .. } => match model.field(self.column) {
                Some(spec) => spec.equals(value),
                None => column.eq(value.clone()),
            },
            Test::Null(true) => column.is_null(),
            Test::Null(false) => column.is_not_null(),
            Test::During(period) => {
                let (from, to) = period.range();
                column.clone().gte(from).and(column.lt(to))
            }
            Test::From { at, .. } => column.gte(*at),
            Test::Before { at, .. } => column.lt(*at),
        }
        .into_condition()
        .add_option(self.by_id(model))
    }

    /// A time that the list is sorted by through its ids is found through them too: they hold the time by the clock of
    /// whoever made them.
    fn by_id(&self, model: &Model) -> Option<SimpleExpr> {
        let is_by_id = model.field(self.column)?.sort == Some(model.id) && model.id_field().storage == Storage::Uuid;
        let id = || Expr::col(model.id);
        let from = |at: DateTime<Utc>| id().gte(first_id(at.checked_sub_signed(CLOCKS).unwrap_or(at)));
        let before = |at: DateTime<Utc>| id().lt(first_id(at.checked_add_signed(CLOCKS).unwrap_or(at)));
        match &self.test {
            _ if !is_by_id => None,
            Test::During(period) => {
                let (start, end) = period.range();
                Some(from(start).and(before(end)))
            }
            Test::From { at, .. } => Some(from(*at)),
            Test::Before { at, .. } => Some(before(*at)),
            _ => None,
        }
    }

    fn parameter(&self) -> (String, String) {
        match &self.test {
            Test::Is { text, .. } | Test::Tied { text, .. } => (self.column.to_owned(), text.clone()),
            Test::Null(null) => (format!("{}__isnull", self.column), null.to_string()),
            Test::During(period) => (self.column.to_owned(), period.text()),
            Test::From { text, .. } => (format!("{}__gte", self.column), text.clone()),
            Test::Before { text, .. } => (format!("{}__lt", self.column), text.clone()),
        }
    }
}

/// What is looked for. Cut and then trimmed, so that a link with it says the same.
fn searched(typed: &str) -> String {
    let legible = typed.replace('\0', " ");
    let cut: String = legible.trim().chars().take(MAX_SEARCH_CHARS).collect();
    cut.trim_end().to_owned()
}

/// Reads `column=value` or `column__isnull=true`; an empty value filters nothing.
fn filter(model: &Model, name: &str, value: &str) -> Result<Option<Filter>, BadQuery> {
    let (column, lookup) = name
        .split_once("__")
        .map_or((name, None), |(column, lookup)| (column, Some(lookup)));
    if let Some(across) = model.across.iter().find(|across| across.name == name) {
        return tied(across, value);
    }
    let spec = model.field(column).ok_or(BadQuery::Unknown)?;
    match spec.kind {
        Kind::Secret => return Err(BadQuery::Secret(spec.name)),
        _ if !spec.filter => return Err(BadQuery::Unknown),
        _ if value.is_empty() => return Ok(None),
        _ => {}
    }
    let is_time = matches!(spec.kind, Kind::Time);
    let test = match lookup {
        None if is_time => Period::parse(value).map(Test::During),
        Some("gte") if is_time => time(value).map(|(text, at)| Test::From { text, at }),
        Some("lt") if is_time => time(value).map(|(text, at)| Test::Before { text, at }),
        None => is(spec, value),
        Some("isnull") if spec.nullable => value.parse().ok().map(Test::Null),
        Some(_) => None,
    };
    test.map(|test| {
        Some(Filter {
            column: spec.name,
            test,
        })
    })
    .ok_or(BadQuery::Unknown)
}

fn tied(across: &Across, value: &str) -> Result<Option<Filter>, BadQuery> {
    if value.is_empty() {
        return Ok(None);
    }
    let id = across.parse(value).ok_or(BadQuery::Unknown)?;
    let test = Test::Tied {
        text: value.to_owned(),
        id,
    };
    Ok(Some(Filter {
        column: across.name,
        test,
    }))
}

/// A day or an exact time.
fn time(text: &str) -> Option<(String, DateTime<Utc>)> {
    let at = match Period::parse(text) {
        Some(period) => period.range().0,
        None => match Storage::Time.parse(text)? {
            Value::ChronoDateTimeUtc(at) => at?,
            _ => return None,
        },
    };
    Some((text.to_owned(), at))
}

/// That a column is what a text stands for; none where it cannot be.
pub(super) fn is(spec: &Spec, text: &str) -> Option<Test> {
    let offered = !matches!(spec.kind, Kind::Choice(_)) || spec.choice(text).is_some();
    let value = spec.storage.parse(text).filter(|_| offered)?;
    Some(Test::Is {
        text: text.to_owned(),
        value,
        listed: matches!(spec.kind, Kind::Choice(_)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_that_is_cut_at_a_blank_reads_the_same_again() {
        let cut = searched(&format!(" {} b", "a".repeat(MAX_SEARCH_CHARS - 1)));
        assert_eq!(cut, "a".repeat(MAX_SEARCH_CHARS - 1));
        assert_eq!(searched(&cut), cut);
    }
}

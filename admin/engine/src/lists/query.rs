//! A list's state as its address holds it: search, filters, order and page.
//! The list's links are written here too, so that writing and reading agree.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use url::form_urlencoded::Serializer;

use crate::declare::spec::Kind;
use crate::declare::{meta::Operation, model::Model};
use crate::error::AdminError;
use crate::lists::filter::{self, BadQuery, Filter, Test};
use crate::lists::keyset::{Cursor, Direction, SortOrder};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::names::Reference;

/// Longer searches are cut.
const MAX_SEARCH_CHARS: usize = 200;

/// Parameters that are not columns.
const SEARCH: &str = "q";
const ORDER: &str = "o";
const AFTER: &str = "after";
const BEFORE: &str = "before";
/// Requests counts beside the filters, which cost a query each.
pub(crate) const FACETS: &str = "_facets";

/// What the address asks for.
#[derive(Debug)]
pub(crate) struct ListQuery {
    pub(crate) search: String,
    pub(crate) filters: Vec<Filter>,
    pub(crate) order: SortOrder,
    /// Whether the address names the order.
    ordered: bool,
    pub(crate) cursor: Option<(Direction, Cursor)>,
}

impl ListQuery {
    pub(crate) fn parse(model: &Model, fields: &Fields) -> Result<Self, BadQuery> {
        let (column, descending) = model.ordering;
        let mut query = Self {
            search: String::new(),
            filters: vec![],
            order: SortOrder::of(model, column, descending).ok_or(BadQuery::Unknown)?,
            ordered: false,
            cursor: None,
        };
        // The order first: a cursor depends on it.
        if let Some(order) = fields.get(ORDER) {
            let (column, descending) = order.strip_prefix('-').map_or((order, false), |column| (column, true));
            query.order = SortOrder::of(model, column, descending).ok_or(BadQuery::Unknown)?;
            query.ordered = true;
        }
        for (name, value) in fields.iter() {
            let cursor = || Cursor::decode(&query.order, value).ok_or(BadQuery::Unknown);
            match name {
                ORDER => {}
                // Not a filter.
                FACETS => {}
                SEARCH => query.search = searched(value),
                AFTER => query.cursor = Some((Direction::Forward, cursor()?)),
                BEFORE => query.cursor = Some((Direction::Backward, cursor()?)),
                name => query.filters.extend(filter::parse(model, name, value)?),
            }
        }
        Ok(query)
    }

    pub(crate) fn has_filters(&self) -> bool {
        !self.search.is_empty() || !self.filters.is_empty()
    }

    /// The filters' condition. Rows marked as deleted are left out unless a filter asks for them.
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
            Test::Related { id, .. } => {
                let across = model.many_to_many.iter().find(|across| across.name == filter.column)?;
                Some((across.model, id.clone()))
            }
            _ => None,
        };
        self.filters.iter().filter_map(reference).collect()
    }

    /// Refuses filters by objects of models that this person may not see.
    pub(crate) fn require(&self, model: &Model, staff: &Staff) -> Result<(), AdminError> {
        let tied = self
            .filters
            .iter()
            .filter(|filter| matches!(filter.test, Test::Related { .. }));
        for filter in tied {
            if let Some(across) = model.many_to_many.iter().find(|across| across.name == filter.column) {
                staff.require(&format!("{}.{}", across.model, Operation::View.as_str()))?;
            }
        }
        Ok(())
    }

    /// The query with another filter on this column, from the first page.
    pub(crate) fn with_filter(&self, column: &'static str, test: Option<Test>) -> String {
        let others = self.filters.iter().filter(|filter| filter.column != column).cloned();
        let filters: Vec<_> = others.chain(test.map(|test| Filter { column, test })).collect();
        self.write(&filters, self.ordered.then_some(&self.order), None)
    }

    /// The query with another order.
    pub(crate) fn with_order(&self, order: &SortOrder) -> String {
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

    /// The query from the first page.
    pub(crate) fn unplaced(&self) -> String {
        self.write(&self.filters, self.ordered.then_some(&self.order), None)
    }

    /// The query as it is, for the way back from an object.
    pub(crate) fn here(&self) -> String {
        let cursor = self.cursor.as_ref().map(|(direction, cursor)| (*direction, cursor));
        self.write(&self.filters, self.ordered.then_some(&self.order), cursor)
    }

    /// The parameters that the search form keeps: all but the search and the page.
    pub(crate) fn kept_by_search(&self) -> Vec<(String, String)> {
        let order = self.ordered.then(|| (ORDER.to_owned(), self.order.text()));
        self.filters.iter().map(Filter::parameter).chain(order).collect()
    }

    /// The parameters that the form of a free filter keeps: all but that filter and the page.
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

    fn write(&self, filters: &[Filter], order: Option<&SortOrder>, cursor: Option<(Direction, &Cursor)>) -> String {
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

/// The search text. Cut and then trimmed, so that a link with it reads the same.
fn searched(typed: &str) -> String {
    let legible = typed.replace('\0', " ");
    let cut: String = legible.trim().chars().take(MAX_SEARCH_CHARS).collect();
    cut.trim_end().to_owned()
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

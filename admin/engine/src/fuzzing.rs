//! Properties of list addresses, for tests and fuzz targets: parsing and writing agree, no secret column is asked for,
//! and both databases get a statement.

use sea_orm::DbBackend;

use crate::declare::{model::Model, site::Site, spec::Kind};
use crate::lists::keyset::{Cursor, SortOrder};
use crate::lists::search;
use crate::lists::{filter::BadQuery, query::ListQuery};
use crate::request::sent::Fields;

/// A model's number, then the query of its list's address.
///
/// # Panics
/// When a property does not hold.
pub fn list_address(site: &Site, data: &[u8]) {
    let Some((number, address)) = data.split_first() else {
        return;
    };
    let model = &site.models[usize::from(*number) % site.models.len()];
    match ListQuery::parse(model, &Fields::parse(address)) {
        Ok(query) => judge(model, &query),
        Err(BadQuery::Secret(column)) => assert!(is_secret(model, column), "{column} is no secret"),
        Err(BadQuery::Unknown) => {}
    }
}

fn is_secret(model: &Model, column: &str) -> bool {
    model
        .field(column)
        .is_some_and(|spec| matches!(spec.kind, Kind::Secret))
}

fn judge(model: &Model, query: &ListQuery) {
    same(query, &read(model, &query.here()));
    let start = read(model, &query.unplaced());
    assert!(start.cursor.is_none() && start.filters == query.filters);
    for spec in &model.fields {
        for descending in [false, true] {
            if let Some(order) = SortOrder::of(model, spec.name, descending) {
                assert_eq!(read(model, &query.with_order(&order)).order.text(), order.text());
            }
        }
    }
    for filter in &query.filters {
        assert!(
            !is_secret(model, filter.column),
            "a filter by the secret {}",
            filter.column
        );
        let without = read(model, &query.with_filter(filter.column, None));
        assert!(without.filter(filter.column).is_none() && without.search == query.search);
        let with = read(model, &query.with_filter(filter.column, Some(filter.test.clone())));
        assert_eq!(with.filter(filter.column), Some(&filter.test));
    }
    if let Some((_, cursor)) = &query.cursor {
        assert_eq!(Cursor::decode(&query.order, &cursor.encode()).as_ref(), Some(cursor));
    }
    for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
        let mut select = model.select();
        select
            .cond_where(query.condition(model))
            .cond_where(search::condition_without_rows(backend, model, &query.search));
        let statement = backend.build(&select);
        let secret = |column: &&str| statement.sql.contains(&format!("\"{column}\""));
        let mut secrets = model
            .fields
            .iter()
            .map(|spec| spec.name)
            .filter(|column| is_secret(model, column));
        assert!(!secrets.any(|column| secret(&column)), "{}", statement.sql);
    }
}

fn read(model: &Model, written: &str) -> ListQuery {
    ListQuery::parse(model, &Fields::parse(written.as_bytes())).expect("what is written can be read")
}

fn same(one: &ListQuery, other: &ListQuery) {
    assert_eq!((&one.search, &one.filters), (&other.search, &other.filters));
    assert_eq!((one.order.text(), &one.cursor), (other.order.text(), &other.cursor));
}

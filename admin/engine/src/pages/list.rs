//! A model's list: what is searched and filtered, sorted, page by page.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};

use super::model_request::ModelRequest;
use crate::declare::meta::{Link, Operation};
use crate::declare::spec::{Kind, Spec};
use crate::declare::{deletion::RESTORE, model::Model};
use crate::error::AdminError;
use crate::lists::back::{back_parameter, href};
use crate::lists::filter::{BadQuery, Test};
use crate::lists::filters::{self, FilterGroup, FilterGroups};
use crate::lists::keyset::{self, Direction, SortOrder};
use crate::lists::query::{FACETS, ListQuery};
use crate::lists::{columns::Choosable, count::Count, search};
use crate::request::staff::Staff;
use crate::rows::cell::{Cell, LISTED, Names};
use crate::rows::names::{names, reference};
use crate::rows::related::{fill, is_seen};
use crate::rows::row::Row;
use crate::shell::{frame::Shell, page};

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    shell: Shell,
    title: String,
    about: &'static str,
    links: Vec<Link>,
    plural: &'static str,
    /// The model's own words for an empty list.
    empty: Option<&'static str>,
    count: String,
    new_href: Option<String>,
    singular: &'static str,
    /// None where the model cannot be searched.
    search: Option<SearchBox>,
    filters: Vec<FilterGroup>,
    /// The same list with or without the counts of its filters.
    facets_href: (String, bool),
    /// The list without search and filters, when there are any.
    clear_href: Option<String>,
    heads: Vec<Head>,
    /// The columns that this person can choose.
    columns: Vec<Choosable>,
    columns_href: String,
    rows: Vec<ListRow>,
    /// Names and labels.
    actions: Vec<(&'static str, &'static str)>,
    /// "all 1,234 users", where there are more than the page shows.
    all_matching: Option<String>,
    actions_href: String,
    list_query: String,
    /// The query of the export; none without the permission.
    export_query: Option<String>,
    export_href: String,
    previous_href: Option<String>,
    next_href: Option<String>,
}

struct SearchBox {
    typed: String,
    kept: Vec<(String, String)>,
}

struct Head {
    label: String,
    class: &'static str,
    /// The list sorted by this column, or reversed.
    href: Option<String>,
    /// `ascending`, `descending`, or none.
    sorted: &'static str,
}

struct ListRow {
    id: String,
    label: String,
    href: String,
    cells: Vec<ListCell>,
}

struct ListCell {
    head: String,
    class: &'static str,
    cell: Cell,
    /// Whether it is the link to the object.
    names: bool,
}

/// `GET {models}`. At most four statements: who asks, the rows, the count, the names of foreign keys; and one for each
/// column of related objects.
pub(crate) async fn show(request: ModelRequest) -> Result<Response, AdminError> {
    request.require(Operation::View)?;
    let ModelRequest {
        context,
        visit,
        staff,
        model,
        ..
    } = &request;
    let fields = request.parameters();
    let query = match ListQuery::parse(model, &fields) {
        Ok(query) => query,
        Err(BadQuery::Secret(column)) => {
            tracing::warn!(
                column,
                model = model.meta.name,
                staff = staff.id(),
                "a list was asked to filter by a secret column"
            );
            let words = "This list can't be filtered that way";
            return Err(AdminError::BadRequest(words.to_owned()));
        }
        Err(BadQuery::Unknown) => {
            let words = "Unknown filter in the address. Showing the whole list.";
            return Ok(visit.say_warning(words, &model.href()));
        }
    };
    query.require(model, staff)?;
    let condition = query
        .condition(model)
        .add(search::condition(&context.db, model, &query.search).await?);
    let mut page = keyset::page(&context.db, model, &condition, &query.order, query.cursor.as_ref()).await?;
    if let Some(href) = nearest(model, &query, &page) {
        return Ok(Redirect::to(&href).into_response());
    }
    let count = Count::of(&context.db, model.table, query.has_filters(), &condition).await?;
    let mut columns = model.columns(staff);
    columns.retain(|spec| is_seen(spec, &context.site, staff));
    let limit = Some(LISTED as u64 + 1);
    fill(&context.db, &context.site, model, &columns, &mut page.rows, limit).await?;
    let mut references = query.references(model);
    for row in &page.rows {
        references.extend(columns.iter().filter_map(|spec| reference(spec, row)));
    }
    let names = names(&context.db, &context.site, staff, references).await?;
    let drawing = FilterGroups {
        model,
        query: &query,
        names: &names,
    };
    let with_facets = fields.get(FACETS).is_some();
    let mut filters = drawing.groups(&context.site, staff);
    if with_facets {
        filters::count(&context.db, model, &query, &mut filters).await?;
    }
    let shell = Shell::new(context, visit, staff, model.meta.title())
        .here(model.meta.title())
        .live_list(context, model);
    page::show(&ListPage {
        facets_href: filters::counts_href(model, &query, with_facets),
        filters,
        columns: choosable(&request, &columns),
        heads: columns.iter().map(|spec| head(model, spec, &query)).collect(),
        rows: rows(model, &page.rows, &columns, &names, &query.here()),
        ..ListPage::of(shell, model, staff, &query, &page, count)
    })
}

/// The columns that this person can choose.
fn choosable(request: &ModelRequest, shown: &[&Spec]) -> Vec<Choosable> {
    let ModelRequest {
        context, staff, model, ..
    } = request;
    let seen = model.choosable().filter(|spec| is_seen(spec, &context.site, staff));
    let name = model.name_field().name;
    seen.map(|spec| Choosable {
        name: spec.name,
        label: spec.label.clone(),
        shown: shown.iter().any(|column| column.name == spec.name),
        fixed: spec.name == name,
    })
    .collect()
}

/// The nearest page with rows, if rows have gone since the link was drawn.
fn nearest(model: &Model, query: &ListQuery, page: &keyset::Page) -> Option<String> {
    let (direction, cursor) = query.cursor.as_ref()?;
    let is_short = (page.rows.len() as u64) < keyset::PAGE;
    match direction {
        Direction::Forward if page.rows.is_empty() => Some(href(model, &query.at(Direction::Backward, cursor))),
        Direction::Backward if is_short => Some(href(model, &query.unplaced())),
        _ => None,
    }
}

fn rows(model: &Model, rows: &[Row], columns: &[&Spec], names: &Names, here: &str) -> Vec<ListRow> {
    let row = |row: &Row| ListRow {
        id: row.text(model.id).unwrap_or_default(),
        label: model.label(row),
        href: object_href(model, row, here),
        cells: columns
            .iter()
            .map(|spec| ListCell {
                head: spec.label.clone(),
                class: class(spec),
                cell: model.cell(spec, row, names),
                names: spec.name == model.name_field().name,
            })
            .collect(),
    };
    rows.iter().map(row).collect()
}

impl ListPage {
    /// What does not depend on the rows' values.
    fn of(shell: Shell, model: &Model, staff: &Staff, query: &ListQuery, page: &keyset::Page, count: Count) -> Self {
        let deleted = matches!(query.filter(model.soft().unwrap_or_default()), Some(Test::Null(false)));
        let actions = model.actions.iter().filter(|action| {
            let fits_list = (action.name == RESTORE) == deleted;
            staff.may(&action.permission(model)) && !action.is_for_one() && fits_list
        });
        let go = |direction, cursor: &Option<keyset::Cursor>| {
            cursor.as_ref().map(|cursor| href(model, &query.at(direction, cursor)))
        };
        let links = model.links.iter().filter(|link| staff.may(&link.permission(model)));
        Self {
            shell,
            title: model.meta.title(),
            about: model.meta.about,
            links: links.copied().collect(),
            singular: model.meta.singular,
            plural: model.meta.plural,
            empty: model.meta.empty,
            count: count.words(model.meta.singular, model.meta.plural),
            new_href: model
                .allows(staff, Operation::Add)
                .then(|| format!("{}/new", model.href())),
            search: search::is_offered(model).then(|| SearchBox {
                typed: query.search.clone(),
                kept: query.kept_by_search(),
            }),
            facets_href: (String::new(), false),
            filters: vec![],
            clear_href: query.has_filters().then(|| model.href()),
            heads: vec![],
            columns: vec![],
            columns_href: format!("{}/columns", model.href()),
            rows: vec![],
            actions: actions.map(|action| (action.name, action.label)).collect(),
            actions_href: format!("{}/actions", model.href()),
            export_query: model.allows(staff, Operation::Export).then(|| query.unplaced()),
            export_href: format!("{}/export", model.href()),
            all_matching: (page.next.is_some() || page.previous.is_some())
                .then(|| count.words(model.meta.singular, model.meta.plural)),
            previous_href: go(Direction::Backward, &page.previous),
            next_href: go(Direction::Forward, &page.next),
            list_query: query.here(),
        }
    }
}

fn object_href(model: &Model, row: &Row, here: &str) -> String {
    let (id, back) = (row.text(model.id).unwrap_or_default(), back_parameter('?', here));
    format!("{}/{id}{back}", model.href())
}

fn head(model: &Model, spec: &Spec, query: &ListQuery) -> Head {
    let current = query.order.shown == spec.name;
    // The first click sorts times newest first, and everything else ascending.
    let descending = if current {
        !query.order.descending
    } else {
        matches!(spec.kind, Kind::Time | Kind::Id)
    };
    let order = SortOrder::of(model, spec.name, descending);
    Head {
        label: spec.label.clone(),
        class: class(spec),
        href: order.map(|order| href(model, &query.with_order(&order))),
        sorted: match (current, query.order.descending) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        },
    }
}

/// The CSS class of a column's head and cells.
fn class(spec: &Spec) -> &'static str {
    match spec.kind {
        Kind::Int => "number",
        Kind::Time | Kind::Touched => "time",
        _ => "",
    }
}

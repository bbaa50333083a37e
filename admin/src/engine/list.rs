//! A model's list: what is searched and filtered, sorted, page by page.

use askama::Template;
use axum::{
    extract::{Path, RawQuery, State},
    response::Response,
};

use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Expr, Func, Query},
};

use super::{
    columns::Choosable,
    count::Count,
    delete,
    field::{Kind, Spec},
    keyset::{self, Direction, Order},
    meta::{Link, Operation},
    model::Model,
    names::names,
    object::{BACK, path_segment},
    period::Period,
    query::{self, BadQuery, FACETS, ListQuery, Test},
    row::{Cell, Row},
    search,
};
use crate::{error::AdminError, page, posted::Fields, shell::Shell, staff::Staff, state::AppState, visit::Visit};

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    shell: Shell,
    title: String,
    about: &'static str,
    link: Option<Link>,
    plural: &'static str,
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
    /// What this person may have as columns.
    columns: Vec<Choosable>,
    columns_href: String,
    rows: Vec<ListRow>,
    /// Names and labels.
    actions: Vec<(&'static str, &'static str)>,
    /// "all 1,234 users", where there are more than the page shows.
    all_matching: Option<String>,
    actions_href: String,
    list_query: String,
    /// What the list's file is asked for with; none for who may not have it.
    export_query: Option<String>,
    export_href: String,
    previous_href: Option<String>,
    next_href: Option<String>,
}

struct SearchBox {
    typed: String,
    kept: Vec<(String, String)>,
}

struct FilterGroup {
    label: String,
    /// Whether it narrows the list now.
    used: bool,
    options: Vec<FilterOption>,
    /// Where any text may be given.
    free: Option<FreeFilter>,
}

struct FreeFilter {
    name: &'static str,
    typed: String,
    /// Where suggestions come from.
    source: Option<String>,
    /// The list's other parameters.
    kept: Vec<(String, String)>,
}

struct FilterOption {
    label: String,
    /// How many rows it would leave, where that was asked for.
    facet: Option<String>,
    href: String,
    current: bool,
}

struct Head {
    label: String,
    class: &'static str,
    /// The list sorted by this column, or the other way round.
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

/// `GET /admin/{models}`. At most four statements: who asks, the rows, the count, the names of foreign keys.
pub(crate) async fn show(
    State(state): State<AppState>,
    visit: Visit,
    staff: Staff,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, AdminError> {
    let model = state.site.model(&name).ok_or(AdminError::NotFound)?;
    staff.require(&model.meta.permission(Operation::View))?;
    let fields = Fields::parse(query.unwrap_or_default().as_bytes());
    let query = match ListQuery::parse(model, &fields) {
        Ok(query) => query,
        Err(BadQuery::Secret(column)) => {
            tracing::warn!(
                column,
                model = name,
                staff = staff.id(),
                "a list was asked to filter by a secret column"
            );
            return Err(AdminError::BadRequest(
                "This list cannot be filtered by that".to_owned(),
            ));
        }
        Err(BadQuery::Unknown) => {
            let words = "That address asked for something this list does not have. Here is the whole list.";
            return Ok(visit.say_warning(words.to_owned(), &model.href()));
        }
    };
    let with_facets = fields.get(FACETS).is_some();
    let condition = query.condition(model).add(search::condition(model, &query.search));
    let page = keyset::page(&state.db, model, &condition, &query.order, query.cursor.as_ref()).await?;
    let count = Count::of(&state.db, model, query.has_filters(), &condition).await?;
    let columns = model.columns(&staff);
    let mut cells = vec![];
    for row in &page.rows {
        cells.extend(columns.iter().map(|spec| (*spec, row)));
    }
    let names = names(&state.db, &state.site, &cells).await?;
    let here = query.here();
    let go =
        |direction, cursor: Option<&keyset::Cursor>| cursor.map(|cursor| href(model, &query.at(direction, cursor)));

    let rows = page.rows.iter().map(|row| {
        let cells = columns.iter().map(|spec| ListCell {
            head: spec.label.clone(),
            class: class(spec),
            cell: Cell::of(spec, row, &names),
            names: spec.name == model.name_field().name,
        });
        ListRow {
            id: row.text(model.id).unwrap_or_default(),
            label: model.label(row),
            href: object_href(model, row, &here),
            cells: cells.collect(),
        }
    });
    let may_add = model.meta.offers(Operation::Add) && staff.may(&model.meta.permission(Operation::Add));
    let deleted = matches!(query.filter(model.soft().unwrap_or_default()), Some(Test::Null(false)));
    let actions = model.actions.iter().filter(|action| {
        let fits_list = (action.name == delete::RESTORE) == deleted;
        staff.may(&action.permission(model)) && !action.is_for_one() && fits_list
    });
    let filtered = model.fields.iter().filter(|spec| spec.filter);
    let mut filters: Vec<_> = filtered.map(|spec| filter_group(model, spec, &query)).collect();
    if with_facets {
        count_facets(&state.db, model, &query, &mut filters).await?;
    }
    page::show(&ListPage {
        shell: Shell::new(&state, &visit, &staff, model.meta.title()).here(model.meta.title()),
        title: model.meta.title(),
        about: model.meta.about,
        link: model
            .meta
            .link
            .filter(|link| staff.may(&format!("{name}.{}", link.word))),
        singular: model.meta.singular,
        plural: model.meta.plural,
        count: count.words(model.meta.singular, model.meta.plural),
        new_href: may_add.then(|| format!("{}/new", model.href())),
        search: search::is_offered(model).then(|| SearchBox {
            typed: query.search.clone(),
            kept: query.kept_by_search(),
        }),
        facets_href: facets_href(model, &query, with_facets),
        filters,
        clear_href: query.has_filters().then(|| model.href()),
        heads: columns.iter().map(|spec| head(model, spec, &query)).collect(),
        columns: model.choice(&staff),
        columns_href: format!("{}/columns", model.href()),
        rows: rows.collect(),
        actions: actions.map(|action| (action.name, action.label)).collect(),
        actions_href: format!("{}/actions", model.href()),
        export_query: staff
            .may(&model.meta.permission(Operation::Export))
            .then(|| query.unplaced()),
        export_href: format!("{}/export", model.href()),
        all_matching: (page.next.is_some() || page.previous.is_some())
            .then(|| count.words(model.meta.singular, model.meta.plural)),
        previous_href: go(Direction::Backward, page.previous.as_ref()),
        next_href: go(Direction::Forward, page.next.as_ref()),
        list_query: here,
    })
}

fn href(model: &Model, query: &str) -> String {
    if query.is_empty() {
        model.href()
    } else {
        format!("{}?{query}", model.href())
    }
}

fn object_href(model: &Model, row: &Row, here: &str) -> String {
    let back = if here.is_empty() {
        String::new()
    } else {
        format!("?{BACK}={}", path_segment(here))
    };
    format!("{}/{}{back}", model.href(), row.text(model.id).unwrap_or_default())
}

/// Rows are counted up to here, then shown as "more".
const COUNTED: u64 = 1_000;

fn facets_href(model: &Model, query: &ListQuery, shown: bool) -> (String, bool) {
    let here = query.unplaced();
    let facets = if shown { "" } else { "_facets=yes" };
    let both = [here.as_str(), facets].into_iter().filter(|part| !part.is_empty());
    (href(model, &both.collect::<Vec<_>>().join("&")), shown)
}

/// Counts what each option would leave of the list, all of them in one statement.
async fn count_facets(
    db: &impl ConnectionTrait,
    model: &Model,
    query: &ListQuery,
    groups: &mut [FilterGroup],
) -> Result<(), DbErr> {
    let search = search::condition(model, &query.search);
    let mut select = Query::select();
    let mut asked: Vec<&mut FilterOption> = groups.iter_mut().flat_map(|group| &mut group.options).collect();
    for (number, option) in asked.iter().enumerate() {
        let narrowed = option.href.split_once('?').map_or("", |(_, query)| query);
        let Ok(narrowed) = ListQuery::parse(model, &Fields::parse(narrowed.as_bytes())) else {
            continue;
        };
        let some = Query::select()
            .expr(Expr::val(1))
            .from(model.table)
            .cond_where(narrowed.condition(model).add(search.clone()))
            .limit(COUNTED + 1)
            .to_owned();
        let counted = Query::select()
            .expr(Func::count(Expr::cust("*")))
            .from_subquery(some, "some")
            .to_owned();
        select.expr_as(Expr::SubQuery(None, Box::new(counted.into())), format!("f{number}"));
    }
    let Some(row) = db.query_one(&select).await? else {
        return Ok(());
    };
    for (number, option) in asked.iter_mut().enumerate() {
        let count: i64 = row.try_get("", &format!("f{number}"))?;
        option.facet = Some(if count as u64 > COUNTED {
            format!("{}+", super::grouped(COUNTED as i64))
        } else {
            super::grouped(count)
        });
    }
    Ok(())
}

fn head(model: &Model, spec: &Spec, query: &ListQuery) -> Head {
    let current = query.order.shown == spec.name;
    // The first click on a time shows the newest; on anything else, the first of the alphabet.
    let descending = if current {
        !query.order.descending
    } else {
        matches!(spec.kind, Kind::Time | Kind::Id)
    };
    let order = Order::of(model, spec.name, descending);
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

/// How a column's values are set, in its head and its cells.
fn class(spec: &Spec) -> &'static str {
    match spec.kind {
        Kind::Int => "number",
        Kind::Time | Kind::Touched => "time",
        _ => "",
    }
}

fn filter_group(model: &Model, spec: &Spec, query: &ListQuery) -> FilterGroup {
    let current = query.filter(spec.name);
    let option = |label: &str, test: Option<Test>| FilterOption {
        label: label.to_owned(),
        facet: None,
        current: current == test.as_ref(),
        href: href(model, &query.with_filter(spec.name, test)),
    };
    let is = |text: &str| query::is(spec, text);
    let mut options = vec![option("Any", None)];
    let mut free = None;
    match &spec.kind {
        Kind::Choice(choices) => {
            options.extend(choices.iter().map(|choice| option(&choice.label, is(&choice.value))));
        }
        Kind::Bool => options.extend([option("Yes", is("true")), option("No", is("false"))]),
        Kind::Text { .. } | Kind::ForeignKey(_) | Kind::Int => {
            options.clear();
            let typed = if let Some(Test::Is { text, .. }) = current {
                text.clone()
            } else {
                String::new()
            };
            free = Some(FreeFilter {
                name: spec.name,
                typed,
                source: match spec.kind {
                    Kind::ForeignKey(to) => Some(format!("/admin/{to}/autocomplete")),
                    _ => None,
                },
                kept: query.kept_by_filter(spec.name),
            });
        }
        _ => {}
    }
    let (set, unset) = if matches!(spec.kind, Kind::Time) {
        ("Yes", "No")
    } else {
        ("Set", "Not set")
    };
    if model.soft() == Some(spec.name) {
        let deleted = Some(Test::Null(false));
        return FilterGroup {
            label: spec.label.clone(),
            used: current.is_some(),
            options: vec![option("No", None), option("Yes", deleted)],
            free: None,
        };
    }
    if matches!(spec.kind, Kind::Time) && !spec.nullable {
        let during = match current {
            Some(Test::During(period)) => Some(*period),
            _ => None,
        };
        let today = usher_shared::time::now().date_naive();
        let wider: Vec<_> = std::iter::successors(during, |period| period.wider()).collect();
        let parts = during.map_or_else(|| Period::years(today), |period| period.parts(today));
        let steps = wider.into_iter().rev().chain(parts);
        options.extend(steps.map(|period| option(&period.label(), Some(Test::During(period)))));
    }
    let presence = spec.nullable && free.is_none() && !matches!(spec.kind, Kind::Choice(_));
    if presence {
        options.extend([
            option(set, Some(Test::Null(false))),
            option(unset, Some(Test::Null(true))),
        ]);
    }
    FilterGroup {
        label: spec.label.clone(),
        used: current.is_some(),
        options,
        free,
    }
}

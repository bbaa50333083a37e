//! The filters beside a list: what each offers, what is chosen, and how many rows each option would leave.

use sea_orm::{ConnectionTrait, DbErr, sea_query::Query};

use crate::declare::spec::{Kind, Spec};
use crate::declare::{model::Model, site::Site};
use crate::lists::count::{count_up_to_limit, up_to_limit};
use crate::lists::filter::{self, Test};
use crate::lists::query::ListQuery;
use crate::lists::{back::href, period::Period, search};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::cell::Names;

pub(crate) struct FilterGroup {
    pub(crate) label: String,
    /// Whether it narrows the list now.
    pub(crate) used: bool,
    pub(crate) options: Vec<FilterOption>,
    /// A field for any text.
    pub(crate) free: Option<FreeFilter>,
    /// Fields for two days.
    pub(crate) range: Option<RangeFilter>,
}

pub(crate) struct RangeFilter {
    pub(crate) name: &'static str,
    pub(crate) from: String,
    pub(crate) before: String,
    /// The list's other parameters.
    pub(crate) kept: Vec<(String, String)>,
}

pub(crate) struct FreeFilter {
    pub(crate) name: &'static str,
    pub(crate) typed: String,
    /// The address of suggestions.
    pub(crate) source: Option<String>,
    /// The list's other parameters.
    pub(crate) kept: Vec<(String, String)>,
}

pub(crate) struct FilterOption {
    pub(crate) label: String,
    /// How many rows it would leave, if requested.
    pub(crate) facet: Option<String>,
    pub(crate) href: String,
    pub(crate) current: bool,
}

/// What the filters of a list are drawn from.
pub(crate) struct FilterGroups<'a> {
    pub(crate) model: &'a Model,
    pub(crate) query: &'a ListQuery,
    pub(crate) names: &'a Names,
}

impl FilterGroups<'_> {
    /// A group for each column that is declared as a filter, then for each other model that this person may see.
    pub(crate) fn groups(&self, site: &Site, staff: &Staff) -> Vec<FilterGroup> {
        let filtered = self.model.fields.iter().filter(|spec| spec.filter);
        let across = self.model.many_to_many.iter();
        let across = across.filter(|across| site.visible(across.model, staff).is_some());
        let tied = across.map(|across| self.objects(&across.label, across.name, across.model));
        filtered.map(|spec| self.column(spec)).chain(tied).collect()
    }

    fn option(&self, name: &'static str, label: &str, test: Option<Test>) -> FilterOption {
        FilterOption {
            label: label.to_owned(),
            facet: None,
            current: self.query.filter(name) == test.as_ref(),
            href: href(self.model, &self.query.with_filter(name, test)),
        }
    }

    fn column(&self, spec: &Spec) -> FilterGroup {
        let current = self.query.filter(spec.name);
        let option = |label: &str, test| self.option(spec.name, label, test);
        let group = |options| FilterGroup {
            label: spec.label.clone(),
            used: current.is_some(),
            options,
            free: None,
            range: None,
        };
        let is = |text: &str| filter::is(spec, text);
        let any = option("Any", None);
        let presence = |yes: &str, no: &str| {
            let either = [option(yes, Some(Test::Null(false))), option(no, Some(Test::Null(true)))];
            spec.nullable.then_some(either).into_iter().flatten()
        };
        match &spec.kind {
            _ if self.model.soft() == Some(spec.name) => {
                group(vec![option("No", None), option("Yes", Some(Test::Null(false)))])
            }
            Kind::ForeignKey(to) => self.objects(&spec.label, spec.name, to),
            Kind::Text { .. } | Kind::Int => FilterGroup {
                free: Some(self.free(spec.name, None)),
                ..group(vec![])
            },
            Kind::Choice(choices) => {
                let choices = choices.iter().map(|choice| option(&choice.label, is(&choice.value)));
                group(std::iter::once(any).chain(choices).collect())
            }
            Kind::Bool => {
                let either = [any, option("Yes", is("true")), option("No", is("false"))];
                group(either.into_iter().chain(presence("Set", "Not set")).collect())
            }
            Kind::Time if spec.nullable => group(std::iter::once(any).chain(presence("Yes", "No")).collect()),
            Kind::Time => {
                let periods = self.periods(current);
                let periods = periods.map(|period| option(&period.label(), Some(Test::During(period))));
                FilterGroup {
                    range: Some(self.range(spec)),
                    ..group(std::iter::once(any).chain(periods).collect())
                }
            }
            _ => group(std::iter::once(any).chain(presence("Set", "Not set")).collect()),
        }
    }

    /// From the years down to the chosen period and its parts.
    fn periods(&self, current: Option<&Test>) -> impl Iterator<Item = Period> + use<> {
        let during = match current {
            Some(Test::During(period)) => Some(*period),
            _ => None,
        };
        let today = usher_shared::foundation::time::now().date_naive();
        let wider: Vec<_> = std::iter::successors(during, |period| period.wider()).collect();
        let parts = during.map_or_else(|| Period::years(today), |period| period.parts(today));
        wider.into_iter().rev().chain(parts)
    }

    /// A filter by an object of another model: the one that is chosen by its name, and a field to choose one.
    fn objects(&self, label: &str, name: &'static str, model: &'static str) -> FilterGroup {
        let current = self.query.filter(name);
        let chosen = match current {
            Some(Test::Is { text, .. } | Test::Related { text, .. }) => Some(text.clone()),
            _ => None,
        };
        let title = chosen.and_then(|id| self.names.get(&(model, id)));
        let mut options = vec![];
        if let Some(title) = title {
            options = vec![
                self.option(name, "Any", None),
                self.option(name, &title.name, current.cloned()),
            ];
        }
        FilterGroup {
            label: label.to_owned(),
            used: current.is_some(),
            options,
            free: Some(self.free(name, Some(format!("{}/{model}/autocomplete", self.model.base)))),
            range: None,
        }
    }

    fn range(&self, spec: &Spec) -> RangeFilter {
        let own = self.query.filters.iter().filter(|filter| filter.column == spec.name);
        let (mut from, mut before) = (String::new(), String::new());
        for filter in own {
            match &filter.test {
                Test::From { text, .. } => from.clone_from(text),
                Test::Before { text, .. } => before.clone_from(text),
                _ => {}
            }
        }
        RangeFilter {
            name: spec.name,
            from,
            before,
            kept: self.query.kept_by_filter(spec.name),
        }
    }

    fn free(&self, name: &'static str, source: Option<String>) -> FreeFilter {
        let typed = match self.query.filter(name) {
            Some(Test::Is { text, .. } | Test::Related { text, .. }) => text.clone(),
            _ => String::new(),
        };
        FreeFilter {
            name,
            typed,
            source,
            kept: self.query.kept_by_filter(name),
        }
    }
}

/// The list with or without the counts of its filters, and whether it has them now.
pub(crate) fn counts_href(model: &Model, query: &ListQuery, shown: bool) -> (String, bool) {
    let here = query.unplaced();
    let facets = if shown { "" } else { "_facets=yes" };
    let both = [here.as_str(), facets].into_iter().filter(|part| !part.is_empty());
    (href(model, &both.collect::<Vec<_>>().join("&")), shown)
}

/// Counts the rows that each option would leave, all in one statement.
pub(crate) async fn count(
    db: &impl ConnectionTrait,
    model: &Model,
    query: &ListQuery,
    groups: &mut [FilterGroup],
) -> Result<(), DbErr> {
    let search = search::condition(db, model, &query.search).await?;
    let mut select = Query::select();
    let mut asked: Vec<&mut FilterOption> = groups.iter_mut().flat_map(|group| &mut group.options).collect();
    if asked.is_empty() {
        return Ok(());
    }
    for (number, option) in asked.iter().enumerate() {
        let narrowed = option.href.split_once('?').map_or("", |(_, query)| query);
        let Ok(narrowed) = ListQuery::parse(model, &Fields::parse(narrowed.as_bytes())) else {
            continue;
        };
        let condition = narrowed.condition(model).add(search.clone());
        select.expr_as(count_up_to_limit(model.table, condition), format!("f{number}"));
    }
    let Some(row) = db.query_one(&select).await? else {
        return Ok(());
    };
    for (number, option) in asked.iter_mut().enumerate() {
        option.facet = Some(up_to_limit(row.try_get("", &format!("f{number}"))?));
    }
    Ok(())
}

//! What every list is asked.

use sea_orm::IdenStatic;
use serde_json::json;
use usher_shared::foundation::rules::{Violation, ViolationKind};
use utoipa::{
    IntoParams,
    openapi::{
        Required,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use super::{
    cursor::Cursor,
    order::{Filter, Listed, Order},
};
use crate::toolkit::{
    connection::Connection,
    fields::{FieldError, Step},
    query::{FromQuery, Parameters, boolean},
    schema,
    state::Toolkit,
};

/// Rows on a page unless the client says otherwise.
const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// What every list is asked: how much, from where, in which order, and the filters of [`Listed::filters`].
pub struct ListQuery<L: Listed> {
    /// The path of the request, for which cursors are good.
    pub(super) path: String,
    pub(super) limit: u64,
    pub(super) order: Order<L>,
    pub(super) cursor: Option<Cursor>,
    pub(super) count: bool,
    pub(super) filters: Vec<Filter<L::Entity>>,
    /// What is asked besides.
    pub(super) connection: Option<Connection>,
    /// The other parameters, for the addresses of the pages before and after.
    pub(super) others: Vec<(String, String)>,
}

impl<L: Listed> ListQuery<L> {
    /// Reads the list's own filters, then `limit`, `sort`, `cursor` and `count`.
    pub fn read(parameters: &mut Parameters, default_sort: &'static str, toolkit: &Toolkit) -> Self {
        let filters = L::filters(parameters);
        let limit = parameters.optional("limit", parse_limit);
        let order = parameters.optional("sort", Order::parse);
        let order = order.unwrap_or_else(|| Order::parse(default_sort).expect("the default is an order of the list"));
        let path = parameters.path().to_owned();
        let cursor = parameters.optional("cursor", |text| {
            Cursor::open::<L>(text, &path, &order.word, &toolkit.config.secret_key)
        });
        let count = parameters.optional("count", boolean);
        let connection = parameters.connection().cloned();
        let backward = connection.as_ref().map(|connection| connection.backward);
        let cursor = match (cursor, backward) {
            (Some(cursor), Some(backward)) => Some(Cursor { backward, ..cursor }),
            (None, Some(true)) => Some(Cursor::END),
            (cursor, _) => cursor,
        };
        Self {
            path,
            filters,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
            order,
            cursor,
            count: count.unwrap_or(false),
            connection,
            others: parameters.without("cursor"),
        }
    }
}

impl<L: Listed> FromQuery for ListQuery<L> {
    fn from_query(parameters: &mut Parameters, toolkit: &Toolkit) -> Self {
        Self::read(parameters, L::DEFAULT_SORT, toolkit)
    }

    fn parameters() -> Vec<Parameter> {
        let mut parameters = L::filter_parameters();
        parameters.push(sort_parameter::<L>());
        parameters.extend(ListIn::into_params(|| None));
        parameters
    }

    fn sample_fault() -> FieldError {
        limit_fault()
    }
}

/// `sort`, as [`Order::parse`] reads it.
fn sort_parameter<L: Listed>() -> Parameter {
    let all: Vec<&str> = L::SORTS.iter().map(|(name, _)| *name).collect();
    let distinct = L::SORTS
        .iter()
        .filter(|(_, column)| !L::SHARED.contains(&column.as_str()));
    let distinct: Vec<&str> = distinct.map(|(name, _)| *name).collect();
    let last = all.join("|");
    let last = if all.len() > 1 { format!("({last})") } else { last };
    let quoted: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
    let (pattern, about) = if distinct.len() > 1 {
        let pattern = format!("^(-?({}),){{0,7}}-?{last}$", distinct.join("|"));
        (pattern, ", or several of them with commas between")
    } else {
        (format!("^-?{last}$"), "")
    };
    let about = match &all[..] {
        [one] => format!("`{one}` or `-{one}`"),
        _ => format!(
            "{}, with a leading `-` to reverse the order{about}",
            quoted.join(" or ")
        ),
    };
    ParameterBuilder::new()
        .name("sort")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about))
        .schema(Some(schema::text().pattern(Some(pattern))))
        .example(Some(L::DEFAULT_SORT.into()))
        .build()
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
pub fn limit_fault() -> FieldError {
    let violation = Violation::new(ViolationKind::LessThanEqual, "The limit must be 200 or less");
    let violation = violation.with(json!({ "le": MAX_LIMIT }));
    FieldError::new("query", Some(Step::Key("limit".into())), violation)
}

/// What every list takes besides its filters and `sort`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes what `ListQuery` reads")]
pub struct ListIn {
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

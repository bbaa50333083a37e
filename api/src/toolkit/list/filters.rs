//! Filters of lists by the value of a column.

use sea_orm::{ColumnTrait, EntityTrait, Value, sea_query::IntoCondition};
use utoipa::openapi::{
    Required,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

use super::order::Filter;
use crate::toolkit::query::{Parameters, QueryValue};

/// A filter for the rows that have this value in a column, if the parameter is there.
pub fn equal<E: EntityTrait, T: QueryValue + Into<Value>>(
    parameters: &mut Parameters,
    name: &'static str,
    column: E::Column,
) -> Option<Filter<E>> {
    let value = parameters.optional(name, T::parse)?;
    Some(Filter::indexed(column.eq(value).into_condition()))
}

/// The parameter of such a filter, for the document.
#[must_use]
pub fn filter_parameter<T: QueryValue>(name: &str, about: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(about).filter(|about| !about.is_empty()))
        .schema(Some(T::schema()))
        .build()
}

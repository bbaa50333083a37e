//! A page as an answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::ToSchema;

use super::{cursor::Cursor, order::Listed, page::Page, query::ListQuery};
use crate::toolkit::{error::ApiError, state::Toolkit};

impl<E: Listed> ListQuery<E> {
    /// The page as an answer, with links to those beside it (RFC 8288).
    pub(crate) fn answer<T: Serialize>(
        &self,
        page: Page<E>,
        toolkit: &Toolkit,
        shape: impl FnMut(E::Row) -> T,
    ) -> Result<Response, ApiError> {
        let seal = |cursor: Cursor| cursor.seal::<E>(&self.order.word, &toolkit.config.secret_key);
        let (prev, next) = (page.prev.map(seal), page.next.map(seal));
        let link = [("prev", &prev), ("next", &next)]
            .into_iter()
            .filter_map(|(rel, cursor)| {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query
                    .extend_pairs(&self.others)
                    .append_pair("cursor", cursor.as_deref()?);
                Some(format!(
                    "<{}{}?{}>; rel=\"{rel}\"",
                    toolkit.root,
                    E::PATH,
                    query.finish()
                ))
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

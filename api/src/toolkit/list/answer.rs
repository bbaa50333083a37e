//! A page as an answer.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use url::form_urlencoded;
use utoipa::{__dev::ComposeSchema, ToSchema};

use super::{
    connection::ConnectionOut,
    cursor::Cursor,
    order::{Filter, Listed},
    query::ListQuery,
};
use crate::toolkit::{
    error::ApiError,
    operation::{Describe, OperationDoc},
    state::Toolkit,
};

impl<L: Listed> ListQuery<L> {
    /// Reads the page that the query asks for, of the rows that pass these filters and the list's own. Filters that
    /// find few rows come first.
    ///
    /// # Errors
    ///
    /// Those of the database.
    pub async fn list(
        &self,
        toolkit: &Toolkit,
        filters: impl IntoIterator<Item = Filter<L::Entity>>,
    ) -> Result<ListOut<L>, ApiError> {
        let seal = |cursor: Cursor| cursor.seal(&self.path, &self.order.word, &toolkit.config.secret_key);
        if let Some(parents) = self
            .connection
            .as_ref()
            .and_then(|connection| connection.parents.as_ref())
        {
            let (rows, connection) = self.children(&toolkit.db, parents, filters, seal).await?;
            return Ok(ListOut::of_parents(rows, connection));
        }
        let page = self.page(&toolkit.db, filters).await?;
        let connection = self.connected(&page, seal);
        let (prev, next) = (page.prev.map(seal), page.next.map(seal));
        let link = [("prev", &prev), ("next", &next)];
        let link = link.into_iter().filter_map(|(rel, cursor)| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query
                .extend_pairs(&self.others)
                .append_pair("cursor", cursor.as_deref()?);
            let (root, path, query) = (&toolkit.root, &self.path, query.finish());
            Some(format!("<{root}{path}?{query}>; rel=\"{rel}\""))
        });
        let link = link.collect::<Vec<_>>().join(", ");
        Ok(ListOut {
            data: page.rows,
            has_more: next.is_some(),
            next_cursor: next,
            prev_cursor: prev,
            count: page.count.map(|count| count.rows),
            count_is_exact: page.count.map(|count| count.is_exact),
            connection,
            link: link.parse().map_err(anyhow::Error::from)?,
        })
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
#[schema(as = List)]
pub struct ListOut<T> {
    pub data: Vec<T>,
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
    /// For another face of the API.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    connection: Option<ConnectionOut>,
    /// The pages beside this one (RFC 8288); empty where there are none.
    #[serde(skip)]
    #[schema(ignore)]
    link: HeaderValue,
}

impl<T> ListOut<T> {
    /// The same page of other rows, such as with what this caller may not see taken out.
    pub fn map<U>(self, shape: impl FnMut(T) -> U) -> ListOut<U> {
        ListOut {
            data: self.data.into_iter().map(shape).collect(),
            next_cursor: self.next_cursor,
            prev_cursor: self.prev_cursor,
            has_more: self.has_more,
            count: self.count,
            count_is_exact: self.count_is_exact,
            connection: self.connection,
            link: self.link,
        }
    }

    /// Rows of many parents, which are no page of a list.
    fn of_parents(data: Vec<T>, connection: ConnectionOut) -> Self {
        Self {
            data,
            next_cursor: None,
            prev_cursor: None,
            has_more: false,
            count: None,
            count_is_exact: None,
            connection: Some(connection),
            link: HeaderValue::from_static(""),
        }
    }
}

/// Named after its rows, as the documents name generic types.
impl<T: ToSchema> Describe for ListOut<T> {
    fn describe(operation: &mut OperationDoc) {
        let schema = Self::compose(vec![T::schema()]);
        let reference = operation.add_schema::<T>(format!("List_{}", T::name()), schema);
        let about = "The pages beside this one, as `next` and `prev` (RFC 8288)";
        let answer = format!("A page of {}", operation.object());
        operation.answer_as(StatusCode::OK, &answer, reference);
        operation.header(StatusCode::OK, "Link", about);
    }
}

impl<T: Serialize> IntoResponse for ListOut<T> {
    fn into_response(self) -> Response {
        let link = self.link.clone();
        let mut response = Json(self).into_response();
        if !link.is_empty() {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}

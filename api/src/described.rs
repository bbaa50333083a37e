//! What the API says of itself: its name, its error codes and its documents, of Usher and of the product's apps.

use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::toolkit::code::Code;

type Document<D> = Box<dyn Fn(&str) -> D + Send + Sync>;

/// What the API says of itself.
#[derive(Default)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// Every error code, Usher's first.
    pub(crate) codes: Vec<Code>,
    document: Option<Document<OpenApi>>,
    events: Option<Document<Value>>,
}

impl Described {
    pub(crate) fn new(
        name: &str,
        codes: impl IntoIterator<Item = Code>,
        document: impl Fn(&str) -> OpenApi + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            codes: codes.into_iter().collect(),
            document: Some(Box::new(document)),
            events: None,
        }
    }

    /// With the document of events.
    pub(crate) fn with_events(mut self, document: impl Fn(&str) -> Value + Send + Sync + 'static) -> Self {
        self.events = Some(Box::new(document));
        self
    }

    /// The OpenAPI document of an API at this address.
    pub(crate) fn document(&self, api_url: &str) -> OpenApi {
        self.document.as_ref().map(|make| make(api_url)).unwrap_or_default()
    }

    /// The AsyncAPI document of an API at this address.
    pub(crate) fn events(&self, api_url: &str) -> Value {
        self.events.as_ref().map(|make| make(api_url)).unwrap_or_default()
    }
}

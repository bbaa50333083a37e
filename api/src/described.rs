//! What the API says of itself: its name, its error codes and its document, of Usher and of the product's apps.

use utoipa::openapi::OpenApi;

use crate::toolkit::code::Code;

type Document = dyn Fn(&str) -> OpenApi + Send + Sync;

/// What the API says of itself.
#[derive(Default)]
pub(crate) struct Described {
    pub(crate) name: String,
    /// Every error code, Usher's first.
    pub(crate) codes: Vec<Code>,
    document: Option<Box<Document>>,
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
        }
    }

    /// The OpenAPI document of an API at this address.
    pub(crate) fn document(&self, api_url: &str) -> OpenApi {
        self.document.as_ref().map(|make| make(api_url)).unwrap_or_default()
    }
}

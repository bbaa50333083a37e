//! Posts spans to a collector over HTTP/1.1 without TLS, with the client that the application already contains.

use std::{io, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::{runtime::Handle, time::timeout};

use crate::foundation::config::Traces;

/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(5);
/// The largest response; a collector's are small.
const MOST: usize = 64 * 1024;

/// Posts on the process's runtime, while the exporter waits on its own thread.
#[derive(Clone, Debug)]
pub struct Collector {
    client: Arc<Client<HttpConnector, Full<Bytes>>>,
    runtime: Handle,
}

impl Default for Collector {
    /// # Panics
    /// Outside a Tokio runtime.
    fn default() -> Self {
        Self {
            client: Arc::new(Client::builder(TokioExecutor::new()).build_http()),
            runtime: Handle::current(),
        }
    }
}

impl Collector {
    /// Whether the collector would accept spans: posts an empty message, which OTLP/HTTP allows.
    pub async fn probe(traces: &Traces) -> Result<(), HttpError> {
        let mut request = Request::post(traces.spans_url()).header("content-type", "application/x-protobuf");
        for (name, value) in &traces.headers {
            request = request.header(name, value);
        }
        let answer = Self::default().send_bytes(request.body(Bytes::new())?).await?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(io::Error::other(format!("it answers {status}")).into()),
        }
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = Arc::clone(&self.client);
        let post = async move {
            let answer = client.request(request.map(Full::new)).await?;
            let (parts, body) = answer.into_parts();
            let body = Limited::new(body, MOST).collect().await?.to_bytes();
            Ok(Response::from_parts(parts, body))
        };
        self.runtime.spawn(async move { timeout(LIMIT, post).await? }).await?
    }
}

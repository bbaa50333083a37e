//! The document of events (AsyncAPI 3.0.0): the stream and the socket, with every type of event that this program has.

use serde_json::{Value, json};
use usher_shared::events::EventType;

use crate::{
    events::{
        self, Catalog,
        socket::{BEARER, PROTOCOL},
    },
    extension::ApiExtension,
    openapi::{api_key, pasted_token},
    toolkit::openapi::DEFAULT_URL,
};

const ABOUT: &str = "What happens to objects, in order: as server-sent events, or over a WebSocket for clients that \
    follow several parts of it at once. Every change is an event, written together with it. Remember the last position \
    that you have seen, and go on after it: nothing is missing, and nothing appears before it any more. Ignore types of \
    events that you don't know.";

/// The document of events of this build, for an API on its default address.
#[must_use]
pub fn asyncapi() -> Value {
    asyncapi_with(&ApiExtension::default())
}

/// [`asyncapi`] with what a product adds.
#[must_use]
pub fn asyncapi_with(extension: &ApiExtension) -> Value {
    asyncapi_at(extension, DEFAULT_URL)
}

/// The document of events of an installation.
pub(crate) fn asyncapi_at(extension: &ApiExtension, api_url: &str) -> Value {
    document(extension.name(), &extension.catalog(EventType::all()), api_url)
}

/// The document of these types of events.
pub(crate) fn document(name: &str, catalog: &Catalog, api_url: &str) -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": format!("{name} events"), "version": env!("CARGO_PKG_VERSION"), "description": ABOUT,
            "license": {"name": env!("CARGO_PKG_LICENSE")},
            "externalDocs": {"description": "The operations of the API", "url": format!("{api_url}/openapi.json")},
        },
        "defaultContentType": "application/json",
        "servers": servers(api_url),
        "channels": events::channels(catalog),
        "operations": events::operations(catalog),
        "components": {
            "messages": events::messages(catalog), "schemas": events::schemas(catalog),
            "securitySchemes": security_schemes(),
        },
    })
}

/// The API's address, for the stream and for the socket.
fn servers(api_url: &str) -> Value {
    let (scheme, rest) = api_url.split_once("://").unwrap_or(("http", api_url));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let server = |protocol: &str, about: &str, security: [&str; 2]| {
        let security = security.map(|scheme| json!({"$ref": format!("#/components/securitySchemes/{scheme}")}));
        let mut server = json!({"host": host, "protocol": protocol, "description": about, "security": security});
        if !path.is_empty() {
            server["pathname"] = path.into();
        }
        server
    };
    let over_socket = if scheme == "https" { "wss" } else { "ws" };
    let [http, websocket] = events::SERVERS;
    json!({
        http: server(scheme, "For the stream", ["apiKey", "accessToken"]),
        websocket: server(over_socket, "For the socket", ["subprotocol", "firstMessage"]),
    })
}

/// How clients say who they are. A token in the address isn't read.
fn security_schemes() -> Value {
    json!({
        "apiKey": api_key(),
        "accessToken": pasted_token(),
        "subprotocol": {
            "type": "httpApiKey", "in": "header", "name": "Sec-WebSocket-Protocol",
            "description": format!(
                "An API key or an access token, offered as a subprotocol: `{PROTOCOL}, {BEARER}<token>`. Browsers can \
                 send no other header with a WebSocket."
            ),
        },
        "firstMessage": {
            "type": "apiKey", "in": "password",
            "description": "An API key or an access token in the first message, `authenticate`.",
        },
    })
}

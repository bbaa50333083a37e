//! What the document of events says of the stream and of the socket: channels, operations and messages as AsyncAPI 3.0.0
//! has them, made from the types that serve them.

use serde_json::{Map, Value, json};
use usher_shared::events::EventType;
use utoipa::{
    IntoParams, PartialSchema,
    openapi::{RefOr, Schema},
};

use super::{
    catalog::Catalog,
    list,
    messages::{Reply, Request, StreamEndOut},
    selection::EventsIn,
    shape::EventOut,
    socket::{self, BEARER, PROTOCOL},
    stream::{END, RETRY},
};

/// The server of the stream, and that of the socket.
pub(crate) const SERVERS: [&str; 2] = ["http", "websocket"];

/// A message and its name in the channel.
type Named = (String, Value);

/// Where messages are exchanged.
pub(crate) fn channels(catalog: &Catalog) -> Value {
    let [http, websocket] = SERVERS.map(|name| json!([{"$ref": format!("#/servers/{name}")}]));
    json!({
        "stream": {
            "address": list::path(), "servers": http, "title": "Server-sent events",
            "description": ABOUT_STREAM, "messages": map(stream_messages(catalog)),
        },
        "socket": {
            "address": socket::PATH, "servers": websocket, "title": "WebSocket",
            "description": ABOUT_SOCKET, "messages": map([requests(catalog), replies(catalog)].concat()),
            "bindings": {"ws": {"method": "GET", "headers": socket_headers(), "bindingVersion": "0.1.0"}},
        },
    })
}

const ABOUT_STREAM: &str = "`GET` with `Accept: text/event-stream` (WHATWG HTML §9.2). The fields `id` and `event` of \
    each message are its headers here, and `data` is its payload. To go on after a disconnect, send the last `id` as \
    `Last-Event-ID` or as `after`.";

const ABOUT_SOCKET: &str = "A WebSocket (RFC 6455) whose messages are JSON objects in text frames. Everything that a \
    client sends after it is authenticated is answered, and the connection goes on.";

/// What is done in the channels. The stream and the socket send, clients of the socket ask.
pub(crate) fn operations(catalog: &Catalog) -> Value {
    let sent = ["authenticated", "event", "position", "error", "end"];
    let mut operations = Map::new();
    operations.insert(
        "followEvents".to_owned(),
        json!({
            "action": "send", "channel": channel("stream"), "summary": "Events as they happen",
            "messages": within("stream", stream_messages(catalog).iter().map(|(name, _)| &**name)),
            "bindings": {"http": {"method": "GET", "query": stream_query(), "bindingVersion": "0.3.0"}},
        }),
    );
    operations.insert(
        "followSubscriptions".to_owned(),
        json!({
            "action": "send", "channel": channel("socket"), "summary": "Events of what was subscribed to",
            "messages": within("socket", sent),
        }),
    );
    for (name, message) in requests(catalog) {
        let operation = json!({
            "action": "receive", "channel": channel("socket"), "summary": message["summary"],
            "messages": within("socket", [&*name]),
            "reply": {"channel": channel("socket"), "messages": within("socket", answers(&name))},
        });
        operations.insert(name, operation);
    }
    operations.into()
}

/// What answers a message of a client.
fn answers(request: &str) -> &'static [&'static str] {
    match request {
        "authenticate" => &["authenticated", "end"],
        "subscribe" => &["subscribed", "error"],
        _ => &["unsubscribed"],
    }
}

/// Each type of event, as the stream sends it.
pub(crate) fn messages(catalog: &Catalog) -> Value {
    let message = |kind: EventType| {
        let (word, example) = (kind.as_str(), catalog.example(kind));
        let owner = if kind.is_for_owner() {
            ", and for the person whom it is about"
        } else {
            ""
        };
        json!({
            "name": word, "title": word, "summary": kind.about(),
            "description": format!("For API keys with the scope `{}`{owner}.", kind.scope()),
            "headers": fields(json!({"id": position(), "event": {"type": "string", "const": word}})),
            "payload": {"$ref": schema_path(word)},
            "examples": [{"headers": {"id": example["position"], "event": word}, "payload": example}],
        })
    };
    map(catalog
        .kinds
        .iter()
        .map(|&kind| (kind.as_str().to_owned(), message(kind))))
}

/// What the messages refer to: each type of event under its own name, and the parts of events.
pub(crate) fn schemas(catalog: &Catalog) -> Value {
    let kinds = catalog.kinds.iter();
    let events = kinds.map(|&kind| (kind.as_str().to_owned(), catalog.schema(kind)));
    let all = events.chain(catalog.schemas());
    map(all.map(|(name, schema)| (name, of_openapi(&schema))))
}

fn stream_messages(catalog: &Catalog) -> Vec<Named> {
    let kinds = catalog.kinds.iter().map(|kind| kind.as_str());
    let events = kinds.map(|word| {
        (
            word.to_owned(),
            json!({"$ref": format!("#/components/messages/{word}")}),
        )
    });
    let retry = json!({
        "type": "integer", "examples": [RETRY],
        "description": "Milliseconds to wait before connecting again; in the first message",
    });
    let position = json!({
        "name": "position", "title": "position",
        "summary": "How far the stream has come: the first message, and then at least every 15 seconds",
        "headers": fields(json!({"id": position(), "retry": retry})),
        "payload": {"type": "null", "description": "Nothing: it has no `data`."},
        "examples": [{"headers": {"id": 4711, "retry": RETRY}, "payload": null}],
    });
    let end = json!({
        "name": END, "title": END, "summary": "The last message: says why the stream ends, and to connect again",
        "headers": fields(json!({"event": {"type": "string", "const": END}})),
        "payload": of_openapi(&StreamEndOut::schema()),
        "examples": [{
            "headers": {"event": END},
            "payload": catalog.examples.of(&json_of(&StreamEndOut::schema())),
        }],
    });
    let others = [("position".to_owned(), position), (END.to_owned(), end)];
    events.chain(others).collect()
}

/// What clients of the socket send. Other members are refused.
fn requests(catalog: &Catalog) -> Vec<Named> {
    let mut requests = variants(catalog, &Request::schema());
    for (_, message) in &mut requests {
        message["payload"]["additionalProperties"] = false.into();
    }
    requests
}

/// What they get. The document knows more of an event than the type.
fn replies(catalog: &Catalog) -> Vec<Named> {
    let mut replies = variants(catalog, &Reply::schema());
    let events = catalog
        .kinds
        .iter()
        .map(|kind| json!({"$ref": schema_path(kind.as_str())}));
    let events: Vec<_> = events.collect();
    for (_, message) in replies.iter_mut().filter(|(name, _)| name == "event") {
        message["payload"]["properties"]["event"] = json!({ "oneOf": events });
        let example = catalog.kinds.first().map(|&kind| catalog.example(kind));
        message["examples"][0]["payload"]["event"] = example.unwrap_or_default();
    }
    replies
}

/// The messages that an enum describes, each by the word of its `type`.
fn variants(catalog: &Catalog, schema: &RefOr<Schema>) -> Vec<Named> {
    let schema = json_of(schema);
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    let message = |variant: &Value| {
        let name = variant["properties"]["type"]["enum"][0].as_str().unwrap_or_default();
        let about = variant["description"].as_str().unwrap_or_default().replace('\n', " ");
        let message = json!({
            "name": name, "title": name, "summary": about, "payload": members_of(variant),
            "examples": [{"payload": catalog.examples.of(variant)}],
        });
        (name.to_owned(), message)
    };
    variants.map(message).collect()
}

/// The schema without its description, which the message has.
fn members_of(variant: &Value) -> Value {
    let mut schema = in_json_schema(variant.clone());
    schema.as_object_mut().and_then(|members| members.remove("description"));
    schema
}

/// The parameters of the stream.
fn stream_query() -> Value {
    let parameters = EventsIn::into_params(|| None).into_iter();
    let of_stream = parameters.filter(|parameter| parameter.name != "limit");
    let properties = of_stream.map(|parameter| {
        let said = serde_json::to_value(&parameter).unwrap_or_default();
        let mut schema = in_json_schema(said["schema"].clone());
        schema["description"] = said["description"].clone();
        schema["examples"] = json!([said["example"]]);
        (parameter.name, schema)
    });
    fields(map(properties))
}

fn socket_headers() -> Value {
    let protocols = json!({
        "type": "string", "examples": [format!("{PROTOCOL}, {BEARER}uak_…")],
        "description": format!(
            "`{PROTOCOL}`, and after it `{BEARER}` with an API key or an access token, which saves the first message."
        ),
    });
    fields(json!({"Sec-WebSocket-Protocol": protocols}))
}

fn position() -> Value {
    let event = json_of(&EventOut::schema());
    in_json_schema(event["properties"]["position"].clone())
}

fn fields(properties: Value) -> Value {
    json!({"type": "object", "properties": properties})
}

fn channel(name: &str) -> Value {
    json!({"$ref": format!("#/channels/{name}")})
}

fn within(channel: &str, messages: impl IntoIterator<Item = impl AsRef<str>>) -> Value {
    let messages = messages.into_iter();
    messages
        .map(|name| json!({"$ref": format!("#/channels/{channel}/messages/{}", name.as_ref())}))
        .collect()
}

fn schema_path(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

fn map(named: impl IntoIterator<Item = Named>) -> Value {
    Value::Object(named.into_iter().collect())
}

fn json_of(schema: &RefOr<Schema>) -> Value {
    serde_json::to_value(schema).unwrap_or_default()
}

fn of_openapi(schema: &RefOr<Schema>) -> Value {
    in_json_schema(json_of(schema))
}

/// A schema of OpenAPI 3.1 as AsyncAPI has them: in JSON Schema draft 7, which has a list of examples, and without
/// OpenAPI's discriminator, which is another thing there.
fn in_json_schema(schema: Value) -> Value {
    let member = |(name, value): Named| match &*name {
        "discriminator" => None,
        "example" => Some(("examples".to_owned(), json!([value]))),
        "properties" => Some((name, each_in_json_schema(value))),
        "items" | "additionalProperties" | "allOf" | "oneOf" | "anyOf" => Some((name, in_json_schema(value))),
        _ => Some((name, value)),
    };
    match schema {
        Value::Object(members) => map(members.into_iter().filter_map(member)),
        Value::Array(schemas) => schemas.into_iter().map(in_json_schema).collect(),
        other => other,
    }
}

fn each_in_json_schema(properties: Value) -> Value {
    match properties {
        Value::Object(members) => map(members.into_iter().map(|(name, schema)| (name, in_json_schema(schema)))),
        other => other,
    }
}

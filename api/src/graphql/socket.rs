//! `GET /graphql` as a WebSocket: subscriptions, queries and mutations by the protocol `graphql-transport-ws`.
//!
//! As at `/ws`, a token is never taken from the address, and pages of foreign origins are refused. A query or a mutation
//! looks at the token anew, as a request of its own would; subscriptions end soon after it.

use std::{sync::Arc, time::Duration};

use async_graphql::{Request, ServerError, Value as Graphql, parser::types::OperationType};
use axum::{
    extract::{
        FromRequestParts, Request as HttpRequest, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket},
    },
    http::HeaderMap,
    response::Response,
};
use futures::{StreamExt, future::select_all, stream, stream::BoxStream};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::time::{Instant, interval, timeout};
use usher_shared::events::Listener;

use super::{
    answer::Answer,
    execute::{execute, tell},
    graph::Graph,
    plan::{Plan, What},
    prepared::Prepared,
    schema::{AFTER, TYPES},
    session::{Failure, Session},
};
use crate::{
    events::{self, socket::check_origin},
    state::AppState,
    toolkit::{
        caller::Caller,
        code::Code,
        error::ApiError,
        guard::within_limits,
        open_streams::OpenStream,
        reason::Reason,
        request::{Context, RequestContext},
        state::Toolkit,
    },
};

const PROTOCOL: &str = "graphql-transport-ws";
/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
/// A client that is silent for so long, pongs included, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a message may wait for a client that doesn't read.
const SLOW: Duration = Duration::from_secs(30);
/// The longest message of a client, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// Operations at once.
const MAX_RUNNING: usize = 32;
/// The longest id of an operation, in bytes.
const MAX_ID: usize = 64;

/// Accepts a socket.
pub(super) async fn connect(
    state: &AppState,
    graph: Arc<Graph>,
    Context(context): Context,
    request: HttpRequest,
) -> Result<Response, ApiError> {
    let (mut parts, _) = request.into_parts();
    check_origin(state, &parts.headers)?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, state).await;
    let upgrade = upgrade.map_err(|_| Code::UPGRADE_REQUIRED)?;
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    let is_spoken = upgrade.selected_protocol().is_some();
    let (state, headers) = (state.clone(), parts.headers);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let asking = Asking {
            graph,
            state,
            context,
            headers,
        };
        let talked = match is_spoken {
            true => talk(asking, &mut socket).await,
            false => Err(Ended::close(4406, "Subprotocol not acceptable")),
        };
        if let Err(Ended::Close(code, reason)) = talked {
            let reason = CloseFrame {
                code,
                reason: reason.into(),
            };
            let closing = socket.send(Message::Close(Some(reason)));
            drop(timeout(Duration::from_secs(1), closing).await);
        }
    }))
}

/// What operations of a socket run with.
#[derive(Clone)]
struct Asking {
    graph: Arc<Graph>,
    state: AppState,
    context: Arc<RequestContext>,
    headers: HeaderMap,
}

/// What an operation says to the client.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Saying<'a> {
    Error { id: &'a str, payload: &'a [ServerError] },
    Complete { id: &'a str },
}

/// What clients send.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Heard {
    ConnectionInit { payload: Option<Json> },
    Subscribe { id: String, payload: Box<Request> },
    Complete { id: String },
    Ping {},
    Pong {},
}

/// Why a connection ends: the client has gone, or a code and a reason for it.
enum Ended {
    Gone,
    Close(u16, String),
}

impl From<Reason> for Ended {
    fn from(reason: Reason) -> Self {
        Self::close(reason.close_code, reason.word)
    }
}

impl Ended {
    fn close(code: u16, reason: &str) -> Self {
        Self::Close(code, reason.to_owned())
    }
}

async fn talk(asking: Asking, socket: &mut WebSocket) -> Result<(), Ended> {
    let greeted = timeout(PATIENCE, greet(&asking, socket)).await;
    let late = |_| Ended::close(4408, "Connection initialisation timeout");
    let (token, caller) = greeted.map_err(late)??;
    let open = asking.state.streams.open(&asking.state.db, &caller);
    let open = open.map_err(|_| Reason::TOO_MANY_STREAMS)?;
    let mut conversation = Conversation {
        asking,
        token,
        socket,
        open,
        running: vec![],
        heard_at: Instant::now(),
    };
    conversation.say(&json!({"type": "connection_ack"})).await?;
    conversation.go_on().await
}

/// The first message says who it is.
async fn greet(asking: &Asking, socket: &mut WebSocket) -> Result<(String, Caller), Ended> {
    loop {
        let text = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Err(Ended::close(4400, "Send text")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Gone),
        };
        let payload = match serde_json::from_str(&text) {
            Ok(Heard::ConnectionInit { payload }) => payload.unwrap_or_default(),
            Ok(_) => return Err(Ended::close(4401, "Unauthorized")),
            Err(_) => return Err(Ended::close(4400, "Send connection_init")),
        };
        let token = token_of(&payload).ok_or(Reason::AUTHENTICATION_REQUIRED)?;
        let caller = Caller::of_token(token, &asking.state, &asking.context).await;
        return match caller {
            Ok(caller) => Ok((token.to_owned(), caller)),
            Err(ApiError::RateLimited { .. }) => Err(Reason::RATE_LIMITED.into()),
            Err(error) if error.code().status().is_server_error() => Err(Reason::UNAVAILABLE.into()),
            Err(_) => Err(Reason::INVALID_CREDENTIAL.into()),
        };
    }
}

/// The token of `{"authorization": "Bearer …"}`, which clients send as they do a header.
fn token_of(payload: &Json) -> Option<&str> {
    let mut fields = payload.as_object()?.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("authorization"))?;
    let (scheme, token) = value.as_str()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

struct Conversation<'a> {
    asking: Asking,
    token: String,
    socket: &'a mut WebSocket,
    open: OpenStream,
    /// What runs, by the client's ids.
    running: Vec<(String, BoxStream<'static, Told>)>,
    heard_at: Instant,
}

/// What an operation says.
enum Told {
    Next(Answer),
    /// It could not begin.
    Error(Vec<ServerError>),
}

/// What happens next.
enum Next {
    Received(Option<Result<Message, axum::Error>>),
    Told(usize, Option<Told>),
    Ping,
    End(Reason),
}

impl Conversation<'_> {
    async fn go_on(&mut self) -> Result<(), Ended> {
        let mut ping = interval(PING);
        ping.reset();
        loop {
            let next = {
                let running = self.running.iter_mut();
                let told: Vec<_> = running.map(|(_, running)| Box::pin(running.next())).collect();
                let told = async {
                    match told.is_empty() {
                        true => std::future::pending().await,
                        false => select_all(told).await,
                    }
                };
                tokio::select! {
                    biased;
                    reason = self.open.end() => Next::End(reason),
                    message = self.socket.next() => Next::Received(message),
                    _ = ping.tick() => Next::Ping,
                    (told, which, _) = told => Next::Told(which, told),
                }
            };
            match next {
                Next::End(reason) => return Err(reason.into()),
                Next::Received(None | Some(Ok(Message::Close(_)))) => return Ok(()),
                Next::Received(Some(Err(_))) => return Err(Ended::close(1009, "A message has at most 64 KiB")),
                Next::Received(Some(Ok(message))) => self.hear(message).await?,
                Next::Ping if self.heard_at.elapsed() > SILENCE => return Err(Ended::Gone),
                Next::Ping => self.send(Message::Ping(axum::body::Bytes::new())).await?,
                Next::Told(which, told) => self.pass_on(which, told).await?,
            }
        }
    }

    /// Everything that a client sends shows that it is there.
    async fn hear(&mut self, message: Message) -> Result<(), Ended> {
        self.heard_at = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Ended::close(4400, "Send text")),
            _ => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(Heard::ConnectionInit { .. }) => Err(Ended::close(4429, "Too many initialisation requests")),
            Ok(Heard::Ping {}) => self.say(&json!({"type": "pong"})).await,
            Ok(Heard::Pong {}) => Ok(()),
            Ok(Heard::Complete { id }) => {
                self.running.retain(|(running, _)| *running != id);
                Ok(())
            }
            Ok(Heard::Subscribe { id, payload }) => self.start(id, *payload),
            Err(_) => Err(Ended::close(4400, "Send a message of graphql-transport-ws")),
        }
    }

    fn start(&mut self, id: String, request: Request) -> Result<(), Ended> {
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Ended::close(4400, "An id has 1 to 64 bytes"));
        }
        if self.running.iter().any(|(running, _)| *running == id) {
            return Err(Ended::Close(4409, format!("Subscriber for {id} already exists")));
        }
        if self.running.len() >= MAX_RUNNING {
            return Err(Ended::close(4429, "A connection can run 32 operations at once"));
        }
        let begun = begin(self.asking.clone(), self.token.clone(), request);
        self.running.push((id, stream::once(begun).flatten().boxed()));
        Ok(())
    }

    async fn pass_on(&mut self, which: usize, told: Option<Told>) -> Result<(), Ended> {
        let id = &self.running[which].0;
        let (message, ends) = match told {
            Some(Told::Next(answer)) => (next(id, answer), false),
            Some(Told::Error(errors)) => (said(&Saying::Error { id, payload: &errors }), true),
            None => (said(&Saying::Complete { id }), true),
        };
        if ends {
            drop(self.running.remove(which));
        }
        self.send(Message::text(message)).await
    }

    async fn say(&mut self, message: &Json) -> Result<(), Ended> {
        self.send(Message::text(message.to_string())).await
    }

    /// Nothing is kept for a client that doesn't read.
    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(SLOW, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| Ended::Gone),
            Err(_) => Err(Ended::close(1008, "too_slow")),
        }
    }
}

fn said(saying: &Saying<'_>) -> String {
    serde_json::to_string(saying).expect("texts")
}

/// A message with an answer, which is JSON already.
fn next(id: &str, answer: Answer) -> String {
    let answer = String::from_utf8(answer.json()).expect("JSON is UTF-8");
    format!(r#"{{"type":"next","id":{},"payload":{answer}}}"#, json!(id))
}

/// Runs what a client asks: once, or for each event.
async fn begin(asking: Asking, token: String, request: Request) -> BoxStream<'static, Told> {
    let (toolkit, context) = (Toolkit::clone(&asking.state), Arc::clone(&asking.context));
    match within_limits(&toolkit, begin_within(asking, token, request)).await {
        Ok(begun) => begun,
        Err(error) => refused(failed(&error, &context, &toolkit)),
    }
}

async fn begin_within(asking: Asking, token: String, request: Request) -> BoxStream<'static, Told> {
    let answered = |answer| stream::iter([Told::Next(answer)]).boxed();
    let Asking {
        graph,
        state,
        context,
        headers,
    } = &asking;
    // Before the query is read, so that this is counted.
    let caller = match Caller::of_token(&token, state, context).await {
        Ok(caller) => caller,
        Err(error) => return refused(failed(&error, context, state)),
    };
    let prepared = match Prepared::new(graph, request).await {
        Ok(prepared) => prepared,
        Err(answer) if answer.data == Graphql::Null => return refused(answer.errors),
        Err(answer) => return answered(answer.into()),
    };
    let plan = match prepared.plan(graph) {
        Ok(plan) => plan,
        Err(error) => return refused(vec![error]),
    };
    if plan.kind != OperationType::Subscription {
        let session = Session::new(state, context, caller, headers);
        return answered(execute(graph, &session, &plan).await);
    }
    let listener = match listen(state, &caller, &plan).await {
        Ok(listener) => listener,
        Err(error) => return refused(failed(&error, context, state)),
    };
    drop(plan);
    follow(Followed {
        asking,
        prepared,
        caller,
        listener,
    })
}

fn refused(errors: Vec<ServerError>) -> BoxStream<'static, Told> {
    stream::iter([Told::Error(errors)]).boxed()
}

/// Why an operation doesn't begin, or a subscription ends.
fn failed(error: &ApiError, context: &RequestContext, toolkit: &Toolkit) -> Vec<ServerError> {
    vec![Failure::of(error, context, toolkit).at(None, vec![])]
}

/// The events that a subscription asks for.
async fn listen(state: &AppState, caller: &Caller, plan: &Plan<'_>) -> Result<Listener, ApiError> {
    let asked = plan.roots.iter().find_map(|root| match &root.what {
        What::Events(arguments) => Some(arguments),
        _ => None,
    });
    let after = asked.and_then(|asked| match asked.get(AFTER)? {
        Graphql::Number(after) => after.as_i64(),
        _ => None,
    });
    let types = asked.and_then(|asked| match asked.get(TYPES)?.clone() {
        Graphql::List(types) => Some(types),
        Graphql::Null => None,
        one => Some(vec![one]),
    });
    let types = types.map(|types| {
        let types = types.into_iter().filter_map(|one| match one {
            Graphql::String(text) => Some(text),
            _ => None,
        });
        types.collect()
    });
    events::listen(state, caller, types, after).await
}

/// A subscription.
struct Followed {
    asking: Asking,
    prepared: Prepared,
    caller: Caller,
    listener: Listener,
}

/// An answer to each event.
fn follow(followed: Followed) -> BoxStream<'static, Told> {
    let followed = Some(Box::new(followed));
    stream::unfold(followed, async |followed| {
        let mut followed = followed?;
        match followed.next().await {
            Ok(answer) => Some((Told::Next(answer), Some(followed))),
            Err(error) => {
                let Asking { context, state, .. } = &followed.asking;
                Some((Told::Error(failed(&error, context, state)), None))
            }
        }
    })
    .boxed()
}

impl Followed {
    async fn next(&mut self) -> Result<Answer, ApiError> {
        let news = self.listener.next().await?;
        let event: Json = serde_json::from_str(&news.json).expect("events are JSON");
        within_limits(&self.asking.state, self.answer(&event)).await
    }

    /// As to a request of its own. The plan is made anew for each, because it borrows of the schema.
    async fn answer(&self, event: &Json) -> Answer {
        let Asking {
            graph,
            state,
            context,
            headers,
        } = &self.asking;
        let session = Session::new(state, context, self.caller.clone(), headers);
        match self.prepared.plan(graph) {
            Ok(plan) => tell(graph, &session, &plan, event).await,
            Err(error) => Answer::refused(&[error]),
        }
    }
}

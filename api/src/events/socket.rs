//! `GET /ws`: the stream of events over a WebSocket (RFC 6455), for clients that follow several parts of it at once.
//!
//! Messages are JSON objects in text frames. The client says who it is first, unless the subprotocol has said it, then
//! subscribes and unsubscribes. A token is never taken from the address, which ends up in logs.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, HeaderValue, header},
    response::Response,
    routing::get,
};
use futures::{FutureExt, StreamExt, future::select_all};
use sea_orm::DbErr;
use tokio::time::{Instant, interval, timeout};
use usher_shared::events::{Listener, News};

use super::{
    listen,
    messages::{Reply, Request},
};
use crate::{
    state::AppState,
    toolkit::{
        caller::Caller,
        code::Code,
        error::ApiError,
        open_streams::OpenStream,
        reason::Reason,
        request::{Context, RequestContext},
    },
};

pub(crate) const PATH: &str = "/ws";
/// The subprotocol, which clients may ask for.
pub(crate) const PROTOCOL: &str = "usher.events.v1";
/// What a subprotocol begins with that holds a token. Browsers can send no header, and an offer of a subprotocol is not
/// logged.
pub(crate) const BEARER: &str = "bearer.";
/// How long a client may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(20);
/// A client that is silent for so long, pongs included, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long a message may wait for a client that doesn't read.
const SLOW: Duration = Duration::from_secs(30);
/// The longest message of a client, in bytes.
const MAX_MESSAGE: usize = 16 * 1024;
const MAX_SUBSCRIPTIONS: usize = 32;
/// The longest name of a subscription, in bytes.
const MAX_NAME: usize = 64;

pub(crate) fn router() -> Router<AppState> {
    Router::new().route(PATH, get(connect))
}

async fn connect(
    State(state): State<AppState>,
    Context(context): Context,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| Code::UPGRADE_REQUIRED)?;
    check_origin(&state, &headers)?;
    let caller = match offered_token(&headers) {
        Some(token) => Some(Caller::of_token(token, &state, &context).await?),
        None => None,
    };
    let upgrade = upgrade
        .protocols([PROTOCOL])
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        if let Err(ended) = talk(&state, &context, &mut socket, caller).await {
            ended.tell(&mut socket).await;
        }
    }))
}

/// A page of a foreign origin must not speak for the person who looks at it: browsers apply no same-origin policy to
/// sockets (RFC 6455 §10.2). Programs send no origin.
pub(crate) fn check_origin(state: &AppState, headers: &HeaderMap) -> Result<(), ApiError> {
    let own = state
        .config
        .api_url
        .strip_suffix(state.root.as_str())
        .unwrap_or(&state.config.api_url);
    let is_known = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        origin == own || state.config.cors_origins.iter().any(|allowed| allowed == origin)
    };
    match headers.get_all(header::ORIGIN).iter().all(is_known) {
        true => Ok(()),
        false => Err(Code::ORIGIN_REFUSED.into()),
    }
}

fn offered_token(headers: &HeaderMap) -> Option<&str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter();
    let offers = offers.filter_map(|offer| HeaderValue::to_str(offer).ok());
    offers
        .flat_map(|offer| offer.split(','))
        .find_map(|offer| offer.trim().strip_prefix(BEARER))
}

/// Why a connection ends.
enum Ended {
    /// The client has closed it, or is gone.
    Gone,
    /// By us.
    Reason(Reason),
}

impl Ended {
    async fn tell(self, socket: &mut WebSocket) {
        let Self::Reason(reason) = self else { return };
        let close = CloseFrame {
            code: reason.close_code,
            reason: reason.word.into(),
        };
        let told = async {
            socket.send(text(&Reply::End { reason })).await?;
            socket.send(Message::Close(Some(close))).await
        };
        drop(timeout(Duration::from_secs(1), told).await);
    }
}

/// A part of the stream that a client follows.
struct Subscription {
    id: String,
    listener: Listener,
}

struct Conversation<'a> {
    state: &'a AppState,
    socket: &'a mut WebSocket,
    caller: Caller,
    open: OpenStream,
    subscriptions: Vec<Subscription>,
    heard_at: Instant,
}

async fn talk(
    state: &AppState,
    context: &Arc<RequestContext>,
    socket: &mut WebSocket,
    caller: Option<Caller>,
) -> Result<(), Ended> {
    let caller = match caller {
        Some(caller) => caller,
        None => timeout(PATIENCE, authenticate(state, context, socket))
            .await
            .map_err(|_| Ended::Reason(Reason::AUTHENTICATION_REQUIRED))??,
    };
    let open = state.streams.open(&state.db, &caller);
    let open = open.map_err(|_| Ended::Reason(Reason::TOO_MANY_STREAMS))?;
    let mut conversation = Conversation {
        state,
        socket,
        caller,
        open,
        subscriptions: vec![],
        heard_at: Instant::now(),
    };
    conversation.say(&Reply::Authenticated).await?;
    conversation.go_on().await
}

/// The first message says who it is.
async fn authenticate(
    state: &AppState,
    context: &Arc<RequestContext>,
    socket: &mut WebSocket,
) -> Result<Caller, Ended> {
    loop {
        let text = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
            Some(Ok(Message::Binary(_))) => return Err(Ended::Reason(Reason::INVALID_MESSAGE)),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Ended::Gone),
        };
        let Ok(Request::Authenticate { token }) = serde_json::from_str(&text) else {
            return Err(Ended::Reason(Reason::AUTHENTICATION_REQUIRED));
        };
        return match Caller::of_token(&token, state, context).await {
            Ok(caller) => Ok(caller),
            Err(ApiError::RateLimited { .. }) => Err(Ended::Reason(Reason::RATE_LIMITED)),
            Err(error) if error.code().status().is_server_error() => Err(Ended::Reason(Reason::UNAVAILABLE)),
            Err(_) => Err(Ended::Reason(Reason::INVALID_CREDENTIAL)),
        };
    }
}

/// What happens next.
enum Next {
    Received(Option<Result<Message, axum::Error>>),
    News(usize, Result<News, DbErr>),
    Ping,
    End(Reason),
}

impl Conversation<'_> {
    async fn go_on(&mut self) -> Result<(), Ended> {
        let mut ping = interval(PING);
        ping.reset();
        loop {
            let next = {
                let news = self.subscriptions.iter_mut().map(|each| each.listener.next().boxed());
                let news: Vec<_> = news.collect();
                let news = async {
                    match news.is_empty() {
                        true => std::future::pending().await,
                        false => select_all(news).await,
                    }
                };
                tokio::select! {
                    biased;
                    reason = self.open.end() => Next::End(reason),
                    message = self.socket.next() => Next::Received(message),
                    _ = ping.tick() => Next::Ping,
                    (news, which, _) = news => Next::News(which, news),
                }
            };
            match next {
                Next::End(reason) => return Err(Ended::Reason(reason)),
                Next::Received(None | Some(Err(_) | Ok(Message::Close(_)))) => return Ok(()),
                Next::Received(Some(Ok(message))) => self.hear(message).await?,
                Next::Ping => self.ping().await?,
                Next::News(which, Ok(news)) => self.pass_on(which, &news).await?,
                Next::News(_, Err(error)) => {
                    tracing::warn!(%error, "a socket of events ends");
                    return Err(Ended::Reason(Reason::UNAVAILABLE));
                }
            }
        }
    }

    /// Everything that a client sends shows that it is there.
    async fn hear(&mut self, message: Message) -> Result<(), Ended> {
        self.heard_at = Instant::now();
        let text = match message {
            Message::Text(text) => text,
            Message::Binary(_) => return Err(Ended::Reason(Reason::INVALID_MESSAGE)),
            _ => return Ok(()),
        };
        match serde_json::from_str(&text) {
            Ok(Request::Subscribe { id, types, after }) => self.subscribe(id, types, after).await,
            Ok(Request::Unsubscribe { id }) => {
                self.subscriptions.retain(|each| each.id != id);
                self.say(&Reply::Unsubscribed { id: &id }).await
            }
            Ok(Request::Authenticate { .. }) => {
                self.refuse(None, Code::INVALID_REQUEST, "You are authenticated already")
                    .await
            }
            Err(error) => {
                let detail = format!("Send a message of the type subscribe or unsubscribe: {error}");
                self.refuse(None, Code::INVALID_REQUEST, &detail).await
            }
        }
    }

    async fn subscribe(&mut self, id: String, types: Option<Vec<String>>, after: Option<i64>) -> Result<(), Ended> {
        let fault = if id.is_empty() || id.len() > MAX_NAME {
            Some("An id has 1 to 64 bytes")
        } else if self.subscriptions.iter().any(|each| each.id == id) {
            Some("There is a subscription with this id; unsubscribe it first")
        } else if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            Some("A connection can have 32 subscriptions")
        } else {
            None
        };
        if let Some(fault) = fault {
            return self.refuse(Some(&id), Code::INVALID_REQUEST, fault).await;
        }
        match listen(self.state, &self.caller, types, after).await {
            Ok(listener) => {
                let after = listener.covered();
                self.say(&Reply::Subscribed { id: &id, after }).await?;
                self.subscriptions.push(Subscription { id, listener });
                Ok(())
            }
            Err(ApiError::Invalid(faults)) => {
                let fault = faults.first().map_or("", |fault| &fault.violation.message);
                self.refuse(Some(&id), Code::INVALID_REQUEST, fault).await
            }
            Err(error) => {
                let code = error.code();
                self.refuse(Some(&id), code, code.detail()).await
            }
        }
    }

    async fn refuse(&mut self, id: Option<&str>, code: Code, detail: &str) -> Result<(), Ended> {
        let code = code.as_str();
        self.say(&Reply::Error { id, code, detail }).await
    }

    /// Also says how far each subscription has come, for clients that have to connect again.
    async fn ping(&mut self) -> Result<(), Ended> {
        if self.heard_at.elapsed() > SILENCE {
            return Err(Ended::Gone);
        }
        let positions = self.subscriptions.iter().map(|each| {
            let (id, position) = (&*each.id, each.listener.covered());
            text(&Reply::Position { id, position })
        });
        for position in positions.collect::<Vec<_>>() {
            self.send(position).await?;
        }
        self.send(Message::Ping(axum::body::Bytes::new())).await
    }

    async fn pass_on(&mut self, which: usize, news: &News) -> Result<(), Ended> {
        let event = serde_json::from_str(&news.json).expect("events are JSON");
        let id = &*self.subscriptions[which].id;
        let message = text(&Reply::Event { id, event });
        self.send(message).await
    }

    async fn say(&mut self, reply: &Reply<'_>) -> Result<(), Ended> {
        self.send(text(reply)).await
    }

    /// Nothing is kept for a client that doesn't read: it reads the stream again from where it was.
    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(SLOW, self.socket.send(message)).await {
            Ok(sent) => sent.map_err(|_| Ended::Gone),
            Err(_) => Err(Ended::Reason(Reason::TOO_SLOW)),
        }
    }
}

fn text(reply: &Reply) -> Message {
    Message::text(serde_json::to_string(reply).expect("texts and numbers"))
}

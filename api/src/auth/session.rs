//! Sessions as the API shows them, and as the audit log names them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use usher_shared::{
    audit::Entry,
    foundation::entity::{
        session::{self, SessionKind},
        user,
    },
};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::toolkit::moment;

/// A signed-in device.
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub(crate) struct SessionOut {
    #[schema(example = "0198b5a0-6f3a-7c52-9d8e-5b1f0e4c2a77")]
    id: Uuid,
    kind: Kind,
    /// Whether this request uses it.
    #[schema(example = true)]
    current: bool,
    /// Where it was started from.
    #[schema(example = "203.0.113.7")]
    address: Option<String>,
    /// The `User-Agent` that started it.
    #[schema(example = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")]
    user_agent: Option<String>,
    /// Whether the second factor was given.
    #[schema(example = false)]
    mfa: bool,
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    created_at: DateTime<Utc>,
    /// To about five minutes.
    #[schema(example = "2026-11-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    last_seen_at: DateTime<Utc>,
    /// When it ends at the latest; unused sessions end earlier.
    #[schema(example = "2026-12-22T12:00:00.123456Z")]
    #[serde(serialize_with = "moment::fixed")]
    expires_at: DateTime<Utc>,
}

/// Where the session is used: the API or the admin.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SessionKind)]
enum Kind {
    Api,
    Admin,
}

impl SessionOut {
    pub(crate) fn of(session: session::Model, current: Option<Uuid>) -> Self {
        Self {
            id: session.id,
            kind: match session.kind {
                SessionKind::Api => Kind::Api,
                SessionKind::Admin => Kind::Admin,
            },
            current: current == Some(session.id),
            address: session.address,
            user_agent: session.user_agent,
            mfa: session.mfa_at.is_some(),
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            expires_at: session.expires_at,
        }
    }

    /// The session of the request.
    pub(crate) fn current(session: session::Model) -> Self {
        let id = session.id;
        Self::of(session, Some(id))
    }
}

/// All sessions of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = Sessions)]
pub(crate) struct SessionsOut {
    /// Newest first, a hundred at most.
    pub(crate) data: Vec<SessionOut>,
}

/// The audit entry of an ended session.
pub(crate) fn ended(id: Uuid, owner: &str) -> Entry<'static> {
    Entry {
        action: "end_session",
        object_type: "session",
        object_id: Some(id.to_string()),
        object_label: Some(owner.to_owned()),
        ..Entry::default()
    }
}

/// An audit entry about this account.
pub(crate) fn about<'a>(user: &user::Model, action: &'a str) -> Entry<'a> {
    Entry {
        action,
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        ..Entry::default()
    }
}

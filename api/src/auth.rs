//! How people get in: log-in, tokens, and everything that leads to a password or away from it.

mod login;
mod mailed;
mod oauth;
mod password_reset;
mod reauthenticate;
mod refresh;
mod sign_up;

use axum::{
    Json,
    http::{HeaderMap, StatusCode, header},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde::Serialize;
use usher_shared::{
    accounts::sessions::{self, Device, Pair},
    audit::{self, Actor, Entry},
    foundation::{
        entity::{audit_log::ActorKind, session, user},
        time::now,
    },
    jobs::{NewSignIn, Tx, enqueue},
};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;

use crate::{caller::actor, error::ApiError, me::SessionOut, request::RequestContext, state::AppState};

pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(sign_up::router())
        .merge(mailed::router())
        .merge(login::router())
        .merge(reauthenticate::router())
        .merge(refresh::router())
        .merge(oauth::router())
        .merge(password_reset::router())
}

pub(crate) use login::{refused, text};
pub(crate) use mailed::{Errand, run};
pub(crate) use oauth::{NO_CACHE, TOKEN_PATH};
pub(crate) use password_reset::acceptable;
pub(crate) use sign_up::charge_mail;

/// What is done about an address, which is the same whether somebody here has it or not.
#[derive(Serialize, ToSchema)]
#[schema(as = Accepted)]
pub(crate) struct AcceptedOut {
    #[schema(example = "If the address is one we can write to, a mail is on its way")]
    detail: &'static str,
}

/// The answer to whoever asks for a mail.
pub(crate) const ACCEPTED: (StatusCode, Json<AcceptedOut>) = (
    StatusCode::ACCEPTED,
    Json(AcceptedOut {
        detail: "If the address is one we can write to, a mail is on its way",
    }),
);

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensOut {
    /// Always false here: nothing more is owed.
    #[schema(example = false)]
    mfa_required: bool,
    /// Send it as `Authorization: Bearer uat_…`.
    #[schema(example = "uat_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token runs out.
    #[schema(example = 900, minimum = 0)]
    expires_in: i64,
    /// Gets the next pair at `POST /auth/refresh`.
    #[schema(example = "urt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    refresh_token: String,
    session: SessionOut,
}

impl TokensOut {
    fn of(session: session::Model, pair: &Pair) -> Self {
        let left = session.token_expires_at.map_or(0, |end| (end - now()).num_seconds());
        Self {
            mfa_required: false,
            access_token: pair.access.as_str().to_owned(),
            token_type: "Bearer",
            // Rounded up again: a client that refreshes a second late is refused.
            expires_in: left.max(0),
            refresh_token: pair.refresh.as_str().to_owned(),
            session: SessionOut::current(session),
        }
    }
}

/// Where the request comes from, for the session's row.
pub(crate) fn device(context: &RequestContext, headers: &HeaderMap) -> Device {
    let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Device {
        address: context.address.to_string(),
        user_agent: user_agent.map(str::to_owned),
    }
}

/// Who has not shown who they are.
pub(crate) fn anonymous(context: &RequestContext) -> Actor {
    actor(ActorKind::Anonymous, None, "Anonymous", context)
}

/// An audit row about this account.
pub(crate) fn about<'a>(user: &user::Model, action: &'a str) -> Entry<'a> {
    Entry {
        action,
        object_type: "user",
        object_id: Some(user.id.to_string()),
        object_label: Some(user.email.clone()),
        ..Entry::default()
    }
}

/// Completes a sign-in: the session, the log, and a mail when the device is new.
async fn sign_in(
    tx: &Tx,
    user: &user::Model,
    device: Device,
    with_mfa: bool,
    context: &RequestContext,
) -> Result<TokensOut, ApiError> {
    let is_new = sessions::is_new_device(&**tx, user.id, device.user_agent.as_deref()).await?;
    let (session, pair) = sessions::start(&**tx, user.id, device, with_mfa).await?;
    user::Entity::update_many()
        .col_expr(user::Column::LastLoginAt, Expr::value(session.created_at))
        .filter(user::Column::Id.eq(user.id))
        .exec(&**tx)
        .await?;
    let owner = actor(ActorKind::User, Some(user.id), &user.name, context);
    audit::record(&**tx, &owner, about(user, "login")).await?;
    if is_new {
        let mail = NewSignIn {
            user_id: user.id,
            session_id: session.id,
        };
        enqueue(tx, mail).await?;
    }
    context.caller.get_or_init(|| format!("user:{}", user.id));
    Ok(TokensOut::of(session, &pair))
}

//! A new session and its tokens.

use axum::http::{HeaderMap, header};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use serde::Serialize;
use usher_shared::{
    accounts::sessions::{self, Device, Pair},
    audit,
    foundation::{
        entity::{audit_log::ActorKind, session, user},
        time::now,
    },
    jobs::{NewSignIn, Tx, enqueue},
};
use utoipa::ToSchema;

use super::session::{SessionOut, about};
use crate::toolkit::{error::ApiError, request::RequestContext};

/// The tokens of a session.
#[derive(Serialize, ToSchema)]
#[schema(as = Tokens)]
pub(crate) struct TokensOut {
    /// Always false here: nothing more is owed.
    #[schema(example = false)]
    mfa_required: bool,
    /// Send it as `Authorization: Bearer uat_…`.
    #[schema(example = "uat_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    pub(super) access_token: String,
    #[schema(example = "Bearer")]
    pub(super) token_type: &'static str,
    /// Seconds until the access token runs out.
    #[schema(example = 900, minimum = 0)]
    pub(super) expires_in: i64,
    /// Gets the next pair at `POST /auth/refresh`.
    #[schema(example = "urt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    pub(super) refresh_token: String,
    session: SessionOut,
}

impl TokensOut {
    pub(super) fn of(session: session::Model, pair: &Pair) -> Self {
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

/// Completes a sign-in: the session, the log, and a mail when the device is new.
pub(super) async fn sign_in(
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
    let owner = context.actor(ActorKind::User, Some(user.id), &user.name);
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

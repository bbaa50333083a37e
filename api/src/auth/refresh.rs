//! `POST /auth/refresh` and `POST /auth/logout`.

use axum::{extract::State, http::StatusCode};
use serde_json::{Value, json};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::sessions::{self, Refreshed, Which},
    audit,
    foundation::{
        rules::{Violation, ViolationKind},
        token::{Token, TokenKind},
    },
};
use utoipa::openapi::Schema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{session::about, tokens::TokensOut};
use crate::{
    state::AppState,
    toolkit::{
        body::{Body, OptionalBody},
        caller::CurrentUser,
        code::Code,
        error::ApiError,
        fields::{Field, Fields, Violations, string},
        limits::Limit,
        openapi::{BODY_ERRORS, Errors, USER_ERRORS, error_list},
        request::{Context, RequestContext},
        schema,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(refresh)).routes(routes!(logout))
}

/// The refresh token.
#[derive(FromFields)]
#[schema(as = Refresh)]
struct RefreshIn {
    #[schema(example = "urt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    refresh_token: String,
}

/// Get the next tokens
///
/// Replaces both tokens. The same refresh token always gets the same pair, so that several tabs can refresh at once and
/// a lost response can be requested again: until the new access token is used, and for at least ten seconds. After
/// that, a refresh token that comes back is a stolen copy: its session ends and the owner gets an email.
#[utoipa::path(
    post, path = "/auth/refresh", operation_id = "refresh", tag = "Sign-in",
    request_body(content = RefreshIn, content_type = "application/json"),
    responses((status = 200, description = "The session's next tokens", body = TokensOut), Errors<Refresh>),
    security(()),
)]
async fn refresh(
    State(state): State<AppState>,
    Context(context): Context,
    Body(body): Body<RefreshIn>,
) -> Result<Secret<TokensOut>, ApiError> {
    exchange(&state, &context, &body.refresh_token).await.map(Secret)
}

error_list!(
    Refresh,
    [BODY_ERRORS],
    [INVALID_CREDENTIAL, ANSWER_NOT_KEPT, RATE_LIMITED]
);

/// The next tokens for this refresh token, as JSON or for OAuth.
pub(super) async fn exchange(state: &AppState, context: &RequestContext, raw: &str) -> Result<TokensOut, ApiError> {
    Limit::of_refreshes(context.address).charge(state, context).await?;
    let token = Token::parse(TokenKind::Refresh, raw).ok_or(Code::INVALID_CREDENTIAL)?;
    let tx = state.job_store.begin().await?;
    let refreshed = sessions::refresh(&tx, &state.config.secret_key, &token, &context.anonymous()).await?;
    tx.commit().await?;
    match refreshed {
        Refreshed::Pair(signed, pair) => {
            context.caller.get_or_init(|| format!("user:{}", signed.user.id));
            Ok(TokensOut::of(signed.session, &pair))
        }
        Refreshed::Refused | Refreshed::Reused => Err(Code::INVALID_CREDENTIAL.into()),
    }
}

/// Which sessions to end.
#[derive(FromFields)]
#[schema(as = Logout)]
struct LogoutIn {
    /// The session of this access token, all others, or all; `current` when it is left out.
    sessions: Option<Ending>,
}

#[derive(Clone, Copy)]
enum Ending {
    Current,
    Others,
    All,
}

impl Field for Ending {
    fn read(value: &Value, _: &Fields<'_>) -> Result<Self, Violations> {
        match string(value)? {
            "current" => Ok(Self::Current),
            "others" => Ok(Self::Others),
            "all" => Ok(Self::All),
            _ => Err(Violation::new(ViolationKind::Enum, "Send current, others or all").into()),
        }
    }

    fn schema() -> Schema {
        let words = schema::text().enum_values(Some(["current", "others", "all"]));
        schema::with_example(words, json!("current"))
    }
}

/// Log out
///
/// The tokens of the ended sessions are rejected immediately.
#[utoipa::path(
    post, path = "/auth/logout", operation_id = "logout", tag = "Sign-in",
    request_body(content = Option<LogoutIn>, content_type = "application/json"),
    responses((status = 204, description = "The sessions are ended"), Errors<Logout>),
    security(("accessToken" = [])),
)]
async fn logout(
    State(state): State<AppState>,
    Context(context): Context,
    current: CurrentUser,
    OptionalBody(body): OptionalBody<LogoutIn>,
) -> Result<StatusCode, ApiError> {
    let (user, own) = (&current.0.user, current.0.session.id);
    let which = match body.sessions.unwrap_or(Ending::Current) {
        Ending::Current => Which::One(own),
        Ending::Others => Which::Others(own),
        Ending::All => Which::All,
    };
    let tx = usher_shared::foundation::db::begin(&state.db).await?;
    // Sessions that the owner ended count differently from log-outs: see `sessions::is_known_address`.
    let reason = match which {
        Which::One(_) => "logged out",
        Which::Others(_) | Which::All => "ended by the user",
    };
    sessions::end(&tx, user.id, which, reason).await?;
    audit::record(&tx, &current.actor(&context), about(user, "logout")).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

error_list!(Logout, [BODY_ERRORS, USER_ERRORS], []);

//! `POST /oauth/token` (RFC 6749): the same log-in and refresh in the format that OAuth clients speak, such as Swagger
//! UI's *Authorize*.

use std::collections::HashMap;

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    login::{LoginOut, log_in},
    refresh::exchange,
    tokens::{TokensOut, device},
};
use crate::{
    state::AppState,
    toolkit::{
        code::Code,
        error::ApiError,
        form,
        openapi::{Errors, error_list},
        problem::NO_CACHE,
        request::Context,
        secret::Secret,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(token))
}

/// Tokens as RFC 6749 §5.1 has them.
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthTokens)]
struct OAuthTokensOut {
    #[schema(example = "uat_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 900, minimum = 0)]
    expires_in: i64,
    #[schema(example = "urt_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT_0aB1cD")]
    refresh_token: String,
}

impl From<TokensOut> for OAuthTokensOut {
    fn from(tokens: TokensOut) -> Self {
        Self {
            access_token: tokens.access_token,
            token_type: tokens.token_type,
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh_token,
        }
    }
}

/// An error as RFC 6749 §5.2 has it.
#[derive(Serialize, ToSchema)]
#[schema(as = OAuthError)]
struct OAuthErrorOut {
    /// `invalid_request`, `invalid_client`, `invalid_grant`, `invalid_scope`, `unsupported_grant_type`, or
    /// `mfa_required`.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    #[schema(example = json!(Code::LOGIN_FAILED.detail()))]
    error_description: &'static str,
    /// With `mfa_required`: what `POST /auth/mfa` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mfa_token: Option<String>,
}

/// Why there are no tokens.
enum Refusal {
    /// 400, with these two members.
    Said(&'static str, &'static str),
    /// 401 `invalid_client`.
    Client,
    /// 400 `mfa_required`, with the token for the code.
    CodeOwed(String),
    /// An error that every operation can have; [`crate::toolkit::problem`] gives it the members of the RFC.
    Other(ApiError),
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Coded(Code::LOGIN_FAILED | Code::EMAIL_NOT_VERIFIED | Code::INVALID_CREDENTIAL) => {
                Self::Said("invalid_grant", error.code().detail())
            }
            ApiError::Invalid(_) => Self::Said("invalid_request", "The form did not come whole"),
            ApiError::UnsupportedMediaType(..) => Self::Said("invalid_request", "Send a form with grant_type"),
            other => Self::Other(other),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = |error, error_description, mfa_token| OAuthErrorOut {
            error,
            error_description,
            mfa_token,
        };
        match self {
            Self::Said(error, why) => (StatusCode::BAD_REQUEST, NO_CACHE, Json(body(error, why, None))).into_response(),
            Self::Client => {
                let challenge = HeaderValue::from_static(r#"Basic realm="usher", charset="UTF-8""#);
                let challenge = [(header::WWW_AUTHENTICATE, challenge)];
                let body = body(
                    "invalid_client",
                    "No client is registered here; leave its credentials out",
                    None,
                );
                (StatusCode::UNAUTHORIZED, NO_CACHE, challenge, Json(body)).into_response()
            }
            Self::CodeOwed(token) => {
                let why = "Send the mfa_token with a code to POST /auth/mfa";
                let body = body("mfa_required", why, Some(token));
                (StatusCode::BAD_REQUEST, NO_CACHE, Secret(body)).into_response()
            }
            Self::Other(error) => error.into_response(),
        }
    }
}

/// What is asked for; only for the documents.
#[derive(ToSchema)]
#[schema(as = OAuthTokenRequest)]
#[expect(dead_code, reason = "only describes the form")]
struct TokenIn {
    /// `password` or `refresh_token`.
    #[schema(example = "password")]
    grant_type: String,
    /// The email address, for `password`.
    #[schema(example = "ada@example.com")]
    username: Option<String>,
    /// For `password`.
    #[schema(example = "velvet-Otter-72-canyon", format = Password)]
    password: Option<String>,
    /// For `refresh_token`.
    #[schema(example = json!(null))]
    refresh_token: Option<String>,
    /// Tokens here have no scopes: leave it out or empty.
    #[schema(example = "", max_length = 0)]
    scope: Option<String>,
}

/// Get tokens as an OAuth client
///
/// RFC 6749 with the grants `password` and `refresh_token`, for clients that speak nothing else. No clients are
/// registered: `client_id` is not needed, and a client secret is rejected. Errors follow RFC 6749 §5.2. With a second
/// factor the error is `mfa_required`; send its `mfa_token` to `POST /auth/mfa`.
#[utoipa::path(
    post, path = "/oauth/token", operation_id = "oauthToken", tag = "Sign-in",
    request_body(content = TokenIn, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The session's tokens", body = OAuthTokensOut),
        (
            status = 400, description = "Refused", body = OAuthErrorOut, content_type = "application/json",
            examples(("invalid_grant" = (value = json!({
                "error": "invalid_grant",
                "error_description": Code::LOGIN_FAILED.detail(),
            })))),
        ),
        (
            status = 401, description = "A client's credentials, of which none are registered", body = OAuthErrorOut,
            content_type = "application/json",
            headers(("WWW-Authenticate" = String, description = "`Basic`, as the client authenticated")),
            examples(("invalid_client" = (value = json!({
                "error": "invalid_client",
                "error_description": "No client is registered here; leave its credentials out",
            })))),
        ),
        Errors<Token>,
    ),
    security(()),
)]
async fn token(
    State(state): State<AppState>,
    Context(context): Context,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, Refusal> {
    let get = |name| form.get(name).map(String::as_str);
    check_client(&headers, get("client_secret"))?;
    let grant = get("grant_type").ok_or(Refusal::Said("invalid_request", "Send a form with grant_type"))?;
    if !["password", "refresh_token"].contains(&grant) {
        return Err(Refusal::Said("unsupported_grant_type", "Use password or refresh_token"));
    }
    if get("scope").is_some() {
        return Err(Refusal::Said(
            "invalid_scope",
            "Tokens here have no scopes; leave scope out",
        ));
    }
    let tokens = match (grant, get("username"), get("password"), get("refresh_token")) {
        ("password", Some(email), Some(password), _) => {
            match log_in(&state, &context, device(&context, &headers), email, password).await? {
                LoginOut::Tokens(tokens) => *tokens,
                LoginOut::MfaRequired(owed) => return Err(Refusal::CodeOwed(owed.mfa_token)),
            }
        }
        ("password", ..) => return Err(Refusal::Said("invalid_request", "Send username and password")),
        (_, _, _, Some(token)) => exchange(&state, &context, token).await?,
        _ => return Err(Refusal::Said("invalid_request", "Send the refresh_token")),
    };
    Ok((NO_CACHE, Secret(OAuthTokensOut::from(tokens))).into_response())
}

error_list!(Token, [], [BODY_TOO_LARGE, UNSUPPORTED_CONTENT_CODING, RATE_LIMITED]);

/// Rejects client credentials (RFC 6749 §5.2): no client is registered, so they can't be right. A public client may
/// name itself in the form, and Swagger UI sends an empty name and secret.
fn check_client(headers: &HeaderMap, secret: Option<&str>) -> Result<(), Refusal> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let line = lines.next().map(|line| line.to_str().unwrap_or_default().trim());
    if lines.next().is_some() {
        return Err(Refusal::Said(
            "invalid_request",
            "Send one Authorization header at most",
        ));
    }
    let (scheme, rest) = line.unwrap_or_default().split_once(' ').unwrap_or_default();
    // Clients send the access token that they have with everything, also when they come for the next one.
    let in_header = match line {
        None => false,
        Some(_) if scheme.eq_ignore_ascii_case("bearer") => false,
        Some(_) => !scheme.eq_ignore_ascii_case("basic") || rest.trim() != EMPTY,
    };
    match (in_header, secret) {
        (true, Some(_)) => Err(Refusal::Said("invalid_request", "Send client credentials in one place")),
        (true, None) | (false, Some(_)) => Err(Refusal::Client),
        (false, None) => Ok(()),
    }
}

/// An empty name, a colon and an empty secret, in base64.
const EMPTY: &str = "Og==";

/// The parameters that have a value: one without counts as left out, and none may be repeated (RFC 6749 §3.2).
struct Form(HashMap<String, String>);

impl FromRequest<AppState> for Form {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, Refusal> {
        let mut given = HashMap::new();
        for (name, value) in form::read(request).await? {
            if given.insert(name, value).is_some() {
                return Err(Refusal::Said("invalid_request", "Send each parameter once"));
            }
        }
        given.retain(|_, value| !value.is_empty());
        Ok(Self(given))
    }
}

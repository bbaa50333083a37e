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
use url::form_urlencoded;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    TokensOut, device,
    login::{LoginOut, log_in},
    refresh::exchange,
};
use crate::{
    code::Code,
    error::ApiError,
    json_body,
    openapi::{ANY_ERRORS, ErrorList, Errors},
    request::Context,
    secret::Secret,
    state::AppState,
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
    /// `invalid_request`, `invalid_grant`, `unsupported_grant_type`, or `mfa_required`.
    #[schema(example = "invalid_grant")]
    error: &'static str,
    #[schema(example = "Email or password is wrong, or the account may not sign in")]
    error_description: &'static str,
    /// With `mfa_required`: what `POST /auth/mfa` takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    mfa_token: Option<String>,
}

fn refusal(error: &'static str, error_description: &'static str) -> Response {
    let body = OAuthErrorOut {
        error,
        error_description,
        mfa_token: None,
    };
    (StatusCode::BAD_REQUEST, NO_CACHE, Json(body)).into_response()
}

/// For caches from before `Cache-Control`, which every answer of ours has (RFC 6749 §5.1).
const NO_CACHE: [(header::HeaderName, HeaderValue); 1] = [(header::PRAGMA, HeaderValue::from_static("no-cache"))];

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
}

/// Get tokens as an OAuth client
///
/// RFC 6749 with the grants `password` and `refresh_token`, for clients that speak nothing else. Client credentials are
/// not needed and not looked at. Errors have the form of RFC 6749 §5.2. With a second factor the error is
/// `mfa_required`, and its `mfa_token` goes to `POST /auth/mfa`.
#[utoipa::path(
    post, path = "/oauth/token", operation_id = "oauthToken", tag = "Sign-in",
    request_body(content = TokenIn, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The session's tokens", body = OAuthTokensOut),
        (
            status = 400, description = "Refused", body = OAuthErrorOut, content_type = "application/json",
            examples(("invalid_grant" = (value = json!({
                "error": "invalid_grant",
                "error_description": "Email or password is wrong, or the account may not sign in",
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
    form: Form,
) -> Result<Response, ApiError> {
    let tokens = match form.grant_type() {
        Some("password") => match (form.get("username"), form.get("password")) {
            (Some(email), Some(password)) => {
                let device = device(&context, &headers);
                match log_in(&state, &context, device, email, password).await {
                    Ok(LoginOut::Tokens(tokens)) => Ok(*tokens),
                    Ok(LoginOut::MfaRequired(owed)) => {
                        let body = OAuthErrorOut {
                            error: "mfa_required",
                            error_description: "Send the mfa_token with a code to POST /auth/mfa",
                            mfa_token: Some(owed.mfa_token),
                        };
                        return Ok((StatusCode::BAD_REQUEST, NO_CACHE, Secret(body)).into_response());
                    }
                    Err(error) => Err(error),
                }
            }
            _ => return Ok(refusal("invalid_request", "Send username and password, each once")),
        },
        Some("refresh_token") => match form.get("refresh_token") {
            Some(token) => exchange(&state, &context, token).await,
            None => return Ok(refusal("invalid_request", "Send the refresh_token, once")),
        },
        Some(_) => return Ok(refusal("unsupported_grant_type", "Use password or refresh_token")),
        None => return Ok(refusal("invalid_request", "Send a form with grant_type, once")),
    };
    match tokens {
        Ok(tokens) => Ok((NO_CACHE, Secret(OAuthTokensOut::from(tokens))).into_response()),
        Err(error @ (ApiError::LoginFailed | ApiError::EmailNotVerified | ApiError::InvalidCredential)) => {
            Ok(refusal("invalid_grant", error.code().detail()))
        }
        Err(other) => Err(other),
    }
}

struct Token;
impl ErrorList for Token {
    const CODES: &'static [&'static [Code]] = &[
        &[Code::BodyTooLarge, Code::InvalidRequest, Code::RateLimited],
        ANY_ERRORS,
    ];
}

/// The parameters that were sent exactly once (RFC 6749 §3.2: none may be repeated); one without a value counts as left
/// out.
struct Form(HashMap<String, Option<String>>);

impl FromRequest<AppState> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &AppState) -> Result<Self, ApiError> {
        let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .to_ascii_lowercase()
                .starts_with(b"application/x-www-form-urlencoded")
        });
        let bytes = json_body::read(request).await?;
        let mut once = HashMap::new();
        if is_form {
            for (name, value) in form_urlencoded::parse(&bytes) {
                let value = Some(value.into_owned()).filter(|value| !value.is_empty());
                once.entry(name.into_owned())
                    .and_modify(|kept| *kept = None)
                    .or_insert(value);
            }
        }
        Ok(Self(once))
    }
}

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref()
    }

    fn grant_type(&self) -> Option<&str> {
        self.get("grant_type")
    }
}

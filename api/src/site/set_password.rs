//! The pages behind mailed links that set a password, the first one (`/set-password`) or a new one (`/reset-password`),
//! which also proves the address. `/verify-email` comes here when it needs one.

use askama::Template;
use axum::{
    Router,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use usher_shared::{
    accounts::users,
    foundation::{
        entity::user,
        rules::{Password, Violation},
    },
};

use super::assets::address;
use crate::{
    auth::{Occasion, set_by_link},
    state::AppState,
    texts::{self, Notice},
    toolkit::{code::Code, error::ApiError, form, html::Page, limits::Limit, request::Context},
};

pub(crate) fn router() -> Router<AppState> {
    let page = |occasion: Occasion| {
        get(move |state, link| show(state, link, occasion))
            .post(move |state, context, form| set(state, context, form, occasion))
    };
    Router::new()
        .route("/set-password", page(Occasion::First))
        .route("/reset-password", page(Occasion::Reset))
}

#[derive(Template)]
#[template(path = "set_password.html")]
struct SetPassword {
    style: String,
    icon: String,
    product: String,
    occasion: Occasion,
    stage: Stage,
}

/// What the page says.
enum Stage {
    Form {
        token: String,
        email: String,
        faults: Vec<String>,
    },
    Told {
        status: StatusCode,
        notice: Notice,
        retry_after: Option<u64>,
    },
}

impl Stage {
    fn told(status: StatusCode, notice: Notice) -> Self {
        let retry_after = None;
        Self::Told {
            status,
            notice,
            retry_after,
        }
    }

    fn page(self, state: &AppState, occasion: Occasion) -> Response {
        let (status, retry_after) = match &self {
            Self::Form { faults, .. } if faults.is_empty() => (StatusCode::OK, None),
            Self::Form { .. } => (StatusCode::UNPROCESSABLE_ENTITY, None),
            Self::Told {
                status, retry_after, ..
            } => (*status, *retry_after),
        };
        let retry_after = retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds)));
        let at = |name| address(&state.root, name);
        let page = SetPassword {
            style: at("pages.css"),
            icon: at("icon.svg"),
            product: state.config.product_name.clone(),
            occasion,
            stage: self,
        };
        let mut response = Page::new(page).status(status).into_response();
        response.headers_mut().extend(retry_after);
        response
    }
}

#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    pub(crate) token: String,
}

/// Shows the form. It does not use the token up: mail programs open links to look at them.
pub(crate) async fn show(
    State(state): State<AppState>,
    link: Result<Query<Link>, QueryRejection>,
    occasion: Occasion,
) -> Result<Response, ApiError> {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let stage = match owner(&state, &token, occasion).await? {
        Ok(user) => Stage::Form {
            token,
            email: user.email,
            faults: vec![],
        },
        Err(stage) => stage,
    };
    Ok(stage.page(&state, occasion))
}

/// Sets the password. What was typed is never sent back.
pub(crate) async fn set(
    State(state): State<AppState>,
    Context(context): Context,
    form: Form,
    occasion: Occasion,
) -> Result<Response, ApiError> {
    if let Err(error) = Limit::of_passwords(context.address).charge(&state, &context).await {
        return Ok(refused(error, occasion)?.page(&state, occasion));
    }
    let user = match owner(&state, &form.token, occasion).await? {
        Ok(user) => user,
        Err(stage) => return Ok(stage.page(&state, occasion)),
    };
    let stage = match form.password(&state, &user) {
        Err(faults) => {
            let faults = faults.into_iter().map(|fault| fault.message).collect();
            Stage::Form {
                token: form.token,
                email: user.email,
                faults,
            }
        }
        Ok(password) => match set_by_link(&state, &context, occasion, &form.token, &password).await {
            Ok(()) => Stage::told(StatusCode::OK, done(occasion)),
            Err(error) => refused(error, occasion)?,
        },
    };
    Ok(stage.page(&state, occasion))
}

/// Whose token it is, without using it up; or what to say instead.
async fn owner(state: &AppState, token: &str, occasion: Occasion) -> Result<Result<user::Model, Stage>, ApiError> {
    match users::holder(&state.db, token, occasion.purpose()).await {
        Ok((_, user)) => Ok(Ok(user)),
        Err(error) => refused(error.into(), occasion).map(Err),
    }
}

fn done(occasion: Occasion) -> Notice {
    match occasion {
        Occasion::Reset => texts::PASSWORD_RESET,
        Occasion::First | Occasion::Verify => texts::PASSWORD_SET,
    }
}

fn refused(error: ApiError, occasion: Occasion) -> Result<Stage, ApiError> {
    let (invalid, expired) = match occasion {
        Occasion::First => (texts::INVITATION_INVALID, texts::INVITATION_EXPIRED),
        Occasion::Reset | Occasion::Verify => (texts::PASSWORD_LINK_INVALID, texts::LINK_EXPIRED),
    };
    match error {
        ApiError::Coded(Code::TOKEN_INVALID) => Ok(Stage::told(StatusCode::BAD_REQUEST, invalid)),
        ApiError::Coded(Code::TOKEN_EXPIRED) => Ok(Stage::told(StatusCode::GONE, expired)),
        ApiError::RateLimited { retry_after } => Ok(Stage::Told {
            status: StatusCode::TOO_MANY_REQUESTS,
            notice: texts::TOO_MANY_ATTEMPTS,
            retry_after: Some(retry_after),
        }),
        error => Err(error),
    }
}

/// What the form sends. A missing field counts as an empty one.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) token: String,
    pub(crate) password: String,
    repeated: Option<String>,
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let mut form = Self::default();
        for (name, value) in form::read(request).await? {
            match &*name {
                "token" => form.token = value,
                "password" => form.password = value,
                "password_again" => form.repeated = Some(value),
                _ => {}
            }
        }
        Ok(form)
    }
}

impl Form {
    fn password(&self, state: &AppState, user: &user::Model) -> Result<Password, Vec<Violation>> {
        let mut faults = vec![];
        if self
            .repeated
            .as_ref()
            .is_some_and(|repeated| *repeated != self.password)
        {
            faults.push(Violation::value("Both passwords must match"));
        }
        let own = state.config.known_words(&[&user.name, &user.email]);
        match Password::parse(&self.password, &own) {
            Ok(password) if faults.is_empty() => Ok(password),
            Ok(_) => Err(faults),
            Err(more) => Err(more.into_iter().chain(faults).collect()),
        }
    }
}

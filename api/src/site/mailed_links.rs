//! The pages behind mailed links that need no more than a click: `/verify-email`, `/confirm-email-change`,
//! `/undo-email-change` and `/keep-account`. Opening one does nothing yet, because mail programs open links to look at
//! them; its button does.

use askama::Template;
use axum::{
    Router,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use usher_shared::{
    accounts::users,
    foundation::entity::{mail_token::MailTokenPurpose, user},
};

use super::{
    assets::address,
    set_password::{self, Link, Occasion},
};
use crate::{
    auth::{Errand, run},
    state::AppState,
    toolkit::{error::ApiError, form, html::Page, request::Context},
};

pub(crate) fn router() -> Router<AppState> {
    let page = |errand: Errand| {
        get(move |state, link| show(state, link, errand))
            .post(move |state, context, form| act(state, context, form, errand))
    };
    Router::new()
        .route("/verify-email", get(show_verification).post(verify))
        .route("/confirm-email-change", page(Errand::ConfirmEmailChange))
        .route("/undo-email-change", page(Errand::UndoEmailChange))
        .route("/keep-account", page(Errand::KeepAccount))
}

#[derive(Template)]
#[template(path = "mailed_link.html")]
struct MailedLink {
    style: String,
    icon: String,
    product: String,
    title: &'static str,
    /// The address that it is about.
    email: Option<String>,
    text: &'static str,
    button: Option<Button>,
}

/// What is still to be clicked.
struct Button {
    action: &'static str,
    token: String,
    label: &'static str,
    /// For whoever was signed up by somebody else.
    may_choose_password: bool,
}

/// The words of one errand.
struct Words {
    action: &'static str,
    question: &'static str,
    about: &'static str,
    button: &'static str,
    done: &'static str,
    then: &'static str,
}

const fn words(errand: Errand) -> Words {
    match errand {
        Errand::VerifyEmail => Words {
            action: "verify-email",
            question: "Confirm your email address",
            about: "One click, and you can sign in with it.",
            button: "Confirm this address",
            done: "Your email address is confirmed",
            then: "You can close this page and sign in.",
        },
        Errand::ConfirmEmailChange => Words {
            action: "confirm-email-change",
            question: "Use this email address",
            about: "It becomes the address of your account, and you sign in with it from then on.",
            button: "Use this address",
            done: "Your account has this address now",
            then: "The old address got a mail about it. You can close this page.",
        },
        Errand::UndoEmailChange => Words {
            action: "undo-email-change",
            question: "Take your account back",
            about: "The account comes back to this address, all devices are signed out, and the password opens nothing any \
                more: a mail brings you a link to choose another.",
            button: "Undo the change",
            done: "Your account is back",
            then: "All devices are signed out. A mail is on its way with a link to choose a new password.",
        },
        Errand::KeepAccount => Words {
            action: "keep-account",
            question: "Keep your account",
            about: "The account will not be deleted.",
            button: "Keep my account",
            done: "Your account stays",
            then: "If it was not you who asked to delete it, sign in and change your password.",
        },
    }
}

/// One click, where the account has the password of the one sign-up; else the form to choose one.
async fn show_verification(
    state: State<AppState>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, ApiError> {
    let token = link.as_ref().map_or("", |Query(link)| &link.token);
    let found = users::holder(&state.db, token, MailTokenPurpose::VerifyEmail).await;
    if found.is_ok_and(|(_, user)| takes_password(&user)) {
        return set_password::show(state, link, Occasion::Verify).await;
    }
    show(state, link, Errand::VerifyEmail).await
}

async fn verify(state: State<AppState>, context: Context, form: set_password::Form) -> Result<Response, ApiError> {
    let found = users::holder(&state.db, &form.token, MailTokenPurpose::VerifyEmail).await;
    let takes_password = found.is_ok_and(|(_, user)| takes_password(&user));
    if takes_password || !form.password.is_empty() {
        return set_password::set(state, context, form, Occasion::Verify).await;
    }
    act(state, context, Form(form.token), Errand::VerifyEmail).await
}

fn takes_password(user: &user::Model) -> bool {
    user.password_hash.is_none() && user.email_verified_at.is_none()
}

async fn show(
    State(state): State<AppState>,
    link: Result<Query<Link>, QueryRejection>,
    errand: Errand,
) -> Result<Response, ApiError> {
    let token = link.map(|Query(link)| link.token).unwrap_or_default();
    let row = match users::holder(&state.db, &token, errand.purpose()).await {
        Ok((row, _)) => row,
        Err(error) => return refused(&state, error.into()),
    };
    let words = words(errand);
    let button = Button {
        action: words.action,
        token,
        label: words.button,
        may_choose_password: errand == Errand::VerifyEmail,
    };
    let page = page(&state, words.question, words.about, row.email, Some(button));
    Ok(Page::new(page).into_response())
}

async fn act(
    State(state): State<AppState>,
    Context(context): Context,
    Form(token): Form,
    errand: Errand,
) -> Result<Response, ApiError> {
    match run(&state, &context, errand, &token).await {
        Ok(user) => {
            let words = words(errand);
            let page = page(&state, words.done, words.then, Some(user.email), None);
            Ok(Page::new(page).into_response())
        }
        Err(error) => refused(&state, error),
    }
}

/// Why the link does nothing, for a person; what is no matter of the link stays an error.
fn refused(state: &AppState, error: ApiError) -> Result<Response, ApiError> {
    let (status, title, text) = match &error {
        ApiError::TokenInvalid => (
            StatusCode::BAD_REQUEST,
            "This link is not valid",
            "It was used before, replaced by a newer one, or not copied whole. Open the newest mail and copy its whole \
             link, or ask for another.",
        ),
        ApiError::TokenExpired => (
            StatusCode::GONE,
            "This link has expired",
            "Links work for a limited time, so that an old mail cannot change your account. Ask for a new one.",
        ),
        ApiError::EmailExists => (
            StatusCode::CONFLICT,
            "This address has an account already",
            "One address is one account's. Sign in to the other one, or use another address.",
        ),
        ApiError::RateLimited { .. } => (
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts",
            "Wait a minute and open the link from your mail again. It still works.",
        ),
        _ => return Err(error),
    };
    let mut response = Page::new(page(state, title, text, None, None))
        .status(status)
        .into_response();
    if let ApiError::RateLimited { retry_after } = error {
        let seconds = (header::RETRY_AFTER, HeaderValue::from(retry_after));
        response.headers_mut().extend([seconds]);
    }
    Ok(response)
}

fn page(
    state: &AppState,
    title: &'static str,
    text: &'static str,
    email: Option<String>,
    button: Option<Button>,
) -> MailedLink {
    let at = |name| address(&state.root, name);
    MailedLink {
        style: at("pages.css"),
        icon: at("icon.svg"),
        product: state.config.product_name.clone(),
        title,
        email,
        text,
        button,
    }
}

/// The token that the button sends; a missing one counts as empty.
struct Form(String);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let mut fields = form::read(request).await?.into_iter();
        let token = fields.find(|(name, _)| name == "token");
        Ok(Self(token.map(|(_, value)| value).unwrap_or_default()))
    }
}

//! The pages behind mailed links that need no more than a click: `/verify-email`, `/confirm-email-change`,
//! `/undo-email-change` and `/keep-account`. Opening one does nothing yet, because mail programs open links to look at
//! them; its button does.

use askama::Template;
use axum::{
    Router,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use usher_shared::{
    accounts::{mail_tokens::LinkPurpose, users},
    foundation::entity::user,
};

use super::{
    assets::address,
    set_password::{self, Form, Link},
};
use crate::{
    auth::{Errand, Occasion, run},
    state::AppState,
    texts::{self, Notice, link_page},
    toolkit::{code::Code, error::ApiError, html::Page, request::Context},
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

/// The button still to be clicked.
struct Button {
    action: &'static str,
    token: String,
    label: &'static str,
    /// Shown to people whose address someone else signed up.
    may_choose_password: bool,
}

/// One click, where the account has the password of the one sign-up; else the form to choose one.
async fn show_verification(
    state: State<AppState>,
    link: Result<Query<Link>, QueryRejection>,
) -> Result<Response, ApiError> {
    let token = link.as_ref().map_or("", |Query(link)| &link.token);
    let found = users::holder(&state.db, token, LinkPurpose::VERIFY_EMAIL).await;
    if found.is_ok_and(|(_, user)| takes_password(&user)) {
        return set_password::show(state, link, Occasion::Verify).await;
    }
    show(state, link, Errand::VerifyEmail).await
}

async fn verify(state: State<AppState>, context: Context, form: Form) -> Result<Response, ApiError> {
    let found = users::holder(&state.db, &form.token, LinkPurpose::VERIFY_EMAIL).await;
    let takes_password = found.is_ok_and(|(_, user)| takes_password(&user));
    if takes_password || !form.password.is_empty() {
        return set_password::set(state, context, form, Occasion::Verify).await;
    }
    act(state, context, form, Errand::VerifyEmail).await
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
    let words = link_page(errand);
    let button = Button {
        action: words.action,
        token,
        label: words.button,
        may_choose_password: errand == Errand::VerifyEmail,
    };
    let page = page(&state, words.question, row.email, Some(button));
    Ok(Page::new(page).into_response())
}

async fn act(
    State(state): State<AppState>,
    Context(context): Context,
    form: Form,
    errand: Errand,
) -> Result<Response, ApiError> {
    match run(&state, &context, errand, &form.token).await {
        Ok(user) => {
            let page = page(&state, link_page(errand).done, Some(user.email), None);
            Ok(Page::new(page).into_response())
        }
        Err(error) => refused(&state, error),
    }
}

/// Why the link does nothing, for a person; what is no matter of the link stays an error.
fn refused(state: &AppState, error: ApiError) -> Result<Response, ApiError> {
    let (status, notice) = match &error {
        ApiError::Coded(Code::TOKEN_INVALID) => (StatusCode::BAD_REQUEST, texts::LINK_INVALID),
        ApiError::Coded(Code::TOKEN_EXPIRED) => (StatusCode::GONE, texts::LINK_EXPIRED),
        ApiError::Coded(Code::EMAIL_EXISTS) => (StatusCode::CONFLICT, texts::ADDRESS_TAKEN),
        ApiError::RateLimited { .. } => (StatusCode::TOO_MANY_REQUESTS, texts::TOO_MANY_ATTEMPTS),
        _ => return Err(error),
    };
    let mut response = Page::new(page(state, notice, None, None))
        .status(status)
        .into_response();
    if let ApiError::RateLimited { retry_after } = error {
        let seconds = (header::RETRY_AFTER, HeaderValue::from(retry_after));
        response.headers_mut().extend([seconds]);
    }
    Ok(response)
}

fn page(state: &AppState, notice: Notice, email: Option<String>, button: Option<Button>) -> MailedLink {
    let at = |name| address(&state.root, name);
    MailedLink {
        style: at("pages.css"),
        icon: at("icon.svg"),
        product: state.config.product_name.clone(),
        title: notice.title,
        email,
        text: notice.text,
        button,
    }
}

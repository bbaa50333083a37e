//! `POST /me/email-change`.

use axum::{Json, extract::State, http::StatusCode};
use usher_api_macros::FromFields;
use usher_shared::{
    accounts::users,
    foundation::rules::{Email, Violation},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    auth::{ACCEPTED, AcceptedOut, charge_mail},
    state::AppState,
    toolkit::{
        body::Body,
        caller::FreshUser,
        error::ApiError,
        fields::in_body,
        openapi::{BODY_ERRORS, Errors, USER_ERRORS, error_list},
        request::Context,
    },
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(change))
}

/// The wanted address.
#[derive(FromFields)]
#[schema(as = EmailChange)]
struct EmailIn {
    new_email: Email,
}

/// Move to another email address
///
/// Nothing changes until the link in the email to the new address is opened; a newer request ends the earlier link.
/// Then the old address gets a link that undoes the change, for 72 hours. You can also change only the letter case: we
/// write to the address as you type it. Needs a password confirmed within the last five minutes: `POST
/// /auth/reauthenticate`.
#[utoipa::path(
    post, path = "/me/email-change", operation_id = "changeEmail", tag = "Me",
    request_body(content = EmailIn, content_type = "application/json"),
    responses(
        (status = 202, description = "A mail is on its way to the new address", body = AcceptedOut),
        Errors<Change>,
    ),
    security(("accessToken" = [])),
)]
async fn change(
    State(state): State<AppState>,
    Context(context): Context,
    FreshUser(current): FreshUser,
    Body(body): Body<EmailIn>,
) -> Result<(StatusCode, Json<AcceptedOut>), ApiError> {
    let user = &current.0.user;
    if body.new_email.as_str() == user.email {
        let fault = Violation::value("This is already your email address");
        return Err(ApiError::Invalid(vec![in_body("new_email", fault)]));
    }
    charge_mail(&state, &context, &body.new_email).await?;
    let tx = state.job_store.begin().await?;
    let user = current.hold(&tx).await?;
    users::ask_email_change(&tx, &user, &body.new_email, &current.actor(&context)).await?;
    tx.commit().await?;
    Ok(ACCEPTED)
}

error_list!(Change, [BODY_ERRORS, USER_ERRORS], [REAUTHENTICATION_REQUIRED]);

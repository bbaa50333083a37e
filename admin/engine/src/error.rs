//! Errors of pages. A handler returns one; the application's outermost layer renders its page.

use std::{borrow::Cow, sync::Arc, time::Duration};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use sea_orm::DbErr;
use usher_shared::foundation::{db::is_outage, rate_limit::Decision};

use crate::request::sent::{Fields, StoredAnswer};

/// What waits for a password confirmation.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Where to go on, on this site.
    pub to: String,
    /// The form to send there; none to open the page.
    pub form: Option<Fields>,
    /// Whether something was sent that is not kept, such as a file.
    pub lost: bool,
}

/// An error, by what a person can do about it.
#[derive(Clone, Debug)]
pub enum AdminError {
    /// Not signed in, or not completely: the page to go to.
    SignIn(String),
    NotFound,
    /// The password must be confirmed first.
    Reauthenticate(Box<Waiting>),
    /// The form is from an earlier session of the same person, who has signed in again since.
    SignedInSince(Box<Fields>),
    /// The reason, as a sentence.
    Forbidden(String),
    /// The form's token is missing, old or another visitor's.
    StaleForm,
    /// The form was sent before; this was the answer.
    Again(Arc<StoredAnswer>),
    /// The form was sent before with other contents, or too long ago to repeat the answer.
    AlreadySent,
    BadRequest(String),
    MethodNotAllowed,
    /// A body that is compressed, or no form.
    UnsupportedBody,
    /// Seconds to wait.
    TooMany(u64),
    /// The database does not answer.
    Unavailable(Arc<anyhow::Error>),
    Internal(Arc<anyhow::Error>),
}

/// The title where something can't be done.
const IMPOSSIBLE: &str = "This can't be done";
/// Seconds after which a retry may find that the database is back.
const OUTAGE: u64 = 5;

impl AdminError {
    pub(crate) fn confirm_password(to: &str, form: Option<&Fields>, lost: bool) -> Self {
        Self::Reauthenticate(Box::new(Waiting {
            to: to.to_owned(),
            form: form.cloned(),
            lost,
        }))
    }

    /// An attempt over its limit.
    pub fn too_many(decision: Decision) -> Self {
        let wait = decision.retry_after + Duration::from_millis(999);
        Self::TooMany(wait.as_secs().max(1))
    }

    /// Seconds after which the request may be repeated.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Unavailable(_) => Some(OUTAGE),
            _ => None,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.described().0
    }

    /// What happened, and what to do.
    pub fn words(&self) -> (&'static str, String) {
        let (_, title, words) = self.described();
        (title, words.into_owned())
    }

    /// The status, the title of the page, and what to do.
    fn described(&self) -> (StatusCode, &'static str, Cow<'static, str>) {
        let (status, title, words) = match self {
            Self::SignIn(_) => (StatusCode::SEE_OTHER, "Sign in", "Sign in to view this page."),
            Self::Reauthenticate(_) => (
                StatusCode::UNAUTHORIZED,
                "Confirm it's you",
                "Confirm your password to continue.",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "Page not found",
                "This page doesn't exist, or what it showed was deleted. Go back, or look for it in its list.",
            ),
            Self::Forbidden(why) => return (StatusCode::FORBIDDEN, "Access denied", why.clone().into()),
            Self::StaleForm | Self::SignedInSince(_) => (
                StatusCode::FORBIDDEN,
                "This form has expired",
                "You signed in or out after opening this form, or it wasn't sent from this site. Nothing was saved. \
                 Go back, reload the page and submit the form again.",
            ),
            Self::Again(_) | Self::AlreadySent => (
                StatusCode::CONFLICT,
                "Form already submitted",
                "Your first submission went through, so nothing was done this time. To submit it again, reload its \
                 page and use the form there.",
            ),
            Self::BadRequest(what) => return (StatusCode::BAD_REQUEST, IMPOSSIBLE, what.clone().into()),
            Self::UnsupportedBody => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                IMPOSSIBLE,
                "The form wasn't sent the way a browser sends it. Send its fields as form data, without \
                 Content-Encoding.",
            ),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                IMPOSSIBLE,
                "This address doesn't accept this kind of request.",
            ),
            Self::TooMany(seconds) => {
                let words = wait(*seconds).into();
                return (StatusCode::TOO_MANY_REQUESTS, "Too many attempts", words);
            }
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The database isn't responding",
                "Wait a few seconds and reload the page. If you were saving something, check whether it was saved \
                 before you submit it again.",
            ),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong",
                "This is a problem on our side, and it has been logged. Try again. If it keeps happening, give your \
                 administrator the request ID below.",
            ),
        };
        (status, title, words.into())
    }
}

/// Allows an attempt, or returns how long to wait.
pub fn allowed(decision: Decision) -> Result<(), AdminError> {
    if decision.allowed {
        Ok(())
    } else {
        Err(AdminError::too_many(decision))
    }
}

fn wait(seconds: u64) -> String {
    let unit = if seconds == 1 { "second" } else { "seconds" };
    format!("Wait {seconds} {unit}, then try again.")
}

impl From<DbErr> for AdminError {
    fn from(error: DbErr) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl From<anyhow::Error> for AdminError {
    fn from(error: anyhow::Error) -> Self {
        let of_database = error.chain().find_map(|cause| cause.downcast_ref::<DbErr>());
        if of_database.is_some_and(is_outage) {
            Self::Unavailable(Arc::new(error))
        } else {
            Self::Internal(Arc::new(error))
        }
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        if let Self::SignIn(to) = &self {
            return Redirect::to(to).into_response();
        }
        if let Self::Again(answer) = &self {
            return answer.as_ref().into_response();
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
